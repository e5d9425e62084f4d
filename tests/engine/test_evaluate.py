"""The compiled evaluation against NumPy in float64."""

from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from regbench import datasets
from regbench.engine import evaluate, inputs
from regbench.engine.evaluate import Evaluator
from regbench.engine.network import build_model
from regbench.engine.objective import Objective, is_regularized
from regbench.engine.reading import read
from regbench.engine.splits import Samples
from regbench.engine.weights import Weights

EPSILON = float(np.finfo(np.float32).eps)
NO_SEED = tf.constant((0, 0))
CLASSES = 10


def random_samples(count, seed=0):
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(count, 8, 8, 1)).astype(np.float32)
    return Samples(inputs, generator.integers(0, CLASSES, count).astype(np.int32))


def dense_network():
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(CLASSES, kernel_initializer=keras.initializers.RandomNormal(seed=1)),
        ]
    )


def reference(network, samples):
    """Mean cross-entropy and share of hits of the dense network."""
    kernel, bias = (np.asarray(weight, np.float64) for weight in network.get_weights())
    logits = samples.inputs.reshape(len(samples), -1).astype(np.float64) @ kernel + bias
    own = logits[np.arange(len(samples)), samples.targets]
    losses = np.log(np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)) + logits.max(axis=1) - own
    return losses.mean(), (logits.argmax(axis=1) == samples.targets).mean()


def evaluated(evaluator, splits, seed=NO_SEED):
    chunks = evaluator.chunks(splits)
    evaluator.compile(chunks, False, seed)
    return evaluator.evaluate(chunks, False, seed)


@pytest.fixture
def make_objective(make_task, make_candidate):
    """The loss of a network on digits, by default without penalty."""

    def make(network, l2=0.0, regularizer=None):
        setting = {"optimizer.learning_rate": 0.1, "decay.coupling": "l2", "decay.strength": l2}
        spec = make_task("digits_mlp").spec(setting, seed=42)
        objective = Objective(spec, datasets.get("digits"), network, regularizer)
        objective.start(spec, network, read(regularizer))
        return objective

    return make


@pytest.mark.parametrize("longest", [4, 7, 100])
def test_means_are_those_of_numpy_for_splits_of_any_length(longest, make_objective, monkeypatch):
    monkeypatch.setattr(evaluate, "DENSE_CHUNK", longest)
    network = dense_network()
    splits = {"train": random_samples(29, 1), "valid": random_samples(3, 2), "test": random_samples(16, 3)}
    evaluator = Evaluator(make_objective(network), batch_size=128)
    evaluations = evaluated(evaluator, splits)
    assert list(evaluations) == list(splits)
    for split, samples in splits.items():
        loss, accuracy = reference(network, samples)
        # Logits are sums of 64 products of about 1; then a handful of operations, and a sum of at most 29 losses.
        assert evaluations[split].loss == pytest.approx(loss, rel=(64 + 10 + 29) * EPSILON / 2)
        assert evaluations[split].accuracy == pytest.approx(accuracy, rel=EPSILON)
        assert evaluations[split].penalty == 0.0


def test_chunks_are_as_few_and_as_equal_as_the_limit_allows():
    train, test = random_samples(29, 1), random_samples(10, 2)
    chunks = evaluate.Chunks({"train": train, "test": test}, longest=10)
    assert chunks.inputs.shape == (4, 10, 8, 8, 1)
    laid_out = np.array(chunks.inputs).reshape(40, 8, 8, 1)
    np.testing.assert_array_equal(laid_out[:39], np.concatenate([train.inputs, test.inputs]))


def test_padding_counts_in_no_mean():
    chunks = evaluate.Chunks({"train": random_samples(3), "test": random_samples(2)}, longest=4)
    values = np.array([[1.0, 2.0, 6.0], [4.0, 5.0, np.nan]], np.float32)
    assert chunks.means(values) == {"train": 3.0, "test": 4.5}


@pytest.mark.parametrize("place", [0, 5, 9])
def test_sample_whose_loss_is_not_finite_spoils_the_mean_of_its_split_alone(place, make_objective, monkeypatch):
    monkeypatch.setattr(evaluate, "DENSE_CHUNK", 4)  # 20 samples in 5 pieces
    spoilt = random_samples(10)
    spoilt.inputs[place] = np.inf
    network = dense_network()
    evaluator = Evaluator(make_objective(network), batch_size=128)
    evaluations = evaluated(evaluator, {"train": spoilt, "test": random_samples(10, 2)})
    assert not np.isfinite(evaluations["train"].loss)
    assert evaluations["test"].loss == pytest.approx(reference(network, random_samples(10, 2))[0], rel=1e-5)


def infinite_below_zero(inputs):
    return keras.ops.where(inputs[:, 0, 0, 0] < 0, float("inf"), 1.0)


@pytest.mark.parametrize("with_xla", [True, False])
def test_padding_with_a_sample_of_infinite_loss_does_not_turn_infinity_into_nan(with_xla, make_task, monkeypatch):
    monkeypatch.setattr(evaluate, "DENSE_CHUNK", 4)
    inputs = keras.Input((8, 8, 1))
    network = keras.Model(inputs, keras.layers.Lambda(infinite_below_zero)(inputs))
    spec = make_task("quadratic_deep").spec({"optimizer.learning_rate": 0.1}, seed=42)
    samples = random_samples(10)  # in 3 pieces of 4: the last is padded with sample 0
    samples.inputs[...] = 1.0
    samples.inputs[0] = -1.0
    no_targets = Samples(samples.inputs, np.empty((10, 0), np.float32))
    objective = Objective(spec, datasets.get("digits"), network, None)
    objective.compile = tf.function(jit_compile=with_xla)
    evaluator = Evaluator(objective, batch_size=128)
    evaluation = evaluated(evaluator, {"test": no_targets})["test"]
    assert evaluation.loss == float("inf")
    assert evaluation.accuracy is None


