"""Averages of the weights, evaluated in their place."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras.optimizers import SGD, Adam

from regbench.optimizers import AveragedWeights, Clipped, ScheduleFree

# Keras 3.15 reads variables in a way of which NumPy 2 disapproves, whatever the optimizer.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def shown(optimizer, weights, gradients):
    """The weights for evaluation after each step, and those that are trained."""
    variables = [keras.Variable(w, dtype="float32", name=f"weight_{i}") for i, w in enumerate(weights)]
    others, trained = [], []
    for arrays in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(g, "float32") for g in arrays], variables)
        optimizer.show()
        others.append([np.asarray(v, "float64").copy() for v in variables])
        optimizer.train_on()
        trained.append([np.asarray(v, "float64").copy() for v in variables])
    return others, trained


def reference(course, momentum, start, period):
    average, count, courses = None, 0, []
    for step, arrays in enumerate(course, start=1):
        if step > start and (step - start) % period == 0:
            count += 1
            share = 1 / count if momentum is None else 1 - momentum
            average = [w + 0 for w in arrays] if count == 1 else average
            average = [(1 - share) * a + share * w for a, w in zip(average, arrays, strict=True)]
        courses.append(arrays if average is None else average)
    return courses


CASES = [(None, 0, 1), (None, 2, 3), (0.75, 0, 1), (0.5, 3, 2)]


@pytest.mark.parametrize(("momentum", "start", "period"), CASES)
def test_average_follows_the_formula_and_the_training_is_the_inner_optimizers_to_the_bit(
    momentum, start, period, weights, gradients, trajectory, assert_agrees, assert_identical
):
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1, 3], [0.25, 0.125, 0.0625])
    optimizer = AveragedWeights(SGD(schedule, momentum=0.5), momentum=momentum, start=start, period=period)
    others, trained = shown(optimizer, weights, gradients)
    plain = trajectory(SGD(schedule, momentum=0.5), weights, gradients)
    assert_identical(trained, plain)
    assert_agrees(others, reference(plain, momentum, start, period))


def test_unit_counts_epochs(weights, gradients, trajectory, assert_agrees):
    optimizer = AveragedWeights(Adam(0.1), start=1, period=2, steps_in_unit=2)
    others, trained = shown(optimizer, weights, gradients)
    assert_agrees(others, reference(trained, None, 2, 4))


def test_weights_are_shown_until_the_training_goes_on(weights, gradients):
    optimizer = AveragedWeights(SGD(0.25))
    variables = [keras.Variable(w, dtype="float32") for w in weights]
    steps = [[keras.ops.convert_to_tensor(g, "float32") for g in arrays] for arrays in gradients]
    optimizer.apply(steps[0], variables)
    optimizer.apply(steps[1], variables)
    trained = [np.asarray(v).copy() for v in variables]
    for _ in range(2):
        optimizer.show()
    assert np.any(np.asarray(variables[0]).copy() != trained[0])
    for _ in range(2):
        optimizer.train_on()
    for variable, before in zip(variables, trained, strict=True):
        np.testing.assert_array_equal(variable, before)
    # A step that comes upon shown weights begins at the trained ones.
    optimizer.show()
    optimizer.apply(steps[2], variables)
    after = np.asarray(variables[0]).copy()
    np.testing.assert_allclose(after, trained[0] - 0.25 * gradients[2][0], rtol=1e-6, atol=1e-6)


def test_fit_ends_with_the_average_in_the_model_and_in_its_file(build_model, regression_data, tmp_path):
    model = build_model(AveragedWeights(SGD(0.1), momentum=0.5))
    plain = build_model(SGD(0.1))
    for one in (model, plain):
        one.fit(*regression_data, batch_size=32, epochs=2, shuffle=False, verbose=0)
    assert any(np.any(a != b) for a, b in zip(model.get_weights(), plain.get_weights(), strict=True))
    average = model.get_weights()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for one, other in zip(loaded.get_weights(), average, strict=True):
        np.testing.assert_array_equal(one, other)
    for one in (model, loaded):
        one.optimizer.train_on()
        for weight, other in zip(one.get_weights(), plain.get_weights(), strict=True):
            np.testing.assert_array_equal(weight, other)


def test_wrapper_outside_is_evaluated_apart_too(weights, gradients):
    optimizer = Clipped(AveragedWeights(SGD(0.25)), threshold=1.0)
    variables = [keras.Variable(w, dtype="float32") for w in weights]
    for arrays in gradients[:3]:
        optimizer.apply([keras.ops.convert_to_tensor(g, "float32") for g in arrays], variables)
    trained = np.asarray(variables[0]).copy()
    optimizer.finalize_variable_values(variables)
    assert np.any(np.asarray(variables[0]).copy() != trained)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: AveragedWeights(SGD(), momentum=1.0), r"`momentum` must be in \[0, 1\), or None .* momentum=1.0"),
        (lambda: AveragedWeights(SGD(), start=-1), "`start` must be an integer, at least 0. Received: start=-1"),
        (lambda: AveragedWeights(SGD(), period=0), "`period` must be an integer, at least 1. Received: period=0"),
        (lambda: AveragedWeights(SGD(), period=1.5), "Received: period=1.5"),
        (lambda: AveragedWeights(ScheduleFree(SGD())), "must evaluate the weights that it trains. Received: Schedule"),
    ],
)
def test_argument_outside_its_domain_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
