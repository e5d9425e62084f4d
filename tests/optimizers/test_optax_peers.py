"""The same steps as optax's, on the same gradients; where optax is installed (the extra `optax`)."""

from __future__ import annotations

import numpy as np
import pytest

from regbench.optimizers import AdEMAMix, KernelMuon, Prodigy, ScheduleFree

optax = pytest.importorskip("optax", reason="compares with optax, which is not installed")
jax = pytest.importorskip("jax")


def course_of(transformation, weights, gradients, evaluated=None):
    with jax.enable_x64(True):
        parameters = [jax.numpy.asarray(w) for w in weights]
        state, course = transformation.init(parameters), []
        for arrays in gradients:
            updates, state = transformation.update([jax.numpy.asarray(g) for g in arrays], state, parameters)
            parameters = optax.apply_updates(parameters, updates)
            course.append([np.asarray(p, "float64") for p in parameters])
        return course


def test_ademamix(weights, gradients, trajectory, assert_agrees):
    ours = trajectory(AdEMAMix(0.1, beta_2=0.99, beta_3=0.999, alpha=5.0), weights, gradients)
    theirs = course_of(optax.contrib.ademamix(0.1, b2=0.99, b3=0.999, alpha=5.0), weights, gradients)
    assert_agrees(ours, theirs, operations=40)


def test_prodigy(weights, gradients, trajectory, assert_agrees):
    toward = [[0.5 * w + 0.2 * g for w, g in zip(weights, arrays, strict=True)] for arrays in gradients]
    toward = [[np.asarray(g, "float32").astype(float) for g in arrays] for arrays in toward]
    ours = trajectory(Prodigy(1.0, d_0=0.01, correct_bias=True), weights, toward)
    theirs = course_of(optax.contrib.prodigy(1.0, estim_lr0=0.01), weights, toward)
    assert_agrees(ours, theirs, operations=200)


def test_muon_of_convolutions(weights, gradients, trajectory, assert_agrees):
    kernel, course = [weights[3]], [[arrays[3]] for arrays in gradients]
    numbers = [optax.contrib.MuonDimensionNumbers(reduction_axis=(0, 1, 2), output_axis=3)]
    # Without Nesterov's step, which optax corrects for a bias as NAdam does.
    theirs = optax.contrib.muon(
        0.1, beta=0.9, nesterov=False, consistent_rms=0.2, muon_weight_dimension_numbers=numbers
    )
    ours = trajectory(KernelMuon(0.1, momentum=0.9, nesterov=False, apply_to="kernels"), kernel, course)
    assert_agrees(ours, course_of(theirs, kernel, course), operations=1000)


def test_schedule_free(weights, gradients, trajectory, assert_agrees):
    from keras.optimizers import SGD

    theirs = optax.contrib.schedule_free_sgd(0.1, b1=0.9)
    assert_agrees(trajectory(ScheduleFree(SGD(0.1)), weights, gradients), course_of(theirs, weights, gradients), 40)
