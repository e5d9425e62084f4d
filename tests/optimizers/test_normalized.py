"""g / N(g) for the ten norms, and norms of the user's own."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras.optimizers import SGD

from regbench.optimizers import Clipped, Normalized, norms, register_norm

NORMS = {
    "l1": lambda g: np.abs(g).sum(),
    "l2": lambda g: np.sqrt((g**2).sum()),
    "l1_l2": lambda g: (np.abs(g).sum() + np.sqrt((g**2).sum())) / 2,
    "avg_l1": lambda g: np.abs(g).mean(),
    "avg_l2": lambda g: np.sqrt((g**2).mean()),
    "avg_l1_l2": lambda g: (np.abs(g).mean() + np.sqrt((g**2).mean())) / 2,
    "max": lambda g: np.abs(g).max(),
    "linf": lambda g: np.abs(g).max(),
    "min_max": lambda g: (np.abs(g).max() + np.abs(g).min()) / 2,
    "std": lambda g: np.sqrt(((g - g.mean()) ** 2).mean()),
}


@pytest.fixture
def registered_norm(monkeypatch):
    monkeypatch.setattr(norms, "_registered_norms", {})
    register_norm("median", lambda gradient: keras.ops.median(keras.ops.abs(gradient)))
    return "median"


def reference(weights, gradients, norm, learning_rate, momentum):
    weights = [array.copy() for array in weights]
    velocities = [np.zeros_like(array) for array in weights]
    course = []
    for arrays in gradients:
        for weight, velocity, array in zip(weights, velocities, arrays, strict=True):
            velocity[...] = momentum * velocity - learning_rate * array / (norm(array) + 1e-7)
            weight += velocity
        course.append([array.copy() for array in weights])
    return course


@pytest.mark.parametrize("name", NORMS)
def test_steps_follow_the_formula(name, weights, gradients, trajectory, assert_agrees):
    actual = trajectory(Normalized(SGD(0.5, momentum=0.9), norm=name), weights, gradients)
    # The sum over the 48 entries of the largest variable adds at most as many roundings as its pairwise depth, 6.
    assert_agrees(actual, reference(weights, gradients, NORMS[name], 0.5, 0.9), operations=18)


def test_all_ten_norms_are_offered():
    assert list(norms.BUNDLED_NORMS) == list(NORMS)


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_size_of_the_gradient_does_not_matter(name, scale, weights, gradients, trajectory):
    scaled = [[scale * array for array in arrays] for arrays in gradients]
    plain = trajectory(Normalized(SGD(1.0), norm=name), weights, gradients)[-1]
    # The norms here are above 0.1, so that adding 1e-7 changes a step by at most 1e-7 / (0.1 * 1e-3) = 1e-3 of itself.
    for one, other in zip(plain, trajectory(Normalized(SGD(1.0), norm=name), weights, scaled)[-1], strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=8e-3 * max(1, np.abs(one).max()))


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("shape", [(), (1,), (3, 2)])
def test_gradient_of_zeros_changes_nothing(name, shape, trajectory):
    ((after,),) = trajectory(Normalized(SGD(1.0), norm=name), [np.ones(shape)], [[np.zeros(shape)]])
    np.testing.assert_array_equal(after, np.ones(shape))


def test_float16_gradients_do_not_overflow_in_the_norm(trajectory):
    # The sum of squares, 4 * 300**2 = 360000, is beyond float16's 65504.
    ((after,),) = trajectory(Normalized(SGD(1.0)), [np.zeros((2, 2))], [[np.full((2, 2), 300.0)]], dtype="float16")
    np.testing.assert_allclose(after, np.full((2, 2), -0.5), rtol=np.finfo("float16").eps)


def test_registered_norm_is_used_with_the_same_epsilon(registered_norm, trajectory):
    gradient = np.array([3.0, -1.0, 0.5])
    ((after,), (unmoved,)) = trajectory(
        Normalized(SGD(1.0), norm=registered_norm), [np.zeros(3)], [[gradient], [np.zeros(3)]]
    )
    np.testing.assert_allclose(after, -gradient, rtol=3e-7)  # 1e-7 for the epsilon, two roundings
    np.testing.assert_array_equal(unmoved, after)


@pytest.mark.parametrize("wrapper", [Normalized, Clipped])
def test_unknown_norm_is_an_error_that_lists_the_known_ones(wrapper, registered_norm):
    with pytest.raises(ValueError, match=r"'avg_l1_l2'.*'std', 'median'\].*register_norm.*Received: norm='l3'"):
        wrapper(SGD(), norm="l3")


def test_bundled_norm_cannot_be_replaced():
    with pytest.raises(ValueError, match=r"`name` must not be that of a bundled norm. Received: name='l2'"):
        register_norm("l2", keras.ops.max)
