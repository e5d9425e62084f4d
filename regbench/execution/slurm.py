"""Workers as jobs of SLURM (dask-jobqueue); a job that ends is replaced.

Neither `adapt` nor `scale` of dask-jobqueue replaces an ended job that held several workers, nor one that ended before
its worker came. So we ask `squeue` which jobs are still there.
"""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from regbench.errors import DefinitionError
from regbench.execution.slurm_jobs import Jobs, job_options

CHECK_SECONDS = 10.0
PATIENCE = 5
"""So many jobs more than there should be may end before a worker came; then no ended job is replaced any more."""


@contextmanager
def slurm_cluster(
    jobs: Jobs, path: Path, threads: int | None = None, warn: Callable[[str], None] = lambda _: None
) -> Iterator[Any]:
    """The `dask_jobqueue.SLURMCluster` of a file, from its first worker on; its jobs end with the context.

    Args:
        jobs: what the file says.
        path: the file, for messages.
        threads: of each run; the cores of a worker where not given.
        warn: called with a line where it has to be waited for.

    Raises:
        DefinitionError: SLURM or dask-jobqueue is not there, SLURM refuses the jobs, or all of them end before a worker
            came.
    """
    options = job_options(jobs, path, threads)
    _check_this_machine(jobs, path)
    with new_cluster(options) as cluster:
        keeper = Keeper(cluster, jobs, warn)
        try:
            keeper.submit(jobs.jobs)
        except RuntimeError as error:
            raise DefinitionError(f"{path}: SLURM refused the jobs: {_last_line(error)}") from error
        keeper.wait_for_worker(path)
        with keeper:
            yield cluster


def _check_this_machine(jobs: Jobs, path: Path) -> None:
    from distributed.utils import get_ip_interface

    if shutil.which("sbatch") is None:
        raise DefinitionError(f"{path}: there is no `sbatch` here. Start the search where jobs can be submitted.")
    try:
        if jobs.log_directory is not None:
            Path(jobs.log_directory).mkdir(parents=True, exist_ok=True)
        if jobs.interface is not None:
            get_ip_interface(jobs.interface)
    except OSError as error:
        raise DefinitionError(f"{path}: log_directory: cannot be made: {error.strerror}") from error
    except ValueError as error:
        raise DefinitionError(f"{path}: interface: {error}") from error


def new_cluster(options: dict[str, Any]) -> Any:
    """A `SLURMCluster` that has no jobs yet.

    Raises:
        DefinitionError: dask-jobqueue is not installed.
    """
    on_interruption = signal.getsignal(signal.SIGINT)
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise DefinitionError(
            "Jobs of SLURM need dask-jobqueue. Install it with: pip install 'regbench[jobqueue]'"
        ) from error
    signal.signal(signal.SIGINT, on_interruption)  # dask-jobqueue 0.9 makes Ctrl-C end the process, with exit code 0
    return SLURMCluster(**options)


class Keeper:
    """Keeps as many jobs as there should be."""

    def __init__(self, cluster: Any, jobs: Jobs, warn: Callable[[str], None]) -> None:
        """Begin without jobs."""
        self._cluster = cluster
        self._warn = warn
        self._jobs = jobs
        self._productive: set[str] = set()
        self._fruitless = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Keeper":
        """Replace from now on what ends."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Replace no more."""
        self._ended.set()
        self._thread.join()

    def submit(self, number: int) -> None:
        """Submit further jobs.

        Raises:
            RuntimeError: SLURM refuses one.
        """
        self._cluster.sync(self._exchange, [], number)

    async def _exchange(self, ended: list[str], number: int) -> None:
        from distributed.core import Status

        # New ones first, so that they do not get the names of the ended ones, which the scheduler may still know.
        for _ in range(number):
            self._cluster.worker_spec.update(self._cluster.new_worker_spec())
        for name in ended:
            self._cluster.worker_spec.pop(name, None)
            job = self._cluster.workers.pop(name, None)
            if job is not None:
                job.status = Status.closed  # else Dask fails on it when the cluster is closed
        try:
            await self._cluster
        except RuntimeError:
            for job in self._cluster.workers.values():
                if job.job_id is None:
                    job.status = Status.closed
            raise

    def wait_for_worker(self, path: Path) -> None:
        """Return when the first worker has come, however long the jobs wait for their turn.

        Raises:
            DefinitionError: all jobs ended before.
        """
        self._warn(f"{path}: {self._jobs.jobs} jobs are submitted; waiting for the first worker")
        checked = time.monotonic()
        while not self._cluster.scheduler_info["workers"]:
            time.sleep(0.1)
            if time.monotonic() - checked > CHECK_SECONDS:
                if len(self._ended_jobs()) == self._jobs.jobs:
                    where = self._jobs.log_directory or "the files slurm-*.out of the working directory"
                    raise DefinitionError(f"{path}: all jobs ended before a worker came. Their output is in {where}")
                checked = time.monotonic()
        self._note_workers()

    def _watch(self) -> None:
        while not self._ended.wait(CHECK_SECONDS):
            try:
                self._replace()
            except Exception as error:  # noqa: BLE001  SLURM refused, or Dask changed its tables meanwhile
                self._warn(f"an ended job could not be replaced; trying again: {_last_line(error)}")

    def _replace(self) -> None:
        """Submit a job for each that ended."""
        self._note_workers()
        ended = self._ended_jobs()
        submitted = {name for name, job in ended.items() if job.job_id is not None}
        self._fruitless += len(submitted - self._productive)
        if self._fruitless <= self._jobs.jobs + PATIENCE:
            self._cluster.sync(self._exchange, list(ended), len(ended))
        elif len(ended) == len(self._cluster.workers):
            self._warn("no job is left, and new ones end before a worker comes; the search ends")
            self._cluster.sync(self._cluster.scheduler.close)
            self._cluster.shutdown_scheduler = False  # Dask would try for 30 seconds to reach it
            self._ended.set()

    def _note_workers(self) -> None:
        """Remember which jobs have brought a worker."""
        present = {str(worker["name"]) for worker in list(self._cluster.scheduler_info["workers"].values())}
        if self._jobs.workers_per_job > 1:
            present = {name.rpartition("-")[0] for name in present}
        if not present <= self._productive:
            self._productive |= present
            self._fruitless = 0

    def _ended_jobs(self) -> dict[str, Any]:
        """The jobs that SLURM has no more, by name; one that it puts back into its queue is still there."""
        known = dict(self._cluster.workers)
        listing = ["squeue", "--noheader", "--format=%A", f"--user={os.getuid()}"]
        try:
            there = subprocess.run(listing, capture_output=True, text=True, timeout=60, check=True).stdout.split()
        except (OSError, subprocess.SubprocessError) as error:
            self._warn(f"SLURM does not say which jobs there are: {_last_line(error)}")
            return {}
        return {name: job for name, job in known.items() if job.job_id not in there}


def _last_line(error: Exception) -> str:
    """What a command of SLURM said at last, or the error itself."""
    return [type(error).__name__, *(line for line in str(error).splitlines() if line.strip())][-1]
