"""The reader of CIFAR's and SVHN's binary files: what it reads and what it refuses."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regbench import datasets
from regbench.datasets import cifar10, cifar100, svhn
from regbench.datasets.dataset import DataFile, Dataset
from regbench.errors import DataError

# Two training files of 2 and 1 records, one test file of 1 record.
COUNTS = {"first.bin": 2, "second.bin": 1, "test.bin": 1}
LABEL_BYTES = {"cifar10": 1, "cifar100": 2, "svhn": 1}
MODULES = {"cifar10": cifar10, "cifar100": cifar100, "svhn": svhn}

fuzzing = settings(max_examples=100, database=None, suppress_health_check=list(HealthCheck))


def small(name: str) -> Dataset:
    """The data set with the three files."""
    dataset = datasets.get(name)
    record_bytes = 3072 + LABEL_BYTES[name]
    files = [DataFile(file, count * record_bytes, None, dataset.files[0].download) for file, count in COUNTS.items()]
    return replace(dataset, train_size=3, test_size=1, files=tuple(files))


def record(name: str, label: int, image: np.ndarray) -> bytes:
    """One record, written value by value as the formats' descriptions say."""
    header = bytes([label % 20, label]) if name == "cifar100" else bytes([label])
    rows, columns, channels = range(32), range(32), range(3)
    if name == "svhn":
        values = [image[row, column, channel] for row in rows for column in columns for channel in channels]
    else:
        values = [image[row, column, channel] for channel in channels for row in rows for column in columns]
    return header + bytes(values)


def write_files(folder: Path, name: str) -> tuple[np.ndarray, list[int]]:
    images = np.random.default_rng(1).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    labels = [7, 0, datasets.get(name).classes - 1, 3]
    records = [record(name, label, image) for label, image in zip(labels, images, strict=True)]
    for file, part in (("first.bin", records[:2]), ("second.bin", records[2:3]), ("test.bin", records[3:])):
        (folder / file).write_bytes(b"".join(part))
    return images, labels


@pytest.mark.parametrize("name", MODULES)
def test_records_become_images_and_labels(tmp_path: Path, name: str) -> None:
    images, labels = write_files(tmp_path, name)
    data = MODULES[name].read(small(name), tmp_path)
    np.testing.assert_array_equal(data.train_inputs, images[:3])
    np.testing.assert_array_equal(data.test_inputs, images[3:])
    assert data.train_inputs.dtype == np.uint8
    assert data.train_targets.dtype == np.int32
    assert data.train_targets.tolist() == labels[:3]
    assert data.test_targets.tolist() == labels[3:]
    assert data.validation_inputs is None


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("change", [-3073, -1, 1, 3073])
def test_file_of_a_wrong_size_is_refused(tmp_path: Path, name: str, change: int) -> None:
    write_files(tmp_path, name)
    path = tmp_path / "second.bin"
    content = path.read_bytes()
    path.write_bytes(content[:change] if change < 0 else content + bytes(change))
    came = "more" if change > 0 else f"{len(content) + change} bytes"
    with pytest.raises(DataError, match=f"second.bin: must hold 1 records of .* bytes.* Received: {came}$"):
        MODULES[name].read(small(name), tmp_path)


@pytest.mark.parametrize(("name", "label"), [("cifar10", 10), ("cifar100", 100), ("svhn", 10)])
def test_label_out_of_range_is_refused(tmp_path: Path, name: str, label: int) -> None:
    write_files(tmp_path, name)
    path = tmp_path / "first.bin"
    content = bytearray(path.read_bytes())
    content[len(content) // 2 + LABEL_BYTES[name] - 1] = label
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"labels must be in 0\.\.{label - 1}\. Received: {label} in record 1"):
        MODULES[name].read(small(name), tmp_path)


def test_missing_file_is_a_data_error(tmp_path: Path) -> None:
    write_files(tmp_path, "cifar10")
    (tmp_path / "second.bin").unlink()
    with pytest.raises(DataError, match=r"second\.bin: must be readable"):
        cifar10.read(small("cifar10"), tmp_path)


@fuzzing
@given(content=st.binary(max_size=50), repeats=st.integers(0, 140), name=st.sampled_from(sorted(MODULES)))
def test_arbitrary_bytes_raise_nothing_but_a_data_error(
    tmp_path: Path, content: bytes, repeats: int, name: str
) -> None:
    write_files(tmp_path, name)
    (tmp_path / "first.bin").write_bytes(content * repeats)
    try:
        data = MODULES[name].read(small(name), tmp_path)
    except DataError:
        return
    assert len(content) * repeats == 2 * (3072 + LABEL_BYTES[name])
    assert data.train_targets.max() < datasets.get(name).classes


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_files_of_full_size_are_read(tmp_path: Path, name: str) -> None:
    dataset = datasets.get(name)
    (tmp_path / dataset.folder).mkdir()
    for file in dataset.files:
        with (tmp_path / dataset.folder / file.name).open("wb") as stream:
            stream.truncate(file.size)
    data = datasets.load(name, tmp_path)
    assert data.train_inputs.shape == (dataset.train_size, 32, 32, 3)
    assert data.test_inputs.shape == (dataset.test_size, 32, 32, 3)
    assert data.train_targets.shape == (dataset.train_size,)
