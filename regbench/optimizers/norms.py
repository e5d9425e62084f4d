"""Norms of the gradient of one variable, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

EPSILON = 1e-7
"""Added to every norm, so that a gradient of zeros stays one."""


def _l1(gradient: Any) -> Any:
    return ops.sum(ops.abs(gradient))


def _l2(gradient: Any) -> Any:
    return ops.sqrt(ops.sum(ops.square(gradient)))


def _average_l1(gradient: Any) -> Any:
    return ops.mean(ops.abs(gradient))


def _average_l2(gradient: Any) -> Any:
    return ops.sqrt(ops.mean(ops.square(gradient)))


def _largest(gradient: Any) -> Any:
    return ops.max(ops.abs(gradient))


BUNDLED_NORMS: dict[str, Callable[[Any], Any]] = {
    "l1": _l1,
    "l2": _l2,
    "l1_l2": lambda gradient: (_l1(gradient) + _l2(gradient)) / 2,
    "avg_l1": _average_l1,
    "avg_l2": _average_l2,
    "avg_l1_l2": lambda gradient: (_average_l1(gradient) + _average_l2(gradient)) / 2,
    "max": _largest,
    "linf": _largest,
    "min_max": lambda gradient: (_largest(gradient) + ops.min(ops.abs(gradient))) / 2,
    "std": ops.std,
}
_registered_norms: dict[str, Callable[[Any], Any]] = {}


def register_norm(name: str, function: Callable[[Any], Any]) -> None:
    """Makes a further norm known to `Normalized` and `Clipped`.

    A saved optimizer keeps the name alone: register the function again before loading it. Registering a name
    a second time replaces its function in optimizers that have not taken a step yet.

    Args:
        name: Must not be one of the bundled norms.
        function: From a gradient (float32 or wider, any rank) to a non-negative scalar, or to a tensor that broadcasts
            against the gradient. `1e-7` is added to what it returns. It should be written with `keras.ops`.
    """
    if name in BUNDLED_NORMS:
        raise ValueError(f"`name` must not be that of a bundled norm. Received: name={name!r}")
    _registered_norms[name] = function


def check_norm(name: str) -> None:
    """Raises `ValueError` where no norm has this name."""
    known = [*BUNDLED_NORMS, *_registered_norms]
    if name not in known:
        raise ValueError(
            f"`norm` must be one of {known} or be registered first with "
            f"`regbench.optimizers.register_norm`. Received: norm={name!r}"
        )


def gradient_norm(name: str, gradient: Any) -> Any:
    """N(g) + 1e-7, in float32 or wider: in float16 a sum of squares overflows at once."""
    check_norm(name)
    norm = BUNDLED_NORMS.get(name) or _registered_norms[name]
    dtype = keras.backend.result_type(gradient.dtype, "float32")
    return norm(ops.cast(gradient, dtype)) + EPSILON
