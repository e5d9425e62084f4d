"""The idx format of MNIST and Fashion-MNIST.

Big-endian 32-bit integers, then one byte a value. Images: 2051, images, rows, columns. Labels: 2049, labels.
"""

from pathlib import Path

import numpy as np

from regbench.datasets.content import read_content
from regbench.datasets.dataset import DataFile, Dataset, RawData
from regbench.datasets.folders import find_file
from regbench.errors import DataError

_IMAGES_MAGIC = 2051
_LABELS_MAGIC = 2049


def read_dataset(dataset: Dataset, folder: Path) -> RawData:
    """Read a data set of four idx files: training images and labels, test images and labels."""
    train_images, train_labels, test_images, test_labels = (_path(folder, file) for file in dataset.files)
    return RawData(
        train_inputs=read_images(train_images, dataset.train_size, dataset.input_shape),
        train_targets=read_labels(train_labels, dataset.train_size, dataset.classes),
        test_inputs=read_images(test_images, dataset.test_size, dataset.input_shape),
        test_targets=read_labels(test_labels, dataset.test_size, dataset.classes),
    )


def read_images(path: Path, count: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return `count` grey images as uint8 of shape (count, rows, columns, 1).

    Args:
        path: idx file, packed if its name ends in `.gz`.
        count: how many images the file must hold.
        shape: (rows, columns, 1) that the images must have.

    Raises:
        DataError: the file holds anything else.
    """
    return _read_values(path, _IMAGES_MAGIC, (count, *shape[:2])).reshape(count, *shape)


def read_labels(path: Path, count: int, classes: int) -> np.ndarray:
    """Return `count` labels as int32 of shape (count,).

    Args:
        path: idx file, packed if its name ends in `.gz`.
        count: how many labels the file must hold.
        classes: the labels must be below this.

    Raises:
        DataError: the file holds anything else.
    """
    labels = _read_values(path, _LABELS_MAGIC, (count,))
    if labels.size and labels.max() >= classes:
        raise DataError(f"{path}: labels must be in 0..{classes - 1}. Received: {labels.max()}")
    return labels.astype(np.int32)


def _path(folder: Path, file: DataFile) -> Path:
    return find_file(folder, file) or folder / file.name


def _read_values(path: Path, magic: int, shape: tuple[int, ...]) -> np.ndarray:
    header_bytes = 4 * (1 + len(shape))
    size = header_bytes + int(np.prod(shape))
    content = read_content(path, limit=size)
    if len(content) < header_bytes:
        raise DataError(
            f"{path}: an idx file must begin with {header_bytes} header bytes. Received: {len(content)} bytes"
        )
    header = [int(value) for value in np.frombuffer(content, ">u4", count=1 + len(shape))]
    if header[0] != magic:
        raise DataError(f"{path}: the magic number of the idx file must be {magic}. Received: {header[0]}")
    if header[1:] != list(shape):
        raise DataError(f"{path}: the idx header must announce {list(shape)} values. Received: {header[1:]}")
    if len(content) != size:
        came = f"{len(content)} bytes" if len(content) < size else "more"
        raise DataError(f"{path}: must hold {size} bytes (unpacked). Received: {came}")
    return np.frombuffer(content, np.uint8, offset=header_bytes).reshape(shape)
