"""Gaussian priors on the kernels of trained networks, a layer at a time, and what they are worth on other networks."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from regbench.records import RunResult

if TYPE_CHECKING:
    from regbench.regularizers import KernelPrior

RANKS = {"convolution_1": 3, "convolution_2": 2, "convolution_3": 2}
"""As in the source: filters of the first layer, slices of the others."""

FOLDS = 5


@dataclass(frozen=True)
class FittedPrior:
    """The prior of a layer.

    Args:
        prior: fitted to the kernels of all networks.
        correlated: mean log-density of the kernels of each network under a prior fitted to others.
        independent: the same under the Gaussian that L2 stands for.
        warnings: what the fits said.
    """

    prior: "KernelPrior"
    correlated: np.ndarray
    independent: np.ndarray
    warnings: Sequence[str]


def fit(results: Sequence[RunResult]) -> dict[str, FittedPrior]:
    """Fit a prior to each layer; every network is held out once."""
    return {layer: _fit_layer([run.kernels[layer].array() for run in results], rank) for layer, rank in RANKS.items()}


def _fit_layer(kernels: Sequence[np.ndarray], rank: int) -> FittedPrior:
    from sklearn.model_selection import KFold

    from regbench.engine import environment

    environment.prepare()
    from regbench.regularizers import KernelPrior

    correlated, independent = np.empty(len(kernels)), np.empty(len(kernels))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        folds = KFold(min(FOLDS, len(kernels)), shuffle=True, random_state=0)
        for others, held_out in folds.split(np.arange(len(kernels))):
            prior = KernelPrior.fit([kernels[number] for number in others], rank)
            for number in held_out:
                correlated[number] = prior.log_likelihood([kernels[number]])
                independent[number] = prior.log_likelihood_independent([kernels[number]])
        prior = KernelPrior.fit(kernels, rank)
    return FittedPrior(prior, correlated, independent, list(dict.fromkeys(str(one.message) for one in caught)))


def slices(kernel: np.ndarray, rank: int) -> np.ndarray:
    """The samples of a kernel (h, w, in, out) as images (n, h, w); of a filter the mean over its inputs."""
    height, width, inputs, outputs = kernel.shape
    if rank == 3:
        images: np.ndarray = kernel.mean(axis=2)
        return images.transpose(2, 0, 1)
    return kernel.transpose(2, 3, 0, 1).reshape(inputs * outputs, height, width)


def neighbours(fitted: FittedPrior) -> float:
    """The mean correlation between entries side by side."""
    covariance, shape = fitted.prior.covariance, fitted.prior.sample_shape
    deviations = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(deviations, deviations)
    numbers = np.arange(len(deviations)).reshape(shape)
    return float(correlation[numbers[:, :-1].ravel(), numbers[:, 1:].ravel()].mean())


def condition_number(fitted: FittedPrior) -> float:
    """The largest eigenvalue of the covariance over the smallest."""
    return float(np.linalg.cond(fitted.prior.covariance))
