"""Where runs are computed: in this process, or by worker processes on this machine (Dask)."""

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
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
    keep_kernels: bool = False

    def must_repeat(self, result: RunResult) -> bool:
        """Whether a run that is there lacks what is wanted now: more time, or the kernels."""
        return self.allows_more_time(result) or (self.keep_kernels and not result.kernels)

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
            arguments = spec, self.data_dir, self.max_seconds, self.capacity, self.keep_kernels
            waiting[self.executor.submit(compute, *arguments)] = spec
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


def compute(
    spec: RunSpec,
    data_dir: Path | None,
    max_seconds: float | None,
    concurrent_runs: int,
    keep_kernels: bool = False,
) -> RunResult:
    """Run one spec in this process; whatever goes wrong in training becomes the outcome `failed`.

    Raises:
        RegbenchError: the input is at fault, so that other runs would fail in the same way.
    """
    from regbench.engine.run import run  # TensorFlow is loaded where runs are computed, not where they are planned

    try:
        return run(
            spec,
            data_dir=data_dir,
            max_seconds=max_seconds,
            concurrent_runs=concurrent_runs,
            keep_kernels=keep_kernels,
        )
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
    """Computes at once, in the calling thread, for as long as this process has room for compiled programs.

    XLA keeps every program until its process ends, in dozens of memory maps each; a few hundred runs that compile anew
    reach the kernel's limit, at which the process dies. Before that, computing goes on in child processes, each for
    some runs.
    """

    def __init__(self) -> None:
        """Begin in this process."""
        self._children: ProcessPoolExecutor | None = None

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Call the function; the future is done when this returns. Interruptions are not caught."""
        if self._children is None and is_crowded():
            self._children = _children()
        future: Future[Any] = Future()
        try:
            if self._children is None:
                future.set_result(fn(*args, **kwargs))
            else:
                future.set_result(self._children.submit(fn, *args, **kwargs).result())
        except Exception as error:  # noqa: BLE001  a future carries whatever its function raises
            future.set_exception(error)
            if isinstance(error, BrokenExecutor):
                self.shutdown()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the child process, if there is one."""
        if self._children is not None:
            self._children.shutdown(wait, cancel_futures=cancel_futures)
            self._children = None


RUNS_OF_A_CHILD = 100
CROWDED = 0.5
"""The share of the memory maps that a process may have from which on it computes no more."""


def is_crowded() -> bool:
    """Whether this process is near the kernel's limit of memory maps; False where the system tells neither."""
    try:
        limit = int(Path("/proc/sys/vm/max_map_count").read_text(encoding="ascii"))
        with Path("/proc/self/maps").open("rb") as maps:
            return sum(1 for _ in maps) > CROWDED * limit
    except OSError:
        return False


def _children() -> ProcessPoolExecutor:
    """One child process at a time, which another replaces after some runs."""
    return ProcessPoolExecutor(
        1, multiprocessing.get_context("spawn"), initializer=_prepare_child, max_tasks_per_child=RUNS_OF_A_CHILD
    )


def _prepare_child() -> None:
    """The child ends with its parent: at once on Ctrl-C, which reaches both, and when the parent was killed."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.stdout = sys.stderr  # where own optimizers print; results alone go to stdout
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


@contextmanager
def machine(
    workers: int = 0, data_dir: Path | None = None, max_seconds: float | None = None, keep_kernels: bool = False
) -> Iterator[Machine]:
    """Where to compute: in this process (`workers` 0), or on that many worker processes, which share the cores evenly.

    Raises:
        DefinitionError: `workers` is negative.
    """
    if workers < 0:
        raise DefinitionError(f"`workers` must not be negative. Received: workers={workers}")
    if workers == 0:
        with InProcess() as executor:
            yield Machine(executor, 1, data_dir, max_seconds, keep_kernels)
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
        yield Machine(client.get_executor(pure=False), workers, data_dir, max_seconds, keep_kernels)


def _prepare_worker() -> None:
    """Ctrl-C reaches every process of a terminal; the workers leave it to the one that asked for the runs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdout = sys.stderr  # where own optimizers print; results alone go to stdout
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
