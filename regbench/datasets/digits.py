"""The small handwritten digits that come with scikit-learn: real data at no cost, for examples and tests."""

from pathlib import Path

from regbench.datasets.dataset import Dataset, RawData

_SPLIT_SEED = 42
_HELD_OUT_PER_CLASS = 30

DATASET = Dataset(
    name="digits",
    summary="Small handwritten digits, 8 x 8 grey values, 10 classes; comes with scikit-learn",
    source='Alpaydin and Kaynak 1998, "Optical recognition of handwritten digits", UCI Machine Learning Repository',
    classes=10,
    input_shape=(8, 8, 1),
    train_size=1_197,
    test_size=300,
    validation_size=300,
    preprocessing="none",
    augmentation="none",
)


def read(dataset: Dataset, folder: Path) -> RawData:
    """Return the 1,797 digits, float32 of shape (n, 8, 8, 1): the grey values 0..16 divided by 16, so within 0..1.

    The split is ours and fixed: of every class 30 random digits are test data, 30 others validation data, the rest
    (114 to 123 of a class) training data. Within a split the order is scikit-learn's.
    """
    import numpy as np
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = (digits.images[..., None] / 16).astype(np.float32)
    labels = digits.target.astype(np.int32)
    # The legacy generator on purpose: its stream is frozen, so the split is the same with every version of NumPy.
    generator = np.random.RandomState(_SPLIT_SEED)
    places = np.empty(len(labels), np.int64)
    for label in range(dataset.classes):
        members = generator.permutation(np.flatnonzero(labels == label))
        places[members] = np.arange(len(members))
    is_test = places < _HELD_OUT_PER_CLASS
    is_validation = ~is_test & (places < 2 * _HELD_OUT_PER_CLASS)
    is_train = ~is_test & ~is_validation
    return RawData(
        train_inputs=images[is_train],
        train_targets=labels[is_train],
        test_inputs=images[is_test],
        test_targets=labels[is_test],
        validation_inputs=images[is_validation],
        validation_targets=labels[is_validation],
    )
