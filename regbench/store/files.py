"""The bytes of files that anyone may have put there."""

import errno
import os
import stat
from pathlib import Path

LARGEST_FILE = 512 * 2**20  # bytes; the minibatch losses of the longest published runs take about 10 MB


class UnreadableFileError(Exception):
    """A file cannot be read.

    Attributes:
        kind: "stray_file" where it is no regular file, "too_large" or "unreadable".
        detail: why, in a few words.
    """

    def __init__(self, kind: str, detail: str) -> None:
        """Keep both."""
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail


def read_bytes(path: Path | str) -> bytes:
    """The bytes of a regular file; nothing else is opened for reading, and nothing waits.

    Raises:
        UnreadableFileError: it cannot be read, or is too large.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123  a descriptor
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableFileError("stray_file", "no regular file")
            if status.st_size > LARGEST_FILE:
                raise UnreadableFileError("too_large", f"{status.st_size} bytes; at most {LARGEST_FILE} are read")
            return file.readall()
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket
            raise UnreadableFileError("stray_file", "no regular file") from error
        raise UnreadableFileError("unreadable", error.strerror or str(error)) from error
    except MemoryError as error:
        raise UnreadableFileError("unreadable", "it does not fit into memory") from error
