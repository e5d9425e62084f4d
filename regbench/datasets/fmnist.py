"""Fashion-MNIST: 70,000 pictures of clothes, in the format of MNIST."""

from pathlib import Path

from regbench.datasets.dataset import DataFile, Dataset, Download, RawData

# The official address, then the official repository, which holds the same bytes.
_URLS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
)


def _file(name: str, size: int, download_size: int, download_sha256: str) -> DataFile:
    # Nobody publishes checksums of the unpacked content; `verify` compares the packed files.
    urls = tuple(url + name for url in _URLS)
    return DataFile(name, size, None, Download(name, urls, download_size, download_sha256))


DATASET = Dataset(
    name="fmnist",
    summary="Fashion-MNIST: pictures of clothes, 28 x 28 grey values, 10 classes",
    source='Xiao, Rasul and Vollgraf 2017, "Fashion-MNIST", arXiv 1708.07747',
    classes=10,
    input_shape=(28, 28, 1),
    train_size=60_000,
    test_size=10_000,
    validation_size=10_000,
    preprocessing="unit",
    augmentation="none",
    folder="fmnist",
    # Sizes and SHA-256 of the packed files: TensorFlow Datasets, url_checksums/fashion_mnist.txt. (The first release
    # of 2017 had other files, replaced soon after.)
    files=(
        _file(
            "train-images-idx3-ubyte.gz",
            47_040_016,
            26_421_880,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        _file(
            "train-labels-idx1-ubyte.gz",
            60_008,
            29_515,
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        _file(
            "t10k-images-idx3-ubyte.gz",
            7_840_016,
            4_422_102,
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        _file(
            "t10k-labels-idx1-ubyte.gz",
            10_008,
            5_148,
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ),
)


def read(dataset: Dataset, folder: Path) -> RawData:
    """Read the four idx files; images are uint8 of shape (n, 28, 28, 1)."""
    from regbench.datasets import idx

    return idx.read_dataset(dataset, folder)
