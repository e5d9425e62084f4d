"""The data on conventions hold together, and the page on them is what its script writes."""

import importlib.util
import inspect
import re
from pathlib import Path

import keras
import numpy as np
import pytest

from regbench import catalog
from regbench.catalog.libraries import library_of
from regbench.conventions import CAUSES, DECAYS, PAIRS, causes_of, decay_of, faults_in, warnings_on
from regbench.records import Coupling, Decay, Part

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| (.*) \| (`.*`) \| (`.*`) \| (.*) \| (.*) \| (.*?) ?\|$", re.M)


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("conventions_script", ROOT / "scripts" / "conventions.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_is_what_the_script_writes_of_the_data_and_of_what_was_measured(script):
    page = (ROOT / "docs" / "conventions.md").read_text(encoding="utf-8")
    rows, versions = ROW.findall(page), re.search(r"Measured with (.*)\.\n", page)[1]
    assert script.document(rows, versions) == page


def test_page_has_a_row_of_every_pair():
    rows = ROW.findall((ROOT / "docs" / "conventions.md").read_text(encoding="utf-8"))
    wanted = [(pair.title, f"`{name}`", f"`{pair.names[-1]}`") for pair in PAIRS for name in pair.names[:-1]]
    assert [row[:3] for row in rows] == wanted


MOMENTUM, ADAM_OF_KERAS, ADAM = {"momentum": 0.9}, {"epsilon": 1e-8}, {"eps": 1e-8}


@pytest.mark.parametrize(
    ("one", "other", "is_scheduled", "arguments", "words"),
    [
        ("keras:SGD", "torch:SGD", True, (MOMENTUM, MOMENTUM), ["inside of the velocity"]),
        ("keras:SGD", "torch:SGD", True, ({"momentum": 0.0}, {}), []),
        ("keras:SGD", "torch:SGD", False, (MOMENTUM, MOMENTUM), []),
        ("optax:sgd", "torch:SGD", True, (MOMENTUM, MOMENTUM), []),
        ("keras:Adam", "optax:adam", False, (ADAM_OF_KERAS, ADAM), ["epsilon-hat", "rounds the betas"]),
        ("keras:Adam", "optax:adam", False, ({"epsilon": 0.0}, {"eps": 0.0}), ["rounds the betas"]),
        ("keras:Adam", "optax:adam", False, ({"epsilon": 1e-7}, ADAM), ["epsilon-hat", "rounds", "another value"]),
        ("torch:Adam", "optax:amsgrad", False, ({"amsgrad": True}, {}), ["before it takes the maximum"]),
        ("torch:Adam", "optax:amsgrad", False, ({"amsgrad": False}, {}), ["does not take the maximum"]),
        ("keras:AdamW", "torch:AdamW", False, ({"weight_decay": 0.1}, {"weight_decay": 0.1}), ["rounds the betas"]),
        ("optax:adamw", "torch:AdamW", False, ({"weight_decay": 0.1}, {"weight_decay": 0.2}), ["another strength"]),
        ("keras:Nadam", "torch:NAdam", False, ({}, {"momentum_decay": 0.004}), ["rounds the betas", "0.96**t"]),
        ("keras:Nadam", "torch:NAdam", False, ({}, {"momentum_decay": 1.0}), ["rounds the betas"]),
        (
            "optax:rmsprop",
            "torch:RMSprop",
            False,
            ({"decay": 0.9, **ADAM}, {"alpha": 0.9, **ADAM}),
            ["inside of the root"],
        ),
        (
            "optax:rmsprop",
            "torch:RMSprop",
            False,
            ({"decay": 0.9}, {"alpha": 0.99}),
            ["decay rate of the second moment"],
        ),
        ("keras:Lamb", "optax:lamb", False, ({"weight_decay": None}, {"weight_decay": 0.0}), []),
        (
            "keras:Lamb",
            "optax:lamb",
            False,
            ({"weight_decay": 0.1}, {"weight_decay": 0.1}),
            ["outside of the trust ratio"],
        ),
        ("optax.contrib:prodigy", "pytorch_optimizer:Prodigy", False, ({}, {"bias_correction": True}), ["float32"]),
        ("keras:Muon", "optax.contrib:muon", False, ({}, {"nesterov": True, "consistent_rms": 0.2}), ["Nesterov"]),
        ("torch:Muon", "optax.contrib:muon", False, ({"adjust_lr_fn": "x"}, {"nesterov": False}), ["bfloat16"]),
    ],
)
def test_causes_are_those_of_the_frameworks_and_the_arguments(one, other, is_scheduled, arguments, words):
    for names, given in (((one, other), arguments), ((other, one), arguments[::-1])):
        found = causes_of(*names, is_scheduled, given)
        assert len(found) == len(words)
        assert all(word in cause.what for word, cause in zip(words, found, strict=True))


def test_every_cause_has_a_source():
    assert all(cause.source and not cause.what.endswith(".") for cause in CAUSES)


def test_table_of_decays_has_every_bundled_guest_and_every_class_of_keras():
    bundled = {
        part.name.replace("optax:", library)
        for name in catalog.candidate_names()
        for part in catalog.candidate(name).optimizer.with_inner()
        for library in ("optax:", "optax.contrib:")
        if library_of(part.name)
    }
    known = {one.name for one in DECAYS}
    for name in bundled:
        assert {name, name.replace("optax.contrib:", "optax:")} & known, name
    assert {f"keras:{name}" for name in CLASSES} <= known
    assert len(known) == len(DECAYS)


CLASSES = {
    name: kind
    for name, kind in vars(keras.optimizers).items()
    if isinstance(kind, type) and issubclass(kind, keras.optimizers.Optimizer) and "Optimizer" not in name
}
RATE, DECAY = 0.01, 0.1


def stepped(kind, before, **arguments):
    """A kernel after three steps with gradients of 1, before each of which `before` is done to it."""
    variable = keras.Variable(np.linspace(-1.0, 1.0, 6).reshape(3, 2).astype("float32"), name="kernel")
    optimizer = kind(learning_rate=RATE, **arguments)
    optimizer.build([variable])
    for _ in range(3):
        before(variable)
        optimizer.apply([keras.ops.ones((3, 2))], [variable])
    return keras.ops.convert_to_numpy(variable)


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
@pytest.mark.parametrize("name", CLASSES)
def test_decay_of_keras_is_decoupled_and_off_unless_the_table_says_otherwise(name):
    off = {
        argument: 0.0 for argument in ("adam_weight_decay",) if argument in inspect.signature(CLASSES[name]).parameters
    }
    by_keras = stepped(CLASSES[name], lambda variable: None, weight_decay=DECAY, **off)
    by_hand = stepped(
        CLASSES[name], lambda variable: variable.assign(variable * (1 - RATE * DECAY)), weight_decay=0.0, **off
    )
    np.testing.assert_allclose(by_keras, by_hand, rtol=0, atol=1e-6)
    meaning = decay_of(f"keras:{name}")
    assert meaning.coupling == "decoupled"
    assert inspect.signature(CLASSES[name]).parameters["weight_decay"].default == meaning.default


def test_what_should_be_known_of_a_candidate_is_told(make_candidate):
    rest = Part(name="torch:AdamW", arguments={"lr": 0.001})
    muon = {"lr": 0.01, "apply_to": "kernels", "rest": rest}
    decoupled = Decay(coupling=Coupling.DECOUPLED, strength=0.1)
    (line,) = warnings_on(make_candidate("torch:Muon", decay=decoupled, **muon))
    assert line == (
        "mine: the decay is times the learning rate of torch:Muon, also on weights that `rest` is for, if any of them "
        "decays"
    )
    assert warnings_on(make_candidate("torch:Muon", **muon)) == []
    assert warnings_on(make_candidate("torch:Muon", decay=Decay(coupling=Coupling.L2, strength=0.1), **muon)) == []
    (fault,) = warnings_on(make_candidate("keras.optimizers:ScheduleFreeAdamW", learning_rate=0.1))
    assert "is not Schedule-Free" in fault


def test_fault_of_a_class_of_keras_is_told_wherever_it_is_named():
    wrong = Part(name="keras.optimizers:ScheduleFreeAdamW", arguments={"learning_rate": 0.1})
    around = Part(name="signed_power", arguments={"inner_optimizer": wrong})
    assert faults_in(wrong) == faults_in(around) != []
    assert faults_in(Part(name="my_module:ScheduleFreeAdamW")) == faults_in(Part(name="sgd")) == []
