"""Smooth-kernel regularization."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from regbench.regularizers.covariance import (
    check_kernel_rank,
    check_kernel_shape,
    check_length,
    check_rank,
    checked_covariance,
    decomposed,
    exponential_covariance,
)
from regbench.regularizers.penalty import Penalty


@keras.saving.register_keras_serializable(package="regbench")
class SmoothKernel(Penalty):
    """SK-reg: the negative logarithm of a Gaussian prior on convolution kernels.

        factor * trace(W S W') = factor * sum over samples w of w'Sw,  S the inverse of C / det(C)**(1/d)

    C is a covariance of size d x d. With `rank=2` each h x w slice of a kernel (h, w, in, out) is a sample w, with
    `rank=3` each h x w x in filter, both flattened in that order. Directions in which kernels vary little under C cost
    much. Only the shape of C matters, not its size: C and 10 C give the same penalty.

    A number in place of C stands for a prior that nothing was fitted for: the covariance exp(-distance / number)
    between two places of a slice, whatever the size of the kernel. As it goes to 0, C goes to I.

    With C = I it is `factor * sum w**2`, which is `keras.regularizers.L2(factor)` and our `L2(2 * factor)`.

    `default_kernels` is `"convolution"`; it has no meaning for dense kernels, which it refuses.

    Example:
        >>> prior = KernelPrior.fit(kernels_of_trained_networks, rank=2)
        >>> layer = keras.layers.Conv2D(10, 5, kernel_regularizer=prior.regularizer(factor=0.1))

    Args:
        factor: At least 0.
        covariance: C, symmetric and positive definite; a matrix or nested lists. See `KernelPrior`. Or the length over
            which neighbours are correlated, in pixels, positive; only with `rank=2`.
        rank: 2 (slices) or 3 (filters).

    Reference:
        Feinman, Lake, "Learning a smooth kernel regularizer for convolutional neural networks", 2019,
        https://arxiv.org/abs/1903.01882

    Departure:
        The source asks for a positive semi-definite C; a singular one has no inverse and is refused here. It fits
        every C to trained kernels; one that is given by a length is ours.
    """

    default_kernels = "convolution"

    def __init__(self, factor: float, covariance: Any, rank: int = 2) -> None:
        super().__init__(factor)
        check_rank(rank)
        if isinstance(covariance, int | float):
            check_length(covariance, rank)
            self.covariance: Any = covariance
        else:
            matrix = checked_covariance(covariance)
            self._root = _root_of_inverse(matrix)
            self.covariance = matrix.tolist()
        self.rank = rank

    def unscaled(self, kernel: Any) -> Any:
        """Returns trace(W S W')."""
        if isinstance(self.covariance, list):
            root = self._root
            check_kernel_shape(kernel.shape, self.rank, len(root))
        else:
            check_kernel_rank(kernel.shape)
            height, width = kernel.shape[:2]
            root = _root_of_inverse(exponential_covariance(height, width, self.covariance))
        # The first axes are those of a sample: its entries become a column.
        samples = ops.reshape(kernel, (len(root), -1))
        return ops.sum(ops.square(ops.matmul(ops.convert_to_tensor(root, kernel.dtype), samples)))

    def get_config(self) -> dict[str, Any]:
        """The arguments; a covariance matrix as nested lists."""
        return super().get_config() | {"covariance": self.covariance, "rank": self.rank}


def _root_of_inverse(covariance: np.ndarray) -> np.ndarray:
    """R with S = R'R: a sum of squares is never negative; w'Sw may be so by rounding where C is nearly singular."""
    eigenvalues, eigenvectors = decomposed(covariance, definite=True)
    scaled = eigenvalues / np.exp(np.mean(np.log(eigenvalues)))
    return (eigenvectors / np.sqrt(scaled)).T
