"""Own networks that are refused, each in one line before anything is trained, and what is not refused."""

import sys
import types
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from regbench import catalog
from regbench.engine import program
from regbench.engine.run import run
from regbench.errors import DefinitionError
from regbench.records import MINIBATCH, Part, Selection
from regbench.tuning import space

MODULE = "refused_networks_of_the_tests"
NETWORKS = {}


def network(build):
    """Registers a function from the inputs to the outputs."""

    def with_inputs(input_shape, classes):
        inputs = keras.Input(input_shape)
        return keras.Model(inputs, build(layers.Flatten()(inputs)))

    NETWORKS[build.__name__] = with_inputs
    return build


def made(build):
    """Registers a function that makes the whole model."""
    NETWORKS[build.__name__] = lambda input_shape, classes: build()
    return build


class Noisy(layers.Layer):
    """Draws without a generator of its own."""

    def call(self, inputs, training=False):
        return inputs + 0.1 * keras.random.normal(ops.shape(inputs)) if training else inputs


class NoisyByTensorFlow(layers.Layer):
    def call(self, inputs):
        return inputs + tf.random.normal(tf.shape(inputs))


class Seeded(layers.Layer):
    """As it should be."""

    def __init__(self, **options):
        super().__init__(**options)
        self.generator = keras.random.SeedGenerator()

    def call(self, inputs, training=False):
        return inputs + 0.1 * keras.random.normal(ops.shape(inputs), seed=self.generator) if training else inputs


class Counting(layers.Layer):
    """Has a variable that Keras knows nothing of."""

    def __init__(self, **options):
        super().__init__(**options)
        self.count = tf.Variable(0.0, trainable=False, name="count")

    def call(self, inputs):
        return inputs + 0.1 * self.count.assign_add(1.0)


class Projecting(layers.Layer):
    """Draws an array that is no weight."""

    def __init__(self, **options):
        super().__init__(**options)
        self.projection = np.random.default_rng().normal(size=(64, 10)).astype("float32")

    def call(self, inputs):
        return ops.matmul(inputs, self.projection)


class Drawing(layers.Layer):
    """Draws a number when it is compiled."""

    def call(self, inputs):
        return inputs * np.random.normal()


class Adding(layers.Layer):
    """Adds to the loss, in training alone."""

    def call(self, inputs, training=False):
        if training:
            self.add_loss(0.1 * ops.sum(ops.square(inputs)))
        return inputs


class OnTheHost(layers.Layer):
    """Calls Python, which XLA cannot compile."""

    def call(self, inputs):
        doubled = tf.numpy_function(lambda array: 2 * array, [inputs], tf.float32)
        return ops.reshape(doubled, (-1, 64))


@network
def draws_without_generator(x):
    return layers.Dense(10)(Noisy(name="noise")(x))


@network
def draws_of_tensorflow(x):
    return layers.Dense(10)(NoisyByTensorFlow(name="noise")(x))


@network
def untracked_variable(x):
    return layers.Dense(10)(keras.Sequential([Counting(name="counter")], name="inner")(x))


@network
def drawn_array(x):
    return layers.Dense(10)(layers.ReLU()(Projecting(name="projection")(x)))


@network
def drawn_when_compiled(x):
    return layers.Dense(10)(Drawing()(x))


@network
def kernel_regularizer(x):
    return layers.Dense(10, kernel_regularizer="l2", name="dense")(x)


@network
def activity_regularizer(x):
    return layers.Dense(10)(layers.Dense(3, activity_regularizer="l2", name="hidden")(x))


@network
def loss_of_a_layer(x):
    return layers.Dense(10)(Adding(name="adding")(x))


@network
def several_outputs(x):
    return [layers.Dense(10)(x), layers.Dense(10)(x)]


@network
def dictionary(x):
    return {"logits": layers.Dense(10)(x), "more": layers.Dense(10)(x)}


@network
def too_narrow(x):
    return layers.Dense(9)(x)


@network
def float16(x):
    return layers.Dense(10, dtype="float16")(x)


@network
def mixed_bfloat16(x):
    return layers.Dense(10, dtype="mixed_bfloat16")(x)


@network
def float64(x):
    return layers.Dense(10, dtype="float64")(x)


@network
def float16_inside(x):
    return layers.Dense(10)(layers.Dense(4, dtype="float16", name="half")(x))


@made
def not_a_model():
    return "network"


@made
def sequential_for_other_inputs():
    return keras.Sequential([layers.Conv2D(2, 9), layers.Flatten(), layers.Dense(10)])


@made
def raises_type_error():
    raise TypeError("no network today")


class Unbuildable(keras.Model):
    def call(self, images, training=False):
        raise AttributeError("no `call` today")


@made
def unbuildable():
    return Unbuildable()


