"""Gradients clipped by their norm."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from regbench.optimizers.gradients import densified
from regbench.optimizers.norms import check_norm, gradient_norm
from regbench.optimizers.wrapper import OptimizerWrapper, Selection


@keras.saving.register_keras_serializable(package="regbench")
class Clipped(OptimizerWrapper):
    """Limits the norm of each variable's gradient to a threshold.

    The inner optimizer gets, variable by variable and with N(g) as in `Normalized` (1e-7 included),

        g * threshold / N(g)  where N(g) >= threshold,  else g

    `threshold=float("inf")` is the inner optimizer itself; with a threshold below every norm that occurs it is
    `Normalized` at `threshold` times the gradient. With `l2` it is what Keras does for `clipnorm`.

    Example:
        >>> optimizer = Clipped(keras.optimizers.Adam(), norm="max", threshold=0.01)

    Args:
        inner_optimizer: The optimizer that gets the clipped gradient.
        norm: Name of the norm; see `Normalized` and `register_norm`.
        threshold: Positive, may be infinite.
        apply_to: `"all"` (default), `"kernels"` or a function of a variable; see `OptimizerWrapper`.
        name: Name of the optimizer.
        **kwargs: See `OptimizerWrapper`.

    Reference:
        Majumdar, `ClippedOptimizer` of https://github.com/titu1994/keras-normalized-optimizers; with `l2`
        Pascanu et al., "On the difficulty of training recurrent neural networks", 2013, Algorithm 1,
        https://arxiv.org/abs/1211.5063

    Departure:
        From Pascanu et al.: the norm is that of one variable, not of all together.
    """

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer | str | dict[str, Any],
        norm: str = "l2",
        threshold: float = 1.0,
        apply_to: Selection = "all",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(inner_optimizer, apply_to=apply_to, name=name, **kwargs)
        check_norm(norm)
        self.norm = norm
        if not threshold > 0:
            raise ValueError(f"`threshold` must be positive. Received: threshold={threshold!r}")
        self.threshold = float(threshold)

    def transform(self, gradient: Any, variable: Any) -> Any:
        """Returns the clipped gradient."""
        gradient = densified(gradient, variable)
        norm = gradient_norm(self.norm, gradient)
        threshold = ops.cast(self.threshold, norm.dtype)
        # g <- g * threshold / N(g)  where N(g) >= threshold
        clipped = ops.cast(ops.multiply(gradient, threshold / norm), gradient.dtype)
        return ops.where(norm >= threshold, clipped, gradient)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return super().get_config() | {"norm": self.norm, "threshold": self.threshold}
