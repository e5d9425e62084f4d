"""Computing in this process, for as long as it has room."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import replace
from typing import Any

from regbench.catalog.frameworks import framework_of
from regbench.execution.child import Child, is_crowded
from regbench.records import RunSpec


class InProcess(Executor):
    """Computes at once, in the calling thread; from the moment on when this process is crowded, in child processes.

    Runs with optimizers of another framework have a child for each framework from the beginning.

    Args:
        child: that which computes then.
    """

    def __init__(self, child: Child | None = None) -> None:
        """Begin in this process."""
        self._child = child or Child()
        self._of_frameworks: dict[str, Child] = {}
        self._is_full = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Call the function; the future is done when this returns. Interruptions are not caught."""
        self._is_full = self._is_full or is_crowded()
        future: Future[Any] = Future()
        try:
            child = self._child_for(args)
            future.set_result(fn(*args, **kwargs) if child is None else child.call(fn, *args, **kwargs))
        except Exception as error:  # noqa: BLE001  a future carries whatever its function raises
            future.set_exception(error)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        """End the child processes, if there are any."""
        for child in (self._child, *self._of_frameworks.values()):
            child.end()

    def _child_for(self, arguments: tuple[Any, ...]) -> Child | None:
        specs = [one for one in arguments if isinstance(one, RunSpec)]
        framework = framework_of(specs[0].optimizer) if specs else ""
        if not framework:
            return self._child if self._is_full else None
        return self._of_frameworks.setdefault(
            framework, replace(self._child, _process=None, _connection=None, _calls=0)
        )
