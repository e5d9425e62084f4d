"""The Dask cluster of a driver: started on this machine, asked of SLURM, or there already."""

import contextlib
import errno
import logging
import os
import resource
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from regbench.catalog.libraries import PACKAGES
from regbench.engine import address_space
from regbench.engine.cores import available_cores
from regbench.errors import ClusterError, DefinitionError
from regbench.execution.workers import Workers, begun, compute_on_worker, end_children, versions

SLURM = "slurm:"
_CONNECT_SECONDS = 10
_DESCRIPTORS, _DESCRIPTORS_PER_WORKER = 32, 8  # a search with two workers runs with 64
_STARTS = 3
_COUNTS_EVERY_SECONDS = 2.0

ROUND = 8
"""Trials for which a sampler that learns is asked at a time where workers come and go: it must not depend on them."""

_SETTINGS = {
    # A worker that dies is no fault of its run, which it computed in a child: `--retries` counts, not Dask.
    "distributed.scheduler.allowed-failures": 0,
    # A worker holds no run in reserve, so that a killed one takes only what it was computing with it.
    "distributed.scheduler.worker-saturation": 1.0,
}


@dataclass(frozen=True)
class Cluster:
    """Workers that can be reached.

    Attributes:
        client: Dask's, connected to them.
        workers: what each process may use.
        size: how many runs it is meant to compute at a time.
        is_ours: it was started for this driver, and ends with it.
    """

    client: Any
    workers: Workers
    size: int
    is_ours: bool

    @cached_property
    def driver(self) -> str:
        """Tells the runs of this driver from those of others."""
        return secrets.token_hex(8)

    @cached_property
    def executor(self) -> Any:
        """Hands calls to the workers."""
        return self.client.get_executor(pure=False)

    @property
    def function(self) -> Callable[..., Any]:
        """What the workers call with a spec and conditions."""
        wanted = {framework: versions(framework) for framework in ("", *PACKAGES)}
        return partial(compute_on_worker, workers=self.workers, driver=self.driver, wanted=wanted)

    def capacity(self) -> int:
        """How many runs the workers that are there now compute at a time."""
        with _connection():
            return sum(self.client.nthreads().values())

    def slots(self) -> Callable[[], int]:
        """`capacity`, counted now and then."""
        counted = [-_COUNTS_EVERY_SECONDS, 0.0]

        def count() -> int:
            if time.monotonic() - counted[0] >= _COUNTS_EVERY_SECONDS:
                counted[:] = time.monotonic(), self.capacity()
            return int(counted[1])

        return count

    def check(self) -> None:
        """Make sure that the scheduler is there.

        Raises:
            ClusterError: it is not.
        """
        if self.client.status not in ("running", "connecting"):
            raise ClusterError(f"the Dask scheduler is gone (the client is {self.client.status})")

    def begun(self) -> set[str]:
        """The digests of those of our specs that workers compute now; others may wait behind runs of other drivers."""
        with _connection():
            found = self.client.run(begun, self.driver, on_error="ignore")
        return {digest for digests in found.values() for digest in digests}

    def leave(self) -> None:
        """Take from the workers of others what they compute for us, and what they have not begun."""
        if not self.is_ours and self.client.status == "running":
            with contextlib.suppress(OSError):
                self.executor.shutdown(wait=False)
                self.client.run(end_children, self.driver, on_error="ignore")


@contextmanager
def connected(workers: Workers, warn: Callable[[str], None]) -> Iterator[Cluster]:
    """The cluster that was asked for, with at least one worker.

    Args:
        workers: what was asked for.
        warn: called with a line where it has to be waited for.

    Raises:
        DefinitionError: it cannot be reached, or started, or computes with another regbench.
    """
    import dask
    from distributed import Client

    with dask.config.set(_SETTINGS), _without_log(), _started(workers, warn) as (address, size, workers_of_it):
        try:
            if isinstance(address, str):
                _check_address(address)
            client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
        except (OSError, TypeError, ValueError) as error:
            must = "there must be a Dask scheduler at this address"
            raise DefinitionError(f"--cluster: {must}. Received: {workers.cluster!r}: {error}") from error
        with client:
            cluster = Cluster(client, workers_of_it, size, is_ours=not isinstance(address, str))
            if workers.cluster is None:
                with _connection():
                    client.register_worker_callbacks(_prepare_local_worker)
            else:
                if not cluster.capacity():
                    warn(f"no worker of {workers.cluster} is there yet; waiting for the first")
                    with _connection():
                        client.wait_for_workers(1)
                _check_versions(cluster)
            try:
                yield cluster
            finally:
                cluster.leave()


