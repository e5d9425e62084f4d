"""The records of the data sets, and the way to them by name."""

import subprocess
import sys
from urllib.parse import urlsplit

import numpy as np
import pytest

from regbench import datasets
from regbench.datasets.dataset import Dataset, RawData
from regbench.errors import DataError, UnknownNameError

ALL = [datasets.get(name) for name in datasets.names()]
OWN = [dataset for dataset in ALL if dataset.name in ("imagenet", "silhouettes", "tolstoi")]
WITH_FILES = [dataset for dataset in ALL if dataset.files and dataset not in OWN]


def test_all_data_sets_are_there() -> None:
    assert datasets.names() == (
        "blank",
        "cifar10",
        "cifar100",
        "diabetes",
        "digits",
        "fmnist",
        "heavy_tailed",
        "imagenet",
        "low_rank",
        "markov_text",
        "mnist",
        "mnist1d",
        "modular_pairs",
        "parity",
        "quadratic",
        "silhouettes",
        "svhn",
        "tolstoi",
        "two_d",
    )


def test_unknown_name_suggests_the_closest_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"no data set `cifar`\. Did you mean `cifar10`"):
        datasets.get("cifar")


def test_the_package_imports_without_heavy_libraries() -> None:
    code = (
        "import sys, regbench.datasets as d; d.names(); d.status(['mnist', 'digits'])\n"
        "print(sorted({'numpy', 'scipy', 'sklearn', 'tensorflow', 'pandas'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("dataset", ALL, ids=lambda dataset: dataset.name)
def test_record_is_complete(dataset: Dataset) -> None:
    assert dataset.summary
    assert dataset.source
    sizes = dataset.train_size, dataset.test_size, dataset.validation_size
    assert sizes == (0, 0, 0) if dataset.name == "silhouettes" else min(sizes) > 0
    assert bool(dataset.folder or dataset.name == "imagenet") == bool(dataset.files)


@pytest.mark.parametrize("dataset", WITH_FILES, ids=lambda dataset: dataset.name)
def test_file_sizes_follow_from_the_numbers_of_samples(dataset: Dataset) -> None:
    sample_bytes = int(np.prod(dataset.input_shape))
    samples = dataset.train_size + dataset.test_size
    if dataset.input_shape[-1] == 1:
        # Two idx files each of images (header of 16 bytes) and labels (8 bytes).
        expected = samples * (sample_bytes + 1) + 2 * (16 + 8)
    else:
        # CIFAR-100 has a coarse label too.
        expected = samples * (sample_bytes + (2 if dataset.classes == 100 else 1))
    assert sum(file.size for file in dataset.files) == expected


@pytest.mark.parametrize("dataset", WITH_FILES, ids=lambda dataset: dataset.name)
def test_every_download_has_addresses_and_a_checksum(dataset: Dataset) -> None:
    for record in {file.download for file in dataset.files}:
        assert record.size > 0
        assert len(bytes.fromhex(record.sha256)) == 32
        assert record.urls
        for url in record.urls:
            assert urlsplit(url).scheme in ("http", "https")
            assert url.endswith("/" + record.name)
    for file in dataset.files:
        assert file.sha256 is None or len(bytes.fromhex(file.sha256)) == 32


def test_deepobs_validation_splits_have_the_size_of_the_test_set() -> None:
    # DeepOBS 1.2: train_eval_size, which is also the size of the validation split, is that of the test set.
    for dataset in WITH_FILES:
        assert dataset.validation_size == dataset.test_size


def test_digest_tells_contents_shapes_and_types_apart() -> None:
    def digest(inputs: np.ndarray) -> str:
        targets = np.zeros(2, np.int32)
        return RawData(inputs, targets, inputs, targets).digest

    inputs = np.arange(8, dtype=np.uint8).reshape(2, 4)
    changed = inputs.copy()
    changed[1, 3] += 1
    digests = {digest(inputs), digest(changed), digest(inputs.reshape(2, 2, 2)), digest(inputs.astype(np.int8))}
    assert len(digests) == 4


def test_digest_is_the_same_for_every_memory_layout() -> None:
    targets = np.arange(3, dtype=np.int32)
    inputs = np.arange(12, dtype=np.float32).reshape(3, 4)
    other = RawData(np.asfortranarray(inputs), targets.astype(">i4"), inputs.astype(">f4"), targets)
    assert other.digest == RawData(inputs, targets, inputs, targets).digest


def test_digest_sees_whether_there_is_a_validation_split() -> None:
    inputs, targets = np.zeros((2, 3), np.float32), np.zeros(2, np.int32)
    assert RawData(inputs, targets, inputs, targets).digest != RawData(*[inputs, targets] * 3).digest


def test_data_without_files_need_no_folder() -> None:
    with pytest.raises(DataError, match="has no files"):
        datasets.locate("quadratic")
