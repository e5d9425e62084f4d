"""Every optimizer and regularizer keeps its contract, and the contract notices who does not."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from keras.optimizers import SGD, Adam

from regbench import contracts, optimizers, regularizers
from regbench.contracts import Ruling
from regbench.errors import DefinitionError, UnknownNameError
from regbench.regularizers.orthogonal import FORMS

# Keras 3.15 reads and saves variables in a way of which NumPy 2 disapproves, whatever the class.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

CORRELATED = np.eye(9) + 0.5


@dataclass
class Row:
    """A class with its arguments; clauses that it need not keep, each with the reason."""

    target: type
    arguments: dict[str, Any] = field(default_factory=dict)
    exceptions: dict[str, str] = field(default_factory=dict)


ROWS = {
    "SignedPower": Row(optimizers.SignedPower),
    "Normalized": Row(optimizers.Normalized),
    "Clipped": Row(optimizers.Clipped, {"inner_optimizer": Adam(0.01), "norm": "max", "threshold": 0.1}),
    "DecoupledDecay": Row(optimizers.DecoupledDecay, {"strength": 0.1}),
    "DecoupledDecay-momentum": Row(
        optimizers.DecoupledDecay, {"strength": 0.1, "coupling": "decoupled_momentum", "apply_to": "all"}
    ),
    "Lookahead": Row(optimizers.Lookahead, {"sync_period": 4}),
    "RAdam": Row(optimizers.RAdam, {"beta_2": 0.9}),
    "AdaBelief": Row(optimizers.AdaBelief),
    "AdaBound": Row(optimizers.AdaBound),
    "AMSBound": Row(optimizers.AMSBound),
    "OptimizerWrapper": Row(
        optimizers.OptimizerWrapper, exceptions={"cites_source": "the base of the wrappers, no method of anyone's"}
    ),
    "nested": Row(
        optimizers.DecoupledDecay,
        {
            "inner_optimizer": optimizers.Normalized(optimizers.SignedPower(SGD(0.01, momentum=0.9), power=0.7)),
            "strength": 0.01,
        },
    ),
    "L2": Row(regularizers.L2),
    "EigenvalueDecay": Row(regularizers.EigenvalueDecay),
    **{f"Orthogonal-{form}": Row(regularizers.Orthogonal, {"form": form}) for form in FORMS},
    "SmoothKernel-rank-2": Row(regularizers.SmoothKernel, {"covariance": CORRELATED}),
    "SmoothKernel-rank-3": Row(regularizers.SmoothKernel, {"covariance": np.kron(CORRELATED, np.eye(2)), "rank": 3}),
}
CASES = [(name, clause) for name, row in ROWS.items() for clause in contracts.clauses_for(row.target)]


@pytest.mark.parametrize(("name", "clause"), CASES, ids=[f"{name}-{clause}" for name, clause in CASES])
def test_clause_holds(name, clause):
    row = ROWS[name]
    exceptions = {clause: row.exceptions[clause]} if clause in row.exceptions else {}
    (verdict,) = contracts.check(row.target, row.arguments, exceptions, clauses=[clause])
    if verdict.ruling == Ruling.NOT_APPLICABLE:
        pytest.skip(verdict.message)
    assert verdict.ruling != Ruling.FAILS, f"{verdict.must_hold}: {verdict.message}"


@pytest.mark.parametrize("module", [optimizers, regularizers])
def test_every_public_class_has_a_row(module):
    bases = (keras.optimizers.Optimizer, keras.regularizers.Regularizer)
    public = (getattr(module, name) for name in module.__all__)
    classes = {one for one in public if isinstance(one, type) and issubclass(one, bases)}
    assert classes
    assert classes <= {row.target for row in ROWS.values()}


def test_exceptions_are_of_clauses_that_exist():
    for row in ROWS.values():
        assert set(row.exceptions) <= set(contracts.clauses_for(row.target))


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
def test_every_clause_holds_on_jax():
    command = [sys.executable, "-m", "pytest", "-q", "--noconftest", __file__, "-k", "test_clause_holds"]
    environment = os.environ | {"KERAS_BACKEND": "jax"}
    root = Path(__file__).resolve().parent.parent
    run = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


# What follows are classes that keep the contract, and classes that break one clause of it each.


def documented_as(other):
    """Gives a class the docstring of another one."""

    def document(planted):
        planted.__doc__ = other.__doc__
        return planted

    return document


class SoundOptimizer(keras.optimizers.Optimizer):
    """Heavy ball.

    Args:
        learning_rate: A float.
        momentum: In [0, 1).
        name: Name of the optimizer.

    Reference:
        Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    """

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


@documented_as(SoundOptimizer)
class ForgetsAnArgument(SoundOptimizer):
    def get_config(self):
        config = super().get_config()
        del config["momentum"]
        return config


@documented_as(SoundOptimizer)
class SavesNoState(SoundOptimizer):
    def save_own_variables(self, store):
        pass

    def load_own_variables(self, store):
        pass


@documented_as(SoundOptimizer)
class KnowsOnlyFloat32(SoundOptimizer):
    def step_along(self, gradient, learning_rate):
        import tensorflow as tf

        return super().step_along(tf.add(gradient, tf.constant(0.0)), learning_rate)


@documented_as(SoundOptimizer)
class DividesByTheNorm(SoundOptimizer):
    def step_along(self, gradient, learning_rate):
        return super().step_along(gradient / ops.norm(gradient), learning_rate)


@documented_as(SoundOptimizer)
class Ascends(SoundOptimizer):
    def step_along(self, gradient, learning_rate):
        return -super().step_along(gradient, learning_rate)


@documented_as(SoundOptimizer)
class RunsEverythingEagerly(SoundOptimizer):
    def build(self, variables):
        import tensorflow as tf

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


@documented_as(SoundOptimizer)
class KeepsTheLearningRateAsANumber(SoundOptimizer):
    def __init__(self, learning_rate=0.01, momentum=0.9, name=None, **kwargs):
        super().__init__(learning_rate, momentum, name, **kwargs)
        self.rate = learning_rate

    def step_along(self, gradient, learning_rate):
        return self.rate * gradient


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


class SoundPenalty(keras.regularizers.Regularizer):
    """The sum of squares.

    Parameters
    ----------
    factor : float
        At least 0.

    References
    ----------
    Hoerl and Kennard, "Ridge regression", 1970.
    """

    def __init__(self, factor=0.01):
        self.factor = factor

    def __call__(self, x):
        return self.factor * self.of(ops.cast(x, "float32"))

    def of(self, kernel):
        return ops.sum(ops.square(kernel))

    def get_config(self):
        return {"factor": self.factor}


@documented_as(SoundPenalty)
class ForgetsItsFactor(SoundPenalty):
    def get_config(self):
        return {}


@documented_as(SoundPenalty)
class DrawsANumber(SoundPenalty):
    def __init__(self, factor=0.01):
        super().__init__(factor)
        self.scale = float(keras.random.uniform(()))

    def of(self, kernel):
        return self.scale * super().of(kernel)


@documented_as(SoundPenalty)
class GivesAVectorForDenseKernels(SoundPenalty):
    default_kernels = "convolution"

    def of(self, kernel):
        return super().of(kernel) * (ops.ones(3) if len(kernel.shape) == 2 else 1.0)


@documented_as(SoundPenalty)
class GivesAVectorForConvolutionKernels(SoundPenalty):
    default_kernels = "dense"

    def of(self, kernel):
        return super().of(kernel) * (ops.ones(3) if len(kernel.shape) == 4 else 1.0)


@documented_as(SoundPenalty)
class CanBeNegative(SoundPenalty):
    def of(self, kernel):
        return ops.sum(kernel**3)


@documented_as(SoundPenalty)
class IsAlwaysOn(SoundPenalty):
    def __call__(self, x):
        return super().__call__(x) + 0.01 * ops.sum(ops.square(ops.cast(x, "float32")))


@documented_as(SoundPenalty)
class HasARootAtZero(SoundPenalty):
    def of(self, kernel):
        return ops.sqrt(super().of(kernel))


@documented_as(SoundPenalty)
class HidesHalfOfTheGradient(SoundPenalty):
    def of(self, kernel):
        return (super().of(kernel) + ops.stop_gradient(super().of(kernel))) / 2


@documented_as(SoundPenalty)
class BranchesInPython(SoundPenalty):
    def of(self, kernel):
        return super().of(kernel) * (2.0 if float(ops.max(kernel)) > 10 else 1.0)


@documented_as(SoundPenalty)
class SharesItsFactor(SoundPenalty):
    def __init__(self, factor=0.01):
        type(self).factor = factor


class DocumentsNoFactor(SoundPenalty):
    """The sum of squares (arXiv 1903.05499)."""


class PenaltyThatCitesNothing(SoundPenalty):
    """The sum of squares.

    :param factor: at least 0.
    """


PLANTED_OPTIMIZERS = {
    "survives_its_config": ForgetsAnArgument,
    "goes_on_after_loading": SavesNoState,
    "keeps_dtype_and_shapes": KnowsOnlyFloat32,
    "survives_zero_gradients": DividesByTheNorm,
    "trains_in_fit": Ascends,
    "is_traced_once": RunsEverythingEagerly,
    "is_the_same_compiled": CountsInPython,
    "is_the_same_warm": KeepsTheLearningRateAsANumber,
    "documents_arguments": DocumentsNotEverything,
    "cites_source": CitesNothing,
}
PLANTED_PENALTIES = {
    "survives_its_config": ForgetsItsFactor,
    "goes_on_after_loading": DrawsANumber,
    "takes_dense_kernels": GivesAVectorForDenseKernels,
    "takes_convolution_kernels": GivesAVectorForConvolutionKernels,
    "is_never_negative": CanBeNegative,
    "is_zero_at_factor_zero": IsAlwaysOn,
    "is_finite_at_zero_weights": HasARootAtZero,
    "has_the_right_gradient": HidesHalfOfTheGradient,
    "adds_to_the_loss_in_fit": BranchesInPython,
    "is_the_same_warm": SharesItsFactor,
    "documents_arguments": DocumentsNoFactor,
    "cites_source": PenaltyThatCitesNothing,
}
PLANTED = [*PLANTED_OPTIMIZERS.items(), *PLANTED_PENALTIES.items()]
on_planted = pytest.mark.parametrize(("clause", "planted"), PLANTED, ids=[one.__name__ for _, one in PLANTED])


@pytest.fixture
def compiled_again():
    """Undoes what `RunsEverythingEagerly` does."""
    yield
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize("sound", [SoundOptimizer, SoundPenalty])
def test_all_clauses_hold_for_a_sound_class(sound):
    verdicts = contracts.check(sound)
    assert {verdict.ruling for verdict in verdicts} == {Ruling.HOLDS}, verdicts
    assert [verdict.clause for verdict in verdicts] == list(contracts.clauses_for(sound))


def test_every_clause_has_a_planted_violation():
    assert list(PLANTED_OPTIMIZERS) == list(contracts.clauses_for(SoundOptimizer))
    assert list(PLANTED_PENALTIES) == list(contracts.clauses_for(SoundPenalty))


@on_planted
def test_planted_violation_is_caught(clause, planted, compiled_again):
    (verdict,) = contracts.check(planted, clauses=[clause])
    assert verdict.ruling == Ruling.FAILS
    assert verdict.message


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*:UserWarning")
@on_planted
def test_planted_violation_breaks_no_other_clause(clause, planted, compiled_again):
    failing = [one for one in contracts.check(planted) if one.ruling == Ruling.FAILS]
    assert [one.clause for one in failing] == [clause], failing


@pytest.mark.parametrize(
    ("clause", "planted", "words"),
    [
        ("survives_its_config", ForgetsAnArgument, "does not return `momentum`"),
        ("documents_arguments", DocumentsNotEverything, "no entry for `momentum`"),
        ("keeps_dtype_and_shapes", KnowsOnlyFloat32, "InvalidArgumentError"),
        ("survives_zero_gradients", DividesByTheNorm, "not finite after step 1"),
        ("is_zero_at_factor_zero", IsAlwaysOn, "shape (6, 4): 0.0"),
        ("adds_to_the_loss_in_fit", BranchesInPython, "it raised"),
    ],
)
def test_message_says_what_is_wrong(clause, planted, words):
    (verdict,) = contracts.check(planted, clauses=[clause])
    assert words in verdict.message
    assert "\n" not in verdict.message


def test_state_of_the_class_is_noticed():
    @documented_as(SoundOptimizer)
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


def test_exception_with_a_reason_takes_the_place_of_a_failure():
    (verdict,) = contracts.check(CitesNothing, exceptions={"cites_source": "made up here"}, clauses=["cites_source"])
    assert (verdict.ruling, verdict.message) == (Ruling.EXCEPTED, "made up here")


def test_exception_that_is_not_needed_fails():
    (verdict,) = contracts.check(SoundPenalty, exceptions={"cites_source": "as before"}, clauses=["cites_source"])
    assert verdict.ruling == Ruling.FAILS
    assert "no longer needed: as before" in verdict.message


def test_clause_that_needs_another_backend_says_so(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    (verdict,) = contracts.check(SoundOptimizer, clauses=["is_traced_once"])
    assert verdict.ruling == Ruling.NOT_APPLICABLE
    assert verdict.message.startswith("not on this backend (torch)")


def test_clause_on_the_factor_does_not_apply_where_there_is_none():
    (verdict,) = contracts.check(keras.regularizers.L1, clauses=["is_zero_at_factor_zero"])
    assert (verdict.ruling, verdict.message) == (Ruling.NOT_APPLICABLE, "there is no argument `factor`")


def test_kernels_that_a_class_excludes_may_be_refused():
    row = ROWS["SmoothKernel-rank-2"]
    (verdict,) = contracts.check(row.target, row.arguments, clauses=["takes_dense_kernels"])
    assert verdict.ruling == Ruling.NOT_APPLICABLE
    assert verdict.message.startswith("refused, as `default_kernels` says: ")


def test_learning_rate_schedule_is_no_violation():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.01, decay_steps=3, decay_rate=0.5)
    verdicts = contracts.check(SoundOptimizer, {"learning_rate": schedule})
    assert {verdict.ruling for verdict in verdicts} == {Ruling.HOLDS}, verdicts


def test_optimizer_inside_may_be_named():
    for named in ("adam", {"class_name": "Adam", "config": {"learning_rate": 0.1}}):
        (verdict,) = contracts.check(optimizers.SignedPower, {"inner_optimizer": named}, clauses=["is_the_same_warm"])
        assert verdict.ruling == Ruling.HOLDS, verdict


def test_given_optimizer_is_left_as_it_was():
    inner = SGD(0.25, momentum=0.5)
    contracts.check(optimizers.Clipped, {"inner_optimizer": inner}, clauses=["survives_zero_gradients"])
    assert not inner.built
    assert float(inner.learning_rate) == 0.25


@pytest.mark.parametrize(
    ("target", "arguments", "message"),
    [
        (dict, {}, r"must be a subclass of .*\. Received: <class 'dict'>"),
        (SoundOptimizer(), {}, r"must be a subclass of .*\. Received: <.*SoundOptimizer"),
        (optimizers.DecoupledDecay, {}, "DecoupledDecay: a value is needed for `strength`"),
        (SoundPenalty, {"factr": 1}, "SoundPenalty: There is no argument `factr`. Did you mean `factor`?"),
        (regularizers.L2, {"factor": -1}, "L2 cannot be made: ValueError: `factor` must be"),
    ],
)
def test_what_cannot_be_checked_is_refused(target, arguments, message):
    with pytest.raises(DefinitionError, match=message):
        contracts.check(target, arguments)


def test_unknown_clause_is_refused():
    with pytest.raises(UnknownNameError, match="There is no clause `cites_sources`. Did you mean `cites_source`"):
        contracts.check(SoundPenalty, exceptions={"cites_sources": "why not"})
