"""The Dask cluster of a driver: started on this machine, asked of SLURM, or there already."""

import contextlib
import logging
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

from regbench.engine.cores import available_cores
from regbench.errors import ClusterError, DefinitionError
from regbench.execution.workers import Workers, compute_on_worker, end_children

SLURM = "slurm:"
_CONNECT_SECONDS = 10
_COUNTS_EVERY_SECONDS = 2.0

_SETTINGS = {
    # A worker holds no run in reserve, so that a killed one takes only what it was computing with it.
    "distributed.scheduler.worker-saturation": 1.0,
}


@dataclass(frozen=True)
class Cluster:
    """Workers that can be reached.

    Attributes:
        client: Dask's, connected to them.
        workers: what each process may use.
        is_ours: it was started for this driver, and ends with it.
    """

    client: Any
    workers: Workers
    is_ours: bool

    @cached_property
    def driver(self) -> str:
        """Tells the runs of this driver from those of others."""
        return secrets.token_hex(8)

    @property
    def function(self) -> Callable[..., Any]:
        """What the workers call with a spec and conditions."""
        return partial(compute_on_worker, workers=self.workers, driver=self.driver)

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

    def leave(self) -> None:
        """Let the workers of others know that nothing of ours is wanted any more."""
        if not self.is_ours and self.client.status == "running":
            with contextlib.suppress(OSError):
                self.client.run(end_children, self.driver, on_error="ignore")


@contextmanager
def connected(workers: Workers, say: Callable[[str], None]) -> Iterator[Cluster]:
    """The cluster that was asked for, with at least one worker.

    Args:
        workers: what was asked for.
        say: called with a line where it has to be waited for.

    Raises:
        DefinitionError: it cannot be reached, or started, or computes with another regbench.
    """
    import dask
    from distributed import Client

    with dask.config.set(_SETTINGS), _without_log(), _started(workers, say) as (address, workers_of_it):
        try:
            client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
        except (OSError, TypeError, ValueError) as error:
            must = "there must be a Dask scheduler at this address"
            raise DefinitionError(f"--cluster: {must}. Received: {workers.cluster!r}: {error}") from error
        with client:
            cluster = Cluster(client, workers_of_it, is_ours=not isinstance(address, str))
            if cluster.is_ours and workers.cluster is None:
                client.register_worker_callbacks(_prepare_local_worker)
            if not cluster.capacity():
                say(f"no worker of {workers.cluster} is there yet; waiting for the first")
                with _connection():
                    client.wait_for_workers(1)
            _check_versions(cluster)
            try:
                yield cluster
            finally:
                cluster.leave()


@contextmanager
def _started(workers: Workers, say: Callable[[str], None]) -> Iterator[tuple[Any, Workers]]:
    """A cluster of our own or the address of one, and what its workers are told."""
    if workers.cluster is None:
        threads = workers.threads or max(1, available_cores() // workers.count)
        with _on_this_machine(workers.count) as cluster:
            yield cluster, replace(workers, threads=threads)
    elif workers.cluster.startswith(SLURM):
        from regbench.execution.slurm import slurm_cluster

        with slurm_cluster(Path(workers.cluster.removeprefix(SLURM)), workers.threads, say) as cluster:
            yield cluster, workers
    else:
        yield workers.cluster, workers


@contextmanager
def _connection() -> Iterator[None]:
    """What Dask says of a lost connection, as our error."""
    try:
        yield
    except OSError as error:
        raise ClusterError(f"the connection to the Dask scheduler is lost ({error})") from error


@contextmanager
def _without_log() -> Iterator[None]:
    """Dask logs every lost connection with a traceback; what becomes of the search is told as its error."""
    log = logging.getLogger("distributed")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def _on_this_machine(count: int) -> Any:
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=count,
        threads_per_worker=1,
        processes=True,
        memory_limit=0,  # Dask would stop giving runs to a worker that holds much memory, and the search would hang
        dashboard_address="127.0.0.1:0",  # any free port: two searches may run at the same time
        silence_logs=logging.ERROR,  # what becomes of a run is told as its outcome
    )


def _prepare_local_worker() -> None:
    """Ctrl-C reaches every process of a terminal; the workers leave it to the one that asked for the runs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdout = sys.stderr  # results alone go to stdout
    logging.getLogger("distributed").setLevel(logging.CRITICAL)


def _check_versions(cluster: Cluster) -> None:
    """Make sure that what workers compute is what this process would.

    Raises:
        DefinitionError: regbench, Keras or TensorFlow are missing there or of another version.
    """
    if cluster.is_ours and cluster.workers.cluster is None:
        return
    here = versions()
    try:
        with _connection():
            there = cluster.client.run(versions)
    except ImportError as error:
        must = f"--cluster: its workers must have regbench {here['regbench']}"
        raise DefinitionError(f"{must}. Received: {error}") from error
    for worker, found in there.items():
        if found != here:
            raise DefinitionError(f"--cluster: the versions on {worker} must be {here}. Received: {found}")


def versions() -> dict[str, str]:
    """The versions that decide on the last digits of a curve."""
    from importlib.metadata import version

    return {name: version(name) for name in ("regbench", "keras", "tensorflow", "numpy")}
