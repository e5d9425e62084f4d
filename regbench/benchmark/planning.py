"""The runs of a search before they are made: which there are, which of them are there already, how long they take.

For batch systems that compute runs one by one (`regbench run`): the search finds them all afterwards.
"""

import platform
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from regbench import datasets
from regbench.benchmark.finding import Baselines, Finder, bundle_of
from regbench.benchmark.searches import Search, searches_of
from regbench.benchmark.tasks import Task
from regbench.errors import ResultsError
from regbench.execution import Conditions
from regbench.records import TUNING_SEED, Outcome, Problem, Protocol, RunResult, RunSpec, Schedule
from regbench.store import deepobs, paths
from regbench.store.folder import RUN_SUFFIX, Folder
from regbench.trees import bundled
from regbench.tuning import tune

Phase = Literal["trials", "re-runs"]
_ENOUGH_FILES = 50  # for a median


@dataclass(frozen=True)
class Estimate:
    """What a run may take, by what others took: medians over completed runs with the same batch size.

    Attributes:
        compile_seconds: before the first epoch.
        epoch_seconds: of an epoch with its evaluation.
        runs: how many were measured.
        of_candidate: they are runs of the candidate itself, else of others on the same problem.
        are_bundled: they come with regbench, of training steps alone; else they lie in the results tree.
        this_machine: they were made on a machine that says of itself what this one says.
    """

    compile_seconds: float
    epoch_seconds: float
    runs: int
    of_candidate: bool
    are_bundled: bool
    this_machine: bool

    def seconds(self, epochs: int, max_seconds: float | None = None) -> float:
        """What a run of so many epochs may take that gives up after `max_seconds`."""
        seconds = self.compile_seconds + epochs * self.epoch_seconds
        return seconds if max_seconds is None else min(seconds, max_seconds)


@dataclass(frozen=True)
class PlannedRun:
    """One run of a search.

    Attributes:
        phase: "trials" or "re-runs".
        number: within the phase, counting from 0.
        spec: the run.
        is_found: it lies in the results tree or comes with regbench, so that a search would not make it.
        seconds: the estimate; 0 for a run that is found, None where nothing is known.
        is_bundled: it is found, and comes with regbench.
    """

    phase: Phase
    number: int
    spec: RunSpec
    is_found: bool
    seconds: float | None
    is_bundled: bool = False


@dataclass(frozen=True)
class PlannedSearch:
    """The runs of one candidate.

    Attributes:
        candidate: its name.
        runs: all that are known: the trials, and when these are all found, the re-runs of the winner.
        reruns_to_come: how many there will be that are not among `runs`, because the winner is not known yet.
        seconds_of_a_run: what each may take; None where nothing is known.
        estimate: where that comes from.
    """

    candidate: str
    runs: list[PlannedRun]
    reruns_to_come: int
    seconds_of_a_run: float | None
    estimate: Estimate | None

    def missing(self) -> list[PlannedRun]:
        """The runs that are to be made, each once: draws from few choices may give a setting twice."""
        missing: dict[str, PlannedRun] = {}
        for run in self.runs:
            if not run.is_found:
                missing.setdefault(run.spec.digest(), run)
        return list(missing.values())


def plan(
    problem: str | Problem,
    candidates: str | Sequence[str],
    *,
    budget: str | int = "medium",
    sampler: str = "random",
    seed: int = TUNING_SEED,
    reruns: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    schedule: Schedule | str = "none",
    protocol: str | Protocol = "deepobs",
    results: str | Path = "results",
    baselines: Baselines = "bundled",
    max_seconds: float | None = None,
    warn: Callable[[str], None] | None = None,
) -> list[PlannedSearch]:
    """What `benchmark.search` would run with these arguments, which mean the same there; nothing is run or written.

    Returns:
        One plan a candidate, in their order.

    Raises:
        RegbenchError: the input is at fault, or the sampler learns from results, so that its trials are not known.
    """
    searches = list(
        searches_of(
            candidates,
            problem=problem,
            budget=budget,
            sampler=sampler,
            seed=seed,
            reruns=reruns,
            epochs=epochs,
            batch_size=batch_size,
            schedule=schedule,
            protocol=protocol,
        )
    )
    folder = Folder(results, warn)
    if folder.path.exists() and not folder.path.is_dir():
        raise ResultsError(f"{folder.path}: the results folder must be a folder. Received: a file")
    finder = Finder(folder, Conditions(max_seconds=max_seconds), bundle_of(baselines, folder.tell))
    return [_plan_one(search, finder, folder.path, max_seconds) for search in searches]


