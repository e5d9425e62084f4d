"""One run, wherever it is computed: what it is told, and what becomes of it when it crashes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from regbench.catalog import own_code
from regbench.catalog.frameworks import framework_of
from regbench.errors import RegbenchError
from regbench.records import Outcome, RunResult, RunSpec, Timings


@dataclass(frozen=True)
class Conditions:
    """What every run of a search is told besides its spec.

    Attributes:
        data_dir: data folder; None searches the usual places.
        max_seconds: give up after the epoch that ends later than this.
        concurrent_runs: how many runs share the machines, for the record.
        keep_kernels: keep the trained kernels in the result.
        data_are_elsewhere: those who compute have data of their own, which may be others than those in `data_dir` here.
        sources: the digests that the sources of the user's own code must have, by name; see `own_code.load`.
    """

    data_dir: Path | None = None
    max_seconds: float | None = None
    concurrent_runs: int = 1
    keep_kernels: bool = False
    data_are_elsewhere: bool = False
    sources: Mapping[str, str] = field(default_factory=dict)

    def must_repeat(self, result: RunResult) -> bool:
        """Whether a run that is there lacks what is wanted now: more time, or the kernels."""
        return self._allows_more_time(result) or (self.keep_kernels and not result.kernels)

    def _allows_more_time(self, result: RunResult) -> bool:
        if result.outcome != Outcome.TIMED_OUT:
            return False
        return self.max_seconds is None or result.timings.total_seconds < self.max_seconds


def compute(spec: RunSpec, conditions: Conditions) -> RunResult:
    """Run one spec in this process; what goes wrong in the training itself becomes the outcome `failed`.

    Raises:
        RegbenchError: the input is at fault, so that other runs would fail in the same way.
        OSError, MemoryError: the machine is at fault, so that another attempt may succeed. All else would come again:
            the same spec does the same.
    """
    # TensorFlow is loaded where runs are computed, not where they are planned.
    from regbench import guests

    guests.prepare(framework_of(spec.optimizer))  # PyTorch must be there before TensorFlow
    from regbench.engine.environment import is_lack_of_memory, prepare
    from regbench.engine.run import run

    try:
        prepare()  # before own code loads Keras
        names = own_code.names_in(*own_code.parts_of(spec.problem), spec.optimizer, spec.regularizer)
        own_code.load(names, conditions.sources)
        return run(
            spec,
            data_dir=conditions.data_dir,
            max_seconds=conditions.max_seconds,
            concurrent_runs=conditions.concurrent_runs,
            keep_kernels=conditions.keep_kernels,
            guest=guests.guest_of(spec.optimizer),
        )
    except (RegbenchError, OSError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001  own optimizers may raise anything, and a search of days goes on
        if is_lack_of_memory(error):
            raise MemoryError(_last_line(error)) from None
        return failed(spec, error)


def failed(spec: RunSpec, error: BaseException, attempts: int = 1) -> RunResult:
    """The result of a run that crashed, in every one of its attempts."""
    times = f", in each of {attempts} attempts" if attempts > 1 else ""
    return failed_because(spec, f"{_reason(error)}{times}")


def failed_because(spec: RunSpec, reason: str) -> RunResult:
    """The result of a run that crashed for a reason that is known, in one line."""
    return RunResult(
        spec=spec,
        outcome=Outcome.FAILED,
        reason=reason,
        curves={},
        losses_without_penalty={},
        timings=Timings(compile_seconds=0.0, training_seconds=0.0, evaluation_seconds=0.0, total_seconds=0.0),
        environment={},
    )


def _reason(error: BaseException) -> str:
    """What was raised, on one line."""
    message = str(error).strip()
    if message.startswith("in user code:"):
        return _last_line(error)
    return f"{type(error).__name__}: {message.splitlines()[0] if message else 'no message'}"


def _last_line(error: BaseException) -> str:
    """TensorFlow's account of what went wrong while it traced a step is a traceback, then what was raised."""
    return " ".join(str(error).strip().rsplit("\n\n", maxsplit=1)[-1].split())
