"""A noisy linear map of low rank: what is to be found has four directions, the noise has all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from regbench.datasets.dataset import Dataset, RawData

if TYPE_CHECKING:
    import numpy as np

WIDTH, RANK, NOISE = 32, 4, 0.5
_SEED = 0

DATASET = Dataset(
    name="low_rank",
    summary=f"{WIDTH} numbers that a map of rank {RANK} makes of {WIDTH} others, and noise; generated",
    source="ours; after Saxe, McClelland and Ganguli 2014, Exact solutions to the nonlinear dynamics of learning in "
    "deep linear neural networks, arXiv 1312.6120",
    classes=0,
    input_shape=(WIDTH,),
    train_size=256,
    test_size=1_024,
    validation_size=1_024,
    preprocessing="none",
    augmentation="none",
    target_shape=(WIDTH,),
)


def target_map() -> np.ndarray:
    """The map itself, float64 (32, 32): inputs as rows, `inputs @ map`; its four singular values are 4, 3, 2 and 1."""
    import numpy as np

    generator = np.random.RandomState(_SEED)
    left, right = (np.linalg.qr(generator.standard_normal((WIDTH, RANK)))[0] for _ in range(2))
    result: np.ndarray = left * [4.0, 3.0, 2.0, 1.0] @ right.T
    return result


def read(dataset: Dataset, folder: Path) -> RawData:
    """Draw the data, float32 of shape (n, 32); there are no files.

    Inputs are normal with deviation 1, targets their image plus normal noise of deviation 0.5: so the best mean squared
    error on new samples is 0.25.
    """
    import numpy as np

    linear = target_map()
    generator = np.random.RandomState(_SEED + 1)
    parts = []
    for count in (dataset.train_size, dataset.test_size, dataset.validation_size):
        inputs = generator.standard_normal((count, WIDTH))
        noise = NOISE * generator.standard_normal((count, WIDTH))
        parts.append((inputs.astype(np.float32), (inputs @ linear + noise).astype(np.float32)))
    train, test, validation = parts
    return RawData(*train, *test, *validation)