def _plan_one(search: Search, finder: Finder, tree: Path, max_seconds: float | None) -> PlannedSearch:
    task = search.task
    estimate = _estimate(task, tree)
    seconds = None if estimate is None else estimate.seconds(task.epochs, max_seconds)

    def of_phase(phase: Phase, specs: Sequence[RunSpec], results: Sequence[RunResult | None]) -> list[PlannedRun]:
        return [
            PlannedRun(phase, number, spec, False, seconds)
            if result is None
            else PlannedRun(phase, number, spec, True, 0.0, result.is_bundled)
            for number, (spec, result) in enumerate(zip(specs, results, strict=True))
        ]

    specs = search.trials
    results = [finder.find(spec) for spec in specs]
    runs = of_phase("trials", specs, results)
    found = [result for result in results if result is not None]
    if len(found) < len(specs):
        return PlannedSearch(task.candidate.name, runs, search.further_seeds, seconds, estimate)
    winner = tune.best(found, task.problem.goal)
    if winner is not None:
        again = search.reruns([specs[winner]])
        runs += of_phase("re-runs", again, [finder.find(spec) for spec in again])
    return PlannedSearch(task.candidate.name, runs, 0, seconds, estimate)


def _estimate(task: Task, results: Path) -> Estimate | None:
    """From the nearest that is known: the candidate, the problem, what comes with regbench."""
    of_problem = results / paths.folder_name(task.problem.name)
    own = paths.folder_name(task.candidate.name)
    for candidate in (own, "*"):
        timed = list(_timed_runs(of_problem, candidate, task.batch_size))
        # Runs of another machine count only where there are none of this one.
        here = [run for run in timed if run.environment.get("platform") == platform.platform()]
        if timed:
            return _median(here or timed, of_candidate=candidate == own, this_machine=bool(here))
    return _bundled_estimate(task)


def _timed_runs(of_problem: Path, candidate: str, batch_size: int) -> Iterator[RunResult]:
    """Completed runs of a candidate, or of all where that is `*`; of a large tree, some from everywhere."""
    files = sorted(of_problem.glob(f"{candidate}/*/*{RUN_SUFFIX}"))
    for path in files[:: max(1, len(files) // _ENOUGH_FILES)]:
        try:
            result = deepobs.read(path.read_bytes(), minibatch=False)
        except (OSError, ResultsError):
            continue  # an estimate needs no file in particular; `regbench lint` tells of broken ones
        spec = result.spec
        if result.outcome == Outcome.COMPLETED and spec.batch_size == batch_size and spec.epochs > 0:
            yield result


def _median(runs: Sequence[RunResult], of_candidate: bool, this_machine: bool) -> Estimate:
    compiling = [run.timings.compile_seconds for run in runs]
    epoch = [(run.timings.total_seconds - run.timings.compile_seconds) / run.spec.epochs for run in runs]
    return Estimate(
        statistics.median(compiling), statistics.median(epoch), len(runs), of_candidate, False, this_machine
    )


def _bundled_estimate(task: Task) -> Estimate | None:
    runs = _bundled_runs()
    runs = runs[(runs["problem"] == task.problem.name) & (runs["batch_size"] == task.batch_size)]
    own = runs[runs["candidate"] == task.candidate.name]
    steps = datasets.get(task.problem.dataset).train_size // task.batch_size
    if runs.empty or steps == 0:
        return None
    chosen = runs if own.empty else own
    return Estimate(0.0, steps * float(chosen["step_seconds"].median()), len(chosen), not own.empty, True, False)


@cache
def _bundled_runs() -> Any:
    runs = bundled.load("ours").runs
    return runs[(runs["outcome"] == "completed") & (runs["step_seconds"] > 0)]
