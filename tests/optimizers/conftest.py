"""A common course for all optimizers: the same weights and gradients for Keras and for the NumPy references."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest
from keras.optimizers import SGD, Adam

from regbench.optimizers import (
    AdaBelief,
    AdaBound,
    AMSBound,
    CautiousStep,
    Clipped,
    DecoupledDecay,
    Lookahead,
    Normalized,
    NormPinned,
    RAdam,
    ScheduleFree,
    SignedPower,
)

Arrays = list[np.ndarray]

SHAPES = [(5,), (4, 3), (2, 3, 2), (2, 2, 3, 4)]
STEPS = 8

EVERY_OPTIMIZER = {
    "signed_power": lambda: SignedPower(SGD(0.05, momentum=0.9), power=0.7),
    "normalized": lambda: Normalized(SGD(0.05, momentum=0.9, nesterov=True), norm="std", apply_to="kernels"),
    "clipped": lambda: Clipped(Adam(0.05), norm="max", threshold=0.1),
    "decoupled_decay": lambda: DecoupledDecay(SGD(0.05, momentum=0.9), strength=0.1, coupling="decoupled_momentum"),
    "cautious_decay": lambda: DecoupledDecay(SGD(0.05, momentum=0.9), strength=0.1, coupling="cautious"),
    "lr_squared_decay": lambda: DecoupledDecay(
        SGD(0.05, momentum=0.9), strength=0.1, coupling="lr_squared", peak_learning_rate=0.1
    ),
    "lookahead": lambda: Lookahead(SGD(0.05, momentum=0.5), sync_period=3, slow_step_size=0.6),
    "radam": lambda: RAdam(0.05, beta_2=0.9),
    "adabelief": lambda: AdaBelief(0.05),
    "adabound": lambda: AdaBound(0.05),
    "amsbound": lambda: AMSBound(0.05),
    "cautious_step": lambda: CautiousStep(Adam(0.05)),
    "schedule_free": lambda: ScheduleFree(Adam(0.05, beta_1=0.0), warmup_steps=3, strength=0.01),
    "norm_pinned": lambda: NormPinned(Adam(0.05)),
    "power_of_normalized_with_decay": lambda: DecoupledDecay(
        Normalized(SignedPower(SGD(0.05, momentum=0.9), power=0.5)), strength=0.01
    ),
    "lookahead_of_radam": lambda: Lookahead(RAdam(0.05), sync_period=2),
    "clipped_lookahead_of_decay": lambda: Clipped(
        Lookahead(DecoupledDecay(Adam(0.05), strength=0.1, coupling="decoupled_constant"), sync_period=2)
    ),
}


def single(array: np.ndarray) -> np.ndarray:
    """Rounds to float32, so that both sides compute with the same numbers."""
    return np.asarray(array, "float32").astype("float64")


@pytest.fixture(params=EVERY_OPTIMIZER.values(), ids=EVERY_OPTIMIZER.keys())
def build_optimizer(request: pytest.FixtureRequest) -> Callable[[], Any]:
    """Every class, and a few nestings."""
    return request.param


@pytest.fixture
def weights() -> Arrays:
    """Four variables, of rank 1 to 4."""
    generator = np.random.default_rng(1)
    return [single(generator.normal(size=shape)) for shape in SHAPES]


@pytest.fixture
def gradients() -> list[Arrays]:
    """Eight steps with everything awkward: zeros, signs that change, tiny entries, one step of nothing but zeros."""
    generator = np.random.default_rng(2)
    course = []
    for step in range(STEPS):
        arrays = [single(generator.normal(size=shape)) for shape in SHAPES]
        for array in arrays:
            array.flat[0] = 0.0
            array.flat[1] = (-1.0) ** step
            array.flat[2] = single(1e-12 * (-1.0) ** (step // 2))
            if step == 3:
                array[...] = 0.0
        course.append(arrays)
    return course


@pytest.fixture
def trajectory() -> Callable[..., list[Arrays]]:
    """Runs a Keras optimizer on given gradients and returns the weights after every step."""

    def run(optimizer: Any, weights: Arrays, gradients: list[Arrays], dtype: str = "float32") -> list[Arrays]:
        variables = [keras.Variable(array, dtype=dtype, name=f"weight_{i}") for i, array in enumerate(weights)]
        course = []
        for arrays in gradients:
            optimizer.apply(
                [keras.ops.convert_to_tensor(array.astype("float32"), dtype) for array in arrays], variables
            )
            course.append([np.asarray(variable, "float64") for variable in variables])
        return course

    return run


@pytest.fixture
def assert_agrees() -> Callable[..., None]:
    """Compares two courses of weights entry by entry.

    A step of a dozen float32 operations is wrong by at most a dozen half units in the last place of its size, and is
    rounded once more into the weight. The errors of `STEPS` steps add up. All of it is in units of the largest weight,
    to which the learning rates of the tests make the steps comparable, so that an error in a step cannot hide.
    """

    def check(actual: list[Arrays], expected: list[Arrays], operations: int = 12) -> None:
        assert len(actual) == len(expected)
        for actual_arrays, expected_arrays in zip(actual, expected, strict=True):
            for one, other in zip(actual_arrays, expected_arrays, strict=True):
                tolerance = (operations + 1) * STEPS * np.finfo("float32").eps / 2 * max(1.0, np.abs(other).max())
                np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)

    return check


@pytest.fixture
def assert_identical() -> Callable[..., None]:
    """Compares two courses of weights bit by bit."""

    def check(actual: list[Arrays], expected: list[Arrays]) -> None:
        for actual_arrays, expected_arrays in zip(actual, expected, strict=True):
            for one, other in zip(actual_arrays, expected_arrays, strict=True):
                np.testing.assert_array_equal(one, other)

    return check


@pytest.fixture
def regression_data() -> tuple[np.ndarray, np.ndarray]:
    """64 samples of a smooth function of 4 inputs."""
    inputs = np.random.default_rng(3).normal(size=(64, 4)).astype("float32")
    return inputs, np.tanh(inputs @ np.array([[1.0], [-2.0], [0.5], [0.0]], "float32"))


@pytest.fixture
def build_model() -> Callable[..., keras.Model]:
    """Builds a compiled network whose initial weights are always the same."""

    def build(optimizer: Any, **compile_arguments: Any) -> keras.Model:
        keras.utils.set_random_seed(4)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(1)])
        model.compile(optimizer, **({"loss": "mse"} | compile_arguments))
        return model

    return build


@pytest.fixture
def mixed_precision() -> Iterator[None]:
    """Layers compute in float16 and keep float32 weights."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy(policy)
