"""The data of the noisy quadratic: three fixed clouds of normal vectors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from regbench.datasets.dataset import Dataset, RawData

if TYPE_CHECKING:
    import numpy as np

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
)


def read(dataset: Dataset, folder: Path) -> RawData:
    """Draw the data, float32 of shape (1000, 100) each; there are no targets and no files."""
    return RawData(
        train_inputs=_draw(dataset.train_size, seed=42),
        train_targets=_no_targets(dataset.train_size),
        test_inputs=_draw(dataset.test_size, seed=43),
        test_targets=_no_targets(dataset.test_size),
        validation_inputs=_draw(dataset.validation_size, seed=44),
        validation_targets=_no_targets(dataset.validation_size),
    )


def _draw(count: int, seed: int) -> np.ndarray:
    import numpy as np

    # The legacy generator on purpose: DeepOBS draws from it, and its stream is frozen.
    generator = np.random.RandomState(seed)
    return generator.normal(0.0, _STANDARD_DEVIATION, (count, *DATASET.input_shape)).astype(np.float32)


def _no_targets(count: int) -> np.ndarray:
    import numpy as np

    return np.empty((count, 0), np.float32)
