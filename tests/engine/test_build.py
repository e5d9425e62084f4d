"""From names and values to Keras objects."""

import keras
import numpy as np
import pytest

from regbench import datasets, optimizers
from regbench.engine.build import build_optimizer, build_regularizer, constants
from regbench.engine.network import build_model
from regbench.engine.objective import regularized
from regbench.engine.weights import Weights
from regbench.errors import DefinitionError, UnknownNameError
from regbench.records import Coupling, Decay, Part
from regbench.tuning import space

OWN_CLASSES = """
import keras

class Plain:
    pass

class Broken(keras.optimizers.SGD):
    def __init__(self, **arguments):
        raise ValueError("`power` must be in (0, 1]. Received: power=1.5")
"""


def optimizer_of(spec, network=None):
    """As a run has it, for a network or for none."""
    return build_optimizer(spec, Weights(network or keras.Sequential()))


@pytest.fixture
def make_spec(make_task, make_candidate):
    """A run of an own candidate with its defaults."""

    def make(optimizer, /, problem="digits_mlp", decay=None, regularizer=None, **arguments):
        candidate = make_candidate(optimizer, decay=decay, regularizer=regularizer, **arguments)
        return make_task(problem, candidate).spec(space.defaults(candidate), seed=42)

    return make


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    (tmp_path / "own_classes_of_this_test.py").write_text(OWN_CLASSES)
    monkeypatch.syspath_prepend(tmp_path)
    return "own_classes_of_this_test"


def test_arguments_reach_the_optimizer(make_spec):
    optimizer = optimizer_of(make_spec("adam", learning_rate=0.25, beta_1=0.5, amsgrad=True, clipnorm=2.0))
    assert type(optimizer) is keras.optimizers.Adam
    config = optimizer.get_config()
    assert {name: config[name] for name in ("learning_rate", "beta_1", "amsgrad", "clipnorm")} == {
        "learning_rate": 0.25,
        "beta_1": 0.5,
        "amsgrad": True,
        "clipnorm": 2.0,
    }


def test_inner_optimizers_are_built_first(make_spec):
    inner = Part(name="sgd", arguments={"learning_rate": 0.25, "momentum": 0.5})
    optimizer = optimizer_of(make_spec("regbench.optimizers:Lookahead", inner_optimizer=inner, sync_period=3))
    assert type(optimizer) is optimizers.Lookahead
    assert type(optimizer.inner_optimizer) is keras.optimizers.SGD
    assert optimizer.inner_optimizer.momentum == 0.5


def test_own_decay_of_keras_is_switched_off(make_spec):
    for name in ("sgd", "lion", "muon", "keras.optimizers:AdamW"):
        config = optimizer_of(make_spec(name, learning_rate=0.1)).get_config()
        assert not config["weight_decay"]
        assert not config.get("adam_weight_decay")


@pytest.mark.parametrize("name", ["weight_decay", "adam_weight_decay"])
def test_own_decay_of_keras_is_refused_unless_it_is_zero(name, make_spec):
    assert optimizer_of(make_spec("muon", **{name: 0.0})).get_config()[name] == 0.0
    with pytest.raises(DefinitionError, match=rf"^optimizer\.{name}: decay belongs into \[decay\]"):
        optimizer_of(make_spec("muon", **{name: 0.1}))


@pytest.mark.parametrize("coupling", [Coupling.NONE, Coupling.L2])
def test_decay_in_the_loss_leaves_the_optimizer_alone(coupling, make_spec):
    decay = Decay(coupling=coupling, strength=0.0 if coupling == Coupling.NONE else 0.1)
    assert type(optimizer_of(make_spec("sgd", decay=decay))) is keras.optimizers.SGD


@pytest.mark.parametrize("coupling", [Coupling.DECOUPLED, Coupling.DECOUPLED_MOMENTUM, Coupling.DECOUPLED_CONSTANT])
def test_decoupled_decay_is_around_the_optimizer(coupling, make_spec):
    optimizer = optimizer_of(make_spec("sgd", momentum=0.9, decay=Decay(coupling=coupling, strength=0.1)))
    assert type(optimizer) is optimizers.DecoupledDecay
    assert (optimizer.coupling, float(optimizer.strength)) == (coupling.value, np.float32(0.1))
    assert type(optimizer.inner_optimizer) is keras.optimizers.SGD


