"""AdaBound and AMSBound against the authors' rule in double precision."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras.optimizers import Adam

from regbench.optimizers import AdaBound, AMSBound


def reference(weights, gradients, rates, beta_1, beta_2, final_rate, gamma, epsilon, is_ams):
    weights = [array.copy() for array in weights]
    first, second, largest = ([np.zeros_like(array) for array in weights] for _ in range(3))
    course = []
    for t, (arrays, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        final = final_rate * rate / rates[0]
        lower, upper = final * (1 - 1 / (gamma * t + 1)), final * (1 + 1 / (gamma * t))
        for weight, m, v, v_max, g in zip(weights, first, second, largest, arrays, strict=True):
            m[...] = beta_1 * m + (1 - beta_1) * g
            v[...] = beta_2 * v + (1 - beta_2) * g**2
            v_max[...] = np.maximum(v_max, v)
            denominator = np.sqrt(v_max if is_ams else v) + epsilon
            eta = np.clip(rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t) / denominator, lower, upper)
            weight -= eta * m
        course.append([array.copy() for array in weights])
    return course


@pytest.mark.parametrize("optimizer_class", [AdaBound, AMSBound])
@pytest.mark.parametrize(("beta_1", "beta_2"), [(0.9, 0.999), (0.5, 0.8)])
@pytest.mark.parametrize("gamma", [1e-3, 1.0])  # wide bounds; bounds that clip most steps
def test_steps_follow_the_formula(
    optimizer_class, beta_1, beta_2, gamma, weights, gradients, trajectory, assert_agrees
):
    optimizer = optimizer_class(0.25, beta_1=beta_1, beta_2=beta_2, final_learning_rate=0.5, gamma=gamma)
    is_ams = optimizer_class is AMSBound
    expected = reference(weights, gradients, [0.25] * 8, beta_1, beta_2, 0.5, gamma, 1e-8, is_ams)
    assert_agrees(trajectory(optimizer, weights, gradients), expected, operations=20)


def test_bounds_follow_the_schedule_of_the_learning_rate(weights, gradients, trajectory, assert_agrees):
    rates = [0.5] * 3 + [0.25] * 3 + [0.125] * 2
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([2, 5], [0.5, 0.25, 0.125])
    optimizer = AdaBound(schedule, final_learning_rate=0.5, gamma=1.0)
    expected = reference(weights, gradients, rates, 0.9, 0.999, 0.5, 1.0, 1e-8, is_ams=False)
    assert_agrees(trajectory(optimizer, weights, gradients), expected, operations=20)


def test_learning_rate_of_zero_stands_still_and_is_not_taken_for_the_first_one(trajectory):
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0, 1], [0.0, 0.5, 0.25])
    optimizer = AdaBound(schedule, final_learning_rate=0.1)
    course = trajectory(optimizer, [np.ones(2)], [[np.ones(2)]] * 3)
    np.testing.assert_array_equal(course[0][0], np.ones(2))
    assert np.all(course[1][0] < 1)
    assert np.all(np.isfinite(course[2][0]))


def test_ams_differs_once_the_second_moment_falls(weights, gradients, trajectory):
    plain, ams = (trajectory(c(0.25, beta_2=0.5, gamma=1e-6), weights, gradients)[-1] for c in (AdaBound, AMSBound))
    assert any(np.abs(one - other).max() > 0.01 for one, other in zip(plain, ams, strict=True))


def test_wide_bounds_are_adam(weights, gradients, trajectory, assert_agrees):
    # lower_t < final gamma t = 8e-9, upper_t > final / (gamma t) = 1e8: never reached. Keras's Adam has epsilon at
    # the same place, and computes 1 - beta_2**t with an error of up to 6e-8 / 1e-3, that is 3e-5 in the root.
    bound = trajectory(AdaBound(0.25, final_learning_rate=1.0, gamma=1e-9, epsilon=1e-8), weights, gradients)
    adam = trajectory(Adam(0.25, epsilon=1e-8), weights, gradients)
    assert_agrees(bound, adam, operations=20 + 3e-5 / 6e-8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"beta_1": -0.1}, r"`beta_1` must be in \[0, 1\). Received: beta_1=-0.1"),
        ({"final_learning_rate": 0.0}, "`final_learning_rate` must be positive. Received: final_learning_rate=0.0"),
        ({"gamma": 0.0}, "`gamma` must be positive. Received: gamma=0.0"),
        ({"epsilon": -1.0}, "`epsilon` must be non-negative. Received: epsilon=-1.0"),
    ],
)
def test_arguments_are_validated(arguments, message):
    with pytest.raises(ValueError, match=message):
        AMSBound(**arguments)
