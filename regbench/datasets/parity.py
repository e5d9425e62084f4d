"""The parity of three of thirty bits: no bit alone tells anything."""

from pathlib import Path

from regbench.datasets.dataset import Dataset, RawData

BITS = 30
RELEVANT = (3, 11, 24)
_SEED = 0

DATASET = Dataset(
    name="parity",
    summary=f"{BITS} signs, 2 classes: the product of three of them; generated",
    source="Barak et al. 2022, Hidden progress in deep learning: SGD learns parities near the computational limit, "
    "arXiv 2207.08799",
    classes=2,
    input_shape=(BITS,),
    train_size=2_000,
    test_size=1_000,
    validation_size=1_000,
    preprocessing="none",
    augmentation="none",
)


def read(dataset: Dataset, folder: Path) -> RawData:
    """Draw the data, float32 of shape (n, 30) with values -1 and 1; there are no files.

    The class is 1 where the product of the signs at the places 3, 11 and 24 is 1.
    """
    import numpy as np

    generator = np.random.RandomState(_SEED)
    parts = []
    for count in (dataset.train_size, dataset.test_size, dataset.validation_size):
        signs = 2.0 * generator.randint(0, 2, (count, BITS)) - 1
        parts.append((signs.astype(np.float32), (signs[:, RELEVANT].prod(axis=1) > 0).astype(np.int32)))
    train, test, validation = parts
    return RawData(*train, *test, *validation)
