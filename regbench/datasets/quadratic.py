"""The data of the noisy quadratic: three fixed clouds of normal vectors."""

from pathlib import Path

from regbench.datasets.dataset import Dataset, RawData

_STANDARD_DEVIATION = 0.6

DATASET = Dataset(
    name="quadratic",
    summary="Normal vectors of dimension 100 around zero, for the noisy quadratic; generated",
    source="Schneider et al. 2019, DeepOBS, arXiv 1903.05499",
    classes=0,
    input_shape=(100,),
    train_size=1_000,
    test_size=1_000,
    validation_size=1_000,
    preprocessing="none",
    augmentation="none",
    target_shape=(0,),
)


def read(dataset: Dataset, folder: Path) -> RawData:
    """Draw the data, float32 of shape (1000, 100) each; there are no targets and no files."""
    import numpy as np

    def cloud(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        # The legacy generator on purpose: DeepOBS draws from it, and its stream is frozen.
        generator = np.random.RandomState(seed)
        inputs = generator.normal(0.0, _STANDARD_DEVIATION, (count, *dataset.input_shape))
        return inputs.astype(np.float32), np.empty((count, 0), np.float32)

    train, test, validation = map(cloud, (dataset.train_size, dataset.test_size, dataset.validation_size), (42, 43, 44))
    return RawData(*train, *test, *validation)
