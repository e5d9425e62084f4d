"""Orthogonal regularization as its authors use it: a factor that falls over the epochs, beside a weight decay."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from regbench.figures.effects import accuracy_gain, final_accuracy
from regbench.figures.plan import Drawing, Find, PaperFigure, Run, available_results, candidate, part
from regbench.figures.skreg_pipeline import WITH_VALIDATION
from regbench.plots.gains import gains
from regbench.records import TUNING_SEED, Candidate, Problem

WEIGHT_DECAY = 5e-4
OF_SOURCE = {"epochs": (21, 51, 71, 121), "factors": (1e-3, 1e-4, 1e-6, 0.0)}
"""Bansal et al., 200 epochs counted from 0: times 1e-3 after epoch 20, 1e-4 after 50, 1e-6 after 70, 0 after 120."""

EPOCHS_OF_SOURCE = 200
NONE = "none"
ARMS = {
    "norm": ("norm", False),
    "norm, scheduled": ("norm", True),
    "SRIP": ("spectral_restricted_isometry", False),
    "SRIP, scheduled": ("spectral_restricted_isometry", True),
}
"""Form, and whether its factor falls; by what the figure calls them."""


@dataclass(frozen=True)
class Scheduled:
    """Constant and scheduled factors, each tuned with the same factors on the same seeds, and no penalty.

    Args:
        problem: on which.
        source: of the candidates.
        factors: that are tried, at the first epoch.
        epochs: of each run; the source's schedule is shortened to these.
        tuning_seeds: with which each factor is tried.
        seeds: fresh ones, with which the best is run.
    """

    problem: Problem
    source: str
    factors: Sequence[float]
    epochs: int
    tuning_seeds: int
    seeds: int

    def tuning(self) -> dict[tuple[str, float], list[Run]]:
        """Runs by arm and factor."""
        seeds = range(TUNING_SEED, TUNING_SEED + self.tuning_seeds)
        return {(arm, factor): self._runs(arm, factor, seeds) for arm in ARMS for factor in self.factors}

    def best_factor(self, find: Find, arm: str) -> float | None:
        """The factor with the best mean validation accuracy, the least of equals; None while runs are missing."""
        if arm == NONE:
            return 0.0
        means = {}
        for factor in self.factors:
            runs = self.tuning()[arm, factor]
            results = available_results(runs, find)
            if len(results) < len(runs):
                return None
            means[factor] = float(np.mean([final_accuracy(run, "valid") for run in results]))
        return max(means, key=lambda factor: (means[factor], -factor))

    def final(self, find: Find) -> dict[str, list[Run]]:
        """Each arm with its best factor, and none, on fresh seeds."""
        first, runs = TUNING_SEED + self.tuning_seeds, {}
        for arm in (NONE, *ARMS):
            factor = self.best_factor(find, arm)
            chosen = self.factors[0] if factor is None else factor
            runs[arm] = self._runs(arm, chosen, range(first, first + self.seeds), is_settled=factor is not None)
        return runs

    def _runs(self, arm: str, factor: float, seeds: range, is_settled: bool = True) -> list[Run]:
        one = self._candidate(arm, factor)
        return [
            Run(self.problem, one, seed, self.epochs, protocol=WITH_VALIDATION, is_settled=is_settled) for seed in seeds
        ]

    def _candidate(self, arm: str, factor: float) -> Candidate:
        decay = {"coupling": "l2", "strength": WEIGHT_DECAY}
        optimizer = part("adam", learning_rate=0.001)
        if arm == NONE:
            return candidate("adam_decay", self.source, optimizer, decay=decay)
        form, is_scheduled = ARMS[arm]
        name = f"adam_decay_{form}{'_scheduled' if is_scheduled else ''}"
        strength = scheduled(factor, self.epochs) if is_scheduled else factor
        return candidate(name, self.source, optimizer, part("orthogonal", factor=strength, form=form), decay=decay)


def scheduled(factor: float, epochs: int = EPOCHS_OF_SOURCE) -> object:
    """A factor with the schedule of Bansal et al., shortened to the epochs of a run."""
    # Every step comes in an epoch of its own, not before the second.
    starts = [max(round(start * epochs / EPOCHS_OF_SOURCE), n) for n, start in enumerate(OF_SOURCE["epochs"], start=1)]
    return part("scheduled", value=factor, epochs=starts, factors=list(OF_SOURCE["factors"]))


def schedule_figure(stem: str, experiment: Scheduled) -> PaperFigure:
    """Accuracy with each arm minus that without a penalty, seed by seed."""

    def runs(find: Find) -> list[Run]:
        stages = [*experiment.tuning().values(), *experiment.final(find).values()]
        return [run for stage in stages for run in stage]

    return PaperFigure(
        name=f"{stem}_schedule",
        title=f"{stem}: orthogonal regularization with a constant and with a scheduled factor, weight decay beside it",
        shows="Differences of final test accuracy on fresh seeds, each form at the factor with the best validation "
        f"accuracy of {len(experiment.factors)} on {experiment.tuning_seeds} other seeds; a point a seed, the mean "
        "with its 95 % interval, not corrected for the number of comparisons.",
        source=f"{experiment.source}. {REPORTED}.",
        departures=[
            f"{experiment.epochs} epochs instead of {EPOCHS_OF_SOURCE}; the epochs at which the factor falls are "
            "shortened likewise.",
            "A small network on small images, Adam in place of SGD; the source's networks are deep residual ones.",
        ],
        runs=runs,
        draw=lambda find: _draw(experiment, find),
    )


REPORTED = (
    "Bansal et al. report for SRIP with this schedule and weight decay beside it, error in per cent without and with: "
    "Wide ResNet on CIFAR-10 4.16 and 3.60, CIFAR-100 20.50 and 18.19, SVHN 1.60 and 1.52; ResNet-110 on CIFAR-10 7.11 "
    "and 5.46; ImageNet 9.79 and 8.85, 9.84 and 8.39"
)


def _draw(experiment: Scheduled, find: Find) -> Drawing:
    results = {arm: available_results(runs, find) for arm, runs in experiment.final(find).items()}
    effects = [accuracy_gain(f"{arm} minus none", results[arm], results[NONE]) for arm in ARMS]
    effects += [
        accuracy_gain(f"{arm}, minus constant", results[arm], results[arm.partition(",")[0]])
        for arm, (_, is_scheduled) in ARMS.items()
        if is_scheduled
    ]
    numbers = pd.concat([effect.frame() for effect in effects], ignore_index=True)
    findings = [
        f"{arm}: test accuracy {100 * np.mean([final_accuracy(run) for run in some]):.2f} %"
        + (f" at factor {experiment.best_factor(find, arm):g}." if arm != NONE else ".")
        for arm, some in results.items()
    ]
    findings += [effect.sentence(effect.name) for effect in effects]
    return Drawing(gains(numbers, "points of test accuracy"), numbers, findings)
