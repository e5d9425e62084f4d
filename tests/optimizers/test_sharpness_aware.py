"""The gradient where the loss is higher."""

from __future__ import annotations

import inspect
import textwrap

import keras
import numpy as np
import pytest
from keras.optimizers import SGD, Adam

from regbench.optimizers import Clipped, DecoupledDecay, SharpnessAware

# Keras 3.15 reads variables in a way of which NumPy 2 disapproves, whatever the optimizer.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
tensorflow_only = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the documented step is TensorFlow's"
)


def curvatures(weights):
    return [np.random.default_rng(5).uniform(-1, 2, size=w.shape).astype("float32").astype("float64") for w in weights]


def course_of(optimizer, sharp, weights, noise):
    """Steps on sum(c w**2) / 2 + noise w, whose gradient is known everywhere."""
    variables = [keras.Variable(w, dtype="float32", name=f"weight_{i}") for i, w in enumerate(weights)]
    curves = [keras.ops.convert_to_tensor(c, "float32") for c in curvatures(weights)]

    def gradients(arrays):
        return [
            c * v + keras.ops.convert_to_tensor(n, "float32") for c, v, n in zip(curves, variables, arrays, strict=True)
        ]

    course = []
    for arrays in noise:
        if sharp is not None:
            sharp.ascend(gradients(arrays), variables)
        uphill = gradients(arrays)
        if sharp is not None:
            sharp.descend(variables)
        optimizer.apply(uphill, variables)
        course.append([np.asarray(v, "float64").copy() for v in variables])
    return course


def reference(weights, noise, rates, rho, momentum, decay=0.0):
    fast, velocities, course = [w.copy() for w in weights], [np.zeros_like(w) for w in weights], []
    curves = curvatures(weights)
    for rate, arrays in zip(rates, noise, strict=True):
        first = [c * w + n for c, w, n in zip(curves, fast, arrays, strict=True)]
        norm = np.sqrt(sum((g**2).sum() for g in first)) + 1e-12
        for w, v, c, n, g in zip(fast, velocities, curves, arrays, first, strict=True):
            uphill = c * (w + rho * g / norm) + n
            if w.ndim >= 2:
                w -= rate * decay * w
            v[...] = momentum * v - rate * uphill
            w += v
        course.append([w.copy() for w in fast])
    return course


RATES = [0.25, 0.25, 0.125, 0.125, 0.0625, 0.0625, 0.0625, 0.0625]


def sgd():
    return SGD(keras.optimizers.schedules.PiecewiseConstantDecay([1, 3], [0.25, 0.125, 0.0625]), momentum=0.5)


def test_steps_follow_the_formula_under_a_schedule(weights, gradients, assert_agrees):
    optimizer = SharpnessAware(sgd(), rho=0.5)
    expected = reference(weights, gradients, RATES, 0.5, 0.5)
    assert_agrees(course_of(optimizer, optimizer, weights, gradients), expected, operations=40)


def test_decay_outside_is_that_of_the_weights_not_of_the_point_uphill(weights, gradients, assert_agrees):
    sharp = SharpnessAware(sgd(), rho=0.5)
    course = course_of(DecoupledDecay(sharp, strength=0.5), sharp, weights, gradients)
    assert_agrees(course, reference(weights, gradients, RATES, 0.5, 0.5, decay=0.5), operations=40)


@pytest.mark.parametrize("build", [sgd, lambda: Adam(0.1)])
def test_rho_of_zero_is_the_inner_optimizer_to_the_bit(build, weights, gradients, assert_identical):
    optimizer = SharpnessAware(build(), rho=0.0)
    wrapped = course_of(optimizer, optimizer, weights, gradients)
    assert_identical(wrapped, course_of(build(), None, weights, gradients))


def test_gradient_of_zeros_stays_where_it_is():
    variable = keras.Variable([1.0, 2.0])
    optimizer = SharpnessAware(SGD(0.5), rho=0.5)
    optimizer.ascend([keras.ops.zeros(2)], [variable])
    np.testing.assert_array_equal(variable, [1.0, 2.0])


def test_variable_without_a_gradient_stays():
    variables = [keras.Variable([1.0]), keras.Variable([2.0])]
    optimizer = SharpnessAware(SGD(0.5), rho=0.5)
    optimizer.ascend([keras.ops.convert_to_tensor([3.0]), None], variables)
    np.testing.assert_allclose([np.asarray(v).item() for v in variables], [1.5, 2.0])
    optimizer.descend(variables)
    np.testing.assert_array_equal([np.asarray(v).item() for v in variables], [1.0, 2.0])


def test_step_without_its_first_gradient_is_refused(build_model, regression_data):
    with pytest.raises(ValueError, match=r"`SharpnessAware` must be given two gradients a step: .*Received: `apply`"):
        SharpnessAware(SGD(0.5)).apply([keras.ops.ones(1)], [keras.Variable([1.0])])
    optimizer, weight = SharpnessAware(SGD(0.5)), keras.Variable([1.0])
    optimizer.ascend([keras.ops.ones(1)], [weight])
    with pytest.raises(ValueError, match="Received: `apply` after 'uphill'"):
        optimizer.apply([keras.ops.ones(1)], [weight])
    with pytest.raises(ValueError, match="must be given two gradients a step"):
        build_model(Clipped(SharpnessAware(SGD(0.5)))).fit(*regression_data, verbose=0)


def test_says_how_many_gradients_it_takes():
    assert SharpnessAware.gradients_per_step == 2
    assert not hasattr(Clipped, "gradients_per_step")


@pytest.mark.parametrize("rho", [-0.1, float("inf")])
def test_rho_outside_its_domain_is_refused(rho):
    with pytest.raises(ValueError, match=r"`rho` must be non-negative and finite\. Received: rho="):
        SharpnessAware(SGD(), rho=rho)


@tensorflow_only
def test_documented_training_step_trains_and_rho_of_zero_is_plain_fit_to_the_bit(regression_data):
    import tensorflow as tf

    docstring = inspect.cleandoc(SharpnessAware.__doc__)
    start = docstring.index("    class SharpnessAwareModel")
    source = textwrap.dedent(docstring[start : docstring.index("\n\nregbench's engine")])
    names = {"keras": keras, "tf": tf}
    code = compile(source, "documented", "exec")
    exec(code, names)  # noqa: S102  the text of our own docstring

    def trained(kind, optimizer):
        keras.utils.set_random_seed(4)
        inputs = keras.Input((4,))
        hidden = keras.layers.Dropout(0.25)(keras.layers.BatchNormalization()(keras.layers.Dense(8)(inputs)))
        model = kind(inputs, keras.layers.Dense(1)(hidden))
        model.compile(optimizer, loss="mse")
        losses = model.fit(*regression_data, batch_size=16, epochs=4, shuffle=False, verbose=0).history["loss"]
        return losses, model.get_weights()

    sharp = names["SharpnessAwareModel"]
    _, plain = trained(keras.Model, SGD(0.05, momentum=0.5))
    _, same = trained(sharp, SharpnessAware(SGD(0.05, momentum=0.5), rho=0.0))
    for one, other in zip(same, plain, strict=True):
        np.testing.assert_array_equal(one, other)
    losses, different = trained(sharp, SharpnessAware(SGD(0.05, momentum=0.5), rho=0.5))
    assert losses[-1] < losses[0]
    assert np.any(different[0] != plain[0])
