"""MNIST-1D: ten curves, each padded, stretched, shifted, sheared and noisy: small, and hard to learn by heart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from regbench.datasets.dataset import Dataset, RawData

if TYPE_CHECKING:
    import numpy as np

DATASET = Dataset(
    name="mnist1d",
    summary="Noisy curves of 40 values, 10 classes; generated",
    source="Greydanus and Kobak 2024, Scaling Down Deep Learning with MNIST-1D, arXiv 2011.14439",
    classes=10,
    input_shape=(40,),
    train_size=4_000,
    test_size=1_000,
    validation_size=1_000,
    preprocessing="none",
    augmentation="none",
)

_SEED = 42
_VALIDATION_SEED = 43

# The curves that stand for the digits, twelve points each (the source's figures).
_CURVES = (
    (5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5),
    (5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5),
    (5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5),
    (5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5),
    (5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5),
    (5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5),
    (5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5),
    (5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5),
)
_PADDING = (36, 60)  # zeros behind a curve
_STRETCHED = 72  # points after padding and stretching
_LARGEST_SHIFT = 48
_SCALE, _SHEAR = 0.4, 0.75
_WAVES, _NOISE = 0.25, 0.02  # deviations of the noise where there is no curve, before it is smoothed, and everywhere


def read(dataset: Dataset, folder: Path) -> RawData:
    """Draw the data, float32 of shape (n, 40); there are no files.

    Training and test data are the published ones: 4,000 and 1,000 curves of the seed 42. The validation data, which the
    source does not have, are 1,000 further curves of another seed, standardized as the others.
    """
    import numpy as np

    curves, labels = generate(dataset.train_size + dataset.test_size, _SEED)
    others, their_labels = generate(dataset.validation_size, _VALIDATION_SEED)
    mean, deviation = curves.mean(), curves.std()
    inputs, validation = (((values - mean) / deviation).astype(np.float32) for values in (curves, others))
    split = dataset.train_size
    train, test = (inputs[:split], labels[:split]), (inputs[split:], labels[split:])
    return RawData(*train, *test, validation, their_labels)


def generate(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw curves as the source does, before they are standardized.

    Random numbers are drawn in its order, one curve after the other; what is made of them, of all curves together.

    Args:
        count: of the curves, a tenth of each class.
        seed: of the draws.

    Returns:
        The curves, float64 of shape (count, 40), and their classes, int32 of shape (count,).
    """
    import numpy as np
    from scipy.ndimage import gaussian_filter1d

    # The legacy generator on purpose: the source draws from it, and its stream is frozen.
    generator = np.random.RandomState(seed)
    uniform, shifts = np.empty((count, 3)), np.empty(count, np.int64)
    waves, noise = np.empty((count, _STRETCHED)), np.empty((count, _STRETCHED))
    for number in range(count):
        uniform[number, :2] = generator.rand(), generator.rand()
        shifts[number] = generator.choice(_LARGEST_SHIFT)
        waves[number], noise[number] = generator.randn(_STRETCHED), generator.randn(_STRETCHED)
        uniform[number, 2] = generator.rand()
    order = generator.permutation(count)

    labels = np.repeat(np.arange(len(_CURVES)), count // len(_CURVES))
    low, high = _PADDING
    paddings = low + (uniform[:, 0] * (high - low + 1)).astype(int)
    curves = _stretched()[paddings - low, labels] * (1 + _SCALE * (uniform[:, 1:2] - 0.5))
    places = (np.arange(_STRETCHED) - shifts[:, None]) % _STRETCHED
    curves = np.take_along_axis(curves, places, axis=1)
    curves = np.where(curves != 0, curves, gaussian_filter1d(_WAVES * waves, 2, axis=1)) + _NOISE * noise
    curves -= _SHEAR * (uniform[:, 2:] - 0.5) * np.linspace(-0.5, 0.5, _STRETCHED)
    return _at(curves, DATASET.input_shape[0])[order], labels[order].astype(np.int32)


def _stretched() -> np.ndarray:
    """Every curve with every padding, stretched; shape (paddings, classes, points)."""
    import numpy as np

    curves = np.array(_CURVES, float)
    curves -= curves.mean(axis=1, keepdims=True)
    curves /= curves.std(axis=1, keepdims=True)
    curves = (curves - curves[:, :1]) / 6 + 1e-8  # so that only what is padded is 0
    low, high = _PADDING
    return np.stack([_at(np.pad(curves, ((0, 0), (0, padding))), _STRETCHED) for padding in range(low, high + 1)])


def _at(curves: np.ndarray, points: int) -> np.ndarray:
    """Curves at so many points, evenly spaced from their first to their last, linear in between."""
    import numpy as np

    place = np.linspace(0, curves.shape[1] - 1, points)
    below = np.minimum(place.astype(int), curves.shape[1] - 2)
    share = place - below
    return curves[:, below] * (1 - share) + curves[:, below + 1] * share
