"""A pull of each kernel towards a Frobenius norm."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from regbench.regularizers.matrices import euclidean_norm
from regbench.regularizers.penalty import Penalty


@keras.saving.register_keras_serializable(package="regbench")
class NormTarget(Penalty):
    """Pulls the Frobenius norm of a kernel towards a target.

        factor / 2 * (|W| - target)**2

    The gradient is `factor * (1 - target / |W|) W`, and 0 at W = 0, which is no minimum. `target=0` is `L2(factor)`.

    `default_kernels` is `"both"`; the norm is that of all entries, whatever the shape. A kernel of Glorot's start has
    the norm sqrt(2 in out / (in + out)), so that one target means something else for each shape: `per_layer` in a
    candidate gives each layer its own.

    Args:
        factor: At least 0.
        target: The norm that costs nothing, at least 0.

    Reference:
        Loshchilov, "Weight norm control", 2023, https://arxiv.org/abs/2311.11446, which has the same target

    Departure:
        There it is a decay apart from the gradient, here a penalty.
    """

    default_kernels = "both"

    def __init__(self, factor: float, target: float = 1.0) -> None:
        super().__init__(factor)
        if isinstance(target, bool) or not 0 <= target < float("inf"):
            raise ValueError(f"`target` must be a finite number, at least 0. Received: target={target!r}")
        self.target = float(target)

    def unscaled(self, kernel: Any) -> Any:
        """Returns half the squared distance of the norm from its target."""
        return ops.square(euclidean_norm(kernel) - self.target) / 2

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return super().get_config() | {"target": self.target}
