"""Only where the step goes down the present gradient."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras.optimizers import SGD, Adam

from regbench.optimizers import CautiousStep, Clipped, DecoupledDecay

RATES = [0.25, 0.25, 0.125, 0.125, 0.0625, 0.0625, 0.0625, 0.0625]
SCHEDULE = [[1, 3], [0.25, 0.125, 0.0625]]  # as Keras has it: boundaries, values


def schedule():
    return keras.optimizers.schedules.PiecewiseConstantDecay(*SCHEDULE)


def momentum_reference(weights, gradients, momentum=0.5, decay=0.0, cautious=False):
    fast, velocities, course = [w.copy() for w in weights], [np.zeros_like(w) for w in weights], []
    for rate, arrays in zip(RATES, gradients, strict=True):
        for w, v, g in zip(fast, velocities, arrays, strict=True):
            v[...] = momentum * v - rate * g
            u = -v / rate
            mask = (np.sign(u) * np.sign(g) > 0).astype(float)
            shrunk = rate * decay * w * ((np.sign(u) * np.sign(w) >= 0) if cautious else 1) if w.ndim >= 2 else 0
            w -= rate * u * mask / max(mask.mean(), 1e-3) + shrunk * (1 if cautious else 0)
            if not cautious:
                w -= shrunk
        course.append([w.copy() for w in fast])
    return course


def test_steps_follow_the_formula_under_a_schedule(weights, gradients, trajectory, assert_agrees):
    for arrays in gradients:
        for array in arrays:
            array.flat[2] = 0.0  # 1e-12 is below half a unit in the last place of the weight
    optimizer = CautiousStep(SGD(schedule(), momentum=0.5))
    assert_agrees(trajectory(optimizer, weights, gradients), momentum_reference(weights, gradients), operations=24)


def test_decay_outside_is_not_masked(weights, gradients, trajectory, assert_agrees):
    for arrays in gradients:
        for array in arrays:
            array.flat[2] = 0.0
    optimizer = DecoupledDecay(CautiousStep(SGD(schedule(), momentum=0.5)), strength=0.5)
    expected = momentum_reference(weights, gradients, decay=0.5)
    assert_agrees(trajectory(optimizer, weights, gradients), expected, operations=24)


@pytest.mark.parametrize("wrap", [lambda inner: inner, lambda inner: Clipped(inner, threshold=1e6)])
def test_cautious_decay_outside_goes_by_the_step_before_its_mask(wrap, weights, gradients, trajectory, assert_agrees):
    for arrays in gradients:
        for array in arrays:
            array.flat[2] = 0.0
    optimizer = DecoupledDecay(wrap(CautiousStep(SGD(schedule(), momentum=0.5))), strength=0.5, coupling="cautious")
    expected = momentum_reference(weights, gradients, decay=0.5, cautious=True)
    assert_agrees(trajectory(optimizer, weights, gradients), expected, operations=24)


@pytest.mark.parametrize("build", [lambda: SGD(0.1, momentum=0.9), lambda: Adam(0.1)])
def test_inner_optimizer_to_the_bit_where_every_step_agrees(build, weights, trajectory, assert_identical):
    generator = np.random.default_rng(3)
    gradients = [[0.1 + np.abs(generator.normal(size=w.shape)) for w in weights] for _ in range(6)]
    wrapped = trajectory(CautiousStep(build()), weights, gradients)
    assert_identical(wrapped, trajectory(build(), weights, gradients))


def test_momentum_that_points_uphill_stays_where_it_is_and_the_rest_goes_further(trajectory):
    gradients = [[np.array([1.0, 1.0])], [np.array([-0.25, 1.0])]]
    course = trajectory(CautiousStep(SGD(1.0, momentum=0.5)), [np.zeros(2)], gradients)
    # Velocities -1, -1, then -0.25 against a gradient of -0.25, and -1.5, which is doubled: half of the entries agree.
    np.testing.assert_array_equal(course[1][0], [-1.0, -1.0 - 3.0])


def test_share_is_at_least_a_thousandth(trajectory):
    gradient = np.zeros(2000)
    gradient[0] = 1.0
    course = trajectory(CautiousStep(SGD(1.0)), [np.zeros(2000)], [[gradient]])
    assert course[0][0][0] == pytest.approx(-1000.0)


def test_gradients_too_small_to_multiply_agree_by_their_signs(trajectory):
    course = trajectory(CautiousStep(SGD(1.0)), [np.zeros(3)], [[np.array([1e-30, -1e-30, 1e-30])]])
    np.testing.assert_allclose(course[0][0], [-1e-30, 1e-30, -1e-30], rtol=1e-6)


def test_only_selected_variables_are_masked(weights, gradients, trajectory):
    plain = trajectory(Adam(0.1), weights, gradients)
    cautious = trajectory(
        CautiousStep(Adam(0.1), apply_to=lambda variable: variable.name == "weight_1"), weights, gradients
    )
    for one, other in zip(cautious, plain, strict=True):
        for place in (0, 2, 3):
            np.testing.assert_array_equal(one[place], other[place])
    assert np.any(cautious[-1][1] != plain[-1][1])


@pytest.mark.parametrize("inner", [lambda: SGD(weight_decay=0.1), lambda: DecoupledDecay(SGD(), strength=0.1)])
def test_decay_inside_is_refused(inner):
    with pytest.raises(ValueError, match=r"`inner_optimizer` of `CautiousStep` must not decay weights: .*outside"):
        CautiousStep(inner())


def test_gradient_that_is_not_finite_shows_in_the_weights(trajectory):
    course = trajectory(CautiousStep(SGD(0.1)), [np.ones(3)], [[np.array([1.0, np.nan, 1.0])]])
    assert np.isnan(course[0][0][1])
