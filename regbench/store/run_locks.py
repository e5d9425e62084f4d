"""Which runs are being computed, told to all who write into the same tree at the same time.

A claim is a lock on one byte of one file of the tree, at a place that the run's digest says. It ends with the process
that holds it, however that ends, so that no claim can be left behind; no clock is needed, and nothing is written.
"""

import errno
import fcntl
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

LOCKS_FILE = ".claims"
_PLACE_DIGITS = 15  # hexadecimal; the place must fit into 63 bits


@dataclass
class _OpenFile:
    """The file of a tree in this process, whose threads share its locks: closing it once ends all of them.

    Attributes:
        descriptor: None where the file system has no locks.
        users: how many have it open.
        taken: the places that one of them has claimed.
    """

    descriptor: int | None
    users: int = 0
    taken: set[int] = field(default_factory=set)


_open_files: dict[str, _OpenFile] = {}
"""By the real path of the tree."""
_guard = threading.Lock()
"""Held by whoever looks at `_open_files` or changes it."""


class RunLocks:
    """The claims of one search on the runs of a tree; between threads of one process they hold too.

    Where the file system has no locks, every claim that no other thread holds is granted: runs may then be computed
    twice, and nothing is harmed.

    Args:
        folder: the results tree, which must exist.
        warn: called with a line where claims cannot be made.
    """

    def __init__(self, folder: Path, warn: Callable[[str], None] | None = None) -> None:
        """Claim nothing yet."""
        self._path = folder / LOCKS_FILE
        self._tree = os.path.realpath(folder)
        self._warn = warn
        self._file = _OpenFile(None)
        self._mine: set[int] = set()

    def __enter__(self) -> Self:
        with _guard:
            if self._tree not in _open_files:
                _open_files[self._tree] = _OpenFile(self._opened())
            self._file = _open_files[self._tree]
            self._file.users += 1
        return self

    def __exit__(self, *_: object) -> None:
        with _guard:
            for place in list(self._mine):
                self._release(place)
            self._file.users -= 1
            if self._file.users == 0:
                self._close()
                del _open_files[self._tree]

    def take(self, digest: str) -> bool:
        """Claim the run with this digest; whether nobody else has done so."""
        place = _place(digest)
        with _guard:
            if place in self._file.taken:
                return place in self._mine
            if not self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB, place):
                return False
            self._file.taken.add(place)
            self._mine.add(place)
        return True

    def release(self, digest: str) -> None:
        """End a claim."""
        place = _place(digest)
        with _guard:
            if place in self._mine:
                self._release(place)

    def _release(self, place: int) -> None:
        self._mine.remove(place)
        self._file.taken.remove(place)
        self._lock(fcntl.LOCK_UN, place)

    def _lock(self, operation: int, place: int) -> bool:
        """Whether no other process stands in the way."""
        if self._file.descriptor is not None:
            try:
                fcntl.lockf(self._file.descriptor, operation, 1, place)
            except OSError as error:
                if error.errno in (errno.EACCES, errno.EAGAIN):
                    return False
                self._give_up(error)
        return True

    def _opened(self) -> int | None:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            self._give_up(error)
        return None

    def _close(self) -> None:
        if self._file.descriptor is not None:
            os.close(self._file.descriptor)
            self._file.descriptor = None

    def _give_up(self, error: OSError) -> None:
        self._close()
        if self._warn is not None:
            self._warn(
                f"{self._path}: cannot be locked ({error.strerror}): another process that writes into this tree at the "
                "same time may compute the same runs"
            )


def _place(digest: str) -> int:
    return int(digest[:_PLACE_DIGITS], 16)
