"""Where runs are computed: in this process, by workers on this machine, or by those of a cluster."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from regbench.execution.child import Child
from regbench.execution.in_process import InProcess
from regbench.execution.interruption import Interruptions, Terminated
from regbench.execution.machine import RETRIES, Machine
from regbench.execution.one_run import Conditions, compute, failed, failed_because
from regbench.execution.workers import Workers

__all__ = [
    "RETRIES",
    "Child",
    "Conditions",
    "InProcess",
    "Interruptions",
    "Machine",
    "Terminated",
    "Workers",
    "compute",
    "failed",
    "failed_because",
    "machine",
]


@contextmanager
def machine(
    workers: Workers | int = 0,
    conditions: Conditions | None = None,
    *,
    retries: int = RETRIES,
    finish: bool = False,
    warn: Callable[[str], None] = lambda _: None,
) -> Iterator[Machine]:
    """What computes runs.

    Args:
        workers: where; a number means so many processes on this machine, 0 this process.
        conditions: what each run is told besides its spec; `concurrent_runs` is known here.
        retries: how often a run is tried again that the machine lost.
        finish: let the first Ctrl-C finish what runs; else it stops at once.
        warn: called with a line where something has to be waited for.

    Raises:
        DefinitionError: the workers are not what they must be, or cannot be reached.
    """
    workers = Workers(workers) if isinstance(workers, int) else workers
    conditions = conditions or Conditions()
    with Interruptions(finish) as interruptions:
        if not workers.are_other_processes:
            with InProcess(Child(most_calls=workers.runs)) as executor:
                yield Machine(executor, 1, conditions, retries, interruptions)
            interruptions.check()  # should something have swallowed it
            return
        from regbench.execution import cluster

        with cluster.connected(workers, warn) as there:
            yield Machine(
                there.executor,
                there.size,
                replace(conditions, concurrent_runs=there.capacity()),
                retries,
                interruptions,
                there.function,
                None if workers.count else there.slots(),
                there.check,
                None if workers.count else there.begun,
            )
        interruptions.check()
