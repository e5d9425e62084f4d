"""A cache of the content of result files in the user's cache folder: safe to delete, and never an error.

A file is known by its path, its size and the time of its last change; an entry holds for the code that wrote it. Where
the cache cannot be read or written, files are read again.
"""

import functools
import hashlib
import json
import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import platformdirs
from pydantic_core import from_json

from regbench.trees.scan import FoundFile

_LARGEST = 2**30  # bytes; a larger cache is begun anew
_PATIENCE_SECONDS = 5.0  # with another process that writes
_SETTLED_NS = 2 * 10**9  # a file that changed later than so long ago may change again within one tick of its clock
_TABLE = "CREATE TABLE IF NOT EXISTS files (path BLOB PRIMARY KEY, stamp TEXT, content TEXT, checksum INTEGER)"
_PRIMARY = 0xFF  # of an error code of SQLite; the rest says more
_NOT_BROKEN = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
}

Answer = TypeVar("Answer")


def cache_file() -> Path:
    """The database `results.sqlite` in the user's cache folder for regbench, as `platformdirs` finds it."""
    return platformdirs.user_cache_path("regbench", appauthor=False) / "results.sqlite"


class Recalled(NamedTuple):
    """The cached contents of a tree's unchanged files, by path; whether the cache holds nothing else of this tree."""

    contents: dict[str, Any]
    is_current: bool


def recall(root: str, files: Iterable[FoundFile]) -> Recalled:
    """Read the cached contents of files that have not changed."""
    stamps = {file.path: _stamp(file) for file in files}

    def read(database: sqlite3.Connection) -> Recalled:
        known = {}
        rows = 0
        query = "SELECT path, stamp, content, checksum FROM files WHERE path >= ? AND path < ?"
        for raw, stamp, content, checksum in database.execute(query, _below(root)):
            rows += 1
            path = os.fsdecode(raw)
            if stamps.get(path) == stamp and isinstance(content, str) and _checksum(content) == checksum:
                known[path] = from_json(content)
        return Recalled(known, len(known) == rows)

    return _ask(read, otherwise=Recalled({}, False))


def remember(root: str, files: Iterable[FoundFile], contents: Mapping[str, Any]) -> None:
    """Cache the contents of files, and drop the files of the tree that are gone.

    Args:
        root: of the tree.
        files: all files that it has now.
        contents: what was read, as plain data, by path.
    """
    present = {file.path: file for file in files}
    now = time.time_ns()
    rows = []
    for path, content in contents.items():
        if now - present[path].mtime_ns > _SETTLED_NS:
            text = json.dumps(content)
            rows.append((os.fsencode(path), _stamp(present[path]), text, _checksum(text)))

    def write(database: sqlite3.Connection) -> None:
        known = database.execute("SELECT path FROM files WHERE path >= ? AND path < ?", _below(root)).fetchall()
        gone = [(raw,) for (raw,) in known if os.fsdecode(raw) not in present]
        database.executemany("DELETE FROM files WHERE path = ?", gone)
        database.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", rows)

    _ask(write, otherwise=None)


def _ask(question: Callable[[sqlite3.Connection], Answer], otherwise: Answer) -> Answer:
    """Answer a question in one transaction; a cache that cannot be used is thrown away where it is broken."""
    path = cache_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.exists() and path.stat().st_size > _LARGEST:
            path.unlink()
        return _ask_database(path, question)
    except OSError:
        return otherwise
    except (sqlite3.Error, TypeError, ValueError) as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is None or code & _PRIMARY not in _NOT_BROKEN:
            _throw_away(path)
        return otherwise


def _ask_database(path: Path, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
    database = sqlite3.connect(path, timeout=_PATIENCE_SECONDS)
    try:
        with database:
            database.execute("PRAGMA synchronous = OFF")
            database.execute(_TABLE)
            return question(database)
    finally:
        database.close()


def _throw_away(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return  # it stays unused


def _below(root: str) -> tuple[bytes, bytes]:
    """The least path below a folder, and the least beyond them."""
    folder = os.fsencode(root).rstrip(b"/")
    return folder + b"/", folder + bytes([ord("/") + 1])


def _stamp(file: FoundFile) -> str:
    return f"{file.size} {file.mtime_ns} {_code()}"


def _checksum(text: str) -> int:
    return zlib.crc32(text.encode())


@functools.cache
def _code() -> str:
    """A digest of the modules that read files: what they once read may be read otherwise by the next version."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