def test_decoupled_decay_of_strength_zero_is_the_optimizer_itself(make_spec):
    decay = Decay(coupling=Coupling.DECOUPLED, strength=0.0)
    assert type(optimizer_of(make_spec("sgd", decay=decay))) is keras.optimizers.SGD


def shared_network():
    """A table, a convolution, a norm and a dense layer."""
    return keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Embedding(3, 4, name="table"),
            keras.layers.Conv1D(4, 2, name="convolution"),
            keras.layers.LayerNormalization(axis=(1, 2), name="norm"),
            keras.layers.Flatten(),
            keras.layers.Dense(2, name="dense"),
        ]
    )


ALL = ["table/embeddings", "convolution/kernel", "convolution/bias", "norm/gamma", "norm/beta"]
ALL += ["dense/kernel", "dense/bias"]


@pytest.mark.parametrize(
    ("problem", "mask", "decayed"),
    [
        ("digits_mlp", "kernels", ["table/embeddings", "convolution/kernel", "dense/kernel"]),
        ("digits_mlp", "kernels_without_embeddings", ["convolution/kernel", "dense/kernel"]),
        ("digits_mlp", "all", ALL),
        ("cifar10_vgg16", "kernels", ["convolution/kernel"]),
        ("cifar10_vgg16", "kernels_without_embeddings", ["convolution/kernel"]),
        ("cifar10_vgg16", "all", ALL),
    ],
)
def test_decay_acts_on_the_weights_of_its_mask_and_of_the_problem(problem, mask, decayed, make_spec):
    network = shared_network()
    variables = network.trainable_variables
    decay = Decay(coupling=Coupling.DECOUPLED_CONSTANT, strength=0.5, mask=mask)
    optimizer = optimizer_of(make_spec("sgd", problem=problem, decay=decay), network)
    for variable in variables:
        variable.assign(np.ones(variable.shape))
    optimizer.apply([np.zeros(variable.shape, np.float32) for variable in variables], variables)
    halved = [weight.path for weight in Weights(network) if float(np.max(weight.variable)) == 0.5]
    assert halved == decayed


def test_wrappers_of_kernels_leave_what_is_no_kernel_alone(make_spec):
    network = keras.Sequential([keras.Input((4, 3)), keras.layers.GRU(2)])
    inner = Part(name="sgd", arguments={"learning_rate": 1.0})
    optimizer = optimizer_of(make_spec("normalized", inner_optimizer=inner, norm="max", apply_to="kernels"), network)
    before = network.get_weights()
    optimizer.apply([np.full(v.shape, 0.25, np.float32) for v in network.trainable_variables], network.weights[:3])
    steps = [float(np.max(old - new)) for old, new in zip(before, network.get_weights(), strict=True)]
    assert steps == pytest.approx([1.0, 1.0, 0.25], rel=1e-6)  # kernel, recurrent kernel, bias of shape (2, 6)


def test_constants_are_the_arguments_that_no_number_under_their_name_holds(make_spec):
    spec = make_spec("sgd", learning_rate=0.1, momentum=0.9, nesterov=True)
    assert constants(spec.optimizer, optimizer_of(spec)) == {"name": "sgd", "arguments": {"nesterov": True}}
    inner = Part(name="sgd", arguments={"learning_rate": 0.25, "momentum": 0.5})
    spec = make_spec("regbench.optimizers:Lookahead", inner_optimizer=inner, sync_period=3, slow_step_size=0.5)
    assert constants(spec.optimizer, optimizer_of(spec)) == {
        "name": "regbench.optimizers:Lookahead",
        "arguments": {"inner_optimizer": {"name": "sgd", "arguments": {}}},
    }
    assert constants(spec.optimizer, object())["arguments"]["slow_step_size"] == 0.5


def test_unknown_names_are_refused_with_the_closest_known_one(make_spec):
    with pytest.raises(UnknownNameError, match=r"^optimizer\.name: There is no optimizer `adm`\. Did you mean `adam`"):
        optimizer_of(make_spec("adm"))
    with pytest.raises(
        DefinitionError, match=r"^optimizer: sgd: There is no argument `momentun`\. Did you mean `momentum`"
    ):
        optimizer_of(make_spec("sgd", momentun=0.9))
    with pytest.raises(UnknownNameError, match=r"^optimizer\.inner_optimizer\.name: There is no inner_optimizer `sdg`"):
        optimizer_of(make_spec("regbench.optimizers:Lookahead", inner_optimizer=Part(name="sdg")))
    with pytest.raises(UnknownNameError, match=r"^regularizer\.name: There is no regularizer `nope`"):
        build_regularizer(make_spec("sgd", regularizer=Part(name="nope")))


