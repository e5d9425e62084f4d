"""How long runs will take, by the nearest that is known: other runs, this machine's record, a table of another machine.

A process starts (it loads TensorFlow), compiles once for each candidate on each problem, and makes one run after the
other; a run costs something by itself, and its epochs.
"""

import platform
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Literal

from regbench import datasets
from regbench.benchmark import machine_speed, penalty_time
from regbench.benchmark.machine_speed import Speed
from regbench.engine.splits import dataset_of
from regbench.errors import DataError, DefinitionError
from regbench.records import Coupling, Outcome, Part, Problem, Role, RunResult, RunSpec, Selection

WRITING = 0.02
"""Seconds between two runs: the first is written, the second is looked up."""

EVALUATION = 1 / 3
"""What evaluating a sample takes, as a share of what training on it takes."""

COMPILING_EVALUATION = 0.2
"""What compiling the evaluation takes, as a share of all compiling; done once for all candidates on a problem."""

OWN_IMAGES = 2_000
"""How many a data set is taken to have whose images the user brings."""


@dataclass(frozen=True)
class Pace:
    """What runs of one candidate with one network take.

    Attributes:
        speed: of its runs.
        source: "runs" that are known, the "record" of what this machine took for the network before, or the "table" of
            numbers that come with regbench.
        runs: how many are known.
        of_candidate: they are runs of the candidate itself, else of others with the same network.
        this_machine: they were made on a machine that says of itself what this one says.
        trained_share: the share of their epochs that trials train: some diverge before.
    """

    speed: Speed
    source: Literal["runs", "record", "table"]
    runs: int = 0
    of_candidate: bool = False
    this_machine: bool = True
    trained_share: float = 1.0


@dataclass(frozen=True)
class Programs:
    """What a run needs compiled, once in a process: its evaluation, and its training.

    Both are names. Candidates on one problem may share the evaluation.
    """

    evaluation: str
    training: str


@dataclass(frozen=True)
class Cost:
    """What one run takes.

    Attributes:
        pace: by what that is known.
        programs: what it needs compiled.
        epoch_seconds: of each of its epochs, with the evaluation.
        seconds: of the whole run, without what its process does once.
    """

    pace: Pace
    programs: Programs
    epoch_seconds: float
    seconds: float


@dataclass(frozen=True)
class _Sample:
    """What one run tells of others."""

    candidate: str
    this_machine: bool
    is_trial: bool
    planned_epochs: int
    trained_epochs: int
    speed: Speed


class Estimator:
    """Estimates runs by those that it knows of, else by the record of this machine, else by the table.

    Args:
        results: runs to learn from.
    """

    def __init__(self, results: Iterable[RunResult] = ()) -> None:
        """Learn from runs that are there."""
        self._samples: dict[str, list[_Sample]] = defaultdict(list)
        self._recorded = machine_speed.recorded().networks
        for result in results:
            self.learn(result)

    def learn(self, result: RunResult) -> bool:
        """Take in a run; whether it tells anything, which those do not that failed, timed out or had no epochs."""
        sample = _sample(result)
        if sample is not None:
            self._samples[network(result.spec)].append(sample)
        return sample is not None

    def pace(self, spec: RunSpec) -> Pace | None:
        """What runs like this one take; None where nothing is known of the network.

        Runs of this machine come first, then its record, then runs of other machines, then the table.
        """
        samples = self._samples.get(network(spec), [])
        here = [sample for sample in samples if sample.this_machine]
        if here:
            return _pace_of(here, spec.candidate)
        if network(spec) in self._recorded:
            return Pace(self._recorded[network(spec)], "record")
        if samples:
            return _pace_of(samples, spec.candidate)
        speed = machine_speed.from_table(
            spec.problem.model.name, dataset_of(spec.problem).input_shape, _depth(spec.problem.model), spec.batch_size
        )
        return None if speed is None else Pace(speed, "table", this_machine=False)

    def cost(self, spec: RunSpec, *, is_trial: bool = False, max_seconds: float | None = None) -> Cost | None:
        """What a run takes; None where nothing is known of the network.

        Args:
            spec: the run.
            is_trial: on average it trains as much as the known trials of its candidate; else it trains all its epochs.
            max_seconds: after which it gives up.
        """
        pace = self.pace(spec)
        return None if pace is None else _cost(spec, pace, is_trial, max_seconds)

    def seconds(self, specs: Iterable[RunSpec], after: Set[Programs] = frozenset()) -> float:
        """What this process takes for runs, one after the other; what nothing is known of counts as nothing.

        Args:
            specs: the runs.
            after: what the process has compiled by then.
        """
        paces: dict[tuple[str, str], Pace | None] = {}
        costs = []
        for spec in specs:
            alike = network(spec), spec.candidate
            if alike not in paces:
                paces[alike] = self.pace(spec)
            pace = paces[alike]
            if pace is not None:
                costs.append(_cost(spec, pace))
        return wall_seconds(costs, after=after)


def wall_seconds(costs: Sequence[Cost], processes: int = 1, after: Set[Programs] = frozenset()) -> float:
    """What processes take for runs that they share, each of which starts and compiles what the runs need.

    Args:
        costs: of the runs.
        processes: how many there are; no run is shared.
        after: what they have compiled already; if anything, they have started too.
    """
    if not costs:
        return 0.0
    total = 0.0 if after else machine_speed.start_seconds()
    compiled = {name for programs in after for name in (programs.evaluation, programs.training)}
    for cost in costs:
        programs, compiling = cost.programs, cost.pace.speed.compile_seconds
        if programs.evaluation not in compiled:
            total += COMPILING_EVALUATION * compiling
        if programs.training not in compiled:
            total += (1 - COMPILING_EVALUATION) * compiling
        compiled |= {programs.evaluation, programs.training}
    each = [cost.seconds + WRITING for cost in costs]
    return total + max(sum(each) / processes, *each)


