"""Values and gradients on whatever backend Keras runs, in float64 where Keras computes in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

BACKEND = keras.backend.backend()
# On the other backends Keras turns float64 into float32.
WIDEST = "float64" if BACKEND == "tensorflow" else "float32"


@pytest.fixture
def epsilon() -> float:
    """The relative distance of neighbouring numbers in the widest precision that there is."""
    return float(np.finfo(WIDEST).eps)


@pytest.fixture(params=["float32", "float64"])
def dtype(request) -> str:
    """Each precision that there is."""
    if request.param == "float64" and WIDEST != "float64":
        pytest.skip(f"Keras computes in float32 on {BACKEND}")
    return request.param


@pytest.fixture
def value() -> Callable[..., float]:
    """The penalty of a kernel given as a NumPy array."""

    def compute(penalty: Any, kernel: np.ndarray, dtype: str = WIDEST) -> float:
        return float(penalty(keras.ops.convert_to_tensor(kernel, dtype)))

    return compute


@pytest.fixture
def gradient() -> Callable[..., np.ndarray]:
    """The gradient of a penalty, by the backend's automatic differentiation."""

    def with_tensorflow(penalty: Any, tensor: Any) -> Any:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(tensor)
            penalized = penalty(tensor)
        return tape.gradient(penalized, tensor)

    def with_jax(penalty: Any, tensor: Any) -> Any:
        import jax

        return jax.grad(penalty)(tensor)

    def compute(penalty: Any, kernel: np.ndarray, dtype: str = WIDEST) -> np.ndarray:
        known = {"tensorflow": with_tensorflow, "jax": with_jax}
        if BACKEND not in known:
            pytest.skip(f"no gradients on {BACKEND} here")
        return np.asarray(known[BACKEND](penalty, keras.ops.convert_to_tensor(kernel, dtype)), "float64")

    return compute


@pytest.fixture
def assert_gradient_agrees(value, gradient, epsilon) -> Callable[[Any, np.ndarray], None]:
    """Compares the gradient with central differences in six random directions.

    A central difference with step h is wrong by h**2 f''' / 6 and one with step 2h by four times that, so that their
    difference is three times the error of the first. Beside it each value carries roundings, eight for each entry of
    the kernel at most, which the difference divides by h.
    """

    def check(penalty: Any, kernel: np.ndarray) -> None:
        actual = gradient(penalty, kernel)
        size, step = abs(value(penalty, kernel)), epsilon ** (1 / 3)
        generator = np.random.default_rng(11)

        def difference(direction: np.ndarray, step: float) -> float:
            return (value(penalty, kernel + step * direction) - value(penalty, kernel - step * direction)) / (2 * step)

        for _ in range(6):
            direction = generator.normal(size=kernel.shape)
            direction /= np.linalg.norm(direction)
            near, far = difference(direction, step), difference(direction, 2 * step)
            tolerance = abs(far - near) + 8 * kernel.size * epsilon * size / step
            assert np.sum(actual * direction) == pytest.approx(near, rel=0, abs=tolerance)

    return check


@pytest.fixture
def dense_kernel() -> np.ndarray:
    """A kernel of rank 2 with a zero in it."""
    kernel = np.random.default_rng(1).normal(size=(7, 4)) / 2
    kernel[2, 1] = 0.0
    return kernel


@pytest.fixture
def convolution_kernel() -> np.ndarray:
    """A kernel of rank 4, 3 x 3 with 2 inputs and 5 outputs, with a zero in it."""
    kernel = np.random.default_rng(2).normal(size=(3, 3, 2, 5)) / 3
    kernel[1, 1, 0, 3] = 0.0
    return kernel


@pytest.fixture
def covariance() -> Callable[[int], np.ndarray]:
    """A positive definite matrix of any size with eigenvalues from 0.1 to 3."""

    def draw(dimension: int) -> np.ndarray:
        rotation, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(dimension, dimension)))
        matrix = (rotation * np.linspace(0.1, 3, dimension)) @ rotation.T
        return (matrix + matrix.T) / 2

    return draw
