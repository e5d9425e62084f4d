"""A search as runs of a figure: what `benchmark.search` makes is found here, and the other way round."""

from dataclasses import dataclass

from regbench.benchmark.searches import Search
from regbench.figures.plan import Find, Run, available_results
from regbench.records import Manifest, Origin, Role, RunResult, RunSpec
from regbench.tuning import tune


@dataclass(frozen=True)
class FigureSearch:
    """The runs of one search, by the results that are there.

    Args:
        search: its trials must be known in advance.
    """

    search: Search

    def trials(self) -> list[Run]:
        """The runs with the tuning seed, at the points of the budget."""
        return [
            self._run(spec, self.search.origin(Role.TRIAL, number)) for number, spec in enumerate(self.search.trials)
        ]

    def winner(self, find: Find) -> RunResult | None:
        """The best trial; None while trials are missing, or where all diverged."""
        results = available_results(self.trials(), find)
        position = self._winner(results)
        return None if position is None else results[position]

    def again(self, find: Find) -> list[Run]:
        """The winner's runs with further seeds; not settled while trials are missing, none where all diverged."""
        winner = self.winner(find)
        if winner is None and len(available_results(self.trials(), find)) == len(self.search.trials):
            return []
        reruns = self.search.reruns([self.search.trials[0] if winner is None else winner.spec])
        return [
            self._run(spec, self.search.origin(Role.RERUN, number), is_settled=winner is not None)
            for number, spec in enumerate(reruns)
        ]

    def runs(self, find: Find) -> list[Run]:
        """All runs of the search: trials and re-runs of the winner."""
        return [*self.trials(), *self.again(find)]

    def manifest(self, find: Find) -> Manifest:
        """What is on record of the search once its runs are there."""
        return self.search.manifest().model_copy(
            update={
                "trials": tuple(spec.digest() for spec in self.search.trials),
                "winner": self._winner(available_results(self.trials(), find)),
                "again": tuple(run.digest for run in self.again(find) if run.is_settled),
            }
        )

    def _winner(self, results: list[RunResult]) -> int | None:
        """The number of the best trial, where all are there."""
        if len(results) < len(self.search.trials):
            return None
        return tune.best(results, self.search.task.problem.goal)

    def _run(self, spec: RunSpec, origin: Origin, is_settled: bool = True) -> Run:
        task = self.search.task
        return Run(
            task.problem,
            task.candidate,
            spec.seed,
            task.epochs,
            batch_size=task.batch_size,
            schedule=task.schedule,
            protocol=task.protocol,
            setting=dict(spec.setting),
            is_settled=is_settled,
            origin=origin,
        )
