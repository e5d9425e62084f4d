"""What a weight is in its layer, and how layers are called."""

import re
from pathlib import Path

import keras
import pytest
from keras import layers

from regbench import catalog, datasets
from regbench.engine.network import build_model
from regbench.engine.objective import regularized
from regbench.engine.weights import Weights
from regbench.errors import DefinitionError, UnknownNameError

DOCUMENTED = (Path(__file__).parents[2] / "docs" / "weights.md").read_text()
SEQUENCE, IMAGES, VIDEO = (6, 4), (6, 6, 4), (6, 6, 6, 4)
KERAS = {
    "Dense": (SEQUENCE, (2,)),
    "EinsumDense": (SEQUENCE, ("abc,cd->abd", (6, 2), None, "bd")),
    **{f"Conv{rank}D{way}": ((6,) * rank + (4,), (2, 3)) for rank in (1, 2, 3) for way in ("", "Transpose")},
    "DepthwiseConv1D": (SEQUENCE, (3,)),
    "DepthwiseConv2D": (IMAGES, (3,)),
    "SeparableConv1D": (SEQUENCE, (2, 3)),
    "SeparableConv2D": (IMAGES, (2, 3)),
    **dict.fromkeys(("SimpleRNN", "LSTM", "GRU"), (SEQUENCE, (2,))),
    "ConvLSTM1D": (IMAGES, (2, 3)),
    "ConvLSTM2D": (VIDEO, (2, 3)),
    "MultiHeadAttention": (SEQUENCE, (2, 3)),
    "GroupQueryAttention": (SEQUENCE, (3, 4, 2)),
    "Attention": (SEQUENCE, (True, "concat")),
    "AdditiveAttention": (SEQUENCE, ()),
    "Embedding": (SEQUENCE, (5, 2)),
    "ReversibleEmbedding": (SEQUENCE, (5, 2, False)),
    "BatchNormalization": (SEQUENCE, ()),
    "LayerNormalization": (SEQUENCE, ((1, 2),)),
    "GroupNormalization": (SEQUENCE, (2,)),
    "RMSNormalization": (SEQUENCE, ()),
    "PReLU": (SEQUENCE, ()),
}


def documented(name):
    """The words for kernels and for what is none in the line of the table that has this layer."""
    (line,) = [line for line in DOCUMENTED.splitlines() if line.startswith("|") and f"`{name}`" in line.split("|")[1]]
    kernels, others = line.split("|")[2:4]
    return set(re.findall(r"`(\w+)`", kernels)), set(re.findall(r"`(\w+)`", others)), "convolution" in kernels


@pytest.mark.parametrize("name", KERAS)
def test_every_layer_of_keras_has_the_kernels_that_the_table_says(name):
    shape, arguments = KERAS[name]
    inputs, layer = keras.Input(shape, batch_size=2), getattr(layers, name)(*arguments)
    if name.endswith("QueryAttention") or name.startswith("Multi"):
        outputs = layer(inputs, inputs)
    else:
        outputs = layer([inputs, inputs] if name.endswith("Attention") else inputs)
    weights = Weights(keras.Model(inputs, outputs))
    kernels, others, of_convolutions = documented(name)
    found = {weight.variable.name for weight in weights.kernels}
    assert found and found <= kernels if kernels else not found
    assert {weight.variable.name for weight in weights if not weight.is_kernel} <= others
    assert {weight.convolves for weight in weights.kernels} <= {of_convolutions}


def test_every_layer_with_weights_is_in_the_table_and_tried():
    named = {
        name
        for line in DOCUMENTED.split("## Layers of your own")[0].splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    wrappers = {"SpectralNormalization", "TimeDistributed", "Bidirectional", "RNN", "StackedRNNCells", "Pipeline"}
    assert named - wrappers - {"ConvLSTM3D", "STFTSpectrogram"} == set(KERAS)


class Own(layers.Layer):
    """Weights with names, without names, and in a list."""

    def build(self, shape):
        self.mixing = self.add_weight(shape=(2,), name="mixing_kernel")
        self.w = self.add_weight(shape=(2, 2))
        self.head_bias = self.add_weight(shape=(2, 2))
        self.position_embeddings = self.add_weight(shape=(2, 2))
        self.kernel_scale = self.add_weight(shape=(2, 2), name="kernel_scale")
        self.biases = [self.add_weight(shape=(2, 2)), self.add_weight(shape=(2,))]
        self.b = self.add_weight(shape=(2,))

    def call(self, inputs):
        return inputs


def test_names_decide_in_layers_of_ones_own_and_where_they_say_nothing_the_rank():
    roles = [str(weight.role) for weight in Weights(keras.Sequential([keras.Input((2,)), Own()]))]
    assert roles == ["kernel", "kernel", "bias", "embedding", "norm", "bias", "bias", "other"]


def paths(kernels):
    return [kernel.path for kernel in kernels]


@pytest.fixture
def weights():
    """Of two submodels with a layer `dense`, a GRU, and a layer that stands alone and twice."""
    inputs = keras.Input((6, 4))
    first, second = (keras.Sequential([layers.Dense(4, name="dense")], name=name) for name in ("first", "second"))
    shared = layers.Dense(4, name="shared")
    outputs = layers.GRU(3, name="gru")(second(shared(first(shared(inputs)))))
    return Weights(keras.Model(inputs, outputs))


def test_name_of_a_layer_stands_for_all_kernels_in_it(weights):
    assert paths(weights.of_layer("gru", "here")) == ["gru/gru_cell/kernel", "gru/gru_cell/recurrent_kernel"]
    assert paths(weights.of_layer("gru_cell", "here")) == ["gru/gru_cell/kernel", "gru/gru_cell/recurrent_kernel"]
    assert paths(weights.of_layer("first", "here")) == paths(weights.of_layer("first/dense", "here"))
    assert paths(weights.of_layer("second/dense", "here")) == ["second/dense/kernel"]
    assert paths(weights.of_layer("shared", "here")) == ["shared/kernel"]


def test_name_that_no_layer_or_several_have_is_refused(weights):
    with pytest.raises(UnknownNameError, match=r"^here: There is no layer with a kernel `grus`\. Did you mean `gru`"):
        weights.of_layer("grus", "here")
    with pytest.raises(DefinitionError, match=r"^here: `dense` must name one layer: `first/dense`, `second/dense`\."):
        weights.of_layer("dense", "here")


def test_two_regularizers_of_one_kernel_are_refused(weights):
    both = {"first": keras.regularizers.L1(1.0), "first/dense": keras.regularizers.L1(1.0)}
    with pytest.raises(DefinitionError, match=r"^regularizer\.first/dense: must have kernels of its own\. "):
        regularized(both, weights)


def test_layers_are_called_the_same_whatever_the_process_built_before():
    problem, dataset = catalog.problem("digits_mlp"), datasets.get("digits")
    problem = problem.model_copy(update={"model": problem.model.model_copy(update={"name": f"{__name__}:unnamed"})})
    problem = problem.model_copy(update={"model": problem.model.model_copy(update={"arguments": {}})})
    for _ in range(2):
        names = [weight.path for weight in Weights(build_model(problem, dataset)).kernels]
        assert names == ["dense/kernel", "dense_1/kernel"]
        layers.Dense(1)  # which Keras counts


def unnamed(input_shape, classes):
    """A network whose layers Keras names."""
    return keras.Sequential([keras.Input(input_shape), layers.Flatten(), layers.Dense(4), layers.Dense(classes)])
