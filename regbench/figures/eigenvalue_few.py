"""Eigenvalue decay where it could show: few images, beside L2 and with dropout of several strengths."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from regbench.figures.effects import final_accuracy
from regbench.figures.plan import Find, Run, available_results, candidate, limited, part
from regbench.figures.skreg_pipeline import WITH_VALIDATION
from regbench.records import TUNING_SEED, Candidate, Problem, Schedule

DROPOUTS = (0.0, 0.2, 0.5)
PENALTIES = ("eigenvalue_decay", "l2")
NONE = "none"
LAYERS = ("dense_1", "dense_2", "logits")

Key = tuple[str, float]
"""Penalty and share of dropout."""


@dataclass(frozen=True)
class FewImages:
    """None, L2 and eigenvalue decay, crossed with dropout; each penalty is tuned with as many factors on equal seeds.

    Args:
        problem: with few images, which the seed draws.
        tuned_on: the same as it is tuned on, where that has fewer test images; else it is `problem`.
        source: of the candidates.
        factors: by penalty.
        epochs: of each run, at a learning rate that falls as half a cosine.
        batch_size: of each run.
        tuning_seeds: with which each factor is tried.
        seeds: fresh ones, with which the best is run.
    """

    problem: Problem
    tuned_on: Problem
    source: str
    factors: dict[str, Sequence[float]]
    epochs: int
    batch_size: int
    tuning_seeds: int
    seeds: int

    def tuning(self) -> dict[tuple[str, float, float], list[Run]]:
        """Runs by penalty, dropout and factor; no penalty has the factor 0."""
        seeds = range(TUNING_SEED, TUNING_SEED + self.tuning_seeds)
        factors = {NONE: (0.0,), **self.factors}
        return {
            (penalty, dropout, factor): self._runs(self.tuned_on, penalty, dropout, factor, seeds)
            for dropout in DROPOUTS
            for penalty, some in factors.items()
            for factor in some
        }

    def best_factor(self, find: Find, penalty: str, dropout: float) -> float | None:
        """The factor with the best mean validation accuracy, the least of equals; None while runs are missing."""
        if penalty == NONE:
            return 0.0
        means = {}
        for factor in self.factors[penalty]:
            runs = self.tuning()[penalty, dropout, factor]
            results = available_results(runs, find)
            if len(results) < len(runs):
                return None
            means[factor] = float(np.mean([final_accuracy(run, "valid") for run in results]))
        return max(means, key=lambda factor: (means[factor], -factor))

    def best_dropout(self, find: Find) -> float:
        """The share of dropout alone with the best mean validation accuracy, the least of equals."""
        tuned = self.tuning()
        means = {
            dropout: float(
                np.mean([final_accuracy(run, "valid") for run in available_results(tuned[NONE, dropout, 0.0], find)])
            )
            for dropout in DROPOUTS
        }
        return max(means, key=lambda dropout: (means[dropout], -dropout))

    def final(self, find: Find) -> dict[Key, list[Run]]:
        """Each penalty at each dropout with its best factor, on fresh seeds."""
        first = TUNING_SEED + self.tuning_seeds
        seeds = range(first, first + self.seeds)
        runs = {}
        for dropout in DROPOUTS:
            for penalty in (NONE, *self.factors):
                factor = self.best_factor(find, penalty, dropout)
                stand_in = self.factors[penalty][0] if factor is None else factor
                runs[penalty, dropout] = self._runs(
                    self.problem, penalty, dropout, stand_in, seeds, is_settled=factor is not None, keep_kernels=True
                )
        return runs

    def _runs(
        self, problem: Problem, penalty: str, dropout: float, factor: float, seeds: range, *,
        is_settled: bool = True, keep_kernels: bool = False,
    ) -> list[Run]:  # fmt: skip
        one, of_dropout = self._candidate(penalty, factor), _with_dropout(problem, dropout)
        return [
            Run(
                of_dropout, one, seed, self.epochs, self.batch_size, Schedule(name="cosine"), WITH_VALIDATION,
                keep_kernels=keep_kernels, is_settled=is_settled,
            )
            for seed in seeds
        ]  # fmt: skip

    def _candidate(self, penalty: str, factor: float) -> Candidate:
        optimizer = part("sgd", learning_rate=0.1, momentum=0.9, nesterov=True)
        if penalty == NONE:
            return candidate("sgd_few_none", self.source, optimizer)
        # Keras's L2(l) is our L2(2 l); the factors are those of Keras.
        of_layer = part(penalty, factor=2 * factor if penalty == "l2" else factor)
        return candidate(
            f"sgd_few_{penalty}", self.source, optimizer, part("per_layer", **dict.fromkeys(LAYERS, of_layer))
        )


def few(problem: Problem, train_per_class: int, valid_per_class: int, test_per_class: int | None) -> Problem:
    """The problem with few images that each seed draws anew."""
    return limited(
        problem,
        draw="seed",
        train_per_class=train_per_class,
        valid_per_class=valid_per_class,
        test_per_class=test_per_class,
    )


def _with_dropout(problem: Problem, dropout: float) -> Problem:
    model = problem.model.model_copy(update={"arguments": problem.model.arguments | {"dropout": dropout}})
    return problem.model_copy(update={"name": f"{problem.name}_dropout{100 * dropout:.0f}", "model": model})
