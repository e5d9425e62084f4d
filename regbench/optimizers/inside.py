"""What must not be inside a wrapper that compares or exchanges weights around the step of its inner optimizer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from regbench.optimizers.wrapper import OptimizerWrapper


def chain(optimizer: Any) -> Iterator[Any]:
    """An optimizer and those inside it, outermost first."""
    while optimizer is not None:
        yield optimizer
        optimizer = getattr(optimizer, "inner_optimizer", None)


def check_no_decay(owner: str, inner: Any, why: str) -> None:
    """Raises `ValueError` where an optimizer decays weights, by itself or by a wrapper inside it."""
    for one in chain(inner):
        if getattr(one, "strength", None) or getattr(one, "weight_decay", None):
            raise ValueError(
                f"`inner_optimizer` of `{owner}` must not decay weights: {why}. Received: {type(one).__name__} with a "
                "decay"
            )


def check_sees_no_weights(owner: str, inner: Any) -> None:
    """Raises `ValueError` where a step depends on the weights, which are others while the inner optimizer steps."""
    for one in chain(inner):
        hooks = ("before_step", "after_step", "_backend_update_step")
        is_around = isinstance(one, OptimizerWrapper) and any(
            getattr(type(one), hook) is not getattr(OptimizerWrapper, hook) for hook in hooks
        )
        if is_around or getattr(one, "looks_at_weights", False):
            raise ValueError(
                f"`inner_optimizer` of `{owner}` must take steps that do not depend on the weights. "
                f"Received: {type(one).__name__}"
            )
