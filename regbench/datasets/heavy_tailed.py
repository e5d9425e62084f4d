"""Classes of which few are frequent and most are rare, as words are."""

from pathlib import Path

from regbench.datasets.dataset import Dataset, RawData

CLASSES = 256
_WIDTH = 64
_NOISE = 2.0  # deviation around the mean of a class; means are normal with deviation 1
_SEED = 0

DATASET = Dataset(
    name="heavy_tailed",
    summary=f"{_WIDTH} values around the mean of one of {CLASSES} classes, class k as often as 1/k; generated",
    source="ours; after Kunstner et al. 2024, Heavy-tailed class imbalance and why Adam outperforms gradient "
    "descent on language models, arXiv 2402.19449",
    classes=CLASSES,
    input_shape=(_WIDTH,),
    train_size=8_192,
    test_size=4_096,
    validation_size=4_096,
    preprocessing="none",
    augmentation="none",
)


def read(dataset: Dataset, folder: Path) -> RawData:
    """Draw the data, float32 of shape (n, 64); there are no files.

    Class k, counting from 1, has the probability 1 / (k H) with H = 1 + 1/2 + ... + 1/256 = 6.12. Inputs are the mean
    of the class plus normal noise, divided by the deviation of the whole.
    """
    import numpy as np

    # The legacy generator on purpose: its stream is frozen, so the data are the same with every version of NumPy.
    generator = np.random.RandomState(_SEED)
    means = generator.standard_normal((CLASSES, _WIDTH))
    share = 1 / np.arange(1, CLASSES + 1)
    ends = np.cumsum(share) / share.sum()
    parts = []
    for count in (dataset.train_size, dataset.test_size, dataset.validation_size):
        labels = np.searchsorted(ends[:-1], generator.random_sample(count), side="right").astype(np.int32)
        values = means[labels] + _NOISE * generator.standard_normal((count, _WIDTH))
        parts.append(((values / np.sqrt(1 + _NOISE**2)).astype(np.float32), labels))
    train, test, validation = parts
    return RawData(*train, *test, *validation)
