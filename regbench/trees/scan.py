"""Scanning a tree for files that may hold runs, and for all others.

Every regular file named `*.json` is a candidate, whatever the depth. Hidden files and folders (their names begin with a
dot) are not read. A link to a file is followed, a link to a folder is not: so a tree ends, and ends where the user sees
it end.
"""

import os
import stat
from typing import NamedTuple

from regbench.errors import ResultsError, printable
from regbench.store.folder import FAILURE_SUFFIX, RUN_SUFFIX
from regbench.store.manifests import MANIFEST_SUFFIX
from regbench.store.run_locks import LOCKS_FILE
from regbench.trees.irregularities import Irregularity


class FoundFile(NamedTuple):
    """A file that may hold a run: `file` is its path below the root, fit for printing."""

    path: str
    file: str
    size: int
    mtime_ns: int


class Scan(NamedTuple):
    """What is in a tree: files that may hold a run, records of searches, and `others`, by path below the root."""

    root: str
    files: list[FoundFile]
    manifests: list[FoundFile]
    others: list[tuple[str, Irregularity]]


def scan(path: str | os.PathLike[str]) -> Scan:
    """Look through a tree, or at a single file, without opening anything.

    Raises:
        ResultsError: there is no such folder or file, or it cannot be listed.
    """
    shown = printable(os.fspath(path))
    try:
        root = os.path.realpath(path)
        if stat.S_ISREG(os.stat(root).st_mode):  # noqa: PTH116  names need not be UTF-8; strings are quick
            return _scan_file(root)
        with os.scandir(root):
            pass
    except OSError as error:
        raise ResultsError(f"{shown}: it cannot be read as results: {error.strerror or error}") from error
    except ValueError as error:
        raise ResultsError(f"{shown}: it is no path: {error}") from error
    result = Scan(root, [], [], [])
    folders = [root]
    while folders:
        folders += _scan_folder(folders.pop(), result)
    result.files.sort()
    result.manifests.sort()
    result.others.sort()
    return result


def _scan_file(path: str) -> Scan:
    status = os.stat(path)  # noqa: PTH116
    folder, name = os.path.split(path)
    return Scan(folder, [FoundFile(path, printable(name), status.st_size, status.st_mtime_ns)], [], [])


def _scan_folder(folder: str, result: Scan) -> list[str]:
    """Add what is in a folder; gives the folders in it."""
    inner = []
    start = len(result.root.rstrip("/")) + 1
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                file = printable(entry.path[start:])
                if entry.name == LOCKS_FILE:
                    continue
                if entry.name.startswith("."):
                    detail = "a hidden folder" if entry.is_dir(follow_symlinks=False) else "a hidden file"
                    result.others.append((file, Irregularity("stray_file", detail)))
                elif entry.is_dir(follow_symlinks=False):
                    inner.append(entry.path)
                elif _is_linked_folder(entry):
                    result.others.append((f"{file}/", Irregularity("linked_folder", "")))
                elif entry.name.endswith(RUN_SUFFIX):
                    _add_file(entry, file, result.files, result.others)
                elif entry.name.endswith(MANIFEST_SUFFIX):
                    _add_file(entry, file, result.manifests, result.others)
                else:
                    is_note = entry.name.endswith(FAILURE_SUFFIX)
                    result.others.append((file, Irregularity("failed_run" if is_note else "stray_file", "")))
    except OSError as error:
        file = printable(folder[start:]) or "."
        result.others.append((f"{file}/", Irregularity("unreadable", error.strerror or str(error))))
    return inner


def _is_linked_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _add_file(
    entry: os.DirEntry[str], file: str, files: list[FoundFile], others: list[tuple[str, Irregularity]]
) -> None:
    try:
        status = entry.stat()
    except OSError as error:
        detail = "a link to nothing" if entry.is_symlink() else error.strerror or str(error)
        others.append((file, Irregularity("unreadable", detail)))
        return
    if stat.S_ISREG(status.st_mode):
        files.append(FoundFile(entry.path, file, status.st_size, status.st_mtime_ns))
    else:
        others.append((file, Irregularity("stray_file", "no regular file")))
