"""CIFAR-100: 60,000 small colour photographs of 100 classes."""

from pathlib import Path

from regbench.datasets.dataset import DataFile, Dataset, Download, RawData

# Size and SHA-256: TensorFlow Datasets, url_checksums/cifar100.txt. The first address leads to the second today.
_ARCHIVE = Download(
    name="cifar-100-binary.tar.gz",
    urls=(
        "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
        "https://cave.cs.toronto.edu/kriz/cifar-100-binary.tar.gz",
    ),
    size=168_513_733,
    sha256="58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
)
_RECORD_BYTES = 3_074

DATASET = Dataset(
    name="cifar100",
    summary="Small photographs, 32 x 32 pixels in colour, 100 classes (the fine labels)",
    source='Krizhevsky 2009, "Learning multiple layers of features from tiny images"',
    classes=100,
    input_shape=(32, 32, 3),
    train_size=50_000,
    test_size=10_000,
    validation_size=10_000,
    preprocessing="standardize",
    augmentation="cifar",
    folder="cifar-100",
    # SHA-256 of the files in the archive: torchvision-ruby, lib/torchvision/datasets/cifar100.rb.
    files=(
        DataFile(
            "train.bin",
            50_000 * _RECORD_BYTES,
            "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29",
            _ARCHIVE,
        ),
        DataFile(
            "test.bin",
            10_000 * _RECORD_BYTES,
            "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a",
            _ARCHIVE,
        ),
    ),
)


def read(dataset: Dataset, folder: Path) -> RawData:
    """Read the binary files; images are uint8 of shape (n, 32, 32, 3), the label is the fine one."""
    from regbench.datasets import binary

    # Two label bytes: the coarse label (of 20), then the fine one.
    return binary.read_dataset(dataset, folder, binary.Layout(label_bytes=2, channels_first=True))
