"""Which runs are being computed, told to all who write into the same tree at the same time.

A claim is a lock on one byte of one file of the tree, at a place that the run's digest says. It ends with the process
that holds it, however that ends, so that no claim can be left behind; no clock is needed, and nothing is written.
"""

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Self

LOCKS_FILE = ".claims"
_PLACE_DIGITS = 15  # hexadecimal; the place must fit into 63 bits


class RunLocks:
    """The claims of this process on the runs of a tree.

    Where the file system has no locks, every claim is granted: runs may then be computed twice, and nothing is harmed.
    So it is between two threads of one process, which share their locks.

    Args:
        folder: the results tree, which must exist.
        warn: called with a line where claims cannot be made.
    """

    def __init__(self, folder: Path, warn: Callable[[str], None] | None = None) -> None:
        """Claim nothing yet."""
        self._path = folder / LOCKS_FILE
        self._warn = warn
        self._file: int | None = None

    def __enter__(self) -> Self:
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            self._give_up(error)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def take(self, digest: str) -> bool:
        """Claim the run with this digest; whether no other process has done so."""
        if self._file is None:
            return True
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _place(digest))
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                return False
            self._give_up(error)
        return True

    def release(self, digest: str) -> None:
        """End a claim."""
        if self._file is not None:
            try:
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _place(digest))
            except OSError as error:
                self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.__exit__()
        if self._warn is not None:
            self._warn(
                f"{self._path}: cannot be locked ({error.strerror}): another process that writes into this tree at the "
                "same time may compute the same runs"
            )


def _place(digest: str) -> int:
    return int(digest[:_PLACE_DIGITS], 16)
