"""A process of its own in which runs are computed one after the other, replaced when it has grown too large.

XLA keeps every compiled program until its process ends, in dozens of memory maps each, and TensorFlow's memory grows; a
few hundred runs that compile anew reach the kernel's limit of maps, at which a process dies.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

import psutil

CROWDED = 0.5
"""The share of the memory maps that a process may have from which on it computes no more."""

FULL = 0.8
"""The share of its memory from which on a child is replaced after its run; at all of it, it is ended in its run."""

_LOOKS_EVERY_SECONDS = 0.5
_CALLS_BETWEEN_COUNTS_OF_MAPS = 10


class ProcessDiedError(Exception):
    """The process that computed a run ended before the run did."""


def is_crowded(process: int | None = None) -> bool:
    """Whether a process (this one) is near the kernel's limit of memory maps; False where the system tells neither."""
    try:
        limit = int(Path("/proc/sys/vm/max_map_count").read_text(encoding="ascii"))
        with Path(f"/proc/{process or 'self'}/maps").open("rb") as maps:
            return sum(1 for _ in maps) > CROWDED * limit
    except OSError:
        return False


@dataclass
class Child:
    """A process that calls functions for this one.

    It ignores Ctrl-C, which reaches all processes of a terminal, and ends with its parent, however that ends.

    Attributes:
        environment: variables that it has besides those of this process.
        most_calls: it is replaced after so many.
        memory_gib: what it may hold, in GiB; not limited unless given.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    most_calls: int | None = None
    memory_gib: float | None = None
    _process: subprocess.Popen[bytes] | None = None
    _connection: Connection | None = None
    _calls: int = 0

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function, which a module must define, in the child; a process is started where there is none.

        Raises:
            ProcessDiedError: the process ended meanwhile, or was ended because of its memory. A new one comes next.
            Exception: whatever the function raised.
        """
        process, connection = self._started()
        try:
            connection.send((function, arguments))
            while not connection.poll(_LOOKS_EVERY_SECONDS):
                if process.poll() is not None and not connection.poll():
                    raise EOFError  # although a process that it started may hold the connection open
                self._end_where_memory_is_exceeded(process.pid)
            is_answer, answer = connection.recv()
        except (EOFError, ConnectionError):
            raise ProcessDiedError(_last_words(self._end())) from None
        except BaseException:  # an interruption, or its memory
            self.end()
            raise
        self._calls += 1
        if self._is_used_up(process.pid):
            self.end()
        if is_answer:
            return answer
        raise answer

    def kill(self) -> None:
        """End what the process is doing, and it; may be called by another thread than the one that waits in `call`."""
        process = self._process
        if process is not None:
            process.kill()

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self.kill()
        self._end()

    def _started(self) -> tuple[subprocess.Popen[bytes], Connection]:
        if self._process is None or self._connection is None:
            here, there = Pipe()
            with there:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-c", _MAIN, str(there.fileno()), str(os.getpid())],
                    pass_fds=[there.fileno()],
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(_search_path()), **self.environment},
                    stdin=subprocess.DEVNULL,
                    stdout=2,  # where own optimizers print; results alone go to stdout
                )
            self._connection, self._calls = here, 0
        return self._process, self._connection

    def _end(self) -> int:
        """Forget the process; returns how it ended."""
        process, connection = self._process, self._connection
        self._process = self._connection = None
        if connection is not None:
            connection.close()
        return process.wait() if process is not None else 0

    def _is_used_up(self, process: int) -> bool:
        if self.most_calls is not None and self._calls >= self.most_calls:
            return True
        if self.memory_gib is not None and _resident_gib(process) > FULL * self.memory_gib:
            return True
        return self._calls % _CALLS_BETWEEN_COUNTS_OF_MAPS == 0 and is_crowded(process)

    def _end_where_memory_is_exceeded(self, process: int) -> None:
        if self.memory_gib is None:
            return
        resident = _resident_gib(process)
        if resident > self.memory_gib:
            raise ProcessDiedError(f"its process held {resident:.1f} GiB of memory, of {self.memory_gib:g} allowed")


def _search_path() -> list[str]:
    """Where this process finds modules, but for the folder in which it was started (see `catalog.own_code`)."""
    return [folder for folder in sys.path if folder]


def _resident_gib(process: int) -> float:
    with contextlib.suppress(psutil.Error):
        return psutil.Process(process).memory_info().rss / 2**30
    return 0.0


def _last_words(code: int) -> str:
    if code >= 0:
        return f"its process ended with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"its process was ended by {signal.Signals(-code).name}"
    return f"its process was ended by signal {-code}"


_MAIN = "import sys; from regbench.execution.child import serve; serve(*map(int, sys.argv[1:]))"


def serve(descriptor: int, parent: int) -> None:
    """Answer the calls of a parent process; this is all that a child does.

    Args:
        descriptor: of the connection to it.
        parent: its number.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    try:
        with contextlib.suppress(EOFError), Connection(descriptor) as connection:
            while True:
                _answer(connection)
    finally:
        os._exit(1)  # at once: what TensorFlow does at an ordinary end takes seconds


def _answer(connection: Connection) -> None:
    try:
        function, arguments = connection.recv()
        connection.send((True, function(*arguments)))
    except EOFError:
        raise
    except Exception as error:  # noqa: BLE001  the parent raises it
        try:
            connection.send((False, error))
        except Exception:  # noqa: BLE001  it cannot be pickled
            connection.send((False, RuntimeError(f"{type(error).__name__}: {error}")))


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOKS_EVERY_SECONDS)
    os._exit(1)
