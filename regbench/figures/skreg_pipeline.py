"""The two phases of smooth-kernel regularization as runs: networks for the prior, then networks that may use it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from regbench.figures import kernel_priors
from regbench.figures.effects import best_accuracy
from regbench.figures.kernel_priors import RANKS, FittedPrior
from regbench.figures.plan import KERAS_FIT, Find, Run, available_results, candidate, part
from regbench.records import TUNING_SEED, Candidate, Part, Problem, Schedule

SOURCE = "Feinman and Lake 2019, arXiv 1903.01882"


class Arm(NamedTuple):
    """What an arm of phase 2 does with the convolution kernels.

    Args:
        penalty: "L2", "SK", or none at all.
        start: from the fitted "prior", from an "isotropic" Gaussian of the same variance, or as Keras starts them.
    """

    penalty: str = ""
    start: str = ""


ARMS = {
    "none": Arm(),
    "L2": Arm("L2"),
    "SK": Arm("SK"),
    "SK and start": Arm("SK", "prior"),
    "start": Arm(start="prior"),
    "isotropic start": Arm(start="isotropic"),
}
"""The arms by name. The source's SK arm is "SK and start", its L2 arm "L2"."""

PENALIZED = tuple(name for name, arm in ARMS.items() if arm.penalty)

L2_OF_PHASE_1 = {**dict.fromkeys(RANKS, 0.1), "dense_1": 0.02}
"""Keras's L2(0.05) on the convolutions and L2(0.01) on the dense layer: ours is half the sum of squares."""

L2_OF_SOFTMAX = 0.02
"""Keras's L2(0.01) on the softmax layer of phase 2, in all arms."""

WITH_VALIDATION = KERAS_FIT.model_copy(
    update={
        "name": "keras-fit-validation",
        "summary": "a validation split, reshuffled every epoch, whole batches, every sample evaluated",
        "validation": True,
        "whole_batches": True,
    }
)


@dataclass(frozen=True)
class Pipeline:
    """The two phases of the experiment on one data set.

    Args:
        first: the problem of phase 1, the classes that the prior is learned on.
        second: that of phase 2, other classes with few images, which the seed draws.
        networks: trained in phase 1, one a seed.
        epochs: of the two phases.
        learning_rates: of Adam, in the two phases; in phase 2 it halves after each quarter of the epochs.
        factors: strengths of a penalty that are tried in phase 2.
        tuning_seeds: with which each of them is tried.
        seeds: fresh ones, with which the best is run.
        tuned_on: the problem of phase 2 as it is tuned on, where that has fewer test images; else it is `second`.
    """

    first: Problem
    second: Problem
    networks: int
    epochs: tuple[int, int]
    learning_rates: tuple[float, float]
    factors: Sequence[float]
    tuning_seeds: int
    seeds: int
    tuned_on: Problem | None = None
    _fitted: dict[str, dict[str, FittedPrior]] = field(default_factory=dict)

    def phase_1(self) -> list[Run]:
        """The networks whose kernels the prior is fitted to."""
        optimizer = part("adam", learning_rate=self.learning_rates[0])
        penalties = {layer: part("l2", factor=factor) for layer, factor in L2_OF_PHASE_1.items()}
        one = candidate("adam_sk_1", SOURCE, optimizer, part("per_layer", **penalties))
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
        """Phase 2 by arm and factor: all arms with a penalty with all factors, on the same seeds; and no penalty."""
        keys = [("none", 0.0), *((arm, factor) for arm in PENALIZED for factor in self.factors)]
        priors, problem = self.priors(find), self.tuned_on or self.second
        return {key: self._phase_2(*key, priors, problem, TUNING_SEED, self.tuning_seeds) for key in keys}

    def best_factor(self, find: Find, arm: str) -> float | None:
        """The factor with the best mean validation accuracy, the least of equals; None while runs are missing."""
        if not ARMS[arm].penalty:
            return 0.0
        means = {}
        for (name, factor), runs in self.tuning(find).items():
            results = available_results(runs, find)
            if name == arm:
                if len(results) < len(runs):
                    return None
                means[factor] = float(np.mean([best_accuracy(run, "valid") for run in results]))
        return max(means, key=lambda factor: (means[factor], -factor))

    def final(self, find: Find) -> dict[str, list[Run]]:
        """Each arm with its best factor, on fresh seeds."""
        priors, start = self.priors(find), TUNING_SEED + self.tuning_seeds
        runs = {}
        for arm in ARMS:
            factor = self.best_factor(find, arm)
            settled = None if factor is None else priors
            runs[arm] = self._phase_2(
                arm, factor or self.factors[0], settled, self.second, start, self.seeds, is_settled=factor is not None
            )
        return runs

    def _phase_2(
        self,
        arm: str,
        factor: float,
        priors: dict[str, FittedPrior] | None,
        problem: Problem,
        start: int,
        count: int,
        is_settled: bool = True,
    ) -> list[Run]:
        one, from_prior = self._candidate(arm, factor, priors), ARMS[arm].penalty == "SK" or ARMS[arm].start != ""
        started = _started(problem, ARMS[arm].start, priors)
        is_settled = is_settled and (not from_prior or priors is not None)
        return [
            Run(
                started, one, seed, self.epochs[1],
                schedule=_halving(self.epochs[1]), protocol=WITH_VALIDATION, is_settled=is_settled,
            )
            for seed in range(start, start + count)
        ]  # fmt: skip

    def _candidate(self, arm: str, factor: float, priors: dict[str, FittedPrior] | None) -> Candidate:
        optimizer, penalty = part("adam", learning_rate=self.learning_rates[1]), ARMS[arm].penalty
        penalties: dict[str, Part] = {"logits": part("l2", factor=L2_OF_SOFTMAX)}
        if penalty == "L2" or (penalty == "SK" and priors is None):
            # factor * sum w**2, which SK is where the covariance is the identity; and what stands for SK in a plan.
            penalties |= {layer: part("l2", factor=2 * factor) for layer in RANKS}
        elif penalty == "SK" and priors is not None:
            penalties |= {
                layer: part(
                    "smooth_kernel", factor=factor, covariance=priors[layer].prior.covariance.tolist(), rank=rank
                )
                for layer, rank in RANKS.items()
            }
        return candidate(
            f"adam_sk_2_{arm.lower().replace(' ', '_')}", SOURCE, optimizer, part("per_layer", **penalties)
        )


def _halving(epochs: int) -> Schedule:
    """The learning rate halves after each quarter of the epochs."""
    quarters = sorted({epochs * quarter // 4 for quarter in (1, 2, 3)} - {0})
    return Schedule(name="step", epochs=tuple(quarters), factors=tuple(0.5**n for n in range(1, len(quarters) + 1)))


def _started(problem: Problem, start: str, priors: Mapping[str, FittedPrior] | None) -> Problem:
    """The problem with kernels that start so, under a name of its own; before phase 1 the problem as it is."""
    if not start or priors is None:
        return problem
    arguments = {}
    for number, fitted in enumerate(priors.values(), start=1):
        covariance = fitted.prior.covariance
        if start == "isotropic":
            covariance = np.eye(len(covariance)) * np.trace(covariance) / len(covariance)
        arguments[f"covariance_{number}"] = covariance.tolist()
    told = hashlib.sha256(repr(arguments).encode()).hexdigest()[:8]
    model = problem.model.model_copy(update={"arguments": problem.model.arguments | arguments})
    return problem.model_copy(update={"name": f"{problem.name}_{start}_{told}", "model": model})
