"""Workers: the processes that compute runs for a driver, on this machine or on a cluster. Dask carries the runs.

A worker keeps a child process in which it computes one run after the other, so that the data, TensorFlow and compiled
steps stay warm, and that no run can take the worker with it.
"""

import os
import re
import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from regbench.catalog.frameworks import framework_of
from regbench.catalog.libraries import PACKAGES
from regbench.errors import DefinitionError
from regbench.execution.child import Child, ProcessDiedError
from regbench.execution.one_run import Conditions, compute
from regbench.records import RunResult, RunSpec


@dataclass(frozen=True)
class Workers:
    """Where runs are computed, and what each process may use.

    Attributes:
        count: worker processes on this machine; 0 computes in this process.
        cluster: in their place the address of a Dask scheduler (`tcp://host:8786`), or `slurm:FILE.toml`.
        threads: of each run; unless given, workers on this machine share its cores evenly, and those of a cluster do
            what their environment says (`TF_NUM_INTRAOP_THREADS`), else use all cores of their machine.
        memory_gib: what the process of a run may hold: it is replaced after a run that leaves it above 80 % of this,
            and ended in a run that exceeds it.
        runs: after so many the process is replaced.

    Raises:
        DefinitionError: a number is out of its range, or both `count` and `cluster` are given.
    """

    count: int = 0
    cluster: str | None = None
    threads: int | None = None
    memory_gib: float | None = None
    runs: int = 500

    def __post_init__(self) -> None:
        """Check what was given."""
        if self.count < 0:
            raise DefinitionError(f"`workers` must not be negative. Received: workers={self.count!r}")
        if self.count and self.cluster:
            came = f"workers={self.count!r}, cluster={self.cluster!r}"
            raise DefinitionError(f"`workers` and `cluster` exclude each other. Received: {came}")
        for name in ("threads", "runs"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise DefinitionError(f"`worker_{name}` must be at least 1. Received: worker_{name}={number!r}")
        if self.memory_gib is not None and not self.memory_gib > 0:
            raise DefinitionError(f"`worker_memory` must be positive. Received: worker_memory={self.memory_gib:g}")
        if not self.are_other_processes and (self.threads or self.memory_gib):
            raise DefinitionError("`worker_threads` and `worker_memory` need `workers` or `cluster`")

    @property
    def are_other_processes(self) -> bool:
        """Whether this process does not compute itself."""
        return self.count > 0 or self.cluster is not None


@cache
def versions(framework: str = "") -> dict[str, str]:
    """The versions that decide on the last digits of a curve, those of a framework of guests among them."""
    ours = {name: version(name) for name in ("regbench", "keras", "tensorflow", "numpy")}
    return ours | {name: _version_if_any(name) for name in PACKAGES.get(framework, ())}


def _version_if_any(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def compute_on_worker(
    spec: RunSpec, conditions: Conditions, workers: Workers, driver: str, wanted: Mapping[str, dict[str, str]]
) -> RunResult:
    """Compute one spec in a child of this worker.

    Args:
        spec: the run.
        conditions: of it.
        workers: what the child may use.
        driver: the name of who wants it.
        wanted: the versions of the driver, by framework.

    Raises:
        DefinitionError: the versions here are others; and errors as for `compute` and `Child.call`.
        ProcessDiedError: the driver has gone.
    """
    framework = framework_of(spec.optimizer)
    check_versions(wanted[framework], f"worker {socket.gethostname()}", framework)
    environment = _environment(workers.threads, framework)
    with _exchange:
        if driver in _gone:
            raise ProcessDiedError("nobody wants this run any more")
        child = _idle_child(environment, workers)
        _busy[child] = driver, spec.digest()
    try:
        result: RunResult = child.call(compute, spec, conditions)
    finally:
        with _exchange:
            del _busy[child]
            _idle.append(child)
    return result


def check_versions(wanted: dict[str, str], where: str, framework: str = "") -> None:
    """Make sure that this process computes what the driver would.

    Raises:
        DefinitionError: it has other versions.
    """
    there = versions(framework)
    if there != wanted:
        raise DefinitionError(f"--cluster: the versions on {where} must be {wanted}. Received: {there}")


class _WorkerChild(Child):
    """Hashable: each is a process of its own."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__


_exchange = threading.Lock()
_idle: list[_WorkerChild] = []
_busy: dict[_WorkerChild, tuple[str, str]] = {}
"""What the children of this worker do: nothing, or a run of a driver, by the digest of its spec. A thread has one."""
_gone: set[str] = set()
"""The drivers that want nothing any more; what Dask hands out all the same does not begin."""


def _idle_child(environment: dict[str, str], workers: Workers) -> _WorkerChild:
    for child in reversed(_idle):
        if (child.environment, child.most_calls, child.memory_gib) == (environment, workers.runs, workers.memory_gib):
            _idle.remove(child)
            return child
    for child in list(_idle):  # another driver's; those of this one's other frameworks will be wanted again
        if (child.most_calls, child.memory_gib) != (workers.runs, workers.memory_gib) or (
            {**child.environment, _FRAMEWORK: ""} != {**environment, _FRAMEWORK: ""}
        ):
            _idle.remove(child)
            child.end()
    return _WorkerChild(environment, workers.runs, workers.memory_gib)


def begun(driver: str) -> list[str]:
    """The digests of the specs that this worker computes for a driver."""
    with _exchange:
        return [digest for at_work_for, digest in _busy.values() if at_work_for == driver]


def end_children(driver: str) -> None:
    """End what this worker computes for a driver that has no use for it any more, and all children that do nothing."""
    with _exchange:
        _gone.add(driver)
        for child, (at_work_for, _) in _busy.items():
            if at_work_for == driver:
                child.kill()
        while _idle:
            _idle.pop().end()


_FRAMEWORK = "REGBENCH_FRAMEWORK"
"""A variable that tells children of one framework from those of another, which must begin otherwise."""


def _environment(threads: int | None, framework: str = "") -> dict[str, str]:
    import distributed

    environment = {"TF_CPP_MIN_LOG_LEVEL": "3"} | ({_FRAMEWORK: framework} if framework else {})
    if threads is not None:
        environment |= {"TF_NUM_INTRAOP_THREADS": str(threads), "TF_NUM_INTEROP_THREADS": "1"}
    gpu = own_gpu(str(distributed.get_worker().name), visible_gpus())
    return environment if gpu is None else {**environment, "CUDA_VISIBLE_DEVICES": gpu}


def own_gpu(worker: str, gpus: Sequence[str]) -> str | None:
    """The GPU of a worker: in turn, by the number at the end of its name; None where there is nothing to choose."""
    number = re.search(r"(?:^|-)([0-9]+)$", worker)
    return gpus[int(number[1]) % len(gpus)] if number and len(gpus) > 1 else None


def visible_gpus(devices: Path = Path("/dev")) -> list[str]:
    """The GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` names them.

    Without that variable CUDA counts those that are there from 0, whatever the numbers of their files in `devices`.
    """
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        return [gpu for gpu in allowed.split(",") if gpu]
    there = [path for path in devices.glob("nvidia*") if re.fullmatch(r"nvidia[0-9]+", path.name)]
    return [str(number) for number in range(len(there))]
