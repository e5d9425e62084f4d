"""Muon for hidden kernels, convolutions among them, Adam for the rest."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from regbench.optimizers import KernelMuon

RATES = [0.25, 0.25, 0.125, 0.125, 0.0625, 0.0625, 0.0625, 0.0625]


def newton_schulz(matrix, steps):
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / (np.linalg.norm(x) + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


def reference(weights, gradients, momentum, nesterov, rms_rate, ratio, matrices):
    fast, buffers = [w.copy() for w in weights], [np.zeros_like(w) for w in weights]
    squares, course = [np.zeros_like(w) for w in weights], []
    for t, (rate, arrays) in enumerate(zip(RATES, gradients, strict=True), start=1):
        for place, g in enumerate(arrays):
            if place in matrices:
                buffers[place] = momentum * buffers[place] + g
                update = momentum * buffers[place] + g if nesterov else buffers[place]
                flat = update.reshape(-1, g.shape[-1])
                rows, columns = flat.shape
                scale = rms_rate * np.sqrt(max(rows, columns)) if rms_rate else np.sqrt(max(1, columns / rows))
                fast[place] = fast[place] - rate * scale * newton_schulz(flat, 5).reshape(g.shape)
                continue
            buffers[place] = 0.9 * buffers[place] + 0.1 * g
            squares[place] = 0.95 * squares[place] + 0.05 * g**2
            root = np.sqrt(squares[place] / (1 - 0.95**t)) + 1e-8
            fast[place] = fast[place] - ratio * rate * buffers[place] / (1 - 0.9**t) / root
        course.append([w.copy() for w in fast])
    return course


@pytest.mark.parametrize(("nesterov", "rms_rate", "ratio"), [(True, 0.2, 1.0), (False, None, 0.5)])
@pytest.mark.parametrize(("apply_to", "matrices"), [("hidden", (1, 2)), ("kernels", (1, 2, 3))])
def test_steps_follow_the_formula_under_a_schedule(
    nesterov, rms_rate, ratio, apply_to, matrices, weights, gradients, trajectory, assert_agrees
):
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1, 3], [0.25, 0.125, 0.0625])
    chosen = {"nesterov": nesterov, "rms_rate": rms_rate, "adam_lr_ratio": ratio, "apply_to": apply_to}
    optimizer = KernelMuon(schedule, momentum=0.8, beta_2=0.95, **chosen)
    expected = reference(weights, gradients, 0.8, nesterov, rms_rate, ratio, matrices)
    # Five iterations of products of 12 entries, each of which triples an error.
    assert_agrees(trajectory(optimizer, weights, gradients), expected, operations=1000)


def test_step_is_nearly_orthogonal_whatever_the_size_of_the_gradient(trajectory):
    gradient = np.random.default_rng(1).normal(size=(3, 3, 2, 6))
    steps = []
    for scale in (1.0, 1e-3):
        optimizer = KernelMuon(1.0, rms_rate=None, apply_to="kernels")
        course = trajectory(optimizer, [np.zeros((3, 3, 2, 6))], [[scale * gradient]])
        steps.append(course[0][0].reshape(18, 6))
        singular = np.linalg.svd(steps[-1])[1]
        assert singular.min() > 0.5
        assert singular.max() < 1.3
    np.testing.assert_allclose(steps[0], steps[1], rtol=0, atol=1e-3)


def test_dense_kernels_are_those_of_keras(weights, gradients, trajectory):
    kernel, course = [weights[1]], [[arrays[1]] for arrays in gradients]
    ours = trajectory(KernelMuon(0.1, apply_to="kernels"), kernel, course)
    theirs = trajectory(keras.optimizers.Muon(0.1, weight_decay=0.0, adam_weight_decay=0.0), kernel, course)
    np.testing.assert_allclose(ours[-1][0], theirs[-1][0], rtol=0, atol=1e-4)


def test_gradient_of_zeros_takes_no_step(trajectory):
    course = trajectory(KernelMuon(0.1, apply_to="kernels"), [np.ones((3, 2))], [[np.zeros((3, 2))]] * 2)
    np.testing.assert_array_equal(course[-1][0], np.ones((3, 2)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"momentum": 1.0}, r"`momentum` must be in \[0, 1\)\. Received: momentum=1.0"),
        ({"steps": 0}, r"`steps` must be an integer, at least 1\. Received: steps=0"),
        ({"rms_rate": 0.0}, r"`rms_rate` must be positive, or None\. Received: rms_rate=0.0"),
        ({"adam_lr_ratio": 0.0}, r"`adam_lr_ratio` must be positive\. Received: adam_lr_ratio=0.0"),
        ({"epsilon": -1.0}, r"`epsilon` must be non-negative\. Received: epsilon=-1.0"),
        ({"apply_to": "all"}, r"`apply_to` must be \"hidden\", \"kernels\" or a function\. Received: apply_to='all'"),
    ],
)
def test_argument_outside_its_domain_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        KernelMuon(**arguments)


def test_function_that_selects_cannot_be_saved():
    with pytest.raises(ValueError, match=r"`apply_to` must be \"hidden\" or \"kernels\" to be saved\. Received: "):
        KernelMuon(apply_to=lambda variable: True).get_config()
