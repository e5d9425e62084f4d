"""Which runs share what is compiled: a pair of specs for each component of the two keys."""

import json

import keras
import pytest

from regbench import catalog
from regbench.engine import keys
from regbench.engine.build import build_optimizer, build_regularizer
from regbench.engine.reading import read
from regbench.engine.splits import Splits
from regbench.engine.weights import Weights
from regbench.records import Coupling, Decay, Part, RunSpec, Schedule, Selection

ADAM = Part(name="adam", arguments={"learning_rate": 0.1, "beta_1": 0.9})
ORTHOGONAL = Part(name="orthogonal", arguments={"factor": 0.1, "form": "norm"})
DATA = Splits(None, None, None, "digest of the data")


@pytest.fixture(scope="module")
def spec():
    """Something of everything."""
    return RunSpec(
        problem=catalog.problem("digits_mlp"),
        candidate="one",
        setting={},
        optimizer=Part(name="lookahead", arguments={"inner_optimizer": ADAM, "sync_period": 3, "slow_step_size": 0.5}),
        regularizer=ORTHOGONAL,
        decay=Decay(coupling=Coupling.DECOUPLED, strength=0.1),
        seed=42,
        protocol=catalog.protocol("deepobs"),
        epochs=3,
        batch_size=64,
    )


@pytest.fixture(scope="module")
def network():
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])


def objective_key(spec, data=DATA):
    regularizer = build_regularizer(spec)
    return keys.program_key(spec, data, regularizer), read(regularizer).structure


def step_key(spec, network):
    optimizer = build_optimizer(spec, Weights(network))
    optimizer.build(network.trainable_variables)
    return keys.training_key(spec, optimizer), read(optimizer).structure


def changed(spec, path, value):
    """The spec with another value at a dotted path."""
    name, _, rest = path.partition(".")
    if isinstance(spec, dict):
        return spec | {name: changed(spec[name], rest, value) if rest else value}
    return spec.model_copy(update={name: changed(getattr(spec, name), rest, value) if rest else value})


INNER = "optimizer.arguments.inner_optimizer.arguments"
HELD = [
    ("candidate", "other"),
    ("setting", {"optimizer.learning_rate": 0.2}),
    ("seed", 43),
    ("epochs", 4),
    ("schedule", Schedule(name="cosine")),
    ("decay.strength", 0.2),
    ("regularizer.arguments.factor", 0.2),
    ("optimizer.arguments.slow_step_size", 0.7),
    ("optimizer.arguments.sync_period", 4),
    (f"{INNER}.learning_rate", 0.2),
    (f"{INNER}.beta_1", 0.8),
    ("problem.summary", "other"),
    ("problem.convergence", 0.5),
    ("protocol.reruns", 3),
]
OF_THE_PROGRAM = [
    ("problem.name", "other"),
    ("problem.dataset", "mnist"),
    ("problem.selection", Selection(classes=(0, 1))),
    ("problem.preprocessing", "standardize"),
    ("problem.augmentation", "silhouettes"),
    ("problem.model.name", "logreg"),
    ("problem.model.arguments", {"units": [7]}),
    ("problem.loss", "model_output"),
    ("problem.l2_on", "convolution_kernels"),
    ("protocol.name", "strict"),
    ("protocol.validation", False),
    ("protocol.reshuffle", True),
    ("protocol.every_sample", True),
    ("protocol.augmented_train_evaluation", False),
    ("batch_size", 32),
    ("decay.coupling", Coupling.L2),
    ("regularizer", None),
    ("regularizer.name", "eigenvalue_decay"),
    ("regularizer.arguments.form", "squared"),
    ("regularizer", Part(name="per_layer", arguments={"dense_1": ORTHOGONAL})),
]
OF_THE_TRAINING = [
    ("optimizer", ADAM),
    ("optimizer.arguments.inner_optimizer.name", "nadam"),
    (f"{INNER}.amsgrad", True),
    (f"{INNER}.clipnorm", 1.0),
    ("decay.coupling", Coupling.DECOUPLED_MOMENTUM),
    ("decay.coupling", Coupling.L2),
    ("decay.strength", 0.0),
    ("decay.mask", "all"),
]


def key_changes(spec, path, value, key):
    if path.endswith("regularizer.name"):
        spec = changed(spec, "regularizer.arguments", {"factor": 0.1})
    return key(spec) != key(changed(spec, path, value))


@pytest.mark.parametrize(("path", "value"), HELD, ids=lambda item: item if isinstance(item, str) else "")
def test_what_variables_and_slots_hold_changes_no_key(path, value, spec, network):
    assert not key_changes(spec, path, value, objective_key)
    assert not key_changes(spec, path, value, lambda one: step_key(one, network))


@pytest.mark.parametrize(("path", "value"), OF_THE_PROGRAM, ids=lambda item: item if isinstance(item, str) else "")
def test_all_else_makes_another_program(path, value, spec):
    assert key_changes(spec, path, value, objective_key)


@pytest.mark.parametrize(("path", "value"), OF_THE_TRAINING, ids=lambda item: item if isinstance(item, str) else "")
def test_another_optimizer_or_decay_makes_another_training(path, value, spec, network):
    assert key_changes(spec, path, value, lambda one: step_key(one, network))


@pytest.mark.parametrize("coupling", [Coupling.DECOUPLED_MOMENTUM, Coupling.DECOUPLED_CONSTANT, Coupling.L2])
def test_coupling_is_in_the_key_itself_and_not_only_in_the_structure(coupling, spec, network):
    assert step_key(spec, network)[0] != step_key(changed(spec, "decay.coupling", coupling), network)[0]


def test_other_data_make_another_program(spec):
    assert objective_key(spec) != objective_key(spec, Splits(None, None, None, "another digest"))


def test_l2_of_no_strength_is_none(spec):
    spec = changed(spec, "decay.coupling", Coupling.L2)
    assert objective_key(spec) != objective_key(changed(spec, "decay.strength", 0.0))


def test_every_part_of_the_identity_is_in_the_key_or_stated_as_held(spec):
    key = json.loads(objective_key(spec)[0])
    assert set(spec.identity()) <= set(key) | set(keys.HELD)
    assert {name: key[name] for name in set(spec.identity()) - set(keys.HELD)} == {
        name: value for name, value in spec.identity().items() if name not in keys.HELD
    }
