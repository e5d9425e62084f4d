"""The protocol: tune every candidate with the same budget, choose its winner, run the winner with further seeds.

What was run is found in the results tree and not run again: a call that was interrupted goes on where it stopped when
it is made again.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from regbench import datasets, execution
from regbench.benchmark import completion
from regbench.benchmark.standings import Standing, ranked, standing
from regbench.benchmark.tasks import TUNING_SEED, Task, checked_seed, planned
from regbench.errors import DefinitionError
from regbench.execution import Conditions, Machine, Workers
from regbench.records import Candidate, Problem, Protocol, RunResult, RunSpec, Scalar, Schedule
from regbench.store.folder import Folder
from regbench.tuning import space, tune


@dataclass(frozen=True)
class Event:
    """One more run is there.

    Attributes:
        candidate: its name.
        phase: "trials" or "re-runs"; "run" where it is a single one.
        done: how many runs of the phase are there.
        total: how many there will be.
        result: the run.
        was_found: it lay in the results tree already.
    """

    candidate: str
    phase: str
    done: int
    total: int
    result: RunResult
    was_found: bool


Progress = Callable[[Event], None]
Warn = Callable[[str], None]


def run(
    problem: str | Problem,
    candidate: str | Candidate,
    *,
    setting: Mapping[str, Scalar] | None = None,
    seed: int = TUNING_SEED,
    epochs: int | None = None,
    batch_size: int | None = None,
    schedule: Schedule | str = "none",
    protocol: str | Protocol = "deepobs",
    output: str | Path = "results",
    data_dir: str | Path | None = None,
    max_seconds: float | None = None,
    keep_kernels: bool = False,
    progress: Progress | None = None,
    warn: Warn | None = None,
) -> RunResult:
    """Train a candidate once, with its defaults where `setting` gives no value.

    Args:
        problem: a test problem, or the name of one.
        candidate: a candidate, or the name of one.
        setting: values by dotted name, e.g. `{"optimizer.learning_rate": 0.01}`; of searched and of fixed arguments.
        seed: of the initial weights, the order of the samples and the augmentation.
        epochs: the problem's own number unless given; likewise `batch_size`.
        schedule: name of a learning-rate schedule, or a `Schedule` (needed for `step`).
        protocol: an evaluation protocol, or the name of one.
        output: results tree; a run that is in it is returned, not run again.
        data_dir: data folder; None searches the usual places.
        max_seconds: give up after the epoch that ends later than this.
        keep_kernels: keep the trained kernels in the run; one that is in the results tree without them is run again.
        progress: called when the run is there.
        warn: called with a line on every file in the results tree that had to be skipped.

    Returns:
        The run; a divergence, a time-out or a crash is its outcome.

    Raises:
        RegbenchError: the input is at fault; the message says what, in one line.
    """
    task = Task.of(problem, candidate, protocol, schedule, epochs, batch_size)
    chosen = dict(setting or {})
    spec = task.spec(space.defaults(space.override(task.candidate, chosen)) | chosen, checked_seed(seed))
    _check_data(task.problem.dataset, data_dir)
    folder = Folder(output, warn)
    folder.check_writable()
    with execution.machine(0, _conditions(data_dir, max_seconds, keep_kernels)) as machine:
        return completion.complete([spec], folder, machine, _numbered(progress, task, "run", 1), minibatch=True)[0]


def run_all(
    specs: Sequence[RunSpec],
    *,
    output: str | Path = "results",
    data_dir: str | Path | None = None,
    max_seconds: float | None = None,
    keep_kernels: bool = False,
    report: completion.Report | None = None,
    warn: Warn | None = None,
) -> list[RunResult]:
    """Train runs that are known in every detail, one after the other; arguments and errors as for `run`.

    Args:
        specs: the runs; equal ones are trained once.
        output: results tree; a run that is in it is returned, not run again.
        data_dir: data folder; None searches the usual places.
        max_seconds: give up a run after the epoch that ends later than this.
        keep_kernels: keep the trained kernels in the runs.
        report: called with each run as soon as it is there, and whether it lay in the results tree.
        warn: called with a line on every file in the results tree that had to be skipped.

    Returns:
        The runs, in the order of the specs.
    """
    for dataset in dict.fromkeys(spec.problem.dataset for spec in specs):
        _check_data(dataset, data_dir)
    folder = Folder(output, warn)
    folder.check_writable()
    with execution.machine(0, _conditions(data_dir, max_seconds, keep_kernels)) as machine:
        return completion.complete(specs, folder, machine, report or (lambda *_: None), minibatch=True)


def search(
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
    workers: Workers | int = 0,
    retries: int = execution.RETRIES,
    output: str | Path = "results",
    data_dir: str | Path | None = None,
    max_seconds: float | None = None,
    progress: Progress | None = None,
    warn: Warn | None = None,
) -> list[Standing]:
    """Give every candidate the same tuning budget on a problem, and rank the winners over further seeds.

    Args:
        problem: a test problem, or the name of one.
        candidates: names of candidates, or one name; `base+part` as in `catalog.candidate`.
        budget: "one_shot" (the defaults), "small", "medium", "large", or a number of trials.
        sampler: "random" (the published points of each budget), "tpe", "qmc" or "grid".
        seed: of the draws, and of every trial's training.
        reruns: seeds `seed + 1` ... that the winner is run with; the protocol's number unless given.
        epochs: the problem's own number unless given; likewise `batch_size`.
        schedule: name of a learning-rate schedule, or a `Schedule` (needed for `step`).
        protocol: an evaluation protocol, or the name of one.
        workers: where runs are computed; a number means so many processes on this machine, 0 this process.
        retries: how often a run is tried again that the machine lost: its process died, memory or disk failed.
        output: results tree; what is in it is not run again.
        data_dir: data folder; None searches the usual places.
        max_seconds: give up a run after the epoch that ends later than this.
        progress: called with every run that is there.
        warn: called with a line on every file in the results tree that had to be skipped.

    Returns:
        One standing a candidate, best first.

    Raises:
        RegbenchError: the input is at fault; the message says what, in one line.
        KeyboardInterrupt: Ctrl-C was pressed. The first finishes the runs that have begun, the second stops at once.
    """
    studies = planned(
        problem,
        candidates,
        budget=budget,
        sampler=sampler,
        seed=seed,
        reruns=reruns,
        epochs=epochs,
        batch_size=batch_size,
        schedule=schedule,
        protocol=protocol,
    )
    if retries < 0:
        raise DefinitionError(f"`retries` must not be negative. Received: retries={retries}")
    workers = Workers(workers) if isinstance(workers, int) else workers
    if workers.cluster is None:  # the workers of a cluster have data of their own
        _check_data(studies[0][0].problem.dataset, data_dir)
    folder = Folder(output, warn)
    folder.check_writable()
    conditions = _conditions(data_dir, max_seconds)
    with execution.machine(workers, conditions, retries=retries, finish=True, say=folder.tell) as machine:
        standings = [_search_one(task, study, seed, reruns, folder, machine, progress) for task, study in studies]
    return ranked(standings)


def _search_one(
    task: Task,
    study: tune.Study,
    seed: int,
    reruns: int | None,
    folder: Folder,
    machine: Machine,
    progress: Progress | None,
) -> Standing:
    """Tune, choose, re-run."""
    trials = _tune(task, study, seed, folder, machine, _numbered(progress, task, "trials", study.trials))
    position = tune.best(trials, task.problem.goal)
    if position is None:
        return standing(trials, None, [])
    (winner,) = completion.complete([trials[position].spec], folder, machine, lambda *_: None)  # with its curves
    further = range(seed + 1, seed + 1 + (task.protocol.reruns if reruns is None else reruns))
    specs = [task.spec(winner.spec.setting, other) for other in further]
    again = completion.complete(specs, folder, machine, _numbered(progress, task, "re-runs", len(specs)))
    completion.tell_different_data([*trials, *again], folder)
    return standing(trials, winner, again)


def _tune(
    task: Task, study: tune.Study, seed: int, folder: Folder, machine: Machine, report: completion.Report
) -> list[RunResult]:
    """All trials, in their order, in brief.

    A sampler that learns is asked for as many trials at a time as are computed at a time, and told of all of them
    before it is asked again: so its questions do not depend on which worker was faster, or on an interruption.
    """
    results: list[RunResult] = []
    for numbers in study.rounds(machine.capacity):
        settings = [study.ask(number) for number in numbers]
        specs = [task.spec(setting, seed) for setting in settings]
        of_round = completion.complete(specs, folder, machine, report, brief=True)
        once: set[str] = set()
        for result in of_round:
            digest = result.spec.digest()
            if digest in once:  # a draw from few choices came again
                report(result, True)
            once.add(digest)
        for number, setting, result in zip(numbers, settings, of_round, strict=True):
            study.tell(number, setting, tune.score_of(result))
        results += of_round
    return results


def _numbered(progress: Progress | None, task: Task, phase: str, total: int) -> completion.Report:
    if progress is None:
        return lambda *_: None
    counter = itertools.count(1)
    return lambda result, was_found: progress(
        Event(task.candidate.name, phase, next(counter), total, result, was_found)
    )


def _check_data(dataset: str, data_dir: str | Path | None) -> None:
    """Make sure early that the files of the data set are there."""
    if datasets.get(dataset).files:
        datasets.locate(dataset, _path(data_dir))


def _conditions(data_dir: str | Path | None, max_seconds: float | None, keep_kernels: bool = False) -> Conditions:
    return Conditions(_path(data_dir), max_seconds, keep_kernels=keep_kernels)


def _path(folder: str | Path | None) -> Path | None:
    return None if folder is None else Path(folder).absolute()
