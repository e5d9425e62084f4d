"""Noisy functions of two variables."""

from typing import Any, Literal

import keras
import numpy as np
from keras import KerasTensor, ops


def build(
    input_shape: tuple[int],
    classes: int,
    function: Literal["beale", "branin", "rosenbrock"] = "rosenbrock",
) -> keras.Model:
    """Build the loss f(u, v) + u*x + v*y of each sample (x, y) over the scalar variables u and v.

    Reference: Schneider et al. 2019, DeepOBS, arXiv 1903.05499 (`two_d_beale`, `two_d_branin`, `two_d_rosenbrock`),
    start values included; the functions as in Surjanovic and Bingham, Virtual Library of Simulation Experiments.

    Args:
        input_shape: of one sample: (2,).
        classes: unused; a loss has none.
        function: the function f.
    """
    del classes
    if input_shape != (2,):
        raise ValueError(f"`input_shape` must be (2,). Received: input_shape={input_shape!r}")
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, _TwoD(function, name=function)(inputs), name="two_d")


class _TwoD(keras.layers.Layer):
    """The losses f(u, v) + u*x + v*y, of shape (n,)."""

    def __init__(self, function: str, **options: Any) -> None:
        super().__init__(**options)
        self.function, (u, v) = _FUNCTIONS[function]
        self.u = self.add_weight(shape=(), initializer=keras.initializers.Constant(u), name="u")
        self.v = self.add_weight(shape=(), initializer=keras.initializers.Constant(v), name="v")

    def call(self, inputs: KerasTensor) -> KerasTensor:
        return self.function(self.u, self.v) + self.u * inputs[:, 0] + self.v * inputs[:, 1]


def _beale(u: KerasTensor, v: KerasTensor) -> KerasTensor:
    return ops.square(1.5 - u + u * v) + ops.square(2.25 - u + u * v**2) + ops.square(2.625 - u + u * v**3)


def _branin(u: KerasTensor, v: KerasTensor) -> KerasTensor:
    parabola = v - 5.1 / (4 * np.pi**2) * u**2 + 5 / np.pi * u - 6
    return ops.square(parabola) + 10 * (1 - 1 / (8 * np.pi)) * ops.cos(u) + 10


def _rosenbrock(u: KerasTensor, v: KerasTensor) -> KerasTensor:
    return ops.square(1 - u) + 100 * ops.square(v - u**2)


_FUNCTIONS = {
    "beale": (_beale, (-4.5, 4.5)),
    "branin": (_branin, (2.5, 12.5)),
    "rosenbrock": (_rosenbrock, (-0.5, 1.5)),
}
