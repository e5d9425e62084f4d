"""A convex quadratic function without noise."""

from typing import Annotated, Any

import keras
import numpy as np
from keras import KerasTensor, ops
from pydantic import Field, NonNegativeInt


def build(
    input_shape: tuple[int, ...],
    classes: int,
    dimension: Annotated[int, Field(ge=2)] = 100,
    seed: Annotated[NonNegativeInt, Field(lt=2**32)] = 0,
    one_stream: bool = False,
) -> keras.Model:
    """Build the loss 1/2 w'Qw - b'w, whatever the sample; w, of shape (1, dimension), starts standard normal.

    Q is scikit-learn's `make_spd_matrix`: random eigenvectors, eigenvalues uniform between 0 and 1, but one a little
    above `dimension`. b is standard normal.

    Reference: Majumdar, https://github.com/titu1994/keras-normalized-optimizers (the experiment "convex").

    Args:
        input_shape: of one sample; what is in it is not looked at.
        classes: unused; a loss has none.
        dimension: of w.
        seed: of Q and b.
        one_stream: draw Q, b and the start of w in this order from `numpy.random.seed(seed)`, as the reference does,
            with seed 0; then w starts there in every run.
    """
    del classes
    inputs = keras.Input(input_shape)
    layer = _ConvexQuadratic(dimension, seed, one_stream, name="convex_quadratic")
    return keras.Model(inputs, layer(inputs), name="convex")


def minimum(dimension: int, seed: int, one_stream: bool = False) -> float:
    """The least loss there is: -b'Q^(-1)b / 2."""
    matrix, offset = instance(dimension, seed)[:2] if one_stream else _matrix_and_offset(dimension, seed)
    return -float(offset @ np.linalg.solve(matrix, offset)) / 2


def instance(dimension: int = 100, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Q, b and the start of w of the reference, float64, from one stream."""
    from sklearn.datasets import make_spd_matrix

    generator = np.random.RandomState(seed)
    return make_spd_matrix(dimension, random_state=generator), generator.randn(dimension), generator.randn(dimension)


def _matrix_and_offset(dimension: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Q and b in float64, rounded to float32."""
    from sklearn.datasets import make_spd_matrix

    matrix = make_spd_matrix(dimension, random_state=seed).astype("float32")
    offset = np.random.default_rng(seed).standard_normal(dimension).astype("float32")
    return matrix.astype("float64"), offset.astype("float64")


class _ConvexQuadratic(keras.layers.Layer):
    """The loss 1/2 w'Qw - b'w, once for each sample: shape (n,)."""

    def __init__(self, dimension: int, seed: int, one_stream: bool = False, **options: Any) -> None:
        super().__init__(**options)
        start: Any = keras.initializers.RandomNormal(stddev=1.0)
        if one_stream:
            matrix, offset, place = instance(dimension, seed)
            start = lambda shape, dtype: ops.convert_to_tensor(place.reshape(shape), dtype)  # noqa: E731
        else:
            matrix, offset = _matrix_and_offset(dimension, seed)
        self.matrix, self.offset = matrix.astype("float32"), offset.astype("float32")
        self.w = self.add_weight(shape=(1, dimension), initializer=start, name="w")

    def call(self, inputs: KerasTensor) -> KerasTensor:
        loss = ops.sum((ops.matmul(self.w, self.matrix) / 2 - self.offset) * self.w)
        return ops.broadcast_to(loss, (ops.shape(inputs)[0],))
