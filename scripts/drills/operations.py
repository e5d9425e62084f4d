"""What this process does to files below a folder, told to an observer before and after it happens.

Operations are `open` (for writing), `write`, `fsync`, `rename`, `link`, `mkdir` and `unlink` (also of a folder). Files
that Python opens for writing there are those of `_pyio`, whose every write is a call of `os.write`. What libraries
write without Python is not told; their files are seen when they are synced and named. Linux only.
"""

import _pyio
import builtins
import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol
from unittest import mock

KINDS = ("open", "write", "fsync", "rename", "link", "mkdir", "unlink")
_BY_PATH = {"rename": "rename", "replace": "rename", "mkdir": "mkdir", "unlink": "unlink", "remove": "unlink"} | {
    "rmdir": "unlink",
    "link": "link",
}
_WRITING = os.O_WRONLY | os.O_RDWR


class Observer(Protocol):
    """Who is told; what `before` raises is raised in the place of the operation."""

    def before(self, kind: str, path: Path) -> None:
        """The operation comes now."""

    def after(self, kind: str, path: Path) -> None:
        """It is done."""


@contextmanager
def observed(folder: Path, observer: Observer) -> Iterator[None]:
    """Tell the observer of each operation below the folder while the block runs."""
    folder = folder.resolve()

    def told(kind: str, place: Callable[..., Path | None], operation: Callable[..., Any]) -> Callable[..., Any]:
        def do(*arguments: Any, **named: Any) -> Any:
            path = place(*arguments, **named)
            if path is None or not path.is_relative_to(folder):
                return operation(*arguments, **named)
            observer.before(kind, path)
            result = operation(*arguments, **named)
            observer.after(kind, path)
            return result

        return do

    def open_file(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        path = None if isinstance(file, int) else _place(file)
        if path is None or not path.is_relative_to(folder) or not set(mode) & set("wxa+"):
            return open_as_ever(file, mode, *arguments, **named)
        return _pyio.open(file, mode, *arguments, **named)

    open_as_ever = io.open
    with ExitStack() as patches:
        for name, kind in _BY_PATH.items():
            patches.enter_context(mock.patch.object(os, name, told(kind, _place_of_last, getattr(os, name))))
        for name in ("write", "fsync"):
            patches.enter_context(mock.patch.object(os, name, told(name, _place_of_descriptor, getattr(os, name))))
        patches.enter_context(mock.patch.object(os, "open", told("open", _place_of_new, os.open)))
        for module in (io, builtins):
            patches.enter_context(mock.patch.object(module, "open", open_file))
        yield


def _place(path: Any, folder: int | None = None) -> Path | None:
    """Where a path leads; one that is relative begins in a folder that is open, or in the working directory."""
    if isinstance(path, int):
        return _place_of_descriptor(path)
    text = os.fsdecode(path)
    start = Path.cwd() if folder is None else _place_of_descriptor(folder)
    return None if start is None else start / text


def _place_of_last(*paths: Any, dir_fd: int | None = None, **_: Any) -> Path | None:
    """The only path, or the second, which gets what the first had."""
    paths = tuple(path for path in paths if isinstance(path, str | bytes | os.PathLike))
    return _place(paths[-1], dir_fd)


def _place_of_new(path: Any, flags: int, *_: Any, dir_fd: int | None = None, **__: Any) -> Path | None:
    return _place(path, dir_fd) if flags & _WRITING else None


def _place_of_descriptor(descriptor: Any, *_: Any) -> Path | None:
    try:
        return Path(f"/proc/self/fd/{descriptor}").readlink()
    except OSError:  # it is closed
        return None
