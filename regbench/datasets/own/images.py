"""Images of one's own: a folder of files for each class, perhaps for each of training, validation and test."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from regbench.datasets.own import IMAGES, division
from regbench.datasets.own.parts import Part, Reading, gathered
from regbench.errors import DataError
from regbench.records import Images

SPLITS = ("train", "valid", "test")
FORMATS = ("BMP", "GIF", "JPEG", "PNG")
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX")
_DAMAGED = (OSError, SyntaxError, ValueError)
"""What Pillow raises where an image is damaged."""


def read(own: Images) -> Reading:
    """Read the images, uint8 of shape (n, height, width, channels).

    Classes are numbered in the order of the names of their folders, images come in the order of their names.

    Raises:
        DataError: the splits do not have the same classes, a class has no images, or a file is no image.
    """
    folder, shape = Path(own.path), (*own.size, 3 if own.color else 1)
    above = {split: folder / split for split in SPLITS if (folder / split).is_dir()}
    if not folder.is_dir():
        raise DataError(f"{folder}: must be a folder. Received: {'a file' if folder.exists() else 'nothing'}")
    if "train" in above and "test" in above:
        classes = class_folders(above["train"])
        for split in above:
            check_classes(folder, split, class_folders(above[split]), classes)
        read_ones = {split: read_split(above[split], classes, shape) for split in above}
        parts = {
            split: Part(images, np.array(classes, object)[labels]) for split, (images, labels) in read_ones.items()
        }
        if "valid" not in parts:
            parts |= _divided(own, parts["train"], test_fraction=0)
    else:
        classes = class_folders(folder)
        images, labels = read_split(folder, classes, shape)
        parts = _divided(own, Part(images, np.array(classes, object)[labels]), own.test_fraction)
    ordered = {split: parts[split] for split in SPLITS}
    return gathered(own.model_copy(update={"targets": "classes"}), ordered, own.path, "unit", target="the classes")


def class_folders(folder: Path) -> list[str]:
    """The names of the classes, sorted.

    Raises:
        DataError: there are fewer than two.
    """
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(names) < 2:
        raise DataError(f"{folder}: must hold at least two folders, one a class. Received: {len(names)}")
    return names


def check_classes(folder: Path, split: str, names: list[str], classes: list[str]) -> None:
    """Refuse a split that has other classes than training.

    Raises:
        DataError: so it is.
    """
    if names != classes:
        odd = sorted(set(names) ^ set(classes))
        raise DataError(f"{folder}: train and {split} must have the same classes. Received: {odd[0]!r} in one only")


def read_split(folder: Path, classes: list[str], shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The images of a folder of classes, uint8 of shape (n, *shape), and the numbers of their classes.

    Raises:
        DataError: a class has no images, or a file is none.
    """
    paths, labels = [], []
    for label, name in enumerate(classes):
        found = sorted(path for path in (folder / name).iterdir() if path.suffix.lower() in IMAGES)
        if not found:
            raise DataError(f"{folder / name}: must hold at least one image ({', '.join(IMAGES)}). Received: none")
        paths += found
        labels += [label] * len(found)
    images = np.empty((len(paths), *shape), np.uint8)
    for number, path in enumerate(paths):
        images[number] = _read_image(path, shape)
    return images, np.array(labels, np.int32)


def _read_image(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    from PIL import Image

    height, width, channels = shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what can be read all the same
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            # Other formats must not be tried, whatever is in the file: some start another program (EPS Ghostscript).
            with Image.open(path, formats=FORMATS) as image:
                if image.mode not in _MODES:
                    raise DataError(
                        f"{path}: must have 8 bits of grey or of red, green and blue. Received: {image.mode!r}"
                    )
                if image.format == "PNG" and (bits := _bits(path)) > 8:  # Pillow calls those of 16 in colour RGB
                    raise DataError(f"{path}: must have 8 bits a channel. Received: {bits!r}")
                in_color = image.convert("RGB" if channels == 3 else "L")
                resized = in_color.resize((width, height), Image.Resampling.BILINEAR)
                return np.asarray(resized).reshape(shape)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning, *_DAMAGED) as error:
            raise DataError(f"{path}: must be an image. Received: {' '.join(str(error).split())}") from error


def _bits(path: Path) -> int:
    """The bits of a channel, which the first chunk of a PNG tells."""
    with path.open("rb") as file:
        return file.read(25)[24]


def _divided(own: Images, part: Part, test_fraction: float) -> dict[str, Part]:
    positions = division.divide(len(part.targets), own, own.path, test_fraction=test_fraction, classes=part.targets)
    return {split: Part(part.inputs[rows], part.targets[rows]) for split, rows in positions.items()}
