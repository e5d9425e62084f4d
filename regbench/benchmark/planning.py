"""The runs of a search before they are made: which there are, which of them are there already, how long they take.

For batch systems that compute runs one by one (`regbench run`): the search finds them all afterwards.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from regbench.benchmark.changes import checked_changes
from regbench.benchmark.equal_work import with_equal_work
from regbench.benchmark.estimate import Cost, Estimator, wall_seconds
from regbench.benchmark.finding import Baselines, Finder, bundle_of
from regbench.benchmark.running import conditions
from regbench.benchmark.searches import Search, searches_of
from regbench.benchmark.tasks import Task
from regbench.benchmark.trying import check_builds
from regbench.catalog import NARROWED, current_name
from regbench.errors import ResultsError
from regbench.records import TUNING_SEED, Problem, Protocol, RunResult, RunSpec, Schedule
from regbench.store import deepobs, paths
from regbench.store.folder import RUN_SUFFIX, Folder
from regbench.tuning import tune

Phase = Literal["trials", "re-runs"]
_ENOUGH_FILES = 50  # for a median


@dataclass(frozen=True)
class PlannedRun:
    """One run of a search.

    Attributes:
        phase: "trials" or "re-runs".
        number: within the phase, counting from 0.
        spec: the run.
        is_found: it lies in the results tree or comes with regbench, so that a search would not make it.
        cost: what it takes; None where nothing is known.
        is_bundled: it is found, and comes with regbench.
    """

    phase: Phase
    number: int
    spec: RunSpec
    is_found: bool
    cost: Cost | None
    is_bundled: bool = False

    @property
    def seconds(self) -> float | None:
        """What it will still take, on average over its phase: 0 where it is found, None where nothing is known."""
        if self.is_found:
            return 0.0
        return None if self.cost is None else self.cost.seconds


@dataclass(frozen=True)
class PlannedSearch:
    """The runs of one candidate.

    Attributes:
        candidate: its name.
        runs: all that are known: the trials, and when these are all found, the re-runs of the winner. Of a narrowed
            search the trials after the 50th, when the first 50 are found.
        reruns_to_come: how many there will be that are not among `runs`, because the winner is not known yet.
        whole_run: what a run takes that trains all its epochs, as each re-run; None where nothing is known.
        trials_to_come: how many there will be that are not among `runs`.
    """

    candidate: str
    runs: list[PlannedRun]
    reruns_to_come: int
    whole_run: Cost | None
    trials_to_come: int = 0

    @property
    def to_come(self) -> int:
        """Trials and re-runs that are not known yet."""
        return self.trials_to_come + self.reruns_to_come

    def missing(self) -> list[PlannedRun]:
        """The runs that are to be made, each once: draws from few choices may give a setting twice."""
        missing: dict[str, PlannedRun] = {}
        for run in self.runs:
            if not run.is_found:
                missing.setdefault(run.spec.digest(), run)
        return list(missing.values())

    def costs(self) -> list[Cost]:
        """Of all that is to be made; nothing where nothing is known."""
        costs = [run.cost for run in self.missing()] + [self.whole_run] * self.to_come
        return [cost for cost in costs if cost is not None]

    @property
    def is_unknown(self) -> bool:
        """Whether something is to be made of which nothing is known."""
        return len(self.costs()) < len(self.missing()) + self.to_come


def total_seconds(searches: Sequence[PlannedSearch], processes: int = 1) -> float | None:
    """What all searches take together, in so many processes; None where something is unknown."""
    if any(search.is_unknown for search in searches):
        return None
    return wall_seconds([cost for search in searches for cost in search.costs()], processes)


def plan(
    problem: str | Problem,
    candidates: str | Sequence[str],
    *,
    budget: str | int = "medium",
    sampler: str = "random",
    ranges: str | Path | None = None,
    seed: int = TUNING_SEED,
    reruns: int | None = None,
    epochs: int | None = None,
    equal: str = "epochs",
    batch_size: int | None = None,
    schedule: Schedule | str = "none",
    protocol: str | Protocol = "deepobs",
    results: str | Path = "results",
    baselines: Baselines = "bundled",
    fresh: bool = False,
    data_dir: str | Path | None = None,
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
            ranges=ranges,
            seed=seed,
            reruns=reruns,
            epochs=epochs,
            batch_size=batch_size,
            schedule=schedule,
            protocol=protocol,
        )
    )
    searches = with_equal_work(searches, equal)
    told_of_candidates = check_builds([one.task for one in searches])
    folder = Folder(results, warn)
    for line in told_of_candidates:
        folder.warn(line)
    if folder.path.exists() and not folder.path.is_dir():
        raise ResultsError(f"{folder.path}: the results folder must be a folder. Received: a file")
    told = conditions(data_dir, max_seconds)
    searches = [checked_changes(one, folder, told, fresh) for one in searches]
    finder = Finder(folder, told, bundle_of(baselines, folder.warn))
    estimator = Estimator()
    _learn([search.task for search in searches], folder.path, estimator)
    return [_plan_one(search, finder, estimator, max_seconds) for search in searches]


def _plan_one(search: Search, finder: Finder, estimator: Estimator, max_seconds: float | None) -> PlannedSearch:
    sources = search.sources
    specs, results, trials_to_come = _trials(search, lambda spec: finder.find(spec, sources))
    cost_of_trial = estimator.cost(specs[0], is_trial=True, max_seconds=max_seconds)
    whole_run = estimator.cost(specs[0], max_seconds=max_seconds)
    runs = _planned("trials", specs, results, cost_of_trial)
    found = [result for result in results if result is not None]
    name = current_name(search.task.candidate.name)
    if len(found) < len(specs):
        return PlannedSearch(name, runs, search.further_seeds, whole_run, trials_to_come)
    winner = tune.best(found, search.task.problem.goal)
    if winner is not None:
        again = search.reruns([specs[winner]])
        runs += _planned("re-runs", again, [finder.find(spec, sources) for spec in again], whole_run)
    return PlannedSearch(name, runs, 0, whole_run)


def _trials(
    search: Search, find: Callable[[RunSpec], RunResult | None]
) -> tuple[Sequence[RunSpec], list[RunResult | None], int]:
    """The trials that are known, what was found of them, and how many further ones depend on what is missing."""
    study = search.study()
    if study.is_known_in_advance or search.sampler != NARROWED:
        return search.trials, [find(spec) for spec in search.trials], 0
    specs: list[RunSpec] = []
    results: list[RunResult | None] = []
    for numbers in study.rounds(1):
        settings = [study.ask(number) for number in numbers]
        new = [search.trial(setting) for setting in settings]
        found = [find(spec) for spec in new]
        specs, results = [*specs, *new], [*results, *found]
        if None in found:
            break
        for number, setting, result in zip(numbers, settings, found, strict=True):
            if result is not None:
                study.tell(number, setting, tune.score_of(result), tune.loss_of(result))
    return specs, results, study.trials - len(specs)


def _planned(
    phase: Phase, specs: Sequence[RunSpec], results: Sequence[RunResult | None], cost: Cost | None
) -> list[PlannedRun]:
    return [
        PlannedRun(phase, number, spec, result is not None, cost, result is not None and result.is_bundled)
        for number, (spec, result) in enumerate(zip(specs, results, strict=True))
    ]


def _learn(tasks: Sequence[Task], results: Path, estimator: Estimator) -> None:
    """From the runs of the candidates on their problem; where there are none, from those of others."""
    for names in ([paths.folder_name(task.candidate.name) for task in tasks], ["*"]):
        of_problem = results / paths.folder_name(tasks[0].problem.name)
        runs = [run for name in names for run in _last_runs(of_problem, name, tasks[0].batch_size)]
        if sum(estimator.learn(run) for run in runs):
            return


def _last_runs(of_problem: Path, candidate: str, batch_size: int) -> Iterator[RunResult]:
    """Those of a candidate that were made last, or of all where that is `*`."""
    files = sorted(of_problem.glob(f"{candidate}/*/*{RUN_SUFFIX}"), key=paths.moment_of_run)
    for path in files[-_ENOUGH_FILES:]:
        try:
            result = deepobs.read(path.read_bytes(), minibatch=False)
        except (OSError, ResultsError):
            continue  # an estimate needs no file in particular; `regbench lint` tells of broken ones
        if result.spec.batch_size == batch_size:
            yield result
