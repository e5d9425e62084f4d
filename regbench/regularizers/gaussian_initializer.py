"""Convolution kernels drawn from a Gaussian."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from regbench.regularizers.covariance import check_kernel_shape, check_rank, checked_covariance, decomposed


@keras.saving.register_keras_serializable(package="regbench")
class GaussianInitializer(keras.initializers.Initializer):
    """Draws the slices or filters of a convolution kernel independently from a multivariate Gaussian.

    Kernels have shape (h, w, in, out). With `rank=2` each h x w slice is a draw, with `rank=3` each h x w x in filter.
    As with Keras's own initializers every call gives the same numbers: layers of the same shape need different seeds.

    Example:
        >>> prior = KernelPrior.fit(kernels_of_trained_networks, rank=2)
        >>> layer = keras.layers.Conv2D(10, 5, kernel_initializer=prior.initializer(seed=1))

    Args:
        mean: One number for each entry of a sample, in the order (h, w) or (h, w, in).
        covariance: Symmetric and positive semi-definite; a matrix or nested lists.
        rank: 2 (slices) or 3 (filters).
        seed: An integer; None for one that `keras.utils.set_random_seed` decides on.

    Reference:
        Feinman, Lake, "Learning a smooth kernel regularizer for convolutional neural networks", 2019,
        https://arxiv.org/abs/1903.01882

    Departure:
        The source draws around zero instead of the mean kernel.
    """

    def __init__(self, mean: Any, covariance: Any, rank: int = 2, seed: int | None = None) -> None:
        check_rank(rank)
        matrix = checked_covariance(covariance)
        eigenvalues, eigenvectors = decomposed(matrix, definite=False)
        center = np.asarray(mean, "float64")
        if center.shape != eigenvalues.shape or not np.isfinite(center).all():
            raise ValueError(
                f"`mean` must hold {len(eigenvalues)} finite numbers, as many as `covariance` has rows. "
                f"Received: shape={center.shape!r}, {np.sum(~np.isfinite(center))} of them not finite"
            )
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
            raise ValueError(f"`seed` must be an integer or None. Received: seed={seed!r}")
        self._root = eigenvectors * np.sqrt(eigenvalues)
        self.mean = center.tolist()
        self.covariance = matrix.tolist()
        self.rank = rank
        self.seed = seed
        # Keras draws the seed from Python's generator, which `keras.utils.set_random_seed` seeds.
        self._random_seed = seed if seed is not None else keras.initializers.RandomNormal().seed

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """Returns a kernel of shape (h, w, in, out)."""
        dimension = len(self.mean)
        check_kernel_shape(tuple(shape), self.rank, dimension)
        count = int(np.prod(shape)) // dimension
        draws = keras.random.normal((dimension, count), dtype="float32", seed=self._random_seed)
        # mean + R z with RR' = C
        root, mean = ops.convert_to_tensor(self._root, "float32"), ops.convert_to_tensor(self.mean, "float32")
        kernel = ops.expand_dims(mean, 1) + ops.matmul(root, draws)
        return ops.cast(ops.reshape(kernel, shape), dtype or keras.config.floatx())

    def get_config(self) -> dict[str, Any]:
        """The arguments; mean and covariance as lists."""
        return {"mean": self.mean, "covariance": self.covariance, "rank": self.rank, "seed": self.seed}
