"""AdaBelief against Algorithm 2 in double precision."""

from __future__ import annotations

import numpy as np
import pytest

from regbench.optimizers import AdaBelief


def reference(weights, gradients, learning_rate, beta_1, beta_2, epsilon):
    weights = [array.copy() for array in weights]
    first = [np.zeros_like(array) for array in weights]
    second = [np.zeros_like(array) for array in weights]
    course = []
    for t, arrays in enumerate(gradients, start=1):
        for weight, m, s, g in zip(weights, first, second, arrays, strict=True):
            m[...] = beta_1 * m + (1 - beta_1) * g
            s[...] = beta_2 * s + (1 - beta_2) * (g - m) ** 2 + epsilon
            weight -= learning_rate * m / (1 - beta_1**t) / (np.sqrt(s / (1 - beta_2**t)) + epsilon)
        course.append([array.copy() for array in weights])
    return course


@pytest.mark.parametrize(("beta_1", "beta_2"), [(0.9, 0.999), (0.5, 0.8), (0.9, 0.5)])
@pytest.mark.parametrize("epsilon", [1e-14, 1e-8, 1e-3])
def test_steps_follow_the_formula(beta_1, beta_2, epsilon, weights, gradients, trajectory, assert_agrees):
    optimizer = AdaBelief(0.25, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)
    expected = reference(weights, gradients, 0.25, beta_1, beta_2, epsilon)
    # g - m is a difference of numbers of the size of g: up to 1 / (1 - 0.5) = 2 units more in its square.
    assert_agrees(trajectory(optimizer, weights, gradients), expected, operations=20)


def test_constant_gradient_is_believed_more_and_more(trajectory):
    # With g constant, g - m_t = beta_1**t g: the steps grow, while Adam's stay at the learning rate.
    course = trajectory(AdaBelief(0.1), [np.zeros((1, 1))], [[np.ones((1, 1))]] * 20)
    steps = -np.diff([0.0] + [arrays[0].item() for arrays in course])
    assert np.all(np.diff(steps) > 0)
    assert steps[-1] > 0.2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"beta_2": 1.5}, r"`beta_2` must be in \[0, 1\). Received: beta_2=1.5"),
        ({"epsilon": 0.0}, "`epsilon` must be positive. Received: epsilon=0.0"),
    ],
)
def test_arguments_are_validated(arguments, message):
    with pytest.raises(ValueError, match=message):
        AdaBelief(**arguments)
