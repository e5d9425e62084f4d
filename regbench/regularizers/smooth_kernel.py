"""Smooth-kernel regularization."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from regbench.regularizers.covariance import check_kernel_shape, check_rank, checked_covariance, decomposed
from regbench.regularizers.penalty import Penalty


@keras.saving.register_keras_serializable(package="regbench")
class SmoothKernel(Penalty):
    """SK-reg: the negative logarithm of a Gaussian prior on convolution kernels.

        factor * trace(W S W') = factor * sum over samples w of w'Sw,  S the inverse of C / det(C)**(1/d)

    C is a covariance of size d x d. With `rank=2` each h x w slice of a kernel (h, w, in, out) is a sample w, with
    `rank=3` each h x w x in filter, both flattened in that order. Directions in which kernels vary little under C cost
    much. Only the shape of C matters, not its size: C and 10 C give the same penalty.

    With C = I it is `factor * sum w**2`, which is `keras.regularizers.L2(factor)` and our `L2(2 * factor)`.

    `default_kernels` is `"convolution"`; it has no meaning for dense kernels, which it refuses.

    Example:
        >>> prior = KernelPrior.fit(kernels_of_trained_networks, rank=2)
        >>> layer = keras.layers.Conv2D(10, 5, kernel_regularizer=prior.regularizer(factor=0.1))

    Args:
        factor: At least 0.
        covariance: C, symmetric and positive definite; a matrix or nested lists. See `KernelPrior`.
        rank: 2 (slices) or 3 (filters).

    Reference:
        Feinman, Lake, "Learning a smooth kernel regularizer for convolutional neural networks", 2019,
        https://arxiv.org/abs/1903.01882

    Departure:
        The source asks for a positive semi-definite C; a singular one has no inverse and is refused here.
    """

    default_kernels = "convolution"

    def __init__(self, factor: float, covariance: Any, rank: int = 2) -> None:
        super().__init__(factor)
        check_rank(rank)
        matrix = checked_covariance(covariance)
        eigenvalues, eigenvectors = decomposed(matrix, definite=True)
        # S = R'R: a sum of squares is never negative, while w'Sw may be so by rounding where C is nearly singular.
        scaled = eigenvalues / np.exp(np.mean(np.log(eigenvalues)))
        self._root = (eigenvectors / np.sqrt(scaled)).T
        self.covariance = matrix.tolist()
        self.rank = rank

    def unscaled(self, kernel: Any) -> Any:
        """Returns trace(W S W')."""
        dimension = len(self.covariance)
        check_kernel_shape(kernel.shape, self.rank, dimension)
        # The first axes are those of a sample: its entries become a column.
        samples = ops.reshape(kernel, (dimension, -1))
        return ops.sum(ops.square(ops.matmul(ops.convert_to_tensor(self._root, kernel.dtype), samples)))

    def get_config(self) -> dict[str, Any]:
        """The arguments; the covariance as nested lists."""
        return super().get_config() | {"covariance": self.covariance, "rank": self.rank}
