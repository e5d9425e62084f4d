"""MNIST: 70,000 handwritten digits."""

from pathlib import Path

from regbench.datasets.dataset import DataFile, Dataset, Download, RawData

# The original host answers no longer; these two hold the same bytes.
_URLS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")


def _file(name: str, size: int, sha256: str, download_size: int, download_sha256: str) -> DataFile:
    urls = tuple(url + name for url in _URLS)
    return DataFile(name, size, sha256, Download(name, urls, download_size, download_sha256))


DATASET = Dataset(
    name="mnist",
    summary="Handwritten digits, 28 x 28 grey values, 10 classes",
    source='LeCun, Bottou, Bengio and Haffner 1998, "Gradient-based learning applied to document recognition"',
    classes=10,
    input_shape=(28, 28, 1),
    train_size=60_000,
    test_size=10_000,
    validation_size=10_000,
    preprocessing="unit",
    augmentation="none",
    folder="mnist",
    # Sizes and SHA-256 of the packed files: TensorFlow Datasets, url_checksums/mnist.txt. SHA-256 of the unpacked
    # content: computed, and found the same in several public copies.
    files=(
        _file(
            "train-images-idx3-ubyte.gz",
            47_040_016,
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            9_912_422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        _file(
            "train-labels-idx1-ubyte.gz",
            60_008,
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            28_881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        _file(
            "t10k-images-idx3-ubyte.gz",
            7_840_016,
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            1_648_877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        _file(
            "t10k-labels-idx1-ubyte.gz",
            10_008,
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            4_542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
)


def read(dataset: Dataset, folder: Path) -> RawData:
    """Read the four idx files; images are uint8 of shape (n, 28, 28, 1)."""
    from regbench.datasets import idx

    return idx.read_dataset(dataset, folder)
