"""The two phases of smooth-kernel regularization as runs: networks for the prior, then networks with it and with L2."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from regbench.figures import kernel_priors
from regbench.figures.effects import final_accuracy
from regbench.figures.kernel_priors import RANKS, FittedPrior
from regbench.figures.plan import KERAS_FIT, Find, Run, available_results, candidate, part
from regbench.records import TUNING_SEED, Candidate, Part, Problem

SOURCE = "Feinman and Lake 2019, arXiv 1903.01882"
METHODS = ("SK", "L2")
LAMBDA = 0.05
"""The strength is this times alpha, as in the source."""

WITH_VALIDATION = KERAS_FIT.model_copy(
    update={
        "name": "keras-fit-validation",
        "summary": "as Keras's fit: a validation split, reshuffled every epoch, every sample evaluated",
        "validation": True,
    }
)


@dataclass(frozen=True)
class Pipeline:
    """The two phases of the experiment on one data set.

    Args:
        first: the problem of phase 1, the classes that the prior is learned on.
        second: that of phase 2, other classes.
        networks: trained in phase 1, one a seed.
        epochs: of the two phases.
        learning_rate: of Adam.
        alphas: strengths that are tried in phase 2; 0, no regularizer, besides.
        tuning_seeds: with which each of them is tried.
        seeds: fresh ones, with which the best is run.
    """

    first: Problem
    second: Problem
    networks: int
    epochs: tuple[int, int]
    learning_rate: float
    alphas: Sequence[float]
    tuning_seeds: int
    seeds: int
    _fitted: dict[str, dict[str, FittedPrior]] = field(default_factory=dict)

    def phase_1(self) -> list[Run]:
        """The networks whose kernels the prior is fitted to."""
        optimizer = part("adam", learning_rate=self.learning_rate)
        # Keras's L2(0.01) is our L2(0.02).
        one = candidate("adam_sk_1", SOURCE, optimizer, part("per_layer", dense_1=part("l2", factor=0.02)))
        return [
            Run(self.first, one, seed, self.epochs[0], protocol=WITH_VALIDATION, keep_kernels=True)
            for seed in range(TUNING_SEED, TUNING_SEED + self.networks)
        ]

    def priors(self, find: Find) -> dict[str, FittedPrior] | None:
        """The prior of each layer, once phase 1 is there."""
        runs = self.phase_1()
        results = available_results(runs, find)
        if len(results) < len(runs):
            return None
        key = " ".join(run.digest for run in runs)
        if key not in self._fitted:
            self._fitted[key] = kernel_priors.fit(results)
        return self._fitted[key]

    def tuning(self, find: Find) -> dict[tuple[str, float], list[Run]]:
        """Phase 2 by method and alpha; alpha 0 has the method "none"."""
        keys = [("none", 0.0), *((method, alpha) for method in METHODS for alpha in self.alphas)]
        priors = self.priors(find)
        return {key: self._phase_2(*key, priors, TUNING_SEED, self.tuning_seeds) for key in keys}

    def best_alpha(self, find: Find, method: str) -> float | None:
        """The alpha with the best mean validation accuracy, the least of equals; None while runs are missing."""
        if method == "none":
            return 0.0
        means = {}
        for (name, alpha), runs in self.tuning(find).items():
            results = available_results(runs, find)
            if name == method:
                if len(results) < len(runs):
                    return None
                means[alpha] = float(np.mean([final_accuracy(run, "valid") for run in results]))
        return max(means, key=lambda alpha: (means[alpha], -alpha))

    def final(self, find: Find) -> dict[str, list[Run]]:
        """The best of each method, and none, on fresh seeds."""
        priors, start = self.priors(find), TUNING_SEED + self.tuning_seeds
        runs = {}
        for method in ("none", *METHODS):
            alpha = self.best_alpha(find, method)
            settled = None if alpha is None else priors
            runs[method] = self._phase_2(
                method, alpha or self.alphas[0], settled, start, self.seeds, is_settled=alpha is not None
            )
        return runs

    def _phase_2(
        self,
        method: str,
        alpha: float,
        priors: dict[str, FittedPrior] | None,
        start: int,
        count: int,
        is_settled: bool = True,
    ) -> list[Run]:
        one = self._candidate(method, alpha, priors)
        is_settled = is_settled and (method != "SK" or priors is not None)
        return [
            Run(self.second, one, seed, self.epochs[1], protocol=WITH_VALIDATION, is_settled=is_settled)
            for seed in range(start, start + count)
        ]

    def _candidate(self, method: str, alpha: float, priors: dict[str, FittedPrior] | None) -> Candidate:
        optimizer, factor = part("adam", learning_rate=self.learning_rate), LAMBDA * alpha
        penalties: dict[str, Part] = {}
        if method == "L2" or (method == "SK" and priors is None):
            # factor * sum w**2, which SK is where the covariance is the identity; and what stands for SK in a plan.
            penalties = {layer: part("l2", factor=2 * factor) for layer in RANKS}
        elif method == "SK" and priors is not None:
            penalties = {
                layer: part("smooth_kernel", factor=factor, covariance=fitted.prior.covariance.tolist(), rank=rank)
                for (layer, fitted), rank in zip(priors.items(), RANKS.values(), strict=True)
            }
        return candidate(
            f"adam_sk_2_{method.lower()}", SOURCE, optimizer, part("per_layer", **penalties) if penalties else None
        )
