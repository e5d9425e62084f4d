"""A Gaussian prior on convolution kernels, fitted to those of trained networks."""

from __future__ import annotations

import math
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Self

import numpy as np

from regbench.regularizers.covariance import check_rank, checked_covariance, decomposed
from regbench.regularizers.gaussian_initializer import GaussianInitializer
from regbench.regularizers.smooth_kernel import SmoothKernel

RIDGES = np.logspace(-7, -1, 100)
FOLDS = 3

_ARRAYS = ("mean", "covariance", "ridge", "sample_shape")
_DAMAGED: tuple[type[Exception], ...] = (
    *(ArithmeticError, EOFError, LookupError, MemoryError, OSError, RuntimeError, SyntaxError, TypeError, ValueError),
    *(tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)
"""What NumPy raises of damaged files, depending on where."""


@dataclass(frozen=True, eq=False)
class KernelPrior:
    """A multivariate Gaussian over the slices (h, w) or filters (h, w, in) of convolution kernels (h, w, in, out).

    Made by `fit` or `load`. To see what the prior is worth on kernels that it has not seen, fit it to some networks and
    ask for the log-likelihood of those of others:

        >>> prior = KernelPrior.fit(kernels[:15], rank=2)
        >>> prior.log_likelihood(kernels[15:]), prior.log_likelihood_independent(kernels[15:])
        >>> layer = keras.layers.Conv2D(10, 5, kernel_regularizer=prior.regularizer(factor=0.1))

    Attributes:
        mean: The mean sample, flattened, d numbers.
        covariance: d x d, the ridge included.
        ridge: t, what was added to the diagonal.
        sample_shape: (h, w) or (h, w, in); the product is d.

    Reference:
        Feinman, Lake, "Learning a smooth kernel regularizer for convolutional neural networks", 2019,
        https://arxiv.org/abs/1903.01882

    Departure:
        The source subtracts the mean of all samples once, before the cross-validation. Here the mean is that of each
        fold's training samples, so that nothing of the held-out samples leaks into it.
    """

    mean: np.ndarray
    covariance: np.ndarray
    ridge: float
    sample_shape: tuple[int, ...]

    @classmethod
    def fit(cls, kernels: Iterable[Any], rank: int = 2, seed: int = 0) -> Self:
        """Fits mean and covariance.

            C = D'D / (n - 1) + t I

        D holds the n samples less their mean. t is the one of 100 values from 1e-7 to 0.1 (evenly spaced on a
        logarithmic scale) with the best Gaussian log-likelihood in 3-fold cross-validation.

        Args:
            kernels: Kernels (h, w, in, out) of the same layer in several networks. `in` may differ if `rank` is 2.
            rank: 2 to take each h x w slice as a sample, 3 to take each h x w x in filter.
            seed: Of the folds.

        Warns:
            UserWarning: The best t is the smallest or the largest there is.
        """
        check_rank(rank)
        samples, sample_shape = _samples_of(kernels, rank)
        if len(samples) < FOLDS:
            raise ValueError(f"`kernels` must hold at least {FOLDS} samples, one a fold. Received: {len(samples)}")
        scores = _held_out_log_likelihoods(samples, seed)
        ridge = float(RIDGES[scores.argmax()])
        if ridge in (RIDGES[0], RIDGES[-1]):
            warnings.warn(
                f"The best `t` of the cross-validation is at an end of its range, t={ridge:.0e}: "
                "a better one may lie beyond.",
                stacklevel=2,
            )
        covariance = _covariance_of(samples) + ridge * np.eye(samples.shape[1])
        return cls(samples.mean(axis=0), covariance, ridge, sample_shape)

    @property
    def rank(self) -> int:
        """2 where samples are slices, 3 where they are filters."""
        return len(self.sample_shape)

    def log_likelihood(self, kernels: Iterable[Any]) -> float:
        """The mean log-density of the samples in these kernels."""
        return self._mean_log_density(kernels, *np.linalg.eigh(self.covariance))

    def log_likelihood_independent(self, kernels: Iterable[Any]) -> float:
        """The same under the Gaussian that L2 stands for: the same mean, all entries independent, of one variance.

        That variance is the mean of the sample variances. There is no t: it would just add to this number.
        """
        dimension = len(self.mean)
        variance = np.trace(self.covariance) / dimension - self.ridge
        return self._mean_log_density(kernels, np.full(dimension, variance), np.eye(dimension))

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Draws slices or filters; the result has shape (count, *sample_shape)."""
        generator = np.random.default_rng(seed)
        draws = generator.multivariate_normal(self.mean, self.covariance, size=count, method="cholesky")
        return draws.reshape(count, *self.sample_shape)

    def regularizer(self, factor: float) -> SmoothKernel:
        """The penalty that this prior stands for."""
        return SmoothKernel(factor, self.covariance, self.rank)

    def initializer(self, seed: int | None = None) -> GaussianInitializer:
        """An initializer that draws kernels from this prior."""
        return GaussianInitializer(self.mean, self.covariance, self.rank, seed)

    def save(self, path: str | PathLike[str]) -> None:
        """Writes the prior to a file, whose name must end in `.npz`."""
        if Path(path).suffix != ".npz":
            raise ValueError(f"`path` must end in .npz. Received: path={str(path)!r}")
        np.savez(
            path, mean=self.mean, covariance=self.covariance, ridge=self.ridge, sample_shape=np.array(self.sample_shape)
        )

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Reads a prior that `save` has written. Nothing in the file is executed.

        Raises:
            OSError: The file cannot be opened.
            ValueError: It is not such a file, or is damaged.
        """
        with Path(path).open("rb") as file:
            try:
                arrays = dict(np.load(file, allow_pickle=False)) if zipfile.is_zipfile(file) else {}
                if missing := [name for name in _ARRAYS if name not in arrays]:
                    raise ValueError(f"without {missing}")
                mean, covariance, ridge, shape = (arrays[name] for name in _ARRAYS)
                prior = cls(mean, covariance, float(ridge), tuple(map(int, shape)))
                prior._check()
            except _DAMAGED as error:
                must = "`path` must be a file written by `KernelPrior.save`"
                raise ValueError(f"{must}. Received: {str(path)!r}, {error or type(error).__name__}") from error
        return prior

    def _check(self) -> None:
        check_rank(self.rank)
        dimension = math.prod(self.sample_shape)
        if min(self.sample_shape) < 1 or self.mean.shape != (dimension,) or self.covariance.shape != (dimension,) * 2:
            raise ValueError(
                f"`mean` and `covariance` must be of samples of shape {self.sample_shape}. "
                f"Received: shapes {self.mean.shape} and {self.covariance.shape}"
            )
        if not (np.isfinite(self.mean).all() and 0 <= self.ridge < np.inf):
            raise ValueError(f"`mean` must be finite and `ridge` not negative. Received: ridge={self.ridge!r}")
        decomposed(checked_covariance(self.covariance), definite=True)

    def _mean_log_density(self, kernels: Iterable[Any], variances: np.ndarray, axes: np.ndarray) -> float:
        samples, sample_shape = _samples_of(kernels, self.rank)
        if sample_shape != self.sample_shape:
            raise ValueError(
                f"`kernels` must give samples of shape {self.sample_shape}. Received: shape={sample_shape!r}"
            )
        return float(_mean_log_densities((samples - self.mean) @ axes, variances))


def _samples_of(kernels: Iterable[Any], rank: int) -> tuple[np.ndarray, tuple[int, ...]]:
    """All samples of all kernels, one a row, and their shape."""
    arrays = [np.asarray(kernel, "float64") for kernel in kernels]
    shapes = {array.shape[:rank] for array in arrays if array.ndim == 4}
    if len(shapes) != 1 or any(array.ndim != 4 for array in arrays):
        sample = "(h, w)" if rank == 2 else "(h, w, in)"
        raise ValueError(
            f"`kernels` must be arrays of shape (h, w, in, out) with the same {sample}. "
            f"Received: shapes {sorted({array.shape for array in arrays})}"
        )
    (sample_shape,) = shapes
    dimension = int(np.prod(sample_shape))
    samples = np.concatenate([array.reshape(dimension, -1).T for array in arrays])
    if not np.isfinite(samples).all():
        raise ValueError(f"`kernels` must be finite. Received: {np.sum(~np.isfinite(samples))} entries that are not")
    return samples, sample_shape


def _covariance_of(samples: np.ndarray) -> np.ndarray:
    return np.atleast_2d(np.cov(samples, rowvar=False))


def _mean_log_densities(deviations: np.ndarray, variances: np.ndarray) -> Any:
    """Mean log-density of deviations along the axes of a Gaussian, for each row of variances along these axes."""
    squares = np.mean(deviations**2, axis=0)
    return -np.sum(np.log(2 * np.pi * variances) + squares / variances, axis=-1) / 2


def _held_out_log_likelihoods(samples: np.ndarray, seed: int) -> np.ndarray:
    """The mean log-density of held-out samples for each of the `RIDGES`, averaged over the folds."""
    # Here, because a network with a penalty should not have to load scikit-learn.
    from sklearn.model_selection import KFold

    scores = []
    for train, test in KFold(FOLDS, shuffle=True, random_state=seed).split(samples):
        # t I leaves the eigenvectors alone: one decomposition serves all values of t.
        eigenvalues, eigenvectors = np.linalg.eigh(_covariance_of(samples[train]))
        deviations = (samples[test] - samples[train].mean(axis=0)) @ eigenvectors
        scores.append(_mean_log_densities(deviations, np.clip(eigenvalues, 0, None) + RIDGES[:, np.newaxis]))
    return np.mean(scores, axis=0)
