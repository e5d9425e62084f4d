"""Runs that are asked for one by one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from regbench import catalog, datasets, execution
from regbench.benchmark import completion, estimate
from regbench.benchmark.data import tell_memory
from regbench.benchmark.events import Progress, Warn, numbered
from regbench.benchmark.finding import Baselines, bundle_of
from regbench.benchmark.tasks import Task, as_in_tree, checked_seed
from regbench.benchmark.trying import check_run
from regbench.execution import Conditions
from regbench.records import (
    TUNING_SEED,
    Candidate,
    Origin,
    OwnData,
    Problem,
    Protocol,
    Role,
    RunResult,
    RunSpec,
    Scalar,
    Schedule,
)
from regbench.store.folder import Folder
from regbench.tuning import space


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
    results: str | Path = "results",
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
        results: results tree; a run that is in it is returned, not run again.
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
    task = as_in_tree(Task.of(problem, candidate, protocol, schedule, epochs, batch_size), Path(results))
    chosen = dict(setting or {})
    fixed = space.override(task.candidate, chosen)
    catalog.check_definition(fixed)
    spec = task.spec(space.defaults(fixed) | chosen, checked_seed(seed))
    origin = Origin(role=Role.BY_HAND, sources=task.sources)
    told = check_run(task, spec)
    check_data(task.problem.dataset, data_dir)
    tell_memory(task.problem.dataset, warn)
    folder = Folder(results, warn)
    for line in told:
        folder.warn(line)
    folder.check_writable()
    with execution.machine(
        0, conditions(data_dir, max_seconds, keep_kernels=keep_kernels, sources=task.sources)
    ) as machine:
        report = numbered(progress, catalog.current_name(task.candidate.name), "run", 1)
        made = completion.complete([spec], folder, machine, report, origins=[origin], minibatch=True)
    estimate.record(made)
    return made[0]


def run_all(
    specs: Sequence[RunSpec],
    *,
    origins: Sequence[Origin] | None = None,
    results: str | Path = "results",
    data_dir: str | Path | None = None,
    max_seconds: float | None = None,
    keep_kernels: bool = False,
    minibatch: bool = True,
    baselines: Baselines = "bundled",
    report: completion.Report | None = None,
    warn: Warn | None = None,
) -> list[RunResult]:
    """Train runs that are known in every detail, one after the other; arguments and errors as for `run`.

    Args:
        specs: the runs; equal ones are trained once.
        origins: what is on record of what made each of them; by hand unless given.
        results: results tree; a run that is in it is returned, not run again.
        data_dir: data folder; None searches the usual places.
        max_seconds: give up a run after the epoch that ends later than this.
        keep_kernels: keep the trained kernels in the runs.
        minibatch: give back the losses of the steps too; without them, runs that come with regbench are taken.
        baselines: "none" takes none of these.
        report: called with each run as soon as it is there, and whether it lay in the results tree.
        warn: called with a line on every file in the results tree that had to be skipped.

    Returns:
        The runs, in the order of the specs.
    """
    for dataset in dict.fromkeys(spec.problem.dataset for spec in specs):
        check_data(dataset, data_dir)
    folder = Folder(results, warn)
    bundle = bundle_of(baselines, folder.warn)
    folder.check_writable()
    with execution.machine(0, conditions(data_dir, max_seconds, keep_kernels=keep_kernels)) as machine:
        made = completion.complete(
            specs, folder, machine, report or (lambda *_: None), bundle=bundle, origins=origins, minibatch=minibatch
        )
    estimate.record(made)
    return made


def check_data(dataset: str | OwnData, data_dir: str | Path | None) -> None:
    """Make sure early that the files of a data set are there.

    Raises:
        DataError: one is missing.
    """
    if isinstance(dataset, str) and datasets.get(dataset).files:
        datasets.locate(dataset, _path(data_dir))


def conditions(data_dir: str | Path | None, max_seconds: float | None, **others: Any) -> Conditions:
    """What every run is told besides its spec."""
    return Conditions(_path(data_dir), max_seconds, **others)


def _path(folder: str | Path | None) -> Path | None:
    return None if folder is None else Path(folder).absolute()
