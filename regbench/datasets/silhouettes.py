"""Images of one's own: a folder of files for each class, for training, validation and test."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from regbench.datasets.dataset import DataFile, Dataset, RawData
from regbench.errors import DataError

if TYPE_CHECKING:
    import numpy as np

_SPLITS = ("train", "valid", "test")
_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
_FORMATS = ("BMP", "GIF", "JPEG", "PNG")
_DAMAGED = (OSError, SyntaxError, ValueError)
"""What Pillow raises where an image is damaged."""

DATASET = Dataset(
    name="silhouettes",
    summary="Images of your own, resized to 200 x 200: folders {train,valid,test}/<class>/ with image files",
    source="form and classes (20 + 10): Feinman and Lake 2019, arXiv 1903.01882; the images are not published",
    classes=30,
    input_shape=(200, 200, 3),
    train_size=0,
    test_size=0,
    validation_size=0,
    preprocessing="unit",
    augmentation="silhouettes",
    folder="silhouettes",
    files=tuple(DataFile(f"{split}/") for split in _SPLITS),
)


def read(dataset: Dataset, folder: Path) -> RawData:
    """Read `<split>/<class>/<image>`; images are uint8 of shape (n, 200, 200, 3).

    Classes are numbered in the order of the names of their folders, images come in the order of their names.

    Raises:
        DataError: the splits do not have the same classes, a class has no images, or a file is no image.
    """
    classes = {split: _class_folders(folder / split) for split in _SPLITS}
    for split in _SPLITS:
        if classes[split] != classes["train"]:
            odd = sorted(set(classes[split]) ^ set(classes["train"]))
            raise DataError(f"{folder}: train and {split} must have the same classes. Received: {odd[0]!r} in one only")
    train, valid, test = (_read_split(folder / split, classes[split], dataset.input_shape) for split in _SPLITS)
    return RawData(*train, *test, *valid)


def _class_folders(folder: Path) -> list[str]:
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(names) < 2:
        raise DataError(f"{folder}: must hold at least two folders, one a class. Received: {len(names)}")
    return names


def _read_split(folder: Path, classes: list[str], shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    import numpy as np

    images, labels = [], []
    for label, name in enumerate(classes):
        paths = sorted(path for path in (folder / name).iterdir() if path.suffix.lower() in _SUFFIXES)
        if not paths:
            raise DataError(f"{folder / name}: must hold at least one image ({', '.join(_SUFFIXES)}). Received: none")
        images += [_read_image(path, shape) for path in paths]
        labels += [label] * len(paths)
    return np.stack(images), np.array(labels, np.int32)


def _read_image(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    import numpy as np
    from PIL import Image

    height, width, _ = shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what can be read all the same
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            # Other formats must not be tried, whatever is in the file: some start another program (EPS Ghostscript).
            with Image.open(path, formats=_FORMATS) as image:
                return np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR))
        except (Image.DecompressionBombError, Image.DecompressionBombWarning, *_DAMAGED) as error:
            raise DataError(f"{path}: must be an image. Received: {' '.join(str(error).split())}") from error
