"""Data of the user's own: one file a form. Each form gives samples of three splits, which `parts` judges.

`read` is what the registry calls: data are read once in a process, and again where their files have changed. NumPy,
pandas and the like are imported when something is read.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from regbench.errors import DataError
from regbench.records import Arrays, Book, Function, Images, OwnData, Table

if TYPE_CHECKING:
    from regbench.datasets.own.parts import Reading

__all__ = ["files_of", "read", "settled", "stamp"]


def read(own: OwnData) -> Reading:
    """Read own data.

    Raises:
        DataError: they cannot be read, are not what they must be, or are not those with which the command began.
        DefinitionError: there is no such function.
    """
    if not own.path and not isinstance(own, Function):  # as a run on record has it
        if own.content not in _by_content:
            raise DataError(f"{own}: must be the data that are here. Received: those of a run on record, others")
        return _by_content[own.content]
    reading = _read(own.model_copy(update={"content": ""}), stamp(own))
    _by_content[reading.data.digest] = reading
    while len(_by_content) > _KEPT:
        del _by_content[next(iter(_by_content))]
    if own.content and reading.data.digest != own.content:
        raise DataError(
            f"{own.path or own.name}: must hold the data with which the command began, on every machine that takes "
            "part. Received: others"
        )
    return reading


def settled(own: OwnData) -> OwnData:
    """The same, with the digest of the data that are here; errors as for `read`, and a function must repeat itself."""
    unsettled = own.model_copy(update={"content": ""})
    digest = read(unsettled).data.digest
    if isinstance(unsettled, Function):
        _check_repeats(unsettled, stamp(unsettled), digest)
    return own.model_copy(update={"content": digest})


def stamp(own: OwnData) -> tuple[object, ...]:
    """Say in short what the data are now: path, size and time of the last change of each file; or the function.

    Raises:
        DataError: a file is not there.
        DefinitionError: there is no such function.
    """
    if isinstance(own, Function):
        from regbench.datasets.own import function

        return (function.find(own),)
    states = [(str(path), path.stat()) for path in files_of(own)]
    return tuple((path, state.st_size, state.st_mtime_ns) for path, state in states)


def files_of(own: OwnData) -> list[Path]:
    """The files that are read, sorted; none of a function.

    Raises:
        DataError: there are none.
    """
    if isinstance(own, Function):
        return []
    path = Path(own.path)
    must, endings = _PLACES[type(own)]
    if not own.path:
        raise DataError(f"{own}: must be {must}. Received: no path, as in a run on record")
    if path.is_file() and not isinstance(own, Images):
        return [path]
    files = sorted(one for one in path.rglob("*") if one.suffix.lower() in endings and one.is_file())
    if not files:
        came = "nothing" if not path.exists() else "a file" if path.is_file() else "a folder without them"
        raise DataError(f"{own.path}: must be {must}. Received: {came}")
    return files


_KEPT = 2
_by_content: dict[str, Reading] = {}
"""What was read last, by its digest."""

IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
_PLACES: dict[type[OwnData], tuple[str, tuple[str, ...]]] = {
    Arrays: ("an .npz, or a folder of .npy", (".npy",)),
    Table: ("a CSV or Parquet file", ()),
    Images: ("a folder of images", IMAGES),
    Book: ("a file of text", ()),
}
"""What a path must be, and which files in a folder are read."""


@lru_cache(maxsize=_KEPT)
def _read(own: OwnData, stamp: object) -> Reading:
    del stamp  # tells one state of the files from another
    from regbench.datasets.own import arrays, cache, function, images, table, text

    match own:
        case Arrays():
            return arrays.read(own)
        case Table():
            return cache.read_through(own, files_of(own), lambda: table.read(own))
        case Images():
            return cache.read_through(own, files_of(own), lambda: images.read(own))
        case Book():
            return text.read(own)
        case Function():
            return function.read(own)
    raise TypeError(type(own))


@lru_cache(maxsize=2)
def _check_repeats(own: Function, stamp: object, digest: str) -> None:
    del stamp
    from regbench.datasets.own import function

    if function.read(own).data.digest != digest:
        raise DataError(f"dataset `{own.name}`: must return the same data whenever it is called. Received: others")
