"""Arrays of a Python program, which become a file for as long as it runs, so that other processes can read them."""

from __future__ import annotations

import hashlib
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from regbench.datasets.own.function import arrays_of
from regbench.errors import DataError
from regbench.records import Arrays


def hold(data: Any, **others: Any) -> Arrays:
    """Own data of what a function of one's own may return: arrays or tensors by name, or data sets by split.

    Args:
        data: as docs/own-data.md has it.
        others: further keys, as `valid_fraction`.

    Raises:
        DataError: they are something else.
    """
    arrays = arrays_of(data, "data")
    for name, array in arrays.items():
        if array.dtype == object:
            arrays[name] = array.astype(str)
    checksum = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        checksum.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        checksum.update(np.ascontiguousarray(array).tobytes())
    path = Path(_folder().name) / f"{checksum.hexdigest()}.npz"
    try:
        if not path.exists():
            np.savez(path, allow_pickle=False, **arrays)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror}") from error
    return Arrays(name="arrays", path=str(path), **others)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Which is removed when the program ends."""
    return tempfile.TemporaryDirectory(prefix="regbench-")
