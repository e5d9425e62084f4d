"""SVHN: house numbers, cropped to single digits, in the binary files that DeepOBS makes of the published ones."""

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from regbench.datasets.dataset import DataFile, Dataset, Download, RawData
from regbench.errors import DataError

# Sizes and SHA-256: TensorFlow Datasets, url_checksums/svhn_cropped.txt.
_TRAIN = Download(
    name="train_32x32.mat",
    urls=("http://ufldl.stanford.edu/housenumbers/train_32x32.mat",),
    size=182_040_794,
    sha256="435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
)
_TEST = Download(
    name="test_32x32.mat",
    urls=("http://ufldl.stanford.edu/housenumbers/test_32x32.mat",),
    size=64_275_384,
    sha256="cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
)
_RECORD_BYTES = 3_073

DATASET = Dataset(
    name="svhn",
    summary="House numbers cropped to single digits, 32 x 32 pixels in colour, 10 classes",
    source='Netzer et al. 2011, "Reading digits in natural images with unsupervised feature learning"',
    classes=10,
    input_shape=(32, 32, 3),
    # DeepOBS stops after 64,000 of the 73,257 published training images.
    train_size=64_000,
    test_size=26_032,
    validation_size=26_032,
    preprocessing="standardize",
    augmentation="svhn",
    folder="svhn",
    # Nobody publishes checksums of the converted files.
    train_files=5,
    files=(
        *(DataFile(f"data_batch_{i}.bin", 12_800 * _RECORD_BYTES, None, _TRAIN) for i in range(5)),
        DataFile("test_batch.bin", 26_032 * _RECORD_BYTES, None, _TEST),
    ),
)


def read(dataset: Dataset, folder: Path) -> RawData:
    """Read the binary files; images are uint8 of shape (n, 32, 32, 3)."""
    from regbench.datasets import binary

    return binary.read_dataset(dataset, folder, binary.Layout(label_bytes=1, channels_first=False))


def convert(matlab_file: Path, files: Sequence[DataFile]) -> Iterator[tuple[DataFile, bytes]]:
    """Yield the content of the binary files that come out of one published file.

    The checksum of the file must have been compared before, as `fetch` does: SciPy's reader may crash on damaged files.

    Args:
        matlab_file: with `X`, uint8 of shape (32, 32, 3, n), and `y`, the labels 1..10, where 10 is the digit 0.
        files: all binary files that come from it, in order; images beyond the last one are left out.

    Raises:
        DataError: the file holds anything else.
    """
    import numpy as np
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        variables = loadmat(matlab_file, variable_names=["X", "y"])
        images, labels = variables["X"], variables["y"].ravel()
    except (OSError, ValueError, TypeError, LookupError, NotImplementedError, MatReadError, zlib.error) as error:
        raise DataError(f"{matlab_file}: must be a MATLAB file with X and y. Received: {error}") from error
    count = sum(file.size for file in files) // _RECORD_BYTES
    if images.dtype != np.uint8 or images.shape != (32, 32, 3, len(labels)) or len(labels) < count:
        raise DataError(
            f"{matlab_file}: X must be uint8 of shape (32, 32, 3, n), with n labels and n at least {count}. "
            f"Received: {images.dtype} of shape {images.shape}, {len(labels)} labels"
        )
    if labels.min() < 1 or labels.max() > 10:
        raise DataError(f"{matlab_file}: labels must be in 1..10. Received: {labels.min()}..{labels.max()}")
    start = 0
    for file in files:
        stop = start + file.size // _RECORD_BYTES
        digits = (labels[start:stop] % 10).astype(np.uint8)
        pixels = images[..., start:stop].transpose(3, 0, 1, 2).reshape(stop - start, -1)
        yield file, np.concatenate([digits[:, None], pixels], axis=1).tobytes()
        start = stop
