"""Adam with a second, slow average of gradients."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from regbench.optimizers import AdEMAMix

RATES = [0.25, 0.25, 0.125, 0.125, 0.0625, 0.0625, 0.0625, 0.0625]


def schedule():
    return keras.optimizers.schedules.PiecewiseConstantDecay([1, 3], [0.25, 0.125, 0.0625])


def reference(weights, gradients, betas, alpha, epsilon, warmup, rates=RATES):
    b1, b2, b3 = betas
    fast = [w.copy() for w in weights]
    m, n, v = ([np.zeros_like(w) for w in weights] for _ in range(3))
    course = []
    for t, (rate, arrays) in enumerate(zip(rates, gradients, strict=True), start=1):
        alpha_t, b3_t = alpha, b3
        if warmup:
            share = min(t / warmup, 1)
            alpha_t = alpha * share
            b3_t = min(np.exp(np.log(b1) * np.log(b3) / ((1 - share) * np.log(b3) + share * np.log(b1))), b3)
        for place, g in enumerate(arrays):
            m[place] = b1 * m[place] + (1 - b1) * g
            n[place] = b3_t * n[place] + (1 - b3_t) * g
            v[place] = b2 * v[place] + (1 - b2) * g**2
            u = m[place] / (1 - b1**t) + alpha_t * n[place]
            fast[place] = fast[place] - rate * u / (np.sqrt(v[place] / (1 - b2**t)) + epsilon)
        course.append([w.copy() for w in fast])
    return course


@pytest.mark.parametrize("warmup", [0, 5, 20])
@pytest.mark.parametrize("alpha", [0.0, 2.0])
def test_steps_follow_the_formula_under_a_schedule(warmup, alpha, weights, gradients, trajectory, assert_agrees):
    optimizer = AdEMAMix(
        schedule(), beta_1=0.8, beta_2=0.95, beta_3=0.99, alpha=alpha, epsilon=1e-8, warmup_steps=warmup
    )
    expected = reference(weights, gradients, (0.8, 0.95, 0.99), alpha, 1e-8, warmup)
    assert_agrees(trajectory(optimizer, weights, gradients), expected, operations=30)


def test_alpha_of_zero_is_adam(weights, gradients, trajectory, assert_agrees):
    # Keras adds its epsilon before the correction: one too small to matter.
    plain = trajectory(keras.optimizers.Adam(0.25, epsilon=1e-30), weights, gradients)
    assert_agrees(trajectory(AdEMAMix(0.25, alpha=0.0, epsilon=1e-30), weights, gradients), plain, operations=40)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"beta_1": 1.0}, r"`beta_1` must be in \[0, 1\)"),
        ({"beta_3": 1.0}, r"`beta_3` must be in \[0, 1\)\. Received: beta_3=1.0"),
        ({"alpha": -1.0}, r"`alpha` must be non-negative and finite\. Received: alpha=-1.0"),
        ({"epsilon": -1.0}, r"`epsilon` must be non-negative\. Received: epsilon=-1.0"),
        ({"warmup_steps": 1.5}, r"`warmup_steps` must be an integer, at least 0\. Received: warmup_steps=1.5"),
        (
            {"warmup_steps": 5, "beta_3": 0.5},
            r"`beta_3` must be at least `beta_1` > 0 to warm up\. Received: beta_1=0.9",
        ),
    ],
)
def test_argument_outside_its_domain_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        AdEMAMix(**arguments)
