"""g * c / N(g) where N(g) >= c."""

from __future__ import annotations

import numpy as np
import pytest
from keras.optimizers import SGD, Adam

from regbench.optimizers import Clipped, Normalized


def reference(weights, gradients, norm, threshold, learning_rate):
    weights = [array.copy() for array in weights]
    course = []
    for arrays in gradients:
        for weight, array in zip(weights, arrays, strict=True):
            size = norm(array) + 1e-7
            weight -= learning_rate * (array * threshold / size if size >= threshold else array)
        course.append([array.copy() for array in weights])
    return course


# Norms of the course lie between 0 and about 7 (l2), 3 (max): each threshold clips some and leaves some.
@pytest.mark.parametrize(
    ("name", "norm", "threshold"),
    [
        ("l2", lambda g: np.sqrt((g**2).sum()), 3.0),
        ("max", lambda g: np.abs(g).max(), 1.5),
        ("avg_l1", lambda g: np.abs(g).mean(), 0.7),
    ],
)
def test_steps_follow_the_formula(name, norm, threshold, weights, gradients, trajectory, assert_agrees):
    sizes = [norm(array) for arrays in gradients for array in arrays]
    assert min(sizes) < threshold < max(sizes)
    actual = trajectory(Clipped(SGD(0.5), norm=name, threshold=threshold), weights, gradients)
    assert_agrees(actual, reference(weights, gradients, norm, threshold, 0.5), operations=18)


def test_infinite_threshold_is_the_inner_optimizer_to_the_bit(weights, gradients, trajectory, assert_identical):
    clipped = trajectory(Clipped(Adam(0.1), threshold=float("inf")), weights, gradients)
    assert_identical(clipped, trajectory(Adam(0.1), weights, gradients))


def test_threshold_below_every_norm_is_the_normalized_gradient(weights, gradients, trajectory, assert_agrees):
    # Steps of nothing but zeros have the norm 1e-7, the only one below the threshold.
    clipped = trajectory(Clipped(SGD(0.5 / 1e-3), threshold=1e-3), weights, gradients)
    assert_agrees(clipped, trajectory(Normalized(SGD(0.5)), weights, gradients))


def test_l2_is_the_clipnorm_of_keras(weights, gradients, trajectory, assert_agrees):
    # The 1e-7 in the norm, here about 1e-7 of it, counts as one more rounding.
    clipped = trajectory(Clipped(SGD(0.5), threshold=1.0), weights, gradients)
    assert_agrees(clipped, trajectory(SGD(0.5, clipnorm=1.0), weights, gradients), operations=18)


@pytest.mark.parametrize("threshold", [0.0, -1.0, float("nan")])
def test_threshold_must_be_positive(threshold):
    with pytest.raises(ValueError, match=r"`threshold` must be positive. Received: threshold="):
        Clipped(SGD(), threshold=threshold)
