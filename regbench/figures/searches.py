"""A search as runs of a figure: its trials, then its winner with further seeds, as `benchmark.search` makes them."""

from dataclasses import dataclass
from typing import Literal

from regbench import catalog
from regbench.figures.plan import Find, Run, available_results
from regbench.records import TUNING_SEED, Candidate, Problem, Protocol, RunResult
from regbench.tuning import tune


@dataclass(frozen=True)
class FigureSearch:
    """One candidate on one problem; what is in the results tree of a search is found there, and the other way round.

    Args:
        problem: a test problem.
        candidate: whose values are searched.
        budget: name or number of trials.
        reruns: further seeds of the winner.
        epochs: of every run.
        protocol: says by which split the winner is chosen.
        sampler: "random", the published points of the budget, or "grid".
    """

    problem: Problem
    candidate: Candidate
    budget: str | int
    reruns: int
    epochs: int
    protocol: Protocol
    sampler: Literal["random", "grid"] = "random"

    def trials(self) -> list[Run]:
        """The runs with the tuning seed, at the points of the budget."""
        trials = catalog.budget_trials(self.budget)
        study = tune.Study(self.candidate, self.problem.goal, self.sampler, TUNING_SEED, trials)
        return [self._run(study.ask(number), TUNING_SEED) for number in range(study.trials)]

    def winner(self, find: Find) -> RunResult | None:
        """The best trial; None while trials are missing, or where all diverged."""
        trials = self.trials()
        results = available_results(trials, find)
        position = tune.best(results, self.problem.goal) if len(results) == len(trials) else None
        return None if position is None else results[position]

    def again(self, find: Find) -> list[Run]:
        """The winner's runs with further seeds; not settled while trials are missing, none where all diverged."""
        trials, winner = self.trials(), self.winner(find)
        if winner is None and len(available_results(trials, find)) == len(trials):
            return []
        setting = trials[0].setting if winner is None else winner.spec.setting
        seeds = range(TUNING_SEED + 1, TUNING_SEED + 1 + self.reruns)
        return [self._run(setting, seed, is_settled=winner is not None) for seed in seeds]

    def runs(self, find: Find) -> list[Run]:
        """All runs of the search: trials and re-runs of the winner."""
        return [*self.trials(), *self.again(find)]

    def _run(self, setting: tune.Setting, seed: int, is_settled: bool = True) -> Run:
        return Run(
            self.problem,
            self.candidate,
            seed,
            self.epochs,
            protocol=self.protocol,
            setting=dict(setting),
            is_settled=is_settled,
        )
