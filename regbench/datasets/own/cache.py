"""Arrays on the disk of data that take long to read, by their content.

A copy is named by the content of the file (or of all files of a folder), by how it is read, by the source of what reads
it, and by the versions of the libraries. A copy that was altered has another digest than it says, and is made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, fields
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from regbench.datasets.content import file_sha256
from regbench.datasets.dataset import Dataset, RawData
from regbench.datasets.own.parts import Reading
from regbench.records import OwnData

LEAST_BYTES = 4 << 20
"""Smaller data are read about as fast as a copy."""

MOST_COPIES = 8
_LIBRARIES = ("numpy", "pandas", "scikit-learn", "pillow", "pyarrow")


def read_through(own: OwnData, files: Sequence[Path], read: Callable[[], Reading]) -> Reading:
    """The data of a copy that is as it was made; else as `read` reads them, of which a copy is then kept.

    Args:
        own: how the files are read.
        files: all that is read.
        read: reads them.

    Raises:
        DataError: as `read`; or a file cannot be read.
    """
    if sum(file.stat().st_size for file in files) < LEAST_BYTES:
        return read()
    begins = _beginning(own, files)
    with ThreadPoolExecutor(1) as pool:  # what is read is hashed meanwhile
        content = pool.submit(_content, own, files)
        if any(folder().glob(f"{begins}-*.npz")):
            copy = _copy(folder() / f"{begins}-{content.result()}.npz")
            if copy is not None:
                return copy
        reading = read()
        _keep(reading, folder() / f"{begins}-{content.result()}.npz")
    return reading


def _beginning(own: OwnData, files: Sequence[Path]) -> str:
    """What can be said of a copy before the files are read: their size, and how they are read."""
    how = own.model_copy(update={"content": ""}).model_dump_json()
    key = json.dumps([how, _readers(), {name: version(name) for name in _LIBRARIES}])
    return f"{sum(file.stat().st_size for file in files)}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"


@cache
def _readers() -> str:
    """The digest of the source of what reads own data."""
    checksum = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        checksum.update(path.read_bytes())
    return checksum.hexdigest()


def _content(own: OwnData, files: Sequence[Path]) -> str:
    root = Path(own.path)
    named = [(str(file.relative_to(root)) if file != root else file.suffix, file_sha256(file)) for file in files]
    return hashlib.sha256(json.dumps(sorted(named)).encode()).hexdigest()


def folder() -> Path:
    """Where the copies are."""
    return platformdirs.user_cache_path("regbench", appauthor=False) / "own_data"


def _copy(path: Path) -> Reading | None:
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored}
        text, seal = str(arrays.pop("told")), str(arrays.pop("seal"))
        told = json.loads(text)
        table: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in told["dataset"].items()
        }
        reading = Reading(Dataset(**table), RawData(**arrays))
    except Exception:  # noqa: BLE001  whatever was done to it, it is made anew
        return None
    return reading if (told["digest"], seal) == (reading.data.digest, _seal(text)) else None


def _seal(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _keep(reading: Reading, path: Path) -> None:
    """Write a copy as a whole; where that cannot be, there is none."""
    arrays = {field.name: getattr(reading.data, field.name) for field in fields(reading.data)}
    present = {name: array for name, array in arrays.items() if array is not None}
    told = json.dumps({"dataset": asdict(reading.dataset), "digest": reading.data.digest})
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, told=np.array(told), seal=np.array(_seal(told)), **present)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        copies = sorted(path.parent.glob("*.npz"), key=lambda copy: copy.stat().st_mtime)
        for old in copies[:-MOST_COPIES]:
            old.unlink(missing_ok=True)