def record(results: Iterable[RunResult]) -> None:
    """Put on record how fast this machine made runs; those of other machines are passed by."""
    samples = defaultdict(list)
    for result in results:
        sample = _sample(result)
        if sample is not None and sample.this_machine:
            samples[network(result.spec)].append(sample)
    if samples:
        machine_speed.record(networks={name: _typical(of_network) for name, of_network in samples.items()})


def network(spec: RunSpec) -> str:
    """Names what runs share that take about equally long for a sample, whichever their candidate."""
    inputs = datasets.get(spec.problem.dataset).input_shape
    return f"{spec.problem.model.model_dump_json()} {inputs} {spec.batch_size}"


def programs_of(spec: RunSpec) -> Programs:
    """What a run needs compiled; numbers are none of it."""
    regularizer = spec.regularizer.name if spec.regularizer else "none"
    has_l2 = spec.decay.coupling == Coupling.L2 and spec.decay_strength != 0
    evaluation = f"{spec.problem.name} {spec.batch_size} {spec.protocol.name} {regularizer} {has_l2}"
    return Programs(evaluation, f"{evaluation} {spec.candidate} {spec.optimizer.name}")


def samples_passed(problem: Problem, epochs: int, validation: bool) -> float:
    """How many samples go through the network in a run; an evaluated one counts as a part."""
    dataset, selection = dataset_of(problem), problem.selection or Selection()
    share = dataset.classes / max(1, datasets.get(problem.dataset).classes) if selection.classes else 1.0

    def size(whole: int, per_class: int | None) -> float:
        kept = share * (whole or OWN_IMAGES)
        return kept if per_class is None else min(kept, per_class * dataset.classes)

    train, test = size(dataset.train_size, selection.train_per_class), size(dataset.test_size, selection.test_per_class)
    train *= selection.passes
    valid = size(dataset.validation_size, selection.most_valid) if validation else 0
    evaluated = min(train, test) + test + valid if selection.draw == "seed" else 2 * test + valid
    return epochs * (train + EVALUATION * evaluated)


def _depth(model: Part) -> int:
    """How many hidden layers a network has, or a group of its residual units; 0 where that does not vary."""
    units, residual_units = model.arguments.get("units"), model.arguments.get("residual_units")
    if isinstance(residual_units, int):
        return 4 * residual_units
    return len(units) if isinstance(units, list) else 0


def _epoch_samples(spec: RunSpec) -> float:
    return samples_passed(spec.problem, 1, spec.protocol.validation)


def _cost(spec: RunSpec, pace: Pace, is_trial: bool = False, max_seconds: float | None = None) -> Cost:
    epoch_seconds = _epoch_samples(spec) * pace.speed.sample_seconds
    if not pace.of_candidate and spec.problem.model.name in penalty_time.DENSE:
        epoch_seconds *= 1 + penalty_time.share(spec.regularizer)
    epochs = spec.epochs * (pace.trained_share if is_trial else 1.0)
    seconds = pace.speed.run_seconds + epochs * epoch_seconds
    limited = seconds if max_seconds is None else min(seconds, max_seconds)
    return Cost(pace, programs_of(spec), epoch_seconds, limited)


def _sample(result: RunResult) -> _Sample | None:
    spec, timings = result.spec, result.timings
    if spec.epochs == 0 or result.outcome not in (Outcome.COMPLETED, Outcome.DIVERGED):
        return None
    try:
        samples = _epoch_samples(spec)
    except (DataError, DefinitionError):  # made on the user's own data, which are others now
        return None
    trained = spec.epochs if result.diverged_epoch is None else result.diverged_epoch
    in_epochs = timings.training_seconds + timings.evaluation_seconds
    speed = Speed(
        compile_seconds=timings.compile_seconds,
        run_seconds=max(0.0, timings.total_seconds - timings.compile_seconds - in_epochs),
        sample_seconds=in_epochs / (max(1, trained) * samples),
    )
    is_here = result.environment.get("platform") == platform.platform() and not result.is_bundled
    is_trial = result.origin is None or result.origin.role != Role.RERUN
    return _Sample(spec.candidate, is_here, is_trial, spec.epochs, trained, speed)


def _pace_of(samples: Sequence[_Sample], candidate: str) -> Pace:
    """By the runs of the candidate itself, where there are some."""
    own = [sample for sample in samples if sample.candidate == candidate]
    chosen = own or samples
    trials = [sample for sample in own if sample.is_trial]
    planned = sum(trial.planned_epochs for trial in trials)
    share = sum(trial.trained_epochs for trial in trials) / planned if planned else 1.0
    is_here = all(sample.this_machine for sample in chosen)
    return Pace(_typical(chosen), "runs", len(chosen), bool(own), is_here, share)


def _typical(samples: Sequence[_Sample]) -> Speed:
    """The longest compilation, as all runs but the first find theirs done; else medians, by runs that went on if any.

    What starts in the first epoch is most of a run that diverged in it.
    """
    whole = [sample for sample in samples if sample.trained_epochs == sample.planned_epochs] or samples
    return Speed(
        compile_seconds=max(sample.speed.compile_seconds for sample in samples),
        run_seconds=statistics.median(sample.speed.run_seconds for sample in samples),
        sample_seconds=statistics.median(sample.speed.sample_seconds for sample in whole),
    )
