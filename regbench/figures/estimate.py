"""How long runs will take."""

import statistics
from collections.abc import Iterable
from datetime import timedelta

from regbench import datasets
from regbench.engine.splits import dataset_of
from regbench.figures.plan import Run
from regbench.records import Problem, RunResult, RunSpec, Selection

MEASURED = {
    "conv_2c2d": (2.0, 2.5e-5),
    "conv_3c2d": (2.0, 1.0e-4),
    "conv_3c3d": (3.0, 8.0e-4),
    "conv_4c2d": (3.0, 9.0e-4),
    "convex_quadratic": (1.0, 7e-6),
    "dropout_mlp": (3.0, 4.5e-5),
    "mlp": (2.0, 3e-6),
    "quadratic": (2.0, 2e-6),
}
"""By model: seconds for compiling, and seconds of training a sample, as measured on two cores."""

OVERHEAD = 0.2
"""Seconds that every run takes besides: building the network anew, writing the result."""

SHALLOW = 8
"""Hidden layers up to which a multi-layer perceptron takes as long as the table says."""

UNKNOWN = (5.0, 1e-3)
OWN_IMAGES = 2_000
"""How many a data set is taken to have whose images the user brings."""

EVALUATION = 1 / 3
"""What evaluating a sample takes, as a share of what training on it takes."""


class Speed:
    """Estimates runs by those of the same network that were computed here, else by the table above."""

    def __init__(self, results: Iterable[RunResult] = ()) -> None:
        """Learn from runs that are there."""
        self._seconds: dict[str, list[float]] = {}
        for result in results:
            self.learn(result)

    def learn(self, result: RunResult) -> None:
        """Take in a run that was computed on this machine; others are passed by."""
        if result.is_bundled:
            return
        spec = result.spec
        samples = samples_passed(spec.problem, spec.epochs, spec.protocol.validation)
        if samples and result.diverged_epoch is None:
            seconds = result.timings.training_seconds + result.timings.evaluation_seconds
            self._seconds.setdefault(_network(spec), []).append(seconds / samples)

    def total(self, runs: Iterable[Run]) -> timedelta:
        """How long runs will take, one after the other."""
        seconds = 0.0
        compiled = set()
        for run in runs:
            start, step = MEASURED.get(run.problem.model.name, UNKNOWN)
            layers = run.problem.model.arguments.get("units")
            depth = max(1.0, len(layers) / SHALLOW) if isinstance(layers, list) else 1.0
            per_sample = self._seconds.get(_network(run.spec), [depth * step])
            samples = samples_passed(run.problem, run.epochs, run.protocol.validation)
            program = run.problem.name, run.candidate.name, str(run.candidate.regularizer)
            seconds += OVERHEAD + statistics.fmean(per_sample) * samples + (program not in compiled) * depth * start
            compiled.add(program)
        return timedelta(seconds=round(seconds))


def samples_passed(problem: Problem, epochs: int, validation: bool) -> float:
    """How many samples go through the network in a run; an evaluated one counts as a part."""
    dataset, selection = dataset_of(problem), problem.selection or Selection()
    share = dataset.classes / max(1, datasets.get(problem.dataset).classes) if selection.classes else 1.0

    def size(whole: int, per_class: int | None) -> float:
        kept = share * (whole or OWN_IMAGES)
        return kept if per_class is None else min(kept, per_class * dataset.classes)

    train, test = size(dataset.train_size, selection.train_per_class), size(dataset.test_size, selection.test_per_class)
    valid = size(dataset.validation_size, selection.test_per_class) if validation else 0
    return epochs * (train + EVALUATION * (2 * test + valid))


def _network(spec: RunSpec) -> str:
    return f"{spec.problem.model.model_dump_json()} {spec.batch_size}"
