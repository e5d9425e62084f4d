"""CIFAR-10: 60,000 small colour photographs of 10 classes."""

from pathlib import Path

from regbench.datasets.dataset import DataFile, Dataset, Download, RawData

# Size and SHA-256: TensorFlow Datasets, url_checksums/cifar10.txt. The first address leads to the second today.
_ARCHIVE = Download(
    name="cifar-10-binary.tar.gz",
    urls=(
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        "https://cave.cs.toronto.edu/kriz/cifar-10-binary.tar.gz",
    ),
    size=170_052_171,
    sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
)
_FILE_BYTES = 10_000 * 3_073

DATASET = Dataset(
    name="cifar10",
    summary="Small photographs, 32 x 32 pixels in colour, 10 classes",
    source='Krizhevsky 2009, "Learning multiple layers of features from tiny images"',
    classes=10,
    input_shape=(32, 32, 3),
    train_size=50_000,
    test_size=10_000,
    validation_size=10_000,
    preprocessing="standardize",
    augmentation="cifar",
    folder="cifar-10",
    train_files=5,
    # SHA-256 of the files in the archive: torchvision-ruby, lib/torchvision/datasets/cifar10.rb.
    files=tuple(
        DataFile(name, _FILE_BYTES, sha256, _ARCHIVE)
        for name, sha256 in (
            ("data_batch_1.bin", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
            ("data_batch_2.bin", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
            ("data_batch_3.bin", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
            ("data_batch_4.bin", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
            ("data_batch_5.bin", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
            ("test_batch.bin", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
        )
    ),
)


def read(dataset: Dataset, folder: Path) -> RawData:
    """Read the binary files; images are uint8 of shape (n, 32, 32, 3)."""
    from regbench.datasets import binary

    return binary.read_dataset(dataset, folder, binary.Layout(label_bytes=1, channels_first=True))
