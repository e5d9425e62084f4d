"""Computing in this process, for as long as it has room."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from regbench.execution.child import Child, is_crowded


class InProcess(Executor):
    """Computes at once, in the calling thread; from the moment on when this process is crowded, in child processes.

    Args:
        child: that which computes then.
    """

    def __init__(self, child: Child | None = None) -> None:
        """Begin in this process."""
        self._child = child or Child()
        self._is_full = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Call the function; the future is done when this returns. Interruptions are not caught."""
        self._is_full = self._is_full or is_crowded()
        future: Future[Any] = Future()
        try:
            future.set_result(self._child.call(fn, *args, **kwargs) if self._is_full else fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  a future carries whatever its function raises
            future.set_exception(error)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        """End the child process, if there is one."""
        self._child.end()
