"""Optimizers that break one clause each, and that the contract catches."""

import keras
import pytest
import tensorflow as tf
from keras import ops

from regbench import contracts
from regbench.contracts import Ruling

# Keras 3.15 reads and saves variables in a way of which NumPy 2 disapproves, whatever the class.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


class SoundOptimizer(keras.optimizers.Optimizer):
    """Heavy ball.

    Args:
        learning_rate: A float.
        momentum: In [0, 1).
        name: Name of the optimizer.

    Reference:
        Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    """

    def __init_subclass__(cls):
        cls.__doc__ = cls.__doc__ or SoundOptimizer.__doc__

    def __init__(self, learning_rate=0.01, momentum=0.9, name=None, **kwargs):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.momentum = momentum

    def build(self, variables):
        if not self.built:
            super().build(variables)
            self.velocities = self.add_optimizer_variables(variables, "velocity")

    def update_step(self, gradient, variable, learning_rate):
        velocity = self.velocities[self._get_variable_index(variable)]
        step = self.step_along(gradient, ops.cast(learning_rate, gradient.dtype))
        self.assign(velocity, self.momentum * velocity - step)
        self.assign_add(variable, velocity)

    def step_along(self, gradient, learning_rate):
        return learning_rate * gradient

    def get_config(self):
        return super().get_config() | {"momentum": self.momentum}


class ForgetsAnArgument(SoundOptimizer):
    def get_config(self):
        config = super().get_config()
        del config["momentum"]
        return config


class SavesNoState(SoundOptimizer):
    def save_own_variables(self, store):
        pass

    def load_own_variables(self, store):
        pass


class KnowsOnlyFloat32(SoundOptimizer):
    def step_along(self, gradient, learning_rate):
        return super().step_along(tf.add(gradient, tf.constant(0.0)), learning_rate)


class DividesByTheNorm(SoundOptimizer):
    def step_along(self, gradient, learning_rate):
        return super().step_along(gradient / ops.sqrt(ops.sum(ops.square(gradient))), learning_rate)


class Ascends(SoundOptimizer):
    def step_along(self, gradient, learning_rate):
        return -super().step_along(gradient, learning_rate)


class RunsEverythingEagerly(SoundOptimizer):
    def build(self, variables):
        tf.config.run_functions_eagerly(True)
        super().build(variables)


class CountsInPython(SoundOptimizer):
    """Heavy ball with a rate that falls as 1 / t.

    Args:
        learning_rate: A float.
        momentum: In [0, 1).
        steps: Taken so far.
        name: Name of the optimizer.

    Reference:
        Robbins and Monro, "A stochastic approximation method", 1951.
    """

    def __init__(self, learning_rate=0.01, momentum=0.9, steps=0, name=None, **kwargs):
        super().__init__(learning_rate, momentum, name, **kwargs)
        self.steps = steps

    def apply(self, grads, trainable_variables=None):
        self.steps += 1
        return super().apply(grads, trainable_variables)

    def step_along(self, gradient, learning_rate):
        return super().step_along(gradient, learning_rate) / self.steps

    def get_config(self):
        return super().get_config() | {"steps": self.steps}


class KeepsTheLearningRateAsANumber(SoundOptimizer):
    def __init__(self, learning_rate=0.01, momentum=0.9, name=None, **kwargs):
        super().__init__(learning_rate, momentum, name, **kwargs)
        self.rate = learning_rate

    def step_along(self, gradient, learning_rate):
        return self.rate * gradient


class KeepsItsOwnWeights(SoundOptimizer):
    """Heavy ball on a copy of the weights, which then replaces them: what a decay took of them is back.

    Args:
        learning_rate: A float.
        momentum: In [0, 1).
        name: Name of the optimizer.

    Reference:
        Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    """

    def build(self, variables):
        if not self.built:
            super().build(variables)
            self.copies = self.add_optimizer_variables(variables, "copy")

    def update_step(self, gradient, variable, learning_rate):
        copy = self.copies[self._get_variable_index(variable)]
        self.assign(copy, ops.where(self.iterations == 0, variable, copy))
        super().update_step(gradient, copy, learning_rate)
        self.assign(variable, copy)

    def _get_variable_index(self, variable):
        places = {id(copy): place for place, copy in enumerate(self.copies)}
        return places[id(variable)] if id(variable) in places else super()._get_variable_index(variable)


class PromisesADecay(SoundOptimizer):
    """Heavy ball that takes a decay and forgets it.

    Args:
        learning_rate: A float.
        momentum: In [0, 1).
        weight_decay: A float.
        name: Name of the optimizer.

    Reference:
        Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    """

    def __init__(self, learning_rate=0.01, momentum=0.9, weight_decay=0.0, name=None, **kwargs):
        super().__init__(learning_rate, momentum, name, **kwargs)
        self.forgotten = weight_decay

    def get_config(self):
        return super().get_config() | {"weight_decay": self.forgotten}


class DocumentsNotEverything(SoundOptimizer):
    """Heavy ball (Polyak 1964, https://doi.org/10.1016/0041-5553(64)90137-5).

    Args:
        learning_rate: A float.
        name: Name of the optimizer.
    """


