"""Hyperparameters that change between the calls of a compiled step."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras.optimizers import SGD, Adam, LossScaleOptimizer

from regbench.optimizers import Clipped, DecoupledDecay, Lookahead, RAdam, SignedPower, tunable_variables

compiled_backend = pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras runs PyTorch eagerly")


class CountingLoss:
    """Mean squared error that counts how often Python runs it: once for each trace of the step."""

    def __init__(self):
        self.traces = 0

    def __call__(self, targets, outputs):
        self.traces += 1
        return keras.ops.mean(keras.ops.square(targets - outputs))


def test_tunable_variables_are_named_after_the_arguments_of_the_constructors():
    optimizer = DecoupledDecay(
        Clipped(Lookahead(SignedPower(SGD(0.1), power=0.7), sync_period=4, slow_step_size=0.3), threshold=2.0), 1e-3
    )
    assert {name: float(variable) for name, variable in optimizer.tunable_variables.items()} == pytest.approx(
        {
            "strength": 1e-3,
            "inner_optimizer.threshold": 2.0,
            "inner_optimizer.inner_optimizer.sync_period": 4,
            "inner_optimizer.inner_optimizer.slow_step_size": 0.3,
            "inner_optimizer.inner_optimizer.inner_optimizer.power": 0.7,
            "inner_optimizer.inner_optimizer.inner_optimizer.inner_optimizer.learning_rate": 0.1,
        }
    )


def test_every_keras_optimizer_has_its_learning_rate_tunable_unless_it_is_a_schedule():
    assert list(tunable_variables(RAdam())) == ["learning_rate"]
    assert list(tunable_variables(LossScaleOptimizer(Adam()))) == ["inner_optimizer.learning_rate"]
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    assert list(SignedPower(SGD(schedule)).tunable_variables) == ["power"]


def test_every_tunable_variable_is_a_variable_of_the_optimizer(build_optimizer):
    optimizer = build_optimizer()
    known = {id(variable) for variable in optimizer.variables}
    assert all(id(variable) in known for variable in tunable_variables(optimizer).values())


@compiled_backend
def test_step_compiled_for_other_values_gives_the_steps_of_a_fresh_one(build_model, regression_data):
    def build(power, strength, threshold, period, alpha, rate):
        inner = SignedPower(SGD(rate, momentum=0.9), power=power)
        inner = Lookahead(inner, sync_period=period, slow_step_size=alpha)
        return Clipped(DecoupledDecay(inner, strength=strength), threshold=threshold)

    def train(model):
        model.fit(*regression_data, batch_size=16, epochs=2, shuffle=False, verbose=0)
        return model.get_weights()

    old, new = (0.5, 0.1, 0.05, 2, 0.5, 0.1), (0.9, 0.3, 0.5, 3, 0.8, 0.02)
    loss = CountingLoss()
    warm = build_model(build(*old), loss=loss)
    warm.optimizer.build(warm.trainable_variables)
    initial = warm.get_weights()
    initial_state = [np.asarray(variable).copy() for variable in warm.optimizer.variables]
    train(warm)
    traces = loss.traces

    warm.set_weights(initial)
    warm.optimizer.set_weights(initial_state)
    tunables = warm.optimizer.tunable_variables
    fresh = build_model(build(*new), loss=CountingLoss())
    for name, variable in fresh.optimizer.tunable_variables.items():
        tunables[name].assign(np.asarray(variable))
    for one, other in zip(train(warm), train(fresh), strict=True):
        np.testing.assert_array_equal(one, other)
    assert loss.traces == traces


def test_hyperparameter_is_set_like_the_learning_rate(trajectory):
    optimizer = SignedPower(SGD(1.0), power=0.5)
    variable = optimizer.power
    optimizer.power = 0.25
    assert optimizer.power is variable
    ((after,),) = trajectory(optimizer, [np.zeros((1, 1))], [[np.full((1, 1), 16.0)]])
    assert after.item() == -2.0


def test_setting_a_hyperparameter_outside_its_domain_is_refused():
    optimizer = SignedPower(SGD(), power=0.5)
    with pytest.raises(ValueError, match=r"`power` must be in \(0, 1\]. Received: power=2"):
        optimizer.power = 2
    assert float(optimizer.power) == 0.5


def test_config_holds_the_number_that_was_given_in_full_precision():
    assert SignedPower(SGD(), power=1 / 3).get_config()["power"] == 1 / 3
    assert SignedPower(SGD(), power=np.float64(0.7)).get_config()["power"] == 0.7
    period = Lookahead(SGD(), sync_period=np.int64(7)).get_config()["sync_period"]
    assert period == 7
    assert type(period) is int


def test_config_follows_a_variable_that_was_assigned():
    optimizer = Lookahead(SGD(), sync_period=5, slow_step_size=0.5)
    optimizer.tunable_variables["slow_step_size"].assign(0.7)
    optimizer.tunable_variables["sync_period"].assign(9)
    config = optimizer.get_config()
    assert (config["slow_step_size"], config["sync_period"]) == (0.7, 9)
    restored = Lookahead.from_config(config)
    assert float(restored.slow_step_size) == float(optimizer.slow_step_size)