@network
def seeded(x):
    return layers.Dense(10)(layers.Dropout(0.2)(Seeded()(x)))


@made
def sequential_without_inputs():
    return keras.Sequential([layers.Flatten(), layers.Dense(10)])


@network
def on_the_host(x):
    return layers.Dense(10)(OnTheHost()(x))


@network
def on_the_device(x):
    return layers.Dense(10)(layers.Rescaling(2.0)(x))


@pytest.fixture(autouse=True)
def own_networks(monkeypatch):
    module = types.ModuleType(MODULE)
    for name, build in NETWORKS.items():
        setattr(module, name, build)
    monkeypatch.setitem(sys.modules, MODULE, module)


@pytest.fixture
def run_network(make_task):
    """Two epochs of two steps."""

    def do(name, seed=42):
        problem = catalog.problem("digits_mlp").model_copy(
            update={
                "model": Part(name=f"{MODULE}:{name}"),
                "selection": Selection(train_per_class=3, test_per_class=2),
            }
        )
        task = make_task(problem, "sgd", epochs=2, batch_size=10)
        return run(task.spec(space.defaults(catalog.candidate("sgd")), seed))

    return do


REFUSED = {
    "draws_without_generator": r"layer `noise` must keep all its state .*SeedGenerator.*the variable `.*seed_generator",
    "draws_of_tensorflow": r"layer `noise` must draw from `keras.random`.* Received: 'RandomStandardNormal'",
    "untracked_variable": r"layer `inner/counter` must keep all its state .* Received: the variable `count`",
    "drawn_array": r"layer `projection` must hold in `projection` the same whenever it is made",
    "kernel_regularizer": r"layer `dense` must not add to the loss",
    "activity_regularizer": r"layer `hidden` must not add to the loss",
    "loss_of_a_layer": r"layer `adding` must not add to the loss",
    "several_outputs": r"must give one tensor\. Received: 2 outputs",
    "dictionary": r"must give one tensor\. Received: a dictionary of 'logits', 'more'",
    "too_narrow": r"must .* outputs of shape \(None, 10\).* Received: \(None, 9\)",
    "float16": r"must .* outputs of dtype float32\. Received: 'float16'",
    "mixed_bfloat16": r"must .* outputs of dtype float32\. Received: 'bfloat16'",
    "float64": r"must .* outputs of dtype float32\. Received: 'float64'",
    "float16_inside": r"layer `half` must have trainable weights of dtype float32\. Received: 'float16'",
    "not_a_model": r"must be a Keras model\. Received: 'network'",
    "sequential_for_other_inputs": r"cannot be called with inputs of shape \(None, 8, 8, 1\)",
    "raises_type_error": r"cannot be built for inputs of shape \(8, 8, 1\) and 10 classes: no network today",
    "unbuildable": r"cannot be called with inputs of shape \(None, 8, 8, 1\): AttributeError: .*no `call` today",
}


@pytest.mark.parametrize("name", REFUSED)
def test_network_that_no_run_can_be_made_of_is_refused_in_one_line(name, run_network):
    with pytest.raises(DefinitionError, match=rf"^model `{MODULE}:{name}`: {REFUSED[name]}") as refused:
        run_network(name)
    assert "\n" not in str(refused.value)
    with pytest.raises(DefinitionError, match=REFUSED[name]):
        run_network(name)  # nothing of the first try is taken for a program that was checked


def test_network_that_is_another_when_it_is_compiled_again_is_refused(run_network):
    with pytest.raises(DefinitionError, match=r"drawn_when_compiled`: must compute the same whenever it is compiled"):
        run_network("drawn_when_compiled")


def test_random_numbers_of_a_layer_with_a_generator_are_those_of_the_run(run_network):
    program._programs.clear()
    cold = run_network("seeded", seed=43)
    program._programs.clear()
    other, warm = run_network("seeded", seed=42), run_network("seeded", seed=43)
    assert warm.curves == cold.curves
    assert other.curves[MINIBATCH] != cold.curves[MINIBATCH]


def test_sequential_network_needs_no_input_layer(run_network):
    assert run_network("sequential_without_inputs").outcome == "completed"


def test_layer_that_xla_cannot_compile_is_run_without_it_which_is_said_once(run_network):
    program._programs.clear()
    with pytest.warns(RuntimeWarning, match=r"`.*:on_the_host`: XLA cannot compile it .* TensorFlow runs it alone"):
        on_the_host = run_network("on_the_host")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run_network("on_the_host").curves == on_the_host.curves
    # Without gradients through Python, both train the last layer alone.
    on_the_device = run_network("on_the_device")
    for name, curve in on_the_host.curves.items():
        assert curve == pytest.approx(on_the_device.curves[name], rel=1e-5)
