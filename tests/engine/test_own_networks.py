"""Own networks against plain Keras: losses, penalties, decay and regularizers of every kind of layer.

A new case is a function from the inputs, 8 rows of 8 numbers, to ten logits, under a list of the weights that decay.
"""

import sys
import types

import keras
import pytest
import tensorflow as tf
from keras import layers

from regbench import catalog
from regbench.engine.run import run
from regbench.records import Decay, Part, Selection
from regbench.tuning import space

MODULE = "own_networks_of_the_tests"
STEP = {"learning_rate": 0.02, "momentum": 0.9}
CASES = {}
SLOW = ("simple_rnn", "lstm", "gru", "bidirectional", "multi_head_attention")
"""A few seconds each to compile; one of them is compared in every test of L2."""


def decays(*weights):
    """Makes a case of a function of the inputs, or of a class of networks."""

    def register(network):
        CASES[network.__name__] = network, weights
        return network

    return register


def logits(features):
    """Ten of them, by a layer that all cases have."""
    return layers.Dense(10, name="logits")(layers.Flatten()(features))


LOGITS = "logits/kernel"


@decays(LOGITS, "hidden/kernel")
def dense(rows):
    return logits(layers.Dense(3, activation="tanh", name="hidden")(rows))


@decays(LOGITS, "conv1d/kernel")
def conv_1d(rows):
    return logits(layers.Conv1D(3, 3)(rows))


@decays(LOGITS, "conv2d/kernel", "conv2d_transpose/kernel")
def conv_2d(rows):
    return logits(layers.Conv2DTranspose(2, 2)(layers.Conv2D(3, 3, strides=2)(layers.Reshape((8, 8, 1))(rows))))


@decays(LOGITS, "depthwise_kernel", "pointwise_kernel")
def separable(rows):
    return logits(layers.SeparableConv1D(3, 3)(rows))


@decays(LOGITS, "depthwise_conv1d/kernel")
def depthwise(rows):
    return logits(layers.DepthwiseConv1D(3)(rows))


@decays(LOGITS, "simple_rnn_cell/kernel", "simple_rnn_cell/recurrent_kernel")
def simple_rnn(rows):
    return logits(layers.SimpleRNN(4)(rows))


@decays(LOGITS, "lstm_cell/kernel", "lstm_cell/recurrent_kernel")
def lstm(rows):
    return logits(layers.LSTM(3)(rows))


@decays(LOGITS, "gru_cell/kernel", "gru_cell/recurrent_kernel")
def gru(rows):
    return logits(layers.GRU(3)(rows))


WAYS = [f"{way}_simple_rnn/simple_rnn_cell" for way in ("forward", "backward")]


@decays(LOGITS, *(f"{way}/{kernel}" for way in WAYS for kernel in ("kernel", "recurrent_kernel")))
def bidirectional(rows):
    return logits(layers.Bidirectional(layers.SimpleRNN(3))(rows))


@decays(LOGITS, *(f"{part}/kernel" for part in ("query", "key", "value", "attention_output")))
def multi_head_attention(rows):
    return logits(layers.MultiHeadAttention(2, 3)(rows, rows))


@decays(LOGITS, "einsum_dense/kernel")
def einsum_dense(rows):
    return logits(layers.EinsumDense("abc,cde->abde", output_shape=(8, 2, 3), bias_axes="de")(rows))


@decays(LOGITS, "hidden/kernel")
def batch_normalization(rows):
    return logits(layers.BatchNormalization()(layers.Dense(3, name="hidden")(rows)))


@decays(LOGITS)
def layer_normalization_over_several_axes(rows):
    return logits(layers.LayerNormalization(axis=(1, 2))(rows))


@decays(LOGITS, "hidden/kernel")
def spectral_normalization(rows):
    return logits(layers.SpectralNormalization(layers.Dense(3, name="hidden"))(rows))


@decays(LOGITS, "embeddings")
def embedding(rows):
    return logits(layers.Embedding(17, 2)(rows))


@decays(LOGITS, "first/hidden/kernel", "second/hidden/kernel")
def nested(rows):
    first, second = (keras.Sequential([layers.Dense(3, name="hidden")], name=name) for name in ("first", "second"))
    return logits(second(first(rows)))


@decays(LOGITS, "hidden/kernel")
def tied(rows):
    hidden = layers.Dense(8, name="hidden")
    return logits(hidden(hidden(rows)))


@decays(LOGITS)
def frozen(rows):
    return logits(layers.Dense(3, trainable=False)(rows))


@decays(LOGITS)
def parametric_relu(rows):
    return logits(layers.PReLU()(rows))


@decays(LOGITS, "hidden/kernel")
class Subclassed(keras.Model):
    """Its weights are created by its first call."""

    def __init__(self):
        super().__init__()
        self.hidden, self.logits = layers.Dense(3, name="hidden"), layers.Dense(10, name="logits")

    def call(self, images, training=False):
        rows = keras.ops.reshape(images, (-1, 8, 8))
        return self.logits(keras.ops.max(self.hidden(rows), axis=1))


def builder(network):
    def build(input_shape, classes):
        if isinstance(network, type):
            return network()
        inputs = keras.Input(input_shape)
        return keras.Model(inputs, network(layers.Reshape((8, 8))(inputs)))

    return build


@pytest.fixture(autouse=True)
def own_networks(monkeypatch):
    module = types.ModuleType(MODULE)
    for name, (network, _) in CASES.items():
        setattr(module, name, builder(network))
    monkeypatch.setitem(sys.modules, MODULE, module)


@pytest.fixture
def make_spec(make_task, make_candidate):
    """Two epochs of four steps on 40 digits."""

    def make(network, decay=None, regularizer=None, optimizer="sgd", **arguments):
        problem = catalog.problem("digits_mlp").model_copy(
            update={
                "model": Part(name=f"{MODULE}:{network}"),
                "selection": Selection(train_per_class=5, test_per_class=2),
            }
        )
        candidate = make_candidate(optimizer, decay=decay, regularizer=regularizer, **(arguments or STEP))
        return make_task(problem, candidate, epochs=2, batch_size=10).spec(space.defaults(candidate), seed=42)

    return make


def check_equal(spec, plain):
    result = run(spec)
    curves, norm = plain.curves(spec)
    assert set(result.curves) == set(curves)
    for name, curve in curves.items():
        assert result.curves[name] == pytest.approx(curve, rel=1e-5), name
    assert result.final_weight_norm == pytest.approx(norm, rel=1e-5)


@pytest.mark.parametrize("name", [pytest.param(one, marks=pytest.mark.slow if one in SLOW else ()) for one in CASES])
def test_decay_and_regularizer_act_on_the_kernels_of_every_layer(name, make_spec, plain_keras):
    decay = Decay(coupling="decoupled_constant", strength=0.05)
    regularizer = Part(name="keras.regularizers:L1", arguments={"l1": 0.02})
    plain = plain_keras(keras.optimizers.SGD(**STEP), CASES[name][1], keras.regularizers.L1(0.02), 0.05)
    check_equal(make_spec(name, decay, regularizer), plain)


@pytest.mark.parametrize("name", ["dense", "conv_1d", "gru", "layer_normalization_over_several_axes", "Subclassed"])
def test_l2_acts_on_the_kernels(name, make_spec, plain_keras):
    plain = plain_keras(keras.optimizers.SGD(**STEP), CASES[name][1], lambda weight: 0.1 * tf.nn.l2_loss(weight))
    check_equal(make_spec(name, Decay(coupling="l2", strength=0.1)), plain)
