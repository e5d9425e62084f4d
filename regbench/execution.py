"""Where runs are computed: in this process, or by worker processes on this machine (Dask)."""

import logging
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regbench.engine.cores import available_cores
from regbench.errors import DefinitionError, RegbenchError
from regbench.records import Outcome, RunResult, RunSpec, Timings


@dataclass(frozen=True)
class Machine:
    """An executor, how many runs it computes at a time, and what each run is told besides its spec."""

    executor: Executor
    capacity: int
    data_dir: Path | None = None
    max_seconds: float | None = None

    def allows_more_time(self, result: RunResult) -> bool:
        """Whether a run timed out under a limit that is not the limit now."""
        if result.outcome != Outcome.TIMED_OUT:
            return False
        return self.max_seconds is None or result.timings.total_seconds < self.max_seconds

    def compute(self, specs: Sequence[RunSpec]) -> Iterator[RunResult]:
        """Compute the runs; yields each as soon as it is there.

        Whatever goes wrong in a run, up to the death of its worker, is its outcome.

        Raises:
            RegbenchError: the input is at fault, so that other runs would fail in the same way.
        """
        waiting: dict[Future[RunResult], RunSpec] = {}
        for spec in specs:
            waiting[self.executor.submit(compute, spec, self.data_dir, self.max_seconds, self.capacity)] = spec
            if len(waiting) == self.capacity:
                yield from self._finished(waiting)
        while waiting:
            yield from self._finished(waiting)

    def _finished(self, waiting: "dict[Future[RunResult], RunSpec]") -> Iterator[RunResult]:
        for future in wait(waiting, return_when=FIRST_COMPLETED).done:
            spec, error = waiting.pop(future), future.exception()
            if isinstance(error, RegbenchError):
                raise error
            yield future.result() if error is None else failed(spec, error)


def compute(spec: RunSpec, data_dir: Path | None, max_seconds: float | None, concurrent_runs: int) -> RunResult:
    """Run one spec in this process; whatever goes wrong in training becomes the outcome `failed`.

    Raises:
        RegbenchError: the input is at fault, so that other runs would fail in the same way.
    """
    from regbench.engine.run import run  # TensorFlow is loaded where runs are computed, not where they are planned

    try:
        return run(spec, data_dir=data_dir, max_seconds=max_seconds, concurrent_runs=concurrent_runs)
    except RegbenchError:
        raise
    except Exception as error:  # noqa: BLE001  own optimizers may raise anything, and a search of days goes on
        return failed(spec, error)


def failed(spec: RunSpec, error: BaseException) -> RunResult:
    """The result of a run that crashed."""
    return RunResult(
        spec=spec,
        outcome=Outcome.FAILED,
        reason=_reason(error),
        curves={},
        losses_without_penalty={},
        timings=Timings(compile_seconds=0.0, training_seconds=0.0, evaluation_seconds=0.0, total_seconds=0.0),
        environment={},
    )


def _reason(error: BaseException) -> str:
    """What was raised, on one line."""
    message = str(error).strip()
    if message.startswith("in user code:"):
        # TensorFlow's account of what went wrong while it traced a step: a traceback, then what was raised.
        return " ".join(message.rsplit("\n\n", maxsplit=1)[-1].split())
    return f"{type(error).__name__}: {message.splitlines()[0] if message else 'no message'}"


class InProcess(Executor):
    """Computes at once, in the calling thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Call the function; the future is done when this returns. Interruptions are not caught."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  a future carries whatever its function raises
            future.set_exception(error)
        return future


@contextmanager
def machine(workers: int = 0, data_dir: Path | None = None, max_seconds: float | None = None) -> Iterator[Machine]:
    """Where to compute: in this process (`workers` 0), or on that many worker processes, which share the cores evenly.

    Raises:
        DefinitionError: `workers` is negative.
    """
    if workers < 0:
        raise DefinitionError(f"`workers` must not be negative. Received: workers={workers}")
    if workers == 0:
        yield Machine(InProcess(), 1, data_dir, max_seconds)
        return
    import dask
    from distributed import Client, LocalCluster

    threads = max(1, available_cores() // workers)
    settings = {
        # A run that kills its worker twice is at fault itself; runs that only shared the worker are tried again.
        "distributed.scheduler.allowed-failures": 1,
        # A worker holds no run in reserve, so that a killed one takes only what it was computing with it.
        "distributed.scheduler.worker-saturation": 1.0,
    }
    environment = {"TF_NUM_INTRAOP_THREADS": str(threads), "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=0,  # Dask would stop giving runs to a worker that holds much memory, and the search would hang
            dashboard_address=":0",  # any free port: two searches may run at the same time
            silence_logs=logging.ERROR,  # what becomes of a run is told as its outcome
            env=environment,
        ) as cluster,
        Client(cluster) as client,
    ):
        client.register_worker_callbacks(_prepare_worker)
        yield Machine(client.get_executor(pure=False), workers, data_dir, max_seconds)


def _prepare_worker() -> None:
    """Ctrl-C reaches every process of a terminal; the workers leave it to the one that asked for the runs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdout = sys.stderr  # where own optimizers print; results alone go to stdout
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
