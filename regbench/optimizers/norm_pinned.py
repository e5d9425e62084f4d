"""Norms of weights and of updates held fixed (hyperball)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from regbench.optimizers.gradients import densified
from regbench.optimizers.inside import check_no_decay, check_sees_no_weights
from regbench.optimizers.sums import length
from regbench.optimizers.wrapper import OptimizerWrapper, Selection

SMALLEST = 1e-10
"""Norm of a direction below which it is not blown up."""


@keras.saving.register_keras_serializable(package="regbench")
class NormPinned(OptimizerWrapper):
    """Steps by a fixed length, and puts the weights back onto a sphere.

    For each kernel concerned, with u the direction of the inner optimizer's step (w <- w - lr u), R the radius and
    Frobenius norms over the whole kernel, convolutions too,

        w <- R N(w - lr R u / max(|u|, 1e-10)),   N(x) = x / |x|

    R is the norm of the kernel at the first step, or `radius`. So the learning rate is the angle of a step, the size
    of the gradient has no effect where the inner optimizer's direction does not depend on it, and decay has none: it
    would only change the rate, to lr / (1 - lr strength). All other weights take the inner optimizer's own step. There
    is no projection onto the tangent. A kernel that is zero at the first step has no direction: its weights are not a
    number from then on.

    Example:
        >>> optimizer = NormPinned(keras.optimizers.Adam(learning_rate=3e-3))

    Args:
        inner_optimizer: The optimizer that gives the direction. It must not decay weights, and its step must not
            depend on them.
        radius: R, positive; None for the norm of each kernel at the first step.
        apply_to: `"hidden"` (default: kernels but those of embeddings and outputs), `"kernels"`, `"all"` or a function
            of a variable; see `OptimizerWrapper`.
        name: Name of the optimizer.
        **kwargs: See `OptimizerWrapper`.

    Reference:
        https://arxiv.org/abs/2606.16899 ("hyperball"), 2026
    """

    refuses_decay = "it pins the norm of kernels, so that a decay would only change their learning rate"

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer | str | dict[str, Any],
        radius: float | None = None,
        apply_to: Selection = "hidden",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(inner_optimizer, apply_to=apply_to, name=name, **kwargs)
        if radius is not None and not 0 < radius < float("inf"):
            raise ValueError(f"`radius` must be positive and finite, or None. Received: radius={radius!r}")
        check_no_decay("NormPinned", self.inner_optimizer, "with the norm pinned it would only change the rate")
        check_sees_no_weights("NormPinned", self.inner_optimizer)
        self.radius = None if radius is None else float(radius)

    def build(self, variables: list[Any]) -> None:
        """Creates the radii."""
        if self.built:
            return
        super().build(variables)
        self._radii = [
            self.add_variable((), dtype=_wide(variable), name="radius") if is_selected else None
            for variable, is_selected in zip(variables, self._is_selected, strict=True)
        ]

    def _backend_update_step(self, grads: list[Any], trainable_variables: list[Any], learning_rate: Any) -> None:
        grads = [densified(gradient, variable) for gradient, variable in zip(grads, trainable_variables, strict=True)]
        radii = [self._radii[self._get_variable_index(variable)] for variable in trainable_variables]
        starts: list[Any] = []
        for variable, radius in zip(trainable_variables, radii, strict=True):
            starts.append(None if radius is None else ops.copy(ops.convert_to_tensor(variable)))
            if radius is not None:
                # From 0, the inner optimizer's step is -lr u to all digits.
                self.assign(variable, ops.zeros(variable.shape, variable.dtype))
        super()._backend_update_step(grads, trainable_variables, learning_rate)
        for variable, radius, start in zip(trainable_variables, radii, starts, strict=True):
            if radius is not None:
                self._move(variable, radius, start, learning_rate)

    def _move(self, variable: Any, radius_variable: Any, start: Any, learning_rate: Any) -> None:
        dtype = _wide(variable)
        change, start = ops.cast(ops.convert_to_tensor(variable), dtype), ops.cast(start, dtype)
        rate = ops.cast(learning_rate, dtype)
        # R = |w| at the first step
        if self.radius is None:
            stored = ops.convert_to_tensor(radius_variable)
            radius = ops.cond(ops.equal(self.iterations, 0), lambda: length(start), lambda: stored)
        else:
            radius = ops.cast(self.radius, dtype)
        self.assign(radius_variable, radius)
        # w - lr R u / max(|u|, 1e-10), where the change is -lr u
        size = ops.maximum(length(change), rate * SMALLEST)
        moved = start + rate * radius * change / ops.where(ops.equal(size, 0), 1.0, size)
        # w <- R N(...)
        self.assign(variable, ops.cast(moved * (radius / length(moved)), variable.dtype))

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return super().get_config() | {"radius": self.radius}


def _wide(variable: Any) -> str:
    """Float32 or wider: in float16 a sum of squares overflows at once."""
    return keras.backend.result_type(variable.dtype, "float32")
