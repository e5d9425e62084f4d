"""Networks that break one clause each, and that the contract catches."""

import itertools
import re
import sys
import types

import keras
import pytest
from keras import layers, ops

from regbench import catalog, contracts
from regbench.contracts import Ruling
from regbench.engine import program
from regbench.errors import DataError, DefinitionError, UnknownNameError
from regbench.records import Part

MODULE = "networks_of_the_contract_tests"
process = {"scale": 1.0, "built": 0}
"""What is another thing in another process."""


class Noisy(layers.Layer):
    """Draws without a generator of its own."""

    def call(self, inputs, training=False):
        return inputs + keras.random.normal(ops.shape(inputs)) if training else inputs


class Aging(layers.Layer):
    """Is another one once some networks have been built in this process."""

    def call(self, inputs):
        return inputs * (1.0 if process["built"] < 5 else 2.0)


class Adding(layers.Layer):
    def call(self, inputs, training=False):
        if training:
            self.add_loss(ops.sum(ops.square(inputs)))
        return inputs


counter = itertools.count()

NETWORKS = {
    "sound": lambda x, classes: layers.Dense(classes)(layers.Dropout(0.2)(layers.BatchNormalization()(x))),
    "computes_in_float16": lambda x, classes: layers.Dense(classes)(layers.Dense(3, dtype="mixed_float16")(x)),
    "raises": lambda x, classes: x.no_such_thing,
    "too_narrow": lambda x, classes: layers.Dense(classes - 1)(x),
    "float16": lambda x, classes: layers.Dense(classes)(layers.Dense(3, dtype="float16", name="half")(x)),
    "adding": lambda x, classes: layers.Dense(classes)(Adding(name="adding")(x)),
    "noisy": lambda x, classes: layers.Dense(classes)(Noisy(name="noise")(x)),
    "infinite": lambda x, classes: layers.Dense(classes)(layers.Rescaling(float("inf"))(x)),
    "counted": lambda x, classes: layers.Dense(classes, kernel_initializer=constant(next(counter)))(x),
    "aging": lambda x, classes: layers.Dense(classes)(Aging()(x)),
    "of_the_process": lambda x, classes: layers.Dense(classes)(layers.Rescaling(process["scale"])(x)),
}
PLANTED = {
    "builds": ("raises", "cannot be built for inputs of shape"),
    "fits_the_loss": ("too_narrow", r"outputs of shape \(None, 10\), which .*\. Received: \(None, 9\)"),
    "is_float32": ("float16", "layer `half` must have trainable weights of dtype float32"),
    "adds_no_loss": ("adding", "layer `adding` must not add to the loss"),
    "keeps_its_state_in_weights": ("noisy", "layer `noise` must keep all its state"),
    "trains": ("infinite", "a loss was not finite"),
    "is_deterministic": ("counted", "built twice with one seed it starts from two sets of weights"),
    "is_the_same_warm": ("aging", "a run depends on the one before it"),
    "is_resumable": ("of_the_process", "goes on in a new process, ends otherwise"),
}


def constant(number):
    return keras.initializers.Constant(0.01 * number)


def builder(network):
    def build(input_shape, classes):
        process["built"] += 1
        inputs = keras.Input(input_shape)
        return keras.Model(inputs, network(layers.Flatten()(inputs), classes))

    return build


@pytest.fixture(autouse=True)
def own_networks(monkeypatch):
    monkeypatch.setitem(process, "built", 0)
    module = types.ModuleType(MODULE)
    for name, network in NETWORKS.items():
        setattr(module, name, builder(network))
    monkeypatch.setitem(sys.modules, MODULE, module)


@pytest.fixture
def check(monkeypatch):
    """Verdicts by clause; the other process is this one with another `process`."""

    def elsewhere(function, *arguments):
        with monkeypatch.context() as patch:
            patch.setitem(process, "scale", 2.0)
            program.forget()
            return function(*arguments)

    def do(name, **options):
        problem = catalog.problem("digits_mlp").model_copy(update={"model": Part(name=f"{MODULE}:{name}")})
        verdicts = contracts.check_network(problem, **({"elsewhere": elsewhere} | options))
        return {verdict.clause: verdict for verdict in verdicts}

    return do


@pytest.mark.slow
def test_all_clauses_hold_for_a_sound_network(check):
    verdicts = check("sound")
    assert list(verdicts) == list(PLANTED)  # and every clause has a planted violation
    assert {verdict.ruling for verdict in verdicts.values()} == {Ruling.HOLDS}, verdicts


def test_layers_may_compute_in_float16_between_weights_and_outputs_of_float32(check):
    verdicts = check("computes_in_float16", clauses=["is_float32", "trains"])
    assert {verdict.ruling for verdict in verdicts.values()} == {Ruling.HOLDS}, verdicts


@pytest.mark.parametrize("clause", PLANTED)
def test_planted_violation_is_caught(check, clause):
    name, message = PLANTED[clause]
    verdict = check(name, clauses=[clause])[clause]
    assert verdict.ruling == Ruling.FAILS, verdict
    assert re.search(message, verdict.message), verdict.message
    assert "\n" not in verdict.message


def test_clauses_on_runs_do_not_apply_where_none_can_be_made(check):
    verdicts = check("too_narrow")
    failing = [name for name, verdict in verdicts.items() if verdict.ruling == Ruling.FAILS]
    assert failing == ["fits_the_loss"]
    assert verdicts["is_resumable"].ruling == Ruling.NOT_APPLICABLE
    assert verdicts["is_resumable"].message == "no run can be made of it"


def test_what_needs_another_process_says_so(check):
    verdict = check("sound", clauses=["is_resumable"], elsewhere=None)["is_resumable"]
    assert (verdict.ruling, verdict.message) == (Ruling.NOT_APPLICABLE, "there is no other process to run it in")


def test_bad_input_is_refused(check, tmp_path):
    with pytest.raises(UnknownNameError, match=r"no clause `trans`\. Did you mean `trains`"):
        check("sound", clauses=["trans"])
    problem = catalog.problem("mnist_mlp")
    with pytest.raises(DataError, match="regbench data fetch mnist"):
        contracts.check_network(problem, data_dir=tmp_path)
    nowhere = problem.model_copy(update={"model": Part(name="no_such_networks:build"), "dataset": "digits"})
    with pytest.raises(DefinitionError, match="no_such_networks:build cannot be imported"):
        contracts.check_network(nowhere)
