"""The folders in which the files of data sets lie."""

import os
from pathlib import Path

import platformdirs

from regbench.datasets.dataset import DataFile, Dataset
from regbench.errors import DataError


def data_folders(data_dir: Path | None = None) -> tuple[Path, ...]:
    """Return the data folders in the order in which they are searched.

    A folder that is given is the only one. Otherwise: the environment variable `REGBENCH_DATA`, then `data_deepobs` in
    the working directory (where DeepOBS puts its data), then `data` in the user's cache folder for regbench, as
    `platformdirs` finds it.
    """
    if data_dir is not None:
        candidates = [Path(data_dir)]
    else:
        configured = os.environ.get("REGBENCH_DATA")
        candidates = [Path(configured)] if configured else []
        candidates += [Path("data_deepobs"), platformdirs.user_cache_path("regbench", appauthor=False) / "data"]
    return tuple(candidate.expanduser().absolute() for candidate in candidates)


def home_folder(dataset: Dataset, data_dir: Path | None = None) -> Path:
    """Return the folder into which the files of a data set belong when they are nowhere yet.

    The first data folder, but `data_deepobs` only where it exists: nobody wants a new folder in the working directory.
    """
    candidates = data_folders(data_dir)
    configured = data_dir is not None or bool(os.environ.get("REGBENCH_DATA"))
    chosen = candidates[0] if configured or candidates[0].is_dir() else candidates[-1]
    return chosen / dataset.folder


def find_file(folder: Path, file: DataFile) -> Path | None:
    """Return the path of a file in its folder, packed or unpacked, or None where it is missing."""
    packed = folder / file.name
    if file.name.endswith("/"):
        return packed if packed.is_dir() else None
    candidates = (packed, packed.with_suffix("")) if packed.suffix == ".gz" else (packed,)
    return next((path for path in candidates if path.is_file()), None)


def missing_files(dataset: Dataset, folder: Path) -> tuple[DataFile, ...]:
    """Return the files of a data set that a folder lacks."""
    return tuple(file for file in dataset.files if find_file(folder, file) is None)


def survey(dataset: Dataset, data_dir: Path | None = None) -> list[tuple[Path, tuple[DataFile, ...]]]:
    """Return the folders in which the files of a data set may lie, each with the files that it lacks."""
    folders = [root / dataset.folder for root in data_folders(data_dir)]
    return [(folder, missing_files(dataset, folder)) for folder in folders]


def locate(dataset: Dataset, data_dir: Path | None = None) -> Path:
    """Return the first folder that holds all files of a data set.

    Raises:
        DataError: there is none, or the data set has no files; the message names the folders that were searched.
    """
    if not dataset.files:
        raise DataError(f"The data set `{dataset.name}` has no files: it is generated or comes with a library.")
    searched = []
    for folder, missing in survey(dataset, data_dir):
        if not missing:
            return folder
        partly = len(missing) < len(dataset.files)
        searched.append(f"{folder} (lacks {', '.join(file.name for file in missing)})" if partly else str(folder))
    is_published = any(file.download for file in dataset.files)
    raise DataError(
        f"The files of the data set `{dataset.name}` are not there. Searched: {'; '.join(searched)}. "
        + (f"To get them: run `regbench data fetch {dataset.name}`" if is_published else bring_your_own(dataset))
    )


def bring_your_own(dataset: Dataset) -> str:
    """The hint for data that nobody publishes."""
    return f"Nobody publishes them: bring your own ({', '.join(file.name for file in dataset.files)})"
