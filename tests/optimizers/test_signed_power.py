"""f(g) = sign(g) |g|**p in front of gradient descent with and without momentum."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras.optimizers import SGD

from regbench.optimizers import SignedPower


def signed_power(gradient, power):
    return np.sign(gradient) * np.abs(gradient) ** power


def reference(weights, gradients, power, learning_rate, momentum=0.0, nesterov=False):
    """The three variants as the paper states them, on kernels (rank 2 and more)."""
    weights = [array.copy() for array in weights]
    velocities = [np.zeros_like(array) for array in weights]
    course = []
    for arrays in gradients:
        for weight, velocity, array in zip(weights, velocities, arrays, strict=True):
            transformed = signed_power(array, power) if weight.ndim >= 2 else array
            velocity[...] = momentum * velocity + transformed
            weight -= learning_rate * (transformed + momentum * velocity if nesterov else velocity)
        course.append([array.copy() for array in weights])
    return course


@pytest.mark.parametrize("power", [0.1, 0.5, 0.7, 1.0])
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_steps_follow_the_formula(power, momentum, nesterov, weights, gradients, trajectory, assert_agrees):
    inner = SGD(0.25, momentum=momentum, nesterov=nesterov)
    actual = trajectory(SignedPower(inner, power=power), weights, gradients)
    assert_agrees(actual, reference(weights, gradients, power, 0.25, momentum, nesterov))


def test_power_one_is_the_inner_optimizer_to_the_bit(weights, gradients, trajectory, assert_identical):
    wrapped = SignedPower(SGD(0.25, momentum=0.9), power=1.0, apply_to="all")
    assert_identical(trajectory(wrapped, weights, gradients), trajectory(SGD(0.25, momentum=0.9), weights, gradients))


def test_power_near_zero_moves_every_weight_alike(trajectory):
    gradient = np.array([[-3.0, 0.0, 1e-3, 5.0]])
    ((after,),) = trajectory(SignedPower(SGD(1.0), power=1e-6), [np.zeros((1, 4))], [[gradient]])
    # |g|**p = 1 + p log|g| + ...: off by at most 1e-6 * log(1e3) < 7e-6.
    np.testing.assert_allclose(after, [[1.0, 0.0, -1.0, -1.0]], rtol=0, atol=1e-5)


def test_result_is_accurate_to_a_few_units_over_the_whole_range_of_float32(trajectory):
    sizes = 10.0 ** np.arange(-30, 31)
    gradient = np.concatenate([sizes, -sizes])[None].astype("float32").astype("float64")
    ((after,),) = trajectory(SignedPower(SGD(1.0), power=0.5), [np.zeros(gradient.shape)], [[gradient]])
    # The square root of a correctly rounded library is within 2 units in the last place; TensorFlow promises no more.
    np.testing.assert_allclose(after, -signed_power(gradient, 0.5), rtol=4 * np.finfo("float32").eps)


def test_kernels_are_the_variables_of_rank_two_and_more(trajectory):
    weights = [np.zeros(shape) for shape in [(2,), (1, 2), (1, 1, 2)]]
    gradients = [np.full(array.shape, 4.0) for array in weights]
    ((bias, theta, kernel),) = trajectory(SignedPower(SGD(1.0), power=0.5), weights, [gradients])
    assert [array.flat[0] for array in (bias, theta, kernel)] == [-4.0, -2.0, -2.0]


@pytest.mark.parametrize("power", [0.0, -0.5, 1.5, float("nan")])
def test_power_outside_its_domain_is_refused(power):
    with pytest.raises(ValueError, match=r"`power` must be in \(0, 1\]. Received: power="):
        SignedPower(SGD(), power=power)


def test_inner_optimizer_may_be_given_by_name():
    assert isinstance(SignedPower("sgd").inner_optimizer, keras.optimizers.SGD)
