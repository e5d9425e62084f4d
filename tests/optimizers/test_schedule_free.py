"""An average in place of a falling learning rate."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras.optimizers import SGD, Adam

from regbench.optimizers import DecoupledDecay, Lookahead, Normalized, ScheduleFree


def reference(weights, gradients, rate, beta, warmup, strength, adam=None, rates=None):
    """Trained and evaluated weights after each step, as the authors' package has them, decay on kernels."""
    ys, zs, xs = ([w.copy() for w in weights] for _ in range(3))
    squares = [np.zeros_like(w) for w in weights]
    total = largest = 0.0
    trained, evaluated = [], []
    for k, arrays in enumerate(gradients):
        lr = (rates[k] if rates else rate) * (min(1.0, (k + 1) / warmup) if warmup else 1.0)
        largest = max(largest, lr)
        total += largest**2
        c = largest**2 / total
        for y, z, x, v, g in zip(ys, zs, xs, squares, arrays, strict=True):
            d = g
            if adam:
                beta_2, epsilon = adam
                v[...] = beta_2 * v + (1 - beta_2) * g**2
                correction = np.sqrt(1 - beta_2 ** (k + 1))
                d = g * correction / (np.sqrt(v) + epsilon)  # Keras's epsilon
            z -= lr * (d + (strength * y if y.ndim >= 2 else 0))
            x[...] = (1 - c) * x + c * z
            y[...] = (1 - beta) * z + beta * x
        trained.append([y.copy() for y in ys])
        evaluated.append([x.copy() for x in xs])
    return trained, evaluated


def courses(optimizer, weights, gradients):
    variables = [keras.Variable(w, dtype="float32", name=f"weight_{i}") for i, w in enumerate(weights)]
    trained, evaluated = [], []
    for arrays in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(g, "float32") for g in arrays], variables)
        trained.append([np.asarray(v, "float64").copy() for v in variables])
        optimizer.show()
        evaluated.append([np.asarray(v, "float64").copy() for v in variables])
        optimizer.train_on()
    return trained, evaluated


@pytest.mark.parametrize(
    ("beta", "warmup", "strength"), [(0.9, 0, 0.0), (0.9, 3, 0.25), (0.5, 12, 0.25), (0.0, 2, 0.5)]
)
@pytest.mark.parametrize("adam", [None, (0.9, 1e-3)])
def test_steps_follow_the_formula(adam, beta, warmup, strength, weights, gradients, assert_agrees):
    inner = Adam(0.125, beta_1=0.0, beta_2=0.9, epsilon=1e-3) if adam else SGD(0.125)
    optimizer = ScheduleFree(inner, beta=beta, warmup_steps=warmup, strength=strength)
    for actual, expected in zip(
        courses(optimizer, weights, gradients),
        reference(weights, gradients, 0.125, beta, warmup, strength, adam),
        strict=True,
    ):
        assert_agrees(actual, expected, operations=40)


def test_weights_of_the_average_are_squares_of_the_largest_rate(weights, gradients, assert_agrees):
    rates = [0.0625, 0.25, 0.25, 0.125, 0.125, 0.25, 0.5, 0.5]
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0, 2, 4, 5], [0.0625, 0.25, 0.125, 0.25, 0.5])
    actual = courses(ScheduleFree(SGD(schedule)), weights, gradients)
    for one, other in zip(actual, reference(weights, gradients, None, 0.9, 0, 0.0, rates=rates), strict=True):
        assert_agrees(one, other, operations=40)


@pytest.mark.parametrize("build", [lambda: SGD(0.1), lambda: Adam(0.1, beta_1=0.0)])
def test_iterate_without_beta_is_the_inner_optimizer_to_the_bit(
    build, weights, gradients, trajectory, assert_identical
):
    wrapped = trajectory(ScheduleFree(build(), beta=0.0), weights, gradients)
    assert_identical(wrapped, trajectory(build(), weights, gradients))


def test_start_is_that_of_the_first_step_not_of_build():
    weight = keras.Variable([[5.0]])
    optimizer = ScheduleFree(SGD(1.0))
    optimizer.build([weight])
    weight.assign([[1.0]])  # as `load_weights` does on a compiled model
    optimizer.apply([keras.ops.convert_to_tensor([[2.0]])])
    assert np.asarray(weight).item() == -1.0


def test_variable_without_a_gradient_is_shown_as_it_is():
    variables = [keras.Variable([1.0]), keras.Variable([3.0])]
    optimizer = ScheduleFree(SGD(1.0))
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        optimizer.apply([keras.ops.convert_to_tensor([2.0]), None], variables)
    optimizer.show()
    np.testing.assert_array_equal([np.asarray(v).item() for v in variables], [-1.0, 3.0])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ScheduleFree(SGD(), beta=1.0), r"`beta` must be in \[0, 1\)\. Received: beta=1.0"),
        (lambda: ScheduleFree(SGD(), warmup_steps=-1), "`warmup_steps` must be an integer, at least 0"),
        (lambda: ScheduleFree(SGD(), strength=-1.0), "`strength` must be non-negative and finite"),
        (lambda: ScheduleFree(SGD(momentum=0.9)), "`momentum` of the optimizer inside .* Received: momentum=0.9"),
        (lambda: ScheduleFree(Normalized(Adam())), "`beta_1` of the optimizer inside .* Received: beta_1=0.9"),
        (lambda: ScheduleFree(SGD(weight_decay=0.1)), "must not decay weights: it would act at z"),
        (lambda: ScheduleFree(Lookahead(SGD())), "steps that do not depend on the weights. Received: Lookahead"),
        (lambda: DecoupledDecay(ScheduleFree(SGD()), 0.1), "it decays by its own `strength`"),
    ],
)
def test_what_has_no_meaning_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
