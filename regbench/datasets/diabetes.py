"""Measurements of patients, and how far a disease was a year later: regression on a small table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from regbench.datasets.dataset import Dataset, RawData

if TYPE_CHECKING:
    import numpy as np

_SEED = 0

DATASET = Dataset(
    name="diabetes",
    summary="Ten measurements of 442 patients, and the progress of diabetes a year later; comes with scikit-learn",
    source="Efron, Hastie, Johnstone and Tibshirani 2004, Least angle regression, Annals of Statistics 32",
    classes=0,
    input_shape=(10,),
    train_size=264,
    test_size=89,
    validation_size=89,
    preprocessing="none",
    augmentation="none",
)


def read(dataset: Dataset, folder: Path) -> RawData:
    """Read the table, float32 of shape (n, 10); split by an order that was drawn once.

    Inputs and targets have mean 0 and deviation 1 over the training part.
    """
    import numpy as np
    from sklearn.datasets import load_diabetes

    table = load_diabetes(scaled=False)
    # The legacy generator on purpose: its stream is frozen, so the split is the same with every version of NumPy.
    order = np.random.RandomState(_SEED).permutation(len(table.target))
    ends = [dataset.train_size, dataset.train_size + dataset.test_size]
    values, targets = (_standardized(array[order], dataset.train_size) for array in (table.data, table.target))
    train, test, validation = zip(np.split(values, ends), np.split(targets, ends), strict=True)
    return RawData(*train, *test, *validation)


def _standardized(array: np.ndarray, train_size: int) -> np.ndarray:
    train = array[:train_size]
    result: np.ndarray = ((array - train.mean(axis=0)) / train.std(axis=0)).astype("float32")
    return result
