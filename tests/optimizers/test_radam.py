"""RAdam against Algorithm 2 in double precision."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest

from regbench.optimizers import RAdam
from regbench.optimizers.radam import _sma_length


def reference(weights, gradients, learning_rate, beta_1, beta_2, epsilon, threshold):
    weights = [array.copy() for array in weights]
    first = [np.zeros_like(array) for array in weights]
    second = [np.zeros_like(array) for array in weights]
    rho_inf = 2 / (1 - beta_2) - 1
    course = []
    for t, arrays in enumerate(gradients, start=1):
        rho = rho_inf - 2 * t * beta_2**t / (1 - beta_2**t)
        for weight, m, v, g in zip(weights, first, second, arrays, strict=True):
            m[...] = beta_1 * m + (1 - beta_1) * g
            v[...] = beta_2 * v + (1 - beta_2) * g**2
            m_hat = m / (1 - beta_1**t)
            if rho > threshold:
                r = np.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
                weight -= learning_rate * m_hat * r * np.sqrt(1 - beta_2**t) / (np.sqrt(v) + epsilon)
            else:
                weight -= learning_rate * m_hat
        course.append([array.copy() for array in weights])
    return course


@pytest.mark.parametrize("threshold", [4.0, 5.0])
@pytest.mark.parametrize(("beta_1", "beta_2"), [(0.9, 0.999), (0.5, 0.8), (0.0, 0.99), (0.9, 0.6), (0.9, 0.3)])
def test_steps_follow_the_formula(beta_1, beta_2, threshold, weights, gradients, trajectory, assert_agrees):
    optimizer = RAdam(0.5, beta_1=beta_1, beta_2=beta_2, epsilon=1e-7, sma_threshold=threshold)
    expected = reference(weights, gradients, 0.5, beta_1, beta_2, 1e-7, threshold)
    assert_agrees(trajectory(optimizer, weights, gradients), expected, operations=20)


@pytest.mark.parametrize("beta", [0.5, 0.8, 0.99, 0.999, 0.99999])
def test_length_of_the_moving_average_is_accurate_in_float32(beta):
    steps = np.unique(np.geomspace(1, 1e6, 200).round())
    powers = np.exp(steps * np.log(beta))
    exact = 2 / (1 - beta) - 1 + 2 * steps * powers / np.expm1(steps * np.log(beta))
    steps_as_floats = keras.ops.convert_to_tensor(steps, "float32")
    actual = keras.ops.convert_to_numpy(_sma_length(beta, math.log(beta), steps_as_floats))
    # The double-precision reference itself cancels: 2 / (1 - beta) * 2**-52. The series stops at 3e-8 of its value, and
    # 1 - x / expm1(x) >= 0.23 costs two bits of float32. The formula as printed is wrong by 1e-1 at beta = 0.999.
    np.testing.assert_allclose(actual, exact, rtol=8 * np.finfo("float32").eps, atol=4e-16 / (1 - beta) ** 2)


def test_first_steps_are_momentum_and_the_fifth_is_adaptive_as_in_the_paper(trajectory):
    # rho_t = 0.9999, 1.999, 2.998, 3.997, 4.996 for beta_2 = 0.999. With a constant gradient mhat = g, and the
    # adaptive step does not depend on its size.
    gradient = np.array([[1e-3, 1.0]])
    course = [a[0] for a in trajectory(RAdam(1.0), [np.zeros((1, 2))], [[gradient]] * 5)]
    sizes = -np.diff(np.concatenate([np.zeros((1, 1, 2)), np.stack(course)]), axis=0)[:, 0]
    np.testing.assert_allclose(sizes[:4], np.tile(gradient, (4, 1)), rtol=1e-5)
    # epsilon = 1e-7 beside sqrt(v) >= 1e-3 * sqrt(0.001 * 5) = 7e-5 makes up to 1.5e-3.
    np.testing.assert_allclose(sizes[4, 0], sizes[4, 1], rtol=2e-3)


def test_gradient_of_zeros_moves_nothing_where_float16_is_too_coarse_for_the_ratio(trajectory):
    # sqrt(1 - beta_2**t) / epsilon = 4e5 is beyond float16's 65504, and 0 times infinity would be no number.
    course = trajectory(RAdam(0.1, beta_2=0.99), [np.ones(3)], [[np.zeros(3)]] * 20, dtype="float16")
    np.testing.assert_array_equal(course[-1][0], np.ones(3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"beta_1": 1.0}, r"`beta_1` must be in \[0, 1\). Received: beta_1=1.0"),
        ({"beta_2": 0.0}, r"`beta_2` must be in \(0, 1\). Received: beta_2=0.0"),
        ({"epsilon": -1e-8}, "`epsilon` must be non-negative. Received: epsilon=-1e-08"),
        ({"sma_threshold": 3.0}, "`sma_threshold` must be at least 4. Received: sma_threshold=3.0"),
    ],
)
def test_arguments_are_validated(arguments, message):
    with pytest.raises(ValueError, match=message):
        RAdam(**arguments)
