"""The idx reader: what it reads and what it refuses."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regbench import datasets
from regbench.datasets import idx
from regbench.errors import DataError

SHAPE = (3, 2, 1)
IMAGES = struct.pack(">IIII", 2051, 4, 3, 2) + bytes(range(24))
LABELS = struct.pack(">II", 2049, 4) + bytes([3, 0, 9, 1])

fuzzing = settings(max_examples=150, database=None, suppress_health_check=list(HealthCheck))


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_images_are_read_row_by_row(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, name, gzip.compress(IMAGES) if name.endswith(".gz") else IMAGES)
    images = idx.read_images(path, 4, SHAPE)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, np.arange(24).reshape(4, 3, 2, 1))


def test_labels_are_read_as_int32(tmp_path: Path) -> None:
    labels = idx.read_labels(write(tmp_path, "labels", LABELS), 4, 10)
    assert labels.dtype == np.int32
    assert labels.tolist() == [3, 0, 9, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "16 header bytes. Received: 0 bytes"),
        (IMAGES[:15], "16 header bytes. Received: 15 bytes"),
        (LABELS + bytes(20), "must be 2051. Received: 2049"),
        (IMAGES[::-1], "must be 2051. Received: "),
        (struct.pack(">IIII", 2051, 5, 3, 2) + bytes(30), r"announce \[4, 3, 2\] values. Received: \[5, 3, 2\]"),
        (struct.pack(">IIII", 2051, 4, 2, 3) + bytes(24), r"announce \[4, 3, 2\] values. Received: \[4, 2, 3\]"),
        (IMAGES[:-1], r"must hold 40 bytes \(unpacked\). Received: 39 bytes"),
        (IMAGES + b"\0", r"must hold 40 bytes \(unpacked\). Received: more"),
    ],
)
@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_damaged_images_are_refused_in_one_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = write(tmp_path, name, gzip.compress(content) if name.endswith(".gz") else content)
    with pytest.raises(DataError, match=message) as caught:
        idx.read_images(path, 4, SHAPE)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_label_out_of_range_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels must be in 0\.\.8\. Received: 9"):
        idx.read_labels(write(tmp_path, "labels", LABELS), 4, 9)


@pytest.mark.parametrize("kept", [0, 3, 9, 20, -9, -1])
def test_cut_gzip_file_is_refused(tmp_path: Path, kept: int) -> None:
    path = write(tmp_path, "images.gz", gzip.compress(IMAGES)[:kept])
    # An empty file is a whole gzip stream of nothing.
    message = "whole gzip file" if kept else "Received: 0 bytes"
    with pytest.raises(DataError, match=message):
        idx.read_images(path, 4, SHAPE)


def test_gzip_file_with_a_flipped_bit_is_refused(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(IMAGES))
    packed[-8] ^= 1  # the first byte of the CRC
    with pytest.raises(DataError, match=r"whole gzip file\. Received: CRC check failed"):
        idx.read_images(write(tmp_path, "images.gz", bytes(packed)), 4, SHAPE)


def test_file_that_is_no_gzip_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"whole gzip file\. Received: Not a gzipped file"):
        idx.read_images(write(tmp_path, "images.gz", IMAGES), 4, SHAPE)


def test_reading_ends_soon_after_the_expected_size(tmp_path: Path) -> None:
    # 64 MiB of zeros behind the images: what is read stays below the 16 header bytes, 24 values and one block of 1 MiB.
    path = write(tmp_path, "images.gz", gzip.compress(IMAGES + bytes(1 << 26)))
    content = idx.read_content(path, limit=40)
    assert 40 < len(content) <= 40 + (1 << 20)


def test_unreadable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must be readable\. Received: No such file"):
        idx.read_images(tmp_path / "images", 4, SHAPE)


@fuzzing
@given(content=st.binary(max_size=60), packed=st.booleans())
def test_arbitrary_bytes_raise_nothing_but_a_data_error(tmp_path: Path, content: bytes, packed: bool) -> None:
    path = write(tmp_path, "images.gz" if packed else "images", content)
    # An accident that hits the magic number, the header and the size is out of reach here.
    with pytest.raises(DataError):
        idx.read_images(path, 4, SHAPE)
    with pytest.raises(DataError):
        idx.read_labels(path, 4, 10)


@fuzzing
@given(position=st.integers(0, 10_000), value=st.integers(0, 255), cut=st.integers(0, 60), packed=st.booleans())
def test_a_file_with_one_wrong_byte_is_refused_or_read_as_it_is(
    tmp_path: Path, position: int, value: int, cut: int, packed: bool
) -> None:
    content = bytearray(gzip.compress(IMAGES, mtime=0) if packed else IMAGES)
    content[position % len(content)] = value
    path = write(tmp_path, "images.gz" if packed else "images", bytes(content[: max(len(content) - cut, 0)]))
    try:
        images = idx.read_images(path, 4, SHAPE)
    except DataError:
        return
    # Accepted: then only values may have changed, and behind gzip's checksum not even those.
    expected = IMAGES[16:] if packed else bytes(content[16:])
    assert images.tobytes() == expected


def test_data_set_is_read_from_packed_and_unpacked_files(tmp_path: Path, small_mnist: Callable) -> None:
    small = small_mnist()
    folder = tmp_path / "mnist"
    folder.mkdir()
    for number, (name, content) in enumerate(small.contents.items()):
        packed = number % 2 == 0
        write(folder, name if packed else name.removesuffix(".gz"), gzip.compress(content) if packed else content)
    data = datasets.load("mnist", tmp_path)
    assert data.train_inputs.shape == (6, 28, 28, 1)
    assert data.train_inputs.tobytes() == small.contents["train-images-idx3-ubyte.gz"][16:]
    assert data.test_inputs.tobytes() == small.contents["t10k-images-idx3-ubyte.gz"][16:]
    assert data.train_targets.tolist() == [0, 1, 2, 3, 4, 5]
    assert data.test_targets.tolist() == [0, 1, 2, 3]
    assert data.validation_inputs is None


def test_images_and_labels_of_different_number_are_refused(tmp_path: Path, small_mnist: Callable) -> None:
    small = small_mnist()
    (tmp_path / "mnist").mkdir()
    for name, content in small.published.items():
        write(tmp_path / "mnist", name, content)
    # The test labels in place of the training labels: 4 instead of 6.
    write(tmp_path / "mnist", "train-labels-idx1-ubyte.gz", small.published["t10k-labels-idx1-ubyte.gz"])
    with pytest.raises(DataError, match=r"announce \[6\] values. Received: \[4\]"):
        datasets.load("mnist", tmp_path)


@pytest.mark.parametrize("name", ["mnist", "fmnist"])
def test_files_of_full_size_are_read(tmp_path: Path, name: str) -> None:
    dataset = datasets.get(name)
    folder = tmp_path / dataset.folder
    folder.mkdir()
    for file, count in zip(dataset.files, (60_000, 60_000, 10_000, 10_000), strict=True):
        is_image = "images" in file.name
        header = struct.pack(">IIII", 2051, count, 28, 28) if is_image else struct.pack(">II", 2049, count)
        content = header + bytes(count * 784 if is_image else count)
        write(folder, file.name, gzip.compress(content, compresslevel=1))
    data = datasets.load(name, tmp_path)
    assert data.train_inputs.shape == (60_000, 28, 28, 1)
    assert data.test_targets.shape == (10_000,)
