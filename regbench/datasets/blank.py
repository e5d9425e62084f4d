"""Samples without content, for losses that depend on the weights alone."""

from pathlib import Path

from regbench.datasets.dataset import Dataset, RawData

DATASET = Dataset(
    name="blank",
    summary="Samples without content, for losses without noise: with a batch size of 1 an epoch is 100 steps",
    source="ours",
    classes=0,
    input_shape=(1,),
    train_size=100,
    test_size=1,
    validation_size=1,
    preprocessing="none",
    augmentation="none",
    target_shape=(0,),
)


def read(dataset: Dataset, folder: Path) -> RawData:
    """Return zeros, float32 of shape (n, 1); there are no targets and no files."""
    import numpy as np

    def blank(count: int) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros((count, *dataset.input_shape), np.float32), np.empty((count, 0), np.float32)

    train, test, validation = map(blank, (dataset.train_size, dataset.test_size, dataset.validation_size))
    return RawData(*train, *test, *validation)
