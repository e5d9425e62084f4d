"""ImageNet, from the records that TensorFlow's script makes of it, or from folders of images."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from regbench.datasets.dataset import DataFile, Dataset, RawData
from regbench.errors import DataError

if TYPE_CHECKING:
    import numpy as np

SIDE = 256
"""Height and width of the stored images; the network takes windows of 224 x 224 of them."""

_FORMATS = ("JPEG", "PNG", "BMP", "GIF")
_SEED = 0  # of the order of images in folders
_SPLITS = ("train", "validation")

DATASET = Dataset(
    name="imagenet",
    summary="Photographs, windows of 224 x 224 of 256 x 256 pixels in colour, 1,000 classes and an unused one",
    source="Russakovsky et al. 2015, ImageNet Large Scale Visual Recognition Challenge, arXiv 1409.0575",
    classes=1001,
    input_shape=(224, 224, 3),
    train_size=1_281_167,
    test_size=50_000,
    validation_size=50_000,
    preprocessing="imagenet",
    augmentation="imagenet",
    files=(DataFile("imagenet/"),),
)


class Encoded(NamedTuple):
    """An image as it is stored, its label, and where it is, for messages."""

    content: bytes
    label: int
    place: str


def read(dataset: Dataset, folder: Path) -> RawData:
    """Read `train-*` and `validation-*`, or `{train,validation}/<class>/<image>`; uint8 of shape (n, 256, 256, 3).

    Of each image, scaled (bilinear, as TensorFlow 1) so that its shorter side is 256, the middle is kept. Departure:
    colours are rounded to 1/255 after that, JPEG files are decoded by Pillow, whose rounding differs.

    Training images of folders come in an order that is drawn once, always the same, as TensorFlow's script shuffles
    those of records: the first ones are held out for validation, and must not be all of a few classes. Of fewer images
    than five times the validation split a fifth is held out, as validation arrays; also where a protocol needs none.

    Raises:
        DataError: the files are not so, or the images do not fit into the memory that is free; the message says what
            they need.
    """
    import numpy as np
    import psutil

    root = folder / "imagenet"
    counts = [_count(root, split) for split in _SPLITS]
    needed, free = sum(counts) * SIDE * SIDE * 3, psutil.virtual_memory().available
    if 2 * needed > free:  # another copy is made for TensorFlow
        raise DataError(
            f"{root}: the memory must hold its {sum(counts):,} images, and once more while they are laid out: "
            f"{2 * needed / 1e9:,.1f} GB. Received: {free / 1e9:,.1f} GB that are free"
        )
    arrays: list[np.ndarray] = []
    for split, count in zip(_SPLITS, counts, strict=True):
        images, labels = np.empty((count, SIDE, SIDE, 3), np.uint8), np.empty(count, np.int32)
        for place, encoded in enumerate(_encoded(root, split)):
            if not 0 <= encoded.label < dataset.classes:
                raise DataError(
                    f"{encoded.place}: labels must be in 0..{dataset.classes - 1}. Received: {encoded.label!r}"
                )
            images[place], labels[place] = _decode(encoded), encoded.label
        arrays += [images, labels]
    held = 0 if _records(root, "train") or counts[0] >= 5 * dataset.validation_size else counts[0] // 5
    if held == 0:
        return RawData(*arrays)
    inputs, targets, test_inputs, test_targets = arrays
    return RawData(inputs[held:], targets[held:], test_inputs, test_targets, inputs[:held], targets[:held])


def _records(root: Path, split: str) -> list[Path]:
    return sorted(path for path in root.glob(f"{split}-*") if path.is_file())


def _images(root: Path, split: str) -> list[tuple[Path, int]]:
    """The images of all classes, which are those of the training folder; those that train in an order that is drawn."""
    import numpy as np

    names = sorted(path.name for path in (root / "train").glob("*") if path.is_dir() and not path.name.startswith("."))
    odd = sorted({path.name for path in (root / split).glob("*") if path.is_dir()} - set(names))
    if odd:
        raise DataError(f"{root / split}: must have classes of train only. Received: {odd[0]!r}")
    found = [
        (path, label)
        for label, name in enumerate(names, start=1)
        for path in sorted((root / split / name).glob("*"))
        if path.is_file() and not path.name.startswith(".")
    ]
    if not found:
        raise DataError(f"{root}: must hold records {split}-* or images {split}/<class>/<image>. Received: none")
    if split == "train":
        found = [found[place] for place in np.random.default_rng(_SEED).permutation(len(found))]
    return found


def _count(root: Path, split: str) -> int:
    from regbench.datasets import tfrecord

    records = _records(root, split)
    return sum(map(tfrecord.count, records)) if records else len(_images(root, split))


def _encoded(root: Path, split: str) -> Iterator[Encoded]:
    from regbench.datasets import tfrecord

    if not (records := _records(root, split)):
        for path, label in _images(root, split):
            yield Encoded(path.read_bytes(), label, str(path))
        return
    for path in records:
        for number, example in enumerate(tfrecord.examples(path)):
            content, number_of_class = example.get("image/encoded", b""), example.get("image/class/label", -1)
            if not isinstance(content, bytes) or not isinstance(number_of_class, int):
                raise DataError(f"{path}: record {number} must have image/encoded and image/class/label")
            yield Encoded(content, number_of_class, f"{path}: record {number}")


def _decode(encoded: Encoded) -> np.ndarray:
    """The middle of an image that is scaled to a shorter side of 256."""
    import numpy as np
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what can be read all the same
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            # Other formats must not be tried, whatever is in the file: some start another program (EPS Ghostscript).
            with Image.open(io.BytesIO(encoded.content), formats=_FORMATS) as image:
                pixels = np.asarray(image.convert("RGB"))
        except (
            Image.DecompressionBombError,
            Image.DecompressionBombWarning,
            OSError,
            SyntaxError,
            ValueError,
        ) as error:
            raise DataError(f"{encoded.place}: must be an image. Received: {' '.join(str(error).split())}") from error
    return middle(pixels)


def middle(pixels: np.ndarray) -> np.ndarray:
    """Scale an image (height, width, 3) to a shorter side of 256 and cut out its middle, uint8 (256, 256, 3)."""
    import numpy as np

    scale = np.float32(SIDE) / np.float32(min(pixels.shape[:2]))
    for axis, side in enumerate(pixels.shape[:2]):
        length = int(np.round(scale * np.float32(side)))
        places = (np.arange(SIDE) + (length - SIDE) // 2).astype(np.float32) * (np.float32(side) / np.float32(length))
        lower = np.floor(places).astype(int)
        upper = np.minimum(lower + 1, side - 1)
        shares = (places - lower).reshape([-1] + [1] * (2 - axis))
        start = pixels.take(lower, axis).astype(np.float32)
        pixels = start + (pixels.take(upper, axis) - start) * shares
    return np.rint(pixels).astype(np.uint8)