@contextmanager
def _started(workers: Workers, warn: Callable[[str], None]) -> Iterator[tuple[Any, int, Workers]]:
    """A cluster of our own or the address of one, its size, and what its workers are told."""
    if workers.cluster is None:
        threads = workers.threads or max(1, available_cores() // workers.count)
        with _on_this_machine(workers.count) as cluster:
            yield cluster, workers.count, replace(workers, threads=threads)
    elif workers.cluster.startswith(SLURM):
        from regbench.execution.slurm import slurm_cluster
        from regbench.execution.slurm_jobs import read_jobs

        path = Path(workers.cluster.removeprefix(SLURM))
        jobs = read_jobs(path)
        with slurm_cluster(jobs, path, workers.threads, warn) as cluster:
            yield cluster, jobs.jobs * jobs.workers_per_job, workers
    else:
        yield workers.cluster, ROUND, workers


def _check_address(address: str) -> None:
    """Raise a ValueError where there is no port: a client would go on trying after it has failed."""
    from distributed.comm import parse_address, parse_host_port

    scheme, location = parse_address(address)
    if scheme in ("tcp", "tls", "ws", "wss"):
        parse_host_port(location)


@contextmanager
def _connection() -> Iterator[None]:
    """What Dask says of a lost connection, as our error."""
    from distributed.client import ClosedClientError

    try:
        yield
    except (OSError, AttributeError, ClosedClientError) as error:  # a client that is closed has no scheduler to ask
        raise ClusterError(f"the connection to the Dask scheduler is lost ({error})") from error


@contextmanager
def _without_log() -> Iterator[None]:
    """Dask logs every lost connection with a traceback; what becomes of the search is told as its error."""
    before = [(log, log.level) for log in _loggers()]
    _silence()
    try:
        yield
    finally:
        for log, level in before:
            log.setLevel(level)


def _silence() -> None:
    for log in _loggers():
        log.setLevel(logging.CRITICAL)


def _loggers() -> list[logging.Logger]:
    import distributed  # noqa: F401  gives its loggers levels of their own

    return [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith("distributed")]


def _on_this_machine(count: int) -> Any:
    from distributed import LocalCluster

    _check_descriptors(count)
    address_space.check("tensorflow")  # each worker inherits the limit

    def start() -> Any:
        return LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            memory_limit=0,  # Dask would stop giving runs to a worker that holds much memory, and the search would hang
            dashboard_address="127.0.0.1:0",  # any free port: two searches may run at the same time
            silence_logs=logging.ERROR,  # what becomes of a run is told as its outcome
        )

    for _ in range(_STARTS - 1):
        with contextlib.suppress(OSError, RuntimeError):  # a worker may be killed while it starts
            return start()
    try:
        return start()
    except (OSError, RuntimeError) as error:
        raise DefinitionError(f"--workers: {count} processes cannot be started here: {error}") from error


def _check_descriptors(count: int) -> None:
    """Make sure that there are enough of them: a scheduler that has too few says so in tracebacks, without an end."""
    least = _DESCRIPTORS + _DESCRIPTORS_PER_WORKER * count
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if most != resource.RLIM_INFINITY and most < least:
        lack = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        raise DefinitionError(
            f"--workers: open files (`ulimit -n`) must be at least {least}. Received: {most!r}"
        ) from lack


def _prepare_local_worker() -> None:
    """Ctrl-C reaches every process of a terminal; the workers leave it to the one that asked for the runs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdout = sys.stderr  # results alone go to stdout
    _silence()


def _check_versions(cluster: Cluster) -> None:
    """Make sure that scheduler and workers have what is needed; those who come later say so in their first run.

    Raises:
        DefinitionError: regbench, Keras, TensorFlow or NumPy are missing there or of another version.
    """
    here = versions()
    try:
        with _connection():
            found = {"the scheduler": cluster.client.run_on_scheduler(versions), **cluster.client.run(versions)}
    except ClusterError:
        raise
    except Exception as error:
        must = f"--cluster: its scheduler and its workers must have regbench {here['regbench']}"
        raise DefinitionError(f"{must}. Received: {error}") from error
    for where, there in found.items():
        if there != here:
            raise DefinitionError(f"--cluster: the versions on {where} must be {here}. Received: {there}")
