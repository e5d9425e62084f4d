"""Fewer epochs for optimizers whose steps take several gradients."""

import sys
import types

import keras
import pytest

from regbench.benchmark.equal_work import gradients_of_all, with_equal_work
from regbench.benchmark.searches import Search
from regbench.errors import DefinitionError, UnknownNameError
from regbench.records import Part


class TwoGradients(keras.optimizers.SGD):
    """As sharpness-aware ones do."""

    gradients_per_step = 2


@pytest.fixture
def two(monkeypatch):
    module = types.ModuleType("own_two_gradients")
    module.TwoGradients = TwoGradients
    monkeypatch.setitem(sys.modules, "own_two_gradients", module)
    return "own_two_gradients:TwoGradients"


def searches(candidates, **others):
    return [Search.of("digits_mlp", candidate, budget=1, **others) for candidate in candidates]


def test_half_the_epochs_are_given_to_two_gradients_a_step(two, make_candidate):
    plain, mine = make_candidate("sgd", learning_rate=0.1), make_candidate(two, learning_rate=0.1)
    around = make_candidate("lookahead", inner_optimizer=Part(name=two, arguments={"learning_rate": 0.1}))
    declared = searches([plain, mine, around], epochs=9)
    assert [one.task.epochs for one in with_equal_work(declared, "gradients")] == [9, 4, 4]
    assert [one.task.epochs for one in with_equal_work(declared, "epochs")] == [9, 9, 9]
    assert with_equal_work(declared, "gradients")[0] == declared[0]


def test_gradients_multiply_where_one_is_in_another(two):
    inside = Part(name=two, arguments={"inner_optimizer": Part(name=two)})
    assert gradients_of_all(
        [inside, Part(name="adam"), Part(name="torch:Adam"), Part(name="pytorch_optimizer:SAM")]
    ) == [*(4, 1, 1, 2)]


def test_what_cannot_be_divided_is_refused(two, make_candidate):
    with pytest.raises(UnknownNameError, match="There is no measure of work `steps`"):
        with_equal_work(searches(["sgd"]), "steps")
    with pytest.raises(DefinitionError, match=r"`epochs` must be at least 2 for mine, .* Received: epochs=1"):
        with_equal_work(searches([make_candidate(two, learning_rate=0.1)], epochs=1), "gradients")
    with pytest.raises(DefinitionError, match="`equal` must be epochs with torch:LBFGS, which decides in each"):
        gradients_of_all([Part(name="torch:LBFGS")])
