"""The data of the two-dimensional problems: noise that is added to a deterministic function."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from regbench.datasets.dataset import Dataset, RawData

if TYPE_CHECKING:
    import numpy as np

_SIZE = 10_000

DATASET = Dataset(
    name="two_d",
    summary="Standard normal points in the plane, for the two-dimensional problems; generated",
    source="Schneider et al. 2019, DeepOBS, arXiv 1903.05499",
    classes=0,
    input_shape=(2,),
    train_size=_SIZE,
    test_size=_SIZE,
    validation_size=_SIZE,
    preprocessing="none",
    augmentation="none",
    target_shape=(0,),
)


def read(dataset: Dataset, folder: Path) -> RawData:
    """Draw the data, float32 of shape (10000, 2) each; there are no targets and no files.

    The seeds are those of DeepOBS (42 for training; 44 for validation, version 1.2). The test inputs are zeros: there
    the problems are their deterministic function.
    """
    import numpy as np

    targets = np.empty((_SIZE, 0), np.float32)
    return RawData(
        train_inputs=_draw(seed=42),
        train_targets=targets,
        test_inputs=np.zeros((_SIZE, 2), np.float32),
        test_targets=targets,
        validation_inputs=_draw(seed=44),
        validation_targets=targets,
    )


def _draw(seed: int) -> np.ndarray:
    import numpy as np

    # The legacy generator on purpose: DeepOBS draws from it, first all x, then all y, and its stream is frozen.
    generator = np.random.RandomState(seed)
    x = generator.normal(0.0, 1.0, _SIZE)
    y = generator.normal(0.0, 1.0, _SIZE)
    return np.stack([x, y], axis=1).astype(np.float32)
