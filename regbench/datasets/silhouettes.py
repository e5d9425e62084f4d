"""Images of one's own: a folder of files for each class, for training, validation and test."""

from pathlib import Path

from regbench.datasets.dataset import DataFile, Dataset, RawData

_SPLITS = ("train", "valid", "test")

DATASET = Dataset(
    name="silhouettes",
    summary="Images of your own, resized to 200 x 200: folders {train,valid,test}/<class>/ with image files",
    source="form and classes (20 + 10): Feinman and Lake 2019, arXiv 1903.01882; the images are not published",
    classes=30,
    input_shape=(200, 200, 3),
    train_size=0,
    test_size=0,
    validation_size=0,
    preprocessing="unit",
    augmentation="silhouettes",
    folder="silhouettes",
    files=tuple(DataFile(f"{split}/") for split in _SPLITS),
)


def read(dataset: Dataset, folder: Path) -> RawData:
    """Read `<split>/<class>/<image>`; images are uint8 of shape (n, 200, 200, 3).

    Classes are numbered in the order of the names of their folders, images come in the order of their names.

    Raises:
        DataError: the splits do not have the same classes, a class has no images, or a file is no image.
    """
    from regbench.datasets.own import images

    classes = images.class_folders(folder / "train")
    for split in _SPLITS:
        images.check_classes(folder, split, images.class_folders(folder / split), classes)
    train, valid, test = (images.read_split(folder / split, classes, dataset.input_shape) for split in _SPLITS)
    return RawData(*train, *test, *valid)