@pytest.mark.parametrize(
    "name", ["no_such_module_at_all:Adam", "keras.optimizers:NoSuchOptimizer", ":Adam", "keras.optimizers:"]
)
def test_own_code_that_cannot_be_imported_is_refused(name, make_spec):
    with pytest.raises(DefinitionError, match=rf"^optimizer\.name: {name} cannot be imported: "):
        optimizer_of(make_spec(name))


def test_own_class_that_is_no_optimizer_is_refused(own_module, make_spec):
    with pytest.raises(DefinitionError, match=r"optimizer\.name: must be a Keras optimizer\. Received: 'own.*:Plain'$"):
        optimizer_of(make_spec(f"{own_module}:Plain"))


def test_values_that_a_class_refuses_are_bad_input(own_module, make_spec):
    with pytest.raises(
        DefinitionError, match=r"^optimizer: own_.*:Broken: `power` must be in \(0, 1\]\. Received: power=1\.5$"
    ):
        optimizer_of(make_spec(f"{own_module}:Broken"))
    with pytest.raises(DefinitionError, match=r"^optimizer: sgd: .*momentum"):
        optimizer_of(make_spec("sgd", momentum=1.5))


def test_regularizer_is_a_function_of_a_kernel(make_spec):
    assert build_regularizer(make_spec("sgd")) is None
    with pytest.raises(UnknownNameError, match=r"^regularizer: .*: There is no argument `l3`"):
        build_regularizer(make_spec("sgd", regularizer=Part(name="keras.regularizers:L1", arguments={"l3": 0.5})))
    regularizer = build_regularizer(
        make_spec("sgd", regularizer=Part(name="keras.regularizers:L1", arguments={"l1": 0.5}))
    )
    assert float(regularizer(np.array([[1.0, -3.0]], np.float32))) == 2.0


def per_layer(**regularizers):
    return Part(name="per_layer", arguments=regularizers)


def test_every_layer_may_have_a_regularizer_of_its_own(make_spec):
    parts = {
        "dense_1": Part(name="l2", arguments={"factor": 2.0}),
        "logits": Part(name="keras.regularizers:L1", arguments={"l1": 0.5}),
    }
    spec = make_spec("sgd", regularizer=per_layer(**parts))
    network = build_model(spec.problem, datasets.get("digits"))
    pairs = regularized(build_regularizer(spec), Weights(network))
    assert [(type(regularizer).__name__, kernel.path.split("/")[-2:]) for regularizer, kernel in pairs] == [
        ("L2", ["dense_1", "kernel"]),
        ("L1", ["logits", "kernel"]),
    ]


def test_regularizers_of_layers_are_checked(make_spec):
    with pytest.raises(DefinitionError, match=r"^regularizer\.dense_1: must be a regularizer, with a name\. .* 0\.1$"):
        build_regularizer(make_spec("sgd", regularizer=per_layer(dense_1=0.1)))
    with pytest.raises(UnknownNameError, match=r"^regularizer\.dense_1\.name: There is no .* `l3`"):
        build_regularizer(make_spec("sgd", regularizer=per_layer(dense_1=Part(name="l3"))))
    spec = make_spec("sgd", regularizer=per_layer(dense_7=Part(name="l2", arguments={"factor": 1.0})))
    network = build_model(spec.problem, datasets.get("digits"))
    with pytest.raises(
        DefinitionError, match=r"^regularizer: There is no layer with a kernel `dense_7`\. Did you mean `dense_2`"
    ):
        regularized(build_regularizer(spec), Weights(network))


def test_matrix_reaches_a_regularizer_as_a_list_of_rows(make_spec):
    covariance = [[2.0, 0.5], [0.5, 1.0]]
    part = Part(name="smooth_kernel", arguments={"factor": 0.1, "covariance": covariance})
    assert build_regularizer(make_spec("sgd", regularizer=part)).covariance == covariance
