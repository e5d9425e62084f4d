"""The spectral norm of a kernel, plain or squared."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from regbench.regularizers.matrices import (
    as_matrix,
    carried_spectral_norm,
    exact_spectral_norm,
    first_block,
    spectral_norm,
)
from regbench.regularizers.penalty import Penalty


@keras.saving.register_keras_serializable(package="regbench")
class SpectralNorm(Penalty):
    """Penalizes the largest singular value of a kernel, sigma(W), or its square.

        factor / 2 * sigma(W)**2,   plain (`squared=False`): factor * sigma(W)

    The gradient is `factor * sigma * u v'`, plain `factor * u v'`, with the dominant singular vectors u and v held
    fixed; at W = 0 it is 0. Plain and not exact, it is `EigenvalueDecay(factor)` on the same kernels, bit for bit,
    whose docstring says where v comes from, what `iterations` of the power method leave, and how a training loop
    carries its vectors on with `warm_start`. Exact means a singular value decomposition in every step: slow for large
    kernels, right to rounding.

    `default_kernels` is `"both"`. Convolution kernels (h, w, in, out) are flattened to (h*w*in, out), as the source
    does: that is the norm of a matrix, not of the convolution.

    Example:
        >>> layer = keras.layers.Dense(64, kernel_regularizer=SpectralNorm(0.01))

    Args:
        factor: At least 0.
        squared: Whether the square is penalized, as in the source.
        exact: Whether sigma comes from a singular value decomposition, not from the power method.
        iterations: Products with W'W of the power method, at least 1.
        warm_start: Let a training loop that can do so carry the vectors of the power method on.

    Reference:
        Yoshida, Miyato, "Spectral norm regularization for improving the generalizability of deep learning", 2017,
        https://arxiv.org/abs/1705.10941, equation 4 (`squared`)

    Departure:
        The source iterates one vector from a random one, once a step; here a block of eight from fixed ones, as for
        `EigenvalueDecay`.
    """

    default_kernels = "both"

    def __init__(
        self, factor: float, squared: bool = True, exact: bool = False, iterations: int = 9, warm_start: bool = True
    ) -> None:
        super().__init__(factor)
        for name, value in (("squared", squared), ("exact", exact), ("warm_start", warm_start)):
            if not isinstance(value, bool):
                raise ValueError(f"`{name}` must be true or false. Received: {name}={value!r}")
        if isinstance(iterations, bool) or not isinstance(iterations, int) or iterations < 1:
            raise ValueError(f"`iterations` must be an integer, at least 1. Received: iterations={iterations!r}")
        self.squared = squared
        self.exact = exact
        self.iterations = iterations
        self.warm_start = warm_start

    @property
    def carries(self) -> bool:
        """Whether a training loop should carry a block from step to step."""
        return self.warm_start and not self.exact

    def unscaled(self, kernel: Any) -> Any:
        """Returns the norm, or half its square."""
        matrix = as_matrix(kernel)
        norm = exact_spectral_norm(matrix) if self.exact else spectral_norm(matrix, self.iterations)
        return self._power(norm)

    def first_block(self, kernel: Any) -> Any:
        """Returns the block to begin with for a kernel: orthonormal columns, one row an output."""
        return first_block(as_matrix(ops.convert_to_tensor(kernel)), self.iterations)

    def carried(self, kernel: Any, block: Any) -> tuple[Any, Any]:
        """Returns the penalty of a kernel by the block of the step before, and the block for the next step."""
        norm, following = carried_spectral_norm(as_matrix(ops.convert_to_tensor(kernel)), block)
        return self.factor * self._power(norm), following

    def _power(self, norm: Any) -> Any:
        return ops.square(norm) / 2 if self.squared else norm

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return super().get_config() | {
            "squared": self.squared,
            "exact": self.exact,
            "iterations": self.iterations,
            "warm_start": self.warm_start,
        }
