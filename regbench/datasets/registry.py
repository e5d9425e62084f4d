"""The data sets by name, and data of the user's own, which are named by how they are read."""

from collections.abc import Callable
from pathlib import Path

from regbench.datasets import (
    blank,
    cifar10,
    cifar100,
    diabetes,
    digits,
    fmnist,
    folders,
    heavy_tailed,
    imagenet,
    low_rank,
    markov_text,
    mnist,
    mnist1d,
    modular_pairs,
    own,
    parity,
    quadratic,
    silhouettes,
    svhn,
    tolstoi,
    two_d,
)
from regbench.datasets.dataset import Dataset, RawData
from regbench.errors import UnknownNameError
from regbench.records import OwnData

_READERS: dict[str, tuple[Dataset, Callable[[Dataset, Path], RawData]]] = {
    module.DATASET.name: (module.DATASET, module.read)
    for module in (
        *(blank, cifar10, cifar100, low_rank, diabetes, digits, fmnist, heavy_tailed, imagenet, markov_text, mnist),
        *(mnist1d, modular_pairs, quadratic, parity, silhouettes, svhn, tolstoi, two_d),
    )
}


def names() -> tuple[str, ...]:
    """Return the names of all data sets, sorted."""
    return tuple(sorted(_READERS))


def get(name: str | OwnData) -> Dataset:
    """Return the record of a data set; own data are read for it.

    Raises:
        UnknownNameError: there is none of this name.
        DataError: own data cannot be read; errors as for `own.read`.
    """
    if isinstance(name, OwnData):
        return own.read(name).dataset
    if name not in _READERS:
        raise UnknownNameError("data set", name, _READERS)
    return _READERS[name][0]


def locate(name: str, data_dir: Path | None = None) -> Path:
    """Return the folder that holds the files of a data set; see `folders.locate`."""
    return folders.locate(get(name), data_dir)


def load(name: str | OwnData, data_dir: Path | None = None) -> RawData:
    """Read a data set into memory.

    Args:
        name: of the data set, or own data.
        data_dir: data folder; None goes through `folders.data_folders`. Data that are generated, or come with a
            library, need none.

    Raises:
        UnknownNameError: there is no data set of this name.
        DataError: files are missing or are not what they should be.
    """
    if isinstance(name, OwnData):
        return own.read(name).data
    dataset = get(name)
    return read(dataset, locate(name, data_dir) if dataset.files else Path())


def stamp(name: str | OwnData, data_dir: Path | None = None) -> tuple[object, ...]:
    """Say in short what the files of a data set are now: path, size and time of the last change of each.

    Raises:
        DataError: files are missing.
    """
    if isinstance(name, OwnData):
        return own.stamp(name)
    dataset = get(name)
    if not dataset.files:
        return ()
    folder = locate(name, data_dir)
    found = [folders.find_file(folder, file) for file in dataset.files]
    paths = [one for path in found if path is not None for one in (path.rglob("*") if path.is_dir() else [path])]
    states = [(str(path), path.stat()) for path in sorted(paths)]
    return tuple((path, state.st_size, state.st_mtime_ns) for path, state in states)


def read(dataset: Dataset, folder: Path) -> RawData:
    """Read the files of a data set from the folder they lie in."""
    return _READERS[dataset.name][1](dataset, folder)
