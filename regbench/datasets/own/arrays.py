"""NumPy arrays of one's own, in an .npz or a folder of .npy; nothing is ever unpickled."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from regbench.datasets.own import division
from regbench.datasets.own.parts import Part, Reading, are_numbers, check_finite, gathered
from regbench.errors import DataError
from regbench.records import Arrays, OwnData, Preprocessing

NEEDED = ("x_train", "y_train", "x_test", "y_test")
OPTIONAL = ("x_valid", "y_valid")


def read(own: Arrays) -> Reading:
    """Read the arrays.

    Raises:
        DataError: one is missing, cannot be read, or holds objects; or they do not go together.
    """
    path = Path(own.path)
    if path.is_dir():
        files = {name: path / f"{name}.npy" for name in (*NEEDED, *OPTIONAL)}
        found = {name: _load(file) for name, file in files.items() if file.is_file()}
    else:
        source = _load(path)
        if not isinstance(source, np.lib.npyio.NpzFile):
            raise DataError(f"{path}: must be an .npz, or a folder of .npy. Received: a single array")
        with source:
            found = {name: _taken(source, name, path) for name in (*NEEDED, *OPTIONAL) if name in source}
    return from_arrays(own, found, own.path)


def from_arrays(own: OwnData, arrays: dict[str, np.ndarray], where: str) -> Reading:
    """Divide and judge arrays by their names.

    Raises:
        DataError: one is missing, or they do not go together.
    """
    for name in NEEDED:
        if name not in arrays:
            there = ", ".join(arrays) or "none"
            raise DataError(f"{where}: must hold {', '.join(NEEDED)} (and may x_valid, y_valid). Received: {there}")
    if len(set(OPTIONAL) & arrays.keys()) == 1:
        raise DataError(f"{where}: x_valid and y_valid must be given together. Received: one of them")
    for name, array in arrays.items():
        if array.ndim == 0:
            raise DataError(f"{where}: {name}: must have an axis for samples. Received: a number")
        check_finite(array, f"{where}: {name}")
    preprocessing: Preprocessing = "none"
    if arrays["x_train"].dtype == np.uint8 and arrays["x_train"].ndim in (3, 4):
        preprocessing = "unit"  # images, of one channel where they have no axis for channels
        arrays = {
            name: array[..., np.newaxis] if name.startswith("x") and array.ndim == 3 else array
            for name, array in arrays.items()
        }
    elif arrays["x_train"].dtype == np.uint8:
        arrays = {name: array.astype(np.float32) if name.startswith("x") else array for name, array in arrays.items()}
    arrays = {  # one column is a list
        name: array[:, 0] if name.startswith("y") and array.ndim == 2 and array.shape[1] == 1 else array
        for name, array in arrays.items()
    }
    parts = {
        split: Part(arrays[f"x_{split}"], arrays[f"y_{split}"])
        for split in ("train", "valid", "test")
        if f"x_{split}" in arrays
    }
    if "valid" not in parts:
        parts |= _held_out(own, parts["train"], where)
    return gathered(own, {split: parts[split] for split in ("train", "valid", "test")}, where, preprocessing)


def _held_out(own: OwnData, train: Part, where: str) -> dict[str, Part]:
    if len(train.inputs) != len(train.targets):
        came = f"{len(train.inputs)} and {len(train.targets)}"
        raise DataError(f"{where}: x_train and y_train must have equally many samples. Received: {came}")
    is_class = train.targets.ndim == 1 and not are_numbers(train.targets, own)
    classes = train.targets if is_class else None
    positions = division.divide(len(train.targets), own, where, test_fraction=0, classes=classes)
    return {split: Part(train.inputs[rows], train.targets[rows]) for split, rows in positions.items()}


def _load(path: Path) -> Any:
    try:
        return np.load(path, allow_pickle=False)
    except OSError as error:
        raise DataError(f"{path}: must be readable. Received: {error.strerror or error}") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _refused(path, error) from error


def _taken(source: Any, name: str, path: Path) -> np.ndarray:
    try:
        return np.asarray(source[name])
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise _refused(Path(f"{path}: {name}"), error) from error


def _refused(what: Path, error: Exception) -> DataError:
    if "allow_pickle" in str(error) or "pickle" in str(error):
        return DataError(f"{what}: must hold numbers or text. Received: objects, which are never unpickled")
    return DataError(f"{what}: must be an array of NumPy (.npy), or several (.npz). Received: {error}")