def test_penalty_is_half_the_factor_times_the_squares_of_the_kernels(make_objective):
    network = dense_network()
    network.layers[-1].bias.assign(np.full(CLASSES, 100.0))
    evaluator = Evaluator(make_objective(network, l2=0.3), batch_size=128)
    evaluation = evaluated(evaluator, {"test": random_samples(5)})["test"]
    kernel = np.asarray(network.layers[-1].kernel, np.float64)
    # In the worst case the sum of 640 squares is wrong by 640 half units in the last place.
    assert evaluation.penalty == pytest.approx(0.3 / 2 * (kernel**2).sum(), rel=642 * EPSILON / 2)
    assert evaluation.loss == pytest.approx(reference(network, random_samples(5))[0], rel=1e-5)


def test_penalty_of_a_regularizer_is_the_sum_over_the_kernels(make_objective):
    network = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), *map(keras.layers.Dense, (4, CLASSES))])
    objective = make_objective(network, l2=0.5, regularizer=lambda kernel: keras.ops.sum(keras.ops.abs(kernel)))
    kernels = [np.asarray(layer.kernel, np.float64) for layer in network.layers[1:]]
    expected = sum(np.abs(kernel).sum() + 0.5 / 2 * (kernel**2).sum() for kernel in kernels)
    assert float(objective.penalty()) == pytest.approx(expected, rel=(256 + 40) * EPSILON)


@pytest.mark.parametrize(
    ("meant_for", "ranks"),
    [("dense", {2}), ("convolution", {3, 4}), ("both", {2, 3, 4}), (None, {2, 3, 4})],
)
def test_regularizer_acts_on_the_kernels_that_it_is_meant_for(meant_for, ranks):
    regularizer = SimpleNamespace() if meant_for is None else SimpleNamespace(default_kernels=meant_for)
    layer = keras.layers.Layer()
    for rank in range(5):
        layer.add_weight(shape=(2,) * rank, name="theta")
    weights = Weights(keras.Sequential([layer]))
    assert {len(one.variable.shape) for one in weights if is_regularized(regularizer, one)} == ranks


def test_network_without_kernels_has_no_penalty(make_task):
    setting = {"optimizer.learning_rate": 0.1, "decay.coupling": "l2", "decay.strength": 0.1}
    spec = make_task("two_d_beale").spec(setting, seed=42)
    network = build_model(spec.problem, datasets.get("two_d"))
    objective = Objective(spec, datasets.get("two_d"), network, keras.regularizers.L1(1.0))
    objective.start(spec, network, read(None))
    assert float(objective.penalty()) == 0.0


def test_evaluation_of_more_data_of_the_same_shape_traces_nothing_anew(make_objective):
    objective = make_objective(dense_network())
    evaluator = Evaluator(objective, batch_size=128)
    before = evaluated(evaluator, {"test": random_samples(20, 1)})
    evaluated(evaluator, {"test": random_samples(20, 2)}, seed=tf.constant((3, 4)))
    assert evaluator._functions[False].experimental_get_tracing_count() == 1
    assert evaluated(evaluator, {"test": random_samples(20, 1)}) == before


def test_convolutions_are_evaluated_in_pieces_of_the_batch_size(make_objective):
    network = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3), keras.layers.Flatten(), keras.layers.Dense(CLASSES)]
    )
    evaluator = Evaluator(make_objective(network), batch_size=16)
    chunks = evaluator.chunks({"test": random_samples(40)})
    assert chunks.inputs.shape[:2] == (3, 14)
    evaluation = evaluated(evaluator, {"test": random_samples(40)})["test"]
    logits = np.asarray(network(random_samples(40).inputs))
    losses = keras.ops.sparse_categorical_crossentropy(random_samples(40).targets, logits, from_logits=True)
    assert evaluation.loss == pytest.approx(float(np.mean(losses)), rel=1e-5)
    assert evaluation.accuracy == (logits.argmax(axis=1) == random_samples(40).targets).mean()


def test_every_piece_is_augmented_with_draws_of_its_own(make_task):
    spec = make_task("digits_2c2d").spec({"optimizer.learning_rate": 0.1}, seed=42)
    dataset = replace(datasets.get("digits"), augmentation="silhouettes")
    network = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3), keras.layers.Flatten(), keras.layers.Dense(CLASSES)]
    )
    evaluator = Evaluator(Objective(spec, dataset, network, None), batch_size=12)
    samples, seed = random_samples(12), tf.constant((3, 4))
    chunks = evaluator.chunks({"first": samples, "second": samples})
    evaluator.compile(chunks, True, seed)
    evaluations = evaluator.evaluate(chunks, True, seed)
    for piece, split in enumerate(("first", "second")):
        draws = tf.random.stateless_uniform((12, inputs.DRAWS), tf.random.fold_in(seed, piece))
        logits = network(inputs.preprocess(inputs.augment(samples.inputs, "silhouettes", draws), dataset.preprocessing))
        losses = keras.ops.sparse_categorical_crossentropy(samples.targets, logits, from_logits=True)
        # Images may differ in the last digits between XLA, which augments them, and TensorFlow.
        assert evaluations[split].loss == pytest.approx(float(np.mean(losses)), rel=1e-4)
    assert evaluations["first"].loss != pytest.approx(evaluations["second"].loss, rel=1e-2)
