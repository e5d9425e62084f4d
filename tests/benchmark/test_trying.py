"""Own networks and own classes, and arguments of models, are judged before anything is trained or written."""

import shlex
import sys
from pathlib import Path

import pytest

from regbench import benchmark
from regbench.benchmark import trying
from regbench.cli import main
from regbench.errors import DefinitionError
from regbench.execution import Workers

NETWORKS = """
import keras
from keras import layers

def build(input_shape, classes, units: int = 3, **others):
    return keras.Sequential([layers.Flatten(), layers.Dense(units, name="hidden"), layers.Dense(classes)])

def narrow(input_shape, classes):
    return keras.Sequential([layers.Flatten(), layers.Dense(classes + 1)])

def typed(input_shape, classes, units: int, kind: "NotImported" = None, start: keras.Initializer = "zeros"):
    return build(input_shape, classes)

def nothing(input_shape, classes): pass
def raises(input_shape, classes): raise ValueError("not today")
def ends(input_shape, classes): raise SystemExit("not ever")

class Noise(layers.Layer):
    def call(self, inputs):
        return inputs + keras.random.normal(keras.ops.shape(inputs))

def noisy(input_shape, classes):
    return keras.Sequential([keras.Input(input_shape), layers.Flatten(), Noise(), layers.Dense(classes)])
"""
OPTIMIZERS = """
import keras

class Decaying(keras.optimizers.SGD):
    def __init__(self, learning_rate=0.1):
        super().__init__(learning_rate, weight_decay=0.5)

class Picky(keras.optimizers.SGD):
    def __init__(self, learning_rate=0.1, power=1.0):
        if power > 1:
            raise RuntimeError("too much power")
        super().__init__(learning_rate)

class Unbuildable(keras.optimizers.SGD):
    def build(self, variables):
        raise RuntimeError("no state today")

class Ends(keras.optimizers.SGD):
    def __init__(self, learning_rate=0.1):
        raise SystemExit
"""
PROBLEM = """
summary = "s"
source = "s"
dataset = "digits"
model = {model}
loss = "sparse_categorical_crossentropy"
metric = "accuracy"
goal = "maximize"
chance = 0.1
batch_size = 64
epochs = 1
"""
CANDIDATE = 'summary = "s"\nsource = "s"\n[optimizer]\nname = {name}\n'


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("testproblems", "search_spaces"):
        Path(folder).mkdir()
    Path("tried_networks.py").write_text(NETWORKS)
    Path("tried_optimizers.py").write_text(OPTIMIZERS)
    yield tmp_path
    for name in ("tried_networks", "tried_optimizers"):
        sys.modules.pop(name, None)


def refused(capfd, command):
    """The one line with which a command ends."""
    capfd.readouterr()
    assert main(shlex.split(command)) == 2, command
    output, errors = capfd.readouterr()
    assert output == ""
    assert not Path("results").exists()
    (line,) = errors.splitlines()
    return line


BAD_NETWORKS = {
    '"tried_networks:raises"': "cannot be built for inputs of shape (8, 8, 1) and 10 classes: not today",
    '"tried_networks:ends"': "cannot be built for inputs of shape (8, 8, 1) and 10 classes: not ever",
    '"tried_networks:nothing"': "must be a Keras model. Received: None",
    '"tried_networks:narrow"': "outputs of shape (None, 10), which the loss",
    '"tried_networks:noisy"': "layer `noise` must keep all its state where a run can set it",
    '"tried_networks:bild"': "has no attribute 'bild'",
    '"tried_nets:build"': "tried_nets:build cannot be imported: No module named 'tried_nets'",
    '{ name = "tried_networks:build", units = "many" }': "`units`: Input should be a valid integer",
    '{ name = "tried_networks:typed", unit = 3 }': "no argument `unit`. Did you mean `units`?",
    '"tried_networks:typed"': "missing 1 required positional argument: 'units'",
    '{ name = "mlp", unit = [3] }': "model `mlp`: there is no argument `unit`. Did you mean `units`?",
    '{ name = "mlp", units = [0] }': "model `mlp`: `units`: Input should be greater than 0. Received: units=[0]",
}


@pytest.mark.parametrize("model", BAD_NETWORKS)
def test_network_that_cannot_be_is_told_in_one_line_before_anything_is_written(model, workspace, capfd):
    Path("testproblems/mine.toml").write_text(PROBLEM.format(model=model))
    for command in ("search mine sgd adam --budget 1", "run mine sgd", "plan mine sgd", "show mine"):
        line = refused(capfd, command)
        assert line.startswith("regbench: error: mine: ")
        assert BAD_NETWORKS[model] in line


def test_network_takes_what_its_signature_leaves_open(workspace, capfd):
    for model in ('{ name = "tried_networks:build", colour = "red" }', '{ name = "tried_networks:typed", units = 1 }'):
        Path("testproblems/mine.toml").write_text(PROBLEM.format(model=model))
        assert main(["show", "mine"]) == 0


POWER = "power = { low = 0.5, high = 2.0, default = 1.0 }"
BAD_CANDIDATES = {
    '"tried_optimizers:Decaying"': "optimizer.weight_decay: decay belongs into [decay]",
    f'"tried_optimizers:Picky"\n{POWER}': "too much power (when optimizer.power=2.0 was tried)",
    '"tried_optimizers:Picky"\npowr = 0.5': "There is no argument `powr`. Did you mean `power`?",
    '"tried_optimizers:Unbuildable"': "no state today",
    '"tried_optimizers:Ends"': "SystemExit",
    '"tried_optimizers:Endless"': "has no attribute 'Endless'",
}


@pytest.mark.parametrize("name", BAD_CANDIDATES)
def test_own_class_is_judged_as_strictly_by_show_as_by_search(name, workspace, capfd):
    Path("search_spaces/mine.toml").write_text(CANDIDATE.format(name=name))
    for command in ("search digits_mlp sgd mine --budget 1", "plan digits_mlp mine", "show mine"):
        assert BAD_CANDIDATES[name] in refused(capfd, command)
    if POWER not in name:  # which a single run leaves at its default
        assert BAD_CANDIDATES[name] in refused(capfd, "run digits_mlp mine")


def test_layer_that_is_not_there_is_told_before_other_candidates_are_searched(workspace, capfd):
    Path("testproblems/mine.toml").write_text(PROBLEM.format(model='"tried_networks:build"'))
    per_layer = '"sgd"\nlearning_rate = 0.1\n[regularizer]\nname = "per_layer"\nhiden = { name = "l2", factor = 0.1 }'
    Path("search_spaces/mine.toml").write_text(CANDIDATE.format(name=per_layer))
    line = refused(capfd, "search mine sgd mine --budget 1")
    assert "There is no layer with a kernel `hiden`. Did you mean `hidden`" in line
    assert main(["show", "mine", "--format", "json"]) == 0


def test_own_code_is_built_before_a_cluster_is_asked_for(workspace, monkeypatch):
    calls = []

    def call(self, function, *arguments):
        calls.append(function)
        return function(*arguments)

    monkeypatch.setattr(trying.Child, "call", call)
    Path("search_spaces/mine.toml").write_text(CANDIDATE.format(name='"tried_optimizers:Ends"'))
    with pytest.raises(DefinitionError, match="mine on digits_mlp: SystemExit"):
        benchmark.search("digits_mlp", "mine", workers=Workers(cluster="tcp://127.0.0.1:9"))
    assert calls
