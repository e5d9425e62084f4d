"""Weights and updates at fixed norms."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras.optimizers import SGD, Adam

from regbench.optimizers import CautiousStep, Clipped, DecoupledDecay, Lookahead, NormPinned

EPSILON = float(np.finfo("float32").eps)


def reference(weights, gradients, rates, momentum, radius=None):
    """Of all but the first, a vector, and the last, which is the output's."""
    fast, velocities, course = [w.copy() for w in weights], [np.zeros_like(w) for w in weights], []
    radii = [radius or np.linalg.norm(w) for w in weights]
    for rate, arrays in zip(rates, gradients, strict=True):
        for place, (w, v, g, size) in enumerate(zip(fast, velocities, arrays, radii, strict=True)):
            v[...] = momentum * v - rate * g
            if place in (0, len(weights) - 1):
                w += v
                continue
            u = -v / rate
            moved = w - rate * size * u / max(np.linalg.norm(u), 1e-10)
            w[...] = size * moved / np.linalg.norm(moved)
        course.append([w.copy() for w in fast])
    return course


@pytest.mark.parametrize("radius", [None, 1.5])
def test_steps_follow_the_formula_under_a_schedule(radius, weights, gradients, trajectory, assert_agrees):
    rates = [0.25, 0.25, 0.125, 0.125, 0.0625, 0.0625, 0.0625, 0.0625]
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1, 3], [0.25, 0.125, 0.0625])
    optimizer = NormPinned(SGD(schedule, momentum=0.5), radius=radius)
    expected = reference(weights, gradients, rates, 0.5, radius)
    assert_agrees(trajectory(optimizer, weights, gradients), expected, operations=48)


def test_norm_stays_and_the_size_of_the_gradient_has_no_effect(weights, gradients, trajectory):
    course = trajectory(NormPinned(SGD(0.2)), weights, gradients)
    for arrays in course:
        for place in (1, 2):
            assert np.linalg.norm(arrays[place]) == pytest.approx(np.linalg.norm(weights[place]), rel=8 * EPSILON)
    # Powers of two round nowhere: the same bits, also far below the last place of the weights.
    for scale in (2.0**30, 2.0**-28):
        scaled = trajectory(NormPinned(SGD(0.2)), weights, [[scale * g for g in arrays] for arrays in gradients[:3]])
        for one, other in zip(scaled, course[:3], strict=True):
            for place in (1, 2):
                np.testing.assert_array_equal(one[place], other[place])


def test_step_before_the_projection_has_the_length_of_rate_times_radius():
    weight = np.array([[3.0, 0.0], [0.0, 4.0]])  # norm 5
    gradient = np.array([[0.0, 7.0], [0.0, 0.0]])  # along the sphere
    variables = [keras.Variable(weight, name="kernel"), keras.Variable(np.ones((2, 1)), name="kernel")]
    optimizer = NormPinned(SGD(0.5))
    optimizer.apply([keras.ops.convert_to_tensor(gradient, "float32"), keras.ops.zeros((2, 1))], variables)
    moved = np.array([[3.0, -2.5], [0.0, 4.0]])
    np.testing.assert_allclose(np.asarray(variables[0]), 5 * moved / np.linalg.norm(moved), rtol=4 * EPSILON)


def test_weights_that_are_not_selected_are_those_of_the_inner_optimizer_to_the_bit(weights, gradients, trajectory):
    plain, pinned = trajectory(Adam(0.1), weights, gradients), trajectory(NormPinned(Adam(0.1)), weights, gradients)
    for one, other in zip(pinned, plain, strict=True):
        for place in (0, 3):  # a vector, and the last kernel, of the outputs
            np.testing.assert_array_equal(one[place], other[place])
        for place in (1, 2):
            assert np.any(one[place] != other[place])


def test_radius_is_that_of_the_first_step_not_of_build():
    weight = keras.Variable([[3.0], [4.0]])
    optimizer = NormPinned(SGD(0.1), apply_to="all")
    optimizer.build([weight])
    weight.assign([[6.0], [8.0]])  # as `load_weights` does on a compiled model
    for _ in range(2):
        optimizer.apply([keras.ops.convert_to_tensor([[2.0], [1.0]])])
        assert np.linalg.norm(np.asarray(weight)) == pytest.approx(10, rel=4 * EPSILON)


def test_gradient_of_zeros_leaves_a_kernel_on_its_sphere(trajectory):
    weight = np.array([[3.0], [4.0]])
    course = trajectory(NormPinned(SGD(0.5), apply_to="all"), [weight], [[np.zeros((2, 1))]] * 3)
    np.testing.assert_allclose(course[-1][0], weight, rtol=4 * EPSILON)


def test_kernel_of_zeros_is_not_a_number(trajectory):
    course = trajectory(NormPinned(SGD(0.5), apply_to="all"), [np.zeros((2, 2))], [[np.ones((2, 2))]])
    assert np.isnan(course[0][0]).all()


def test_tables_of_embeddings_and_outputs_are_not_hidden():
    names = [("embeddings", 2), ("kernel", 2), ("bias", 2), ("recurrent_kernel", 2), ("gamma", 1), ("kernel", 2)]
    variables = [keras.Variable(np.ones((2,) * rank), name=name) for name, rank in names]
    optimizer = NormPinned(SGD(0.1))
    optimizer.build(variables)
    assert optimizer._is_selected == (False, True, False, True, False, False)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: NormPinned(SGD(), radius=0.0), r"`radius` must be positive and finite, or None. Received: radius=0.0"),
        (lambda: NormPinned(SGD(weight_decay=0.1)), "`inner_optimizer` of `NormPinned` must not decay weights"),
        (lambda: NormPinned(DecoupledDecay(SGD(), 0.1)), "`inner_optimizer` of `NormPinned` must not decay weights"),
        (
            lambda: NormPinned(Lookahead(SGD())),
            "must take steps that do not depend on the weights. Received: Lookahead",
        ),
        (lambda: NormPinned(CautiousStep(SGD())), "do not depend on the weights. Received: CautiousStep"),
        (lambda: DecoupledDecay(Clipped(NormPinned(SGD())), 0.1), "Received: NormPinned: it pins the norm of kernels"),
    ],
)
def test_what_has_no_meaning_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
