"""A noisy quadratic with a prescribed spectrum."""

from collections.abc import Iterator
from typing import Annotated, Any

import keras
import numpy as np
from keras import KerasTensor, ops
from pydantic import Field, NonNegativeInt, PositiveInt


def build(
    input_shape: tuple[int],
    classes: int,
    counts: tuple[PositiveInt, ...] = (90, 10),
    lows: tuple[float, ...] = (0.0, 30.0),
    highs: tuple[float, ...] = (1.0, 60.0),
    seed: Annotated[NonNegativeInt, Field(lt=2**32)] = 42,
) -> keras.Model:
    """Build the loss 1/2 (theta - x)' Q (theta - x) of each sample x; theta, of shape (1, dimension), starts at ones.

    The eigenvalues of Q come in groups, each uniform in an interval; its eigenvectors are random. Without arguments it
    is the Hessian of DeepOBS: 90 small and 10 large eigenvalues, as has been reported for neural networks.

    Reference: Schneider et al. 2019, DeepOBS, arXiv 1903.05499 (`quadratic_deep`); spectrum after Chaudhari et al.
    2017, arXiv 1611.01838.

    Args:
        input_shape: of one sample: (dimension,).
        classes: unused; a loss has none.
        counts: number of eigenvalues in each group; they sum to the dimension.
        lows: lower end of each interval.
        highs: upper end of each interval.
        seed: of the eigenvalues and of the rotation.
    """
    del classes
    if not len(counts) == len(lows) == len(highs):
        raise ValueError(
            "`counts`, `lows` and `highs` must be equally long. "
            f"Received: counts={counts!r}, lows={lows!r}, highs={highs!r}"
        )
    if input_shape != (sum(counts),) or sum(counts) < 2:
        raise ValueError(
            "`counts` must sum to the number of inputs, at least 2. "
            f"Received: counts={counts!r}, shape of one sample={input_shape!r}"
        )
    hessian = next(hessians(counts, lows, highs, seed))
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, _Quadratic(hessian, name="quadratic")(inputs), name="quadratic")


class _Quadratic(keras.layers.Layer):
    """The losses 1/2 (theta - x)' Q (theta - x), of shape (n,)."""

    def __init__(self, hessian: np.ndarray, **options: Any) -> None:
        super().__init__(**options)
        self.hessian = hessian.astype("float32")
        self.theta = self.add_weight(shape=(1, len(hessian)), initializer="ones", name="theta")

    def call(self, inputs: KerasTensor) -> KerasTensor:
        difference = self.theta - inputs
        return ops.sum(ops.matmul(difference, self.hessian) * difference, axis=1) / 2


def hessians(
    counts: tuple[int, ...] = (90, 10),
    lows: tuple[float, ...] = (0.0, 30.0),
    highs: tuple[float, ...] = (1.0, 60.0),
    seed: int = 42,
) -> Iterator[np.ndarray]:
    """Hessians Q = R' diag(eigenvalues) R in float64 from one stream, without end; arguments as for `build`.

    The first is that of the problem. The others are those on which DeepOBS's `quadratic_deep` trains from the second
    instance in a process on: its stream is a global of the module.
    """
    # The legacy generator: its streams are what defines the published problem.
    stream = np.random.RandomState(seed)
    while True:
        groups = zip(lows, highs, counts, strict=True)
        eigenvalues = np.concatenate([stream.uniform(low, high, count) for low, high, count in groups])
        rotation = _rotation(len(eigenvalues), stream)
        yield rotation.T @ (eigenvalues[:, np.newaxis] * rotation)


def _rotation(dimension: int, stream: np.random.RandomState) -> np.ndarray:
    """Return a random orthogonal matrix, built up one dimension at a time (subgroup algorithm).

    Reference: Diaconis and Shahshahani 1987, "The subgroup algorithm for generating uniform random variables".
    Departure: the sign is not changed at the end; R and -R give the same Q.
    """
    angle = 2 * np.pi * stream.uniform()
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    for size in range(3, dimension + 1):
        direction = stream.normal(size=size)
        # The reflection that takes the first axis to the drawn direction: I - 2 n n', n along e1 - direction.
        normal = -direction / np.linalg.norm(direction)
        normal[0] += 1
        normal /= np.linalg.norm(normal)
        embedded = np.eye(size)
        embedded[1:, 1:] = rotation
        rotation = embedded - 2 * np.outer(normal, normal @ embedded)
    return rotation
