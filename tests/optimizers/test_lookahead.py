"""k steps forward, one step back."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras.optimizers import SGD, Adam

from regbench.optimizers import Lookahead


def reference(weights, gradients, period, alpha, learning_rate, momentum):
    fast = [array.copy() for array in weights]
    slow = [array.copy() for array in weights]
    velocities = [np.zeros_like(array) for array in weights]
    course = []
    for step, arrays in enumerate(gradients, start=1):
        for fast_array, slow_array, velocity, array in zip(fast, slow, velocities, arrays, strict=True):
            velocity[...] = momentum * velocity - learning_rate * array
            fast_array += velocity
            if step % period == 0:
                slow_array += alpha * (fast_array - slow_array)
                fast_array[...] = slow_array
        course.append([array.copy() for array in fast])
    return course


@pytest.mark.parametrize("period", [1, 3, 8, 20])
@pytest.mark.parametrize("alpha", [0.3, 0.5, 1.0])
def test_steps_follow_the_formula(period, alpha, weights, gradients, trajectory, assert_agrees):
    optimizer = Lookahead(SGD(0.25, momentum=0.9), sync_period=period, slow_step_size=alpha)
    assert_agrees(trajectory(optimizer, weights, gradients), reference(weights, gradients, period, alpha, 0.25, 0.9))


def test_slow_step_size_one_is_the_inner_optimizer_to_the_bit(weights, gradients, trajectory, assert_identical):
    wrapped = trajectory(Lookahead(Adam(0.1), sync_period=2, slow_step_size=1.0), weights, gradients)
    assert_identical(wrapped, trajectory(Adam(0.1), weights, gradients))


def test_slow_weights_start_as_the_weights_at_the_first_step_not_at_build():
    weight = keras.Variable([[5.0]])
    optimizer = Lookahead(SGD(1.0), sync_period=1, slow_step_size=0.5)
    optimizer.build([weight])
    weight.assign([[1.0]])  # as `load_weights` does on a compiled model
    optimizer.apply([keras.ops.convert_to_tensor([[2.0]])])
    assert np.asarray(weight).item() == 1 + 0.5 * (-2)


@pytest.mark.parametrize("period", [0, -1, 2.5])
def test_sync_period_must_be_a_positive_integer(period):
    with pytest.raises(ValueError, match=r"`sync_period` must be a positive integer. Received: sync_period="):
        Lookahead(SGD(), sync_period=period)


@pytest.mark.parametrize("alpha", [0.0, 1.5])
def test_slow_step_size_outside_its_domain_is_refused(alpha):
    with pytest.raises(ValueError, match=r"`slow_step_size` must be in \(0, 1\]. Received: slow_step_size="):
        Lookahead(SGD(), slow_step_size=alpha)
