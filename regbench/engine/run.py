"""One run, from its spec to its result."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from regbench.engine import environment
from regbench.engine.curves import Curves
from regbench.engine.splits import load_splits
from regbench.records import MINIBATCH, Guest, Outcome, RunResult, RunSpec, Timings, learning_rate_factors

if TYPE_CHECKING:
    from regbench.engine.evaluate import Evaluation


def run(
    spec: RunSpec,
    data_dir: Path | None = None,
    max_seconds: float | None = None,
    concurrent_runs: int = 1,
    keep_kernels: bool = False,
    guest: Guest | None = None,
) -> RunResult:
    """Train once, evaluating before every epoch and after the last.

    The curves depend on the spec, the data, the machine and the number of threads only: not on what this process ran
    before, although networks compiled for earlier runs are used again where they fit.

    Args:
        spec: what to run.
        data_dir: where the data files lie; None searches (see `datasets.data_folders`).
        max_seconds: stop after the first epoch that ends later than this; the outcome is then `timed_out`.
        concurrent_runs: how many runs share the machine, for the record.
        keep_kernels: put the trained kernels into the result, their largest singular values, and the mean margins.
        guest: the optimizer of another framework that the spec names (`guests.guest_of`), made for this run.

    Raises:
        DefinitionError: the spec names something that does not exist or does not fit.
        DataError: the data cannot be read.
    """
    environment.prepare()
    environment.check_keras()
    from regbench.engine.program import PreparedRun  # what it imports loads TensorFlow

    clock = Clock()
    splits = load_splits(spec.problem.dataset, spec.protocol, data_dir, spec.problem.selection, spec.seed)
    prepared = PreparedRun(spec, splits, guest)
    with clock.measures("compile"):
        prepared.compile()

    with clock.measures("evaluation"):
        curves = Curves(prepared.evaluate())
    timed_out = False
    for epoch in range(spec.epochs):
        with clock.measures("training"):
            factors = learning_rate_factors(spec.schedule, epoch, spec.epochs, prepared.steps)
            step_losses = prepared.train(epoch, factors)
        with clock.measures("evaluation"):
            evaluation = prepared.evaluate()
        curves.add_epoch(step_losses, evaluation)
        timed_out = max_seconds is not None and clock.total() > max_seconds and epoch + 1 < spec.epochs
        if curves.diverged_epoch is not None or timed_out:
            break

    outcome, reason = _outcome(curves, timed_out, max_seconds)
    filled = spec.protocol.fills_diverged
    meter = prepared.meter
    kernels = prepared.kernels() if keep_kernels else {}
    return RunResult(
        spec=spec,
        outcome=outcome,
        reason=reason,
        diverged_epoch=curves.diverged_epoch,
        curves=_curves(spec, curves),
        metrics=_metrics(spec, curves),
        losses_without_penalty=curves.values("losses", lambda split: split.loss, spec.epochs, filled=filled),
        shrinkage=prepared.shrinkage(),
        decay_share=None if meter is None else 0.0 if prepared.is_undone() else meter.share,
        gradient_evaluations=prepared.gradient_evaluations,
        final_weight_norm=_finite(prepared.weight_norm()),
        kernels=kernels,
        singular_values={
            layer: value for layer, kernel in kernels.items() if (value := _spectral_norm(kernel.array())) is not None
        },
        margins=prepared.margins() if keep_kernels and outcome == Outcome.COMPLETED else {},
        data_digest=splits.digest,
        samples_digest=splits.drawn,
        timings=clock.timings(),
        environment=environment.describe(concurrent_runs) | dict(guest.versions if guest else {}),
    )


class Clock:
    """Wall seconds since it was made, and how they divide."""

    def __init__(self) -> None:
        """Start."""
        self._started = time.perf_counter()
        self._seconds = {"compile": 0.0, "training": 0.0, "evaluation": 0.0}

    @contextmanager
    def measures(self, what: str) -> Iterator[None]:
        """Count the seconds inside the block as those of `what`."""
        started = time.perf_counter()
        yield
        self._seconds[what] += time.perf_counter() - started

    def total(self) -> float:
        """Seconds so far."""
        return time.perf_counter() - self._started

    def timings(self) -> Timings:
        """The record of them."""
        return Timings(
            **{f"{what}_seconds": seconds for what, seconds in self._seconds.items()}, total_seconds=self.total()
        )


def _outcome(curves: Curves, timed_out: bool, max_seconds: float | None) -> tuple[Outcome, str]:
    if curves.diverged_epoch is not None:
        return Outcome.DIVERGED, f"a loss was not finite or absurdly large in epoch {curves.diverged_epoch}"
    if timed_out:
        return Outcome.TIMED_OUT, f"took longer than {max_seconds:g} seconds"
    return Outcome.COMPLETED, ""


def _curves(spec: RunSpec, curves: Curves) -> dict[str, list[float]]:
    filled = spec.protocol.fills_diverged
    by_name = curves.values("losses", lambda split: split.loss + split.penalty, spec.epochs, filled=filled)
    if spec.problem.has_accuracy:
        by_name |= curves.values("accuracies", lambda split: cast(float, split.accuracy), spec.epochs, filled=filled)
    return by_name | {MINIBATCH: curves.minibatch_losses}


def _metrics(spec: RunSpec, curves: Curves) -> dict[str, list[float]]:
    by_name: dict[str, list[float]] = {}
    for name in spec.problem.further_metrics:
        of = partial(_metric, name)
        by_name |= curves.values(name, of, spec.epochs, filled=spec.protocol.fills_diverged)
    return by_name


def _metric(name: str, evaluation: "Evaluation") -> float:
    return evaluation.metrics[name]


def _spectral_norm(kernel: np.ndarray) -> float | None:
    """The largest singular value of a kernel with one column an output; None where an entry is not finite."""
    matrix = kernel.astype(float).reshape(-1, kernel.shape[-1]) if kernel.ndim > 1 else kernel.reshape(-1, 1)
    return float(np.linalg.norm(matrix, 2)) if np.isfinite(matrix).all() else None


def _finite(number: float) -> float | None:
    return number if np.isfinite(number) else None
