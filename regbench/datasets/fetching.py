"""Fetching data sets: download, check, unpack, and never touch a file that is there."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from regbench.datasets import archive, registry, svhn
from regbench.datasets.checks import Finding, State, verify
from regbench.datasets.content import file_sha256
from regbench.datasets.dataset import DataFile, Dataset, Download
from regbench.datasets.download import Progress, download
from regbench.datasets.folders import bring_your_own, home_folder, missing_files, survey
from regbench.errors import DataError

_PART_SUFFIX = ".regbench.part"


def fetch(names: Iterable[str], data_dir: Path | None = None, progress: Progress | None = None) -> list[Finding]:
    """Get the files of data sets that are not there yet, then verify everything.

    A file that exists is never changed, whatever is in it. A download that was cut off goes on where it ended. Where
    there is no network, the published file may be placed into the folder by hand: it is then taken from there.

    Args:
        names: of the data sets.
        data_dir: data folder; None takes the one that holds the files already, else see `folders.home_folder`.
        progress: called with file name, bytes that are there, bytes in all, after every block of a download.

    Returns:
        A finding for each name, as `verify` returns it.

    Raises:
        UnknownNameError: there is no data set of such a name; nothing was fetched then.
        DataError: nobody publishes one of them; nothing was fetched then.
        DataError: a file could not be downloaded, is not what was published, or cannot be written.
    """
    datasets = [registry.get(name) for name in names]
    for dataset in datasets:
        if dataset.files and not _is_published(dataset):
            raise DataError(f"The data set `{dataset.name}` cannot be fetched. {bring_your_own(dataset)}")
    return [_fetch_dataset(dataset, data_dir, progress) for dataset in datasets]


def published() -> tuple[str, ...]:
    """The names of the data sets that need no fetching or can be fetched: all but those that the user brings."""
    return tuple(name for name in registry.names() if not registry.get(name).files or _is_published(registry.get(name)))


def _is_published(dataset: Dataset) -> bool:
    return all(file.download for file in dataset.files)


def _fetch_dataset(dataset: Dataset, data_dir: Path | None, progress: Progress | None) -> Finding:
    # What is complete in one of the folders is fetched no second time; generated data lack nothing anywhere.
    if all(missing for _, missing in survey(dataset, data_dir)):
        folder = home_folder(dataset, data_dir)
        for record in dict.fromkeys(file.download for file in missing_files(dataset, folder) if file.download):
            files = [file for file in dataset.files if file.download == record]
            try:
                folder.mkdir(parents=True, exist_ok=True)
                _obtain(record, files, folder, progress)
            except OSError as error:
                raise DataError(f"{folder}: must be a folder that can be written. Received: {error}") from error
    finding = verify([dataset.name], data_dir)[0]
    if finding.state in (State.DIFFERS, State.DAMAGED):
        advice = "files that exist are never overwritten: move them away and fetch again to get the official ones"
        finding = replace(finding, details=(*finding.details, advice))
    return finding


def _obtain(record: Download, files: Sequence[DataFile], folder: Path, progress: Progress | None) -> None:
    placed_by_hand = folder / record.name
    part = folder / (record.name + _PART_SUFFIX)
    if placed_by_hand.is_file():
        received = file_sha256(placed_by_hand)
        if received != record.sha256:
            raise DataError(
                f"{placed_by_hand}: the SHA-256 must be {record.sha256}. Received: {received}. It was left as it is"
            )
        source = placed_by_hand
    else:
        download(record, part, progress)
        source = part
    if [file.name for file in files] == [record.name]:
        _publish(part, folder / record.name)
        return
    for file, content in _contents(record, source, files):
        path = folder / file.name
        if not os.path.lexists(path):
            _write(path, content)
    part.unlink(missing_ok=True)


def _contents(record: Download, source: Path, files: Sequence[DataFile]) -> Iterator[tuple[DataFile, bytes]]:
    return svhn.convert(source, files) if record.name.endswith(".mat") else archive.members(source, files)


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(path.name + _PART_SUFFIX)
    part.write_bytes(content)
    _publish(part, path)


def _publish(part: Path, path: Path) -> None:
    if os.path.lexists(path):
        raise DataError(f"{path}: exists, and is left as it is; move it away and run the command again")
    with part.open("rb+") as stream:
        os.fsync(stream.fileno())
    part.rename(path)
