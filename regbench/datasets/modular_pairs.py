"""All pairs of numbers and their sum modulo 31: what a network learns of some pairs, it need not know of the others."""

from pathlib import Path

from regbench.datasets.dataset import Dataset, RawData

MODULUS = 31
_SEED = 0

DATASET = Dataset(
    name="modular_pairs",
    summary=f"Pairs of numbers below {MODULUS}, 31 classes: their sum modulo {MODULUS}; generated",
    source="Power et al. 2022, Grokking: generalization beyond overfitting on small algorithmic datasets, arXiv "
    "2201.02177",
    classes=MODULUS,
    input_shape=(2, MODULUS),
    train_size=576,
    test_size=192,
    validation_size=193,
    preprocessing="none",
    augmentation="none",
)


def read(dataset: Dataset, folder: Path) -> RawData:
    """Make the data, float32 of shape (n, 2, 31): each number as one 1 among 31 values; there are no files.

    Of the 961 pairs, in an order drawn once, the first 576 train; of the other 385 every second one, from the first on,
    validates, and the rest tests.
    """
    import numpy as np

    pairs = np.stack(np.divmod(np.arange(MODULUS**2), MODULUS), axis=1)
    # The legacy generator on purpose: its stream is frozen, so the split is the same with every version of NumPy.
    order = np.random.RandomState(_SEED).permutation(len(pairs))
    train, others = order[: dataset.train_size], order[dataset.train_size :]
    inputs = np.eye(MODULUS, dtype=np.float32)[pairs]
    sums = (pairs.sum(axis=1) % MODULUS).astype(np.int32)
    train_data, test_data, validation_data = (
        (inputs[chosen], sums[chosen]) for chosen in (train, others[1::2], others[::2])
    )
    return RawData(*train_data, *test_data, *validation_data)
