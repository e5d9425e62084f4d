"""Adam that estimates its learning rate."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from regbench.optimizers import DecoupledDecay, NormPinned, Prodigy

FACTORS = [1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25]


def reference(weights, gradients, betas, epsilon, d_0, d_coef, growth, correct, strength, factors=FACTORS):
    """As the authors' package has it; decay on kernels."""
    b1, b2 = betas
    b3 = np.sqrt(b2)
    fast, starts = [w.copy() for w in weights], [w.copy() for w in weights]
    m, v, s = ([np.zeros_like(w) for w in weights] for _ in range(3))
    d = d_max = d_0
    r, course, estimates = 0.0, [], []
    for k, (factor, arrays) in enumerate(zip(factors, gradients, strict=True), start=1):
        bc = np.sqrt(1 - b2**k) / (1 - b1**k) if correct else 1.0
        dlr = d * factor * bc
        r *= b3
        for place, g in enumerate(arrays):
            r += d / d_0 * dlr * (g * (starts[place] - fast[place])).sum()
            m[place] = b1 * m[place] + d * (1 - b1) * g
            v[place] = b2 * v[place] + d * d * (1 - b2) * g * g
            s[place] = b3 * s[place] + d / d_0 * dlr * g
        size = sum(np.abs(one).sum() for one in s)
        if size > 0:
            estimate = d_coef * r / size
            if d == d_0:
                d = max(d, estimate)
            d_max = max(d_max, estimate)
            d = min(d_max, d * growth)
            for place in range(len(fast)):
                decay = strength * dlr * fast[place] if fast[place].ndim >= 2 else 0
                fast[place] = fast[place] - decay - dlr * m[place] / (np.sqrt(v[place]) + d * epsilon)
        course.append([w.copy() for w in fast])
        estimates.append(d)
    return course, estimates


CASES = {
    "plain": {},
    "corrected": {"correct_bias": True},
    "slow": {"growth_rate": 1.5},
    "tuned": {"d_coef": 2.0, "strength": 0.5},
}


def run(arguments, weights, gradients):
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1, 3], [1.0, 0.5, 0.25])
    optimizer = Prodigy(schedule, **({"d_0": 0.01, "beta_1": 0.8, "beta_2": 0.95} | arguments))
    variables = [keras.Variable(w, dtype="float32", name=f"weight_{i}") for i, w in enumerate(weights)]
    course, estimates = [], []
    for arrays in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(g, "float32") for g in arrays], variables)
        course.append([np.asarray(v).astype("float64") for v in variables])
        estimates.append(float(optimizer._distance.value))
    return course, estimates


@pytest.mark.parametrize("name", CASES)
def test_steps_and_estimates_follow_the_formula_under_a_schedule(name, weights, gradients, assert_agrees):
    # Gradients that lead somewhere, so that the estimate grows; with zeros, changes of sign and a step of zeros.
    toward = [[0.5 * w + 0.2 * g for w, g in zip(weights, arrays, strict=True)] for arrays in gradients]
    for arrays in toward:
        for array in arrays:
            array.flat[0] = 0.0
    toward[3] = [0 * array for array in toward[3]]
    given = {"growth_rate": float("inf"), "d_coef": 1.0, "correct_bias": False, "strength": 0.0} | CASES[name]
    expected, estimates = reference(
        weights,
        [[np.asarray(g, "float32").astype(float) for g in arrays] for arrays in toward],
        *((0.8, 0.95), 1e-8, 0.01, given["d_coef"], given["growth_rate"], given["correct_bias"], given["strength"]),
    )
    course, actual = run(CASES[name], weights, toward)
    np.testing.assert_allclose(actual, estimates, rtol=1e-4)
    assert estimates[-1] > 1.1 * estimates[0]
    assert_agrees(course, expected, operations=200)


def test_gradients_of_zeros_take_no_step(weights):
    zeros = [[0 * w for w in weights]] * 3
    course, estimates = run({}, weights, [*zeros] * 1 + zeros)
    for one, other in zip(course[-1], weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert estimates == pytest.approx([0.01] * 6)


def test_start_is_that_of_the_first_step_not_of_build():
    weight = keras.Variable([[5.0]])
    optimizer = Prodigy(1.0)
    optimizer.build([weight])
    weight.assign([[1.0]])  # as `load_weights` does on a compiled model
    optimizer.apply([keras.ops.convert_to_tensor([[2.0]])])
    assert np.asarray(optimizer._starts[0]).item() == 1.0


def test_decay_around_it_is_refused():
    with pytest.raises(ValueError, match="Received: Prodigy: it decays by its own `strength`, times its estimate"):
        DecoupledDecay(Prodigy(), 0.1)
    with pytest.raises(ValueError, match=r"steps that do not depend on the weights\. Received: Prodigy"):
        NormPinned(Prodigy())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"d_0": 0.0}, r"`d_0` must be above 0\. Received: d_0=0.0"),
        ({"d_coef": -1.0}, r"`d_coef` must be above 0\. Received: d_coef=-1.0"),
        ({"growth_rate": 1.0}, r"`growth_rate` must be above 1\. Received: growth_rate=1.0"),
        ({"epsilon": -1.0}, r"`epsilon` must be non-negative and finite\. Received: epsilon=-1.0"),
        ({"strength": -1.0}, r"`strength` must be non-negative and finite\. Received: strength=-1.0"),
        (
            {"apply_to": "biases"},
            r"`apply_to` must be \"kernels\", \"all\" or a function\. Received: apply_to='biases'",
        ),
    ],
)
def test_argument_outside_its_domain_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Prodigy(**arguments)