class CitesNothing(SoundOptimizer):
    """Heavy ball.

    Args:
        learning_rate: A float.
        momentum: In [0, 1).
        name: Name of the optimizer, for your reference.
    """


PLANTED = {
    "survives_its_config": ForgetsAnArgument,
    "goes_on_after_loading": SavesNoState,
    "keeps_dtype_and_shapes": KnowsOnlyFloat32,
    "survives_zero_gradients": DividesByTheNorm,
    "trains_in_fit": Ascends,
    "is_traced_once": RunsEverythingEagerly,
    "is_the_same_compiled": CountsInPython,
    "is_the_same_warm": KeepsTheLearningRateAsANumber,
    "decay_acts": KeepsItsOwnWeights,
    "documents_arguments": DocumentsNotEverything,
    "cites_source": CitesNothing,
}
MESSAGES = {
    "survives_its_config": "does not return `momentum`",
    "keeps_dtype_and_shapes": "InvalidArgumentError",
    "survives_zero_gradients": "not finite after step 1",
    "decay_acts": "a decay (decoupled) takes 0 of the weights in a step, by its formula",
    "is_traced_once": "in 6 of the next 6",
    "documents_arguments": "no entry for `momentum`",
}
STYLE = ("documents_arguments", "cites_source")
BROKEN = (Ruling.FAILS, Ruling.WARNS)
on_planted = pytest.mark.parametrize(
    ("clause", "planted"), PLANTED.items(), ids=[planted.__name__ for planted in PLANTED.values()]
)


@pytest.fixture
def compiled_again():
    """Undoes what `RunsEverythingEagerly` does."""
    yield
    tf.config.run_functions_eagerly(False)


def test_all_clauses_hold_for_a_sound_class():
    verdicts = contracts.check(SoundOptimizer)
    assert [verdict.clause for verdict in verdicts] == list(contracts.clauses_for(SoundOptimizer))
    assert {verdict.ruling for verdict in verdicts} == {Ruling.HOLDS}, verdicts


def test_every_clause_has_a_planted_violation():
    assert list(PLANTED) == list(contracts.clauses_for(SoundOptimizer))


@on_planted
def test_planted_violation_is_caught(clause, planted, compiled_again):
    (verdict,) = contracts.check(planted, clauses=[clause])
    assert verdict.ruling == (Ruling.WARNS if clause in STYLE else Ruling.FAILS)
    assert MESSAGES.get(clause, " ") in verdict.message
    assert "\n" not in verdict.message


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*:UserWarning")
@on_planted
def test_planted_violation_breaks_no_other_clause(clause, planted, compiled_again):
    failing = [verdict for verdict in contracts.check(planted) if verdict.ruling in BROKEN]
    assert [verdict.clause for verdict in failing] == [clause], failing


def test_state_of_the_class_is_noticed():
    class SlowsDownWithEveryInstance(SoundOptimizer):
        made = 0

        def __init__(self, *arguments, **named):
            super().__init__(*arguments, **named)
            type(self).made += 1
            self.divisor = self.made

        def step_along(self, gradient, learning_rate):
            return super().step_along(gradient, learning_rate) / self.divisor

    (verdict,) = contracts.check(SlowsDownWithEveryInstance, clauses=["is_the_same_warm"])
    assert "the weights differ" in verdict.message


def test_state_that_begins_as_a_copy_of_the_weights_is_no_violation():
    class IsDrawnToItsStart(SoundOptimizer):
        def build(self, variables):
            if not self.built:
                super().build(variables)
                self.anchors = self.add_optimizer_variables(variables, "anchor")
                for anchor, variable in zip(self.anchors, variables, strict=True):
                    anchor.assign(variable)

        def update_step(self, gradient, variable, learning_rate):
            anchor = self.anchors[self._get_variable_index(variable)]
            super().update_step(gradient + 0.1 * (variable - anchor), variable, learning_rate)

    (verdict,) = contracts.check(IsDrawnToItsStart, clauses=["is_the_same_warm"])
    assert verdict.ruling == Ruling.HOLDS, verdict.message


def test_argument_for_a_decay_that_does_nothing_is_noticed():
    (verdict,) = contracts.check(PromisesADecay, clauses=["decay_acts"])
    assert (verdict.ruling, verdict.message) == (
        Ruling.FAILS,
        "its argument `weight_decay` changes nothing in a step",
    )
    (verdict,) = contracts.check(keras.optimizers.AdamW, clauses=["decay_acts"])
    assert verdict.ruling == Ruling.HOLDS, verdict.message


def test_step_that_is_blind_to_an_l2_term_is_noticed():
    class LooksAtNothing(SoundOptimizer):
        def step_along(self, gradient, learning_rate):
            return learning_rate * ops.ones_like(gradient)

    (verdict,) = contracts.check(LooksAtNothing, clauses=["decay_acts"])
    assert "the decay l2 does nothing" in verdict.message


@pytest.mark.parametrize("name", ["Adam", "Lamb", "Lion", "Muon", "Nadam", "RMSprop", "SGD"])
def test_decay_acts_with_the_optimizers_of_keras(name):
    (verdict,) = contracts.check(getattr(keras.optimizers, name), clauses=["decay_acts"])
    assert verdict.ruling == Ruling.HOLDS, verdict.message
