"""Checks of data sets: which files are there, and whether they are the published ones."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from regbench.datasets import registry
from regbench.datasets.content import content_blocks, file_sha256
from regbench.datasets.dataset import DataFile, Dataset
from regbench.datasets.folders import bring_your_own, find_file, survey
from regbench.errors import DataError


class State(StrEnum):
    """The state of the files of a data set."""

    BUILT_IN = "built in"
    MISSING = "missing"
    INCOMPLETE = "incomplete"
    DAMAGED = "damaged"
    PRESENT = "present"
    # Only after everything was read:
    OFFICIAL = "official"
    DIFFERS = "differs"
    UNVERIFIABLE = "unverifiable"
    # Of the user's own data:
    FUNCTION = "a function"
    READABLE = "readable"


@dataclass(frozen=True)
class Finding:
    """The state of one data set, with its folder, size and details.

    Attributes:
        dataset: its name.
        state: in one word.
        folder: where its files lie; None where there are none.
        size: bytes on the disk.
        details: sentences that say what is behind the state.
    """

    dataset: str
    state: State
    folder: Path | None = None
    size: int = 0
    details: tuple[str, ...] = ()


def status(names: Iterable[str], data_dir: Path | None = None) -> list[Finding]:
    """Look which files are there, without reading them.

    Args:
        names: of the data sets.
        data_dir: data folder; None searches the usual ones.

    Returns:
        A finding for each name: built in, missing, incomplete, damaged (a file of a wrong size) or present.

    Raises:
        UnknownNameError: there is no data set of such a name.
    """
    return [_look(registry.get(name), data_dir) for name in names]


def verify(names: Iterable[str], data_dir: Path | None = None) -> list[Finding]:
    """Read all files and compare them with what was published.

    Args:
        names: of the data sets.
        data_dir: data folder; None searches the usual ones.

    Returns:
        A finding for each name: as `status`, but what is present is official (every checksum is the published one),
        differs (well-formed, but not the published data), unverifiable (well-formed, no checksum is published) or
        damaged.

    Raises:
        UnknownNameError: there is no data set of such a name.
    """
    return [_examine(registry.get(name), data_dir) for name in names]


def _look(dataset: Dataset, data_dir: Path | None) -> Finding:
    if not dataset.files:
        return Finding(dataset.name, State.BUILT_IN)
    # The folder that lacks least; among equals the first.
    folder, missing = min(survey(dataset, data_dir), key=lambda place: len(place[1]))
    if len(missing) == len(dataset.files):
        searched = "; ".join(str(place) for place, _ in survey(dataset, data_dir))
        own = () if any(file.download for file in dataset.files) else (bring_your_own(dataset),)
        return Finding(dataset.name, State.MISSING, details=(f"searched: {searched}", *own))
    present = [(file, path) for file in dataset.files if (path := find_file(folder, file))]
    size = sum(_size(path) for _, path in present)
    if missing:
        lacking = f"lacks {', '.join(file.name for file in missing)}"
        return Finding(dataset.name, State.INCOMPLETE, folder, size, (lacking,))
    wrong = tuple(
        f"{path}: must hold {file.size} bytes. Received: {path.stat().st_size!r}"
        for file, path in present
        if path.suffix != ".gz" and file.size and path.stat().st_size != file.size
    )
    return Finding(dataset.name, State.DAMAGED if wrong else State.PRESENT, folder, size, wrong)


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _examine(dataset: Dataset, data_dir: Path | None) -> Finding:
    seen = _look(dataset, data_dir)
    if seen.state is not State.PRESENT or seen.folder is None:
        return seen
    try:
        registry.read(dataset, seen.folder)
        states = {file: _compare(file, find_file(seen.folder, file)) for file in dataset.files}
    except DataError as error:
        return Finding(dataset.name, State.DAMAGED, seen.folder, seen.size, (str(error),))
    others = {
        State.DIFFERS: "differs from the official files",
        State.UNVERIFIABLE: "well-formed; there is no published checksum to compare with",
    }
    details = [
        f"{sentence}: {', '.join(file.name for file, verdict in states.items() if verdict is state)}"
        for state, sentence in others.items()
        if state in states.values()
    ]
    worst = next((state for state in others if state in states.values()), State.OFFICIAL)
    return Finding(
        dataset.name, worst, seen.folder, seen.size, tuple(details) or ("the content equals the official files",)
    )


def _compare(file: DataFile, path: Path | None) -> State:
    if path is None:
        raise DataError(f"{file.name} disappeared while it was read")
    if file.download is None:
        return State.UNVERIFIABLE
    if file.sha256 is None:
        # Where the file itself was published, packed, the packed file can be compared.
        as_published = path.name == file.download.name and file_sha256(path) == file.download.sha256
        return State.OFFICIAL if as_published else State.UNVERIFIABLE
    checksum = hashlib.sha256()
    for block in content_blocks(path):
        checksum.update(block)
    return State.OFFICIAL if checksum.hexdigest() == file.sha256 else State.DIFFERS
