"""The binary format of CIFAR, and of SVHN as DeepOBS stores it: records of some label bytes and an image, no header."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from regbench.datasets.content import read_content
from regbench.datasets.dataset import DataFile, Dataset, RawData
from regbench.errors import DataError


@dataclass(frozen=True)
class Layout:
    """How a record is laid out.

    Attributes:
        label_bytes: in front of the image; the last of them is the label that counts.
        channels_first: the image is stored channel after channel, else pixel after pixel.
    """

    label_bytes: int
    channels_first: bool


def read_dataset(dataset: Dataset, folder: Path, layout: Layout) -> RawData:
    """Read a data set of record files, of which the last one holds the test samples and the others training samples."""
    *train_files, test_file = dataset.files
    train_inputs, train_targets = read_records(folder, train_files, dataset, layout)
    test_inputs, test_targets = read_records(folder, [test_file], dataset, layout)
    return RawData(train_inputs, train_targets, test_inputs, test_targets)


def read_records(
    folder: Path, files: list[DataFile], dataset: Dataset, layout: Layout
) -> tuple[np.ndarray, np.ndarray]:
    """Return the images, uint8 of shape (n, height, width, channels), and the labels, int32 of shape (n,).

    Raises:
        DataError: a file has another size than it must have, or a label is out of range.
    """
    height, width, channels = dataset.input_shape
    record_bytes = layout.label_bytes + height * width * channels
    counts = [file.size // record_bytes for file in files]
    images = np.empty((sum(counts), height, width, channels), np.uint8)
    labels = np.empty(sum(counts), np.int32)
    start = 0
    for file, count in zip(files, counts, strict=True):
        records = _read_file(folder / file.name, count, record_bytes)
        stop = start + count
        labels[start:stop] = _labels(folder / file.name, records[:, layout.label_bytes - 1], dataset.classes)
        pixels = records[:, layout.label_bytes :]
        if layout.channels_first:
            images[start:stop] = pixels.reshape(count, channels, height, width).transpose(0, 2, 3, 1)
        else:
            images[start:stop] = pixels.reshape(count, height, width, channels)
        start = stop
    return images, labels


def _read_file(path: Path, count: int, record_bytes: int) -> np.ndarray:
    size = count * record_bytes
    content = read_content(path, limit=size)
    if len(content) != size:
        came = f"{len(content)} bytes" if len(content) < size else "more"
        raise DataError(f"{path}: must hold {count} records of {record_bytes} bytes, {size} in all. Received: {came}")
    return np.frombuffer(content, np.uint8).reshape(count, record_bytes)


def _labels(path: Path, labels: np.ndarray, classes: int) -> np.ndarray:
    if labels.size and labels.max() >= classes:
        record = int(np.argmax(labels >= classes))
        raise DataError(f"{path}: labels must be in 0..{classes - 1}. Received: {labels[record]} in record {record}")
    return labels
