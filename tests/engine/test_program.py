"""What is compiled once and used again, and what every run starts anew."""

import json
import random
import threading
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from regbench import catalog, datasets
from regbench.datasets import registry
from regbench.engine import environment, program, splits
from regbench.engine import kept as kept_items
from regbench.engine.run import run
from regbench.records import Coupling, Decay, Part

RATE = {"optimizer.learning_rate": 0.1}
OWN_NETWORKS = """
import keras

def dropout(input_shape, classes):
    return keras.Sequential(
        [keras.Input(input_shape), keras.layers.Flatten(), keras.layers.Dropout(0.5), keras.layers.Dense(classes)]
    )

def normalization(input_shape, classes):
    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Flatten(),
            keras.layers.Dense(8),
            keras.layers.BatchNormalization(momentum=0.5),
            keras.layers.Dense(classes),
        ]
    )
"""


def curves(spec):
    return json.dumps(run(spec).curves, sort_keys=True)


@pytest.fixture
def only_program():
    """Forgets all programs; returns a function that gives the training of the only one there is since."""
    program._programs.clear()

    def find():
        (only,) = program._programs
        (training,) = only.trainings
        return training

    return find


@pytest.fixture
def own_network(tmp_path, monkeypatch):
    """Returns a problem on digits with a network of one's own."""
    (tmp_path / "own_networks_of_this_test.py").write_text(OWN_NETWORKS)
    monkeypatch.syspath_prepend(tmp_path)
    problem = catalog.problem("digits_mlp")
    return lambda name: problem.model_copy(update={"model": Part(name=f"own_networks_of_this_test:{name}")})


@pytest.fixture
def augmented_problem(monkeypatch):
    """A small problem with images in colour, augmented as CIFAR."""
    digits = datasets.get("digits")

    def read(dataset, folder):
        raw = datasets.load("digits")
        coloured = {
            name: np.repeat(getattr(raw, name) * 255, 3, axis=-1).astype(np.uint8)
            for name in ("train_inputs", "test_inputs", "validation_inputs")
        }
        return replace(raw, **coloured)

    record = replace(digits, name="coloured", input_shape=(8, 8, 3), augmentation="cifar", preprocessing="standardize")
    monkeypatch.setitem(registry._READERS, "coloured", (record, read))
    splits._load.cache_clear()
    yield catalog.problem("digits_mlp").model_copy(update={"dataset": "coloured"})
    splits._load.cache_clear()


@pytest.fixture
def problem_with_validation_cut_off(monkeypatch):
    """A problem whose validation data are some of the training data, so that protocols train on different data."""
    raw = replace(datasets.load("digits"), validation_inputs=None, validation_targets=None)
    record = replace(datasets.get("digits"), name="cut")
    monkeypatch.setitem(registry._READERS, "cut", (record, lambda dataset, folder: raw))
    splits._load.cache_clear()
    yield catalog.problem("digits_mlp").model_copy(update={"dataset": "cut"})
    splits._load.cache_clear()


def test_protocols_that_train_on_different_data_do_not_share_them(problem_with_validation_cut_off, make_task):
    protocols = ("deepobs", "deepobs-1.1", "strict")
    specs = [make_task(problem_with_validation_cut_off, protocol=name, epochs=1).spec(RATE, 42) for name in protocols]
    cold = []
    for spec in specs:
        program._programs.clear()
        cold.append(curves(spec))
    assert [curves(spec) for spec in (*specs, *reversed(specs))] == [*cold, *reversed(cold)]
    assert len(set(cold)) == 3


def test_learning_rate_changes_every_epoch_without_a_new_trace(only_program, make_task):
    run(make_task(schedule="cosine", epochs=6).spec(RATE, 42))
    training = only_program()
    run(make_task(schedule="ltr", epochs=4).spec({"optimizer.learning_rate": 0.02}, 43))
    assert only_program() is training
    assert training._function.experimental_get_tracing_count() == 1


def test_no_rate_means_no_step(make_task):
    step = catalog.schedule("step", epochs=[1, 2], factors=[0.0, 1.0])
    losses = run(make_task(schedule=step, epochs=3).spec(RATE | {"optimizer.learning_rate": 0.01}, 42)).curves[
        "test_losses"
    ]
    assert losses[0] != losses[1] == losses[2] != losses[3]


def test_other_numbers_need_no_new_trace(only_program, make_task, make_candidate):
    for factor, number in ((0.25, 0.9), (0.1, 0.5), (0.25, 0.3)):
        regularizer = Part(name="orthogonal", arguments={"factor": factor})
        inner = Part(name="adam", arguments={"learning_rate": 0.01, "beta_1": number, "epsilon": number})
        candidate = make_candidate(
            "signed_power",
            inner_optimizer=inner,
            power=number,
            regularizer=regularizer,
            decay=Decay(coupling=Coupling.DECOUPLED_MOMENTUM, strength=number),
        )
        run(make_task(candidate=candidate, epochs=1).spec({}, 42))
    assert only_program()._function.experimental_get_tracing_count() == 1


def test_process_keeps_what_was_used_last():
    kept = kept_items.Kept()
    numbers = range(kept_items.KEPT + 1)
    for number in (*numbers[:-1], numbers[0], numbers[-1]):
        kept.take(str(number), lambda item: True, lambda number=number: number)
    assert list(kept) == [*numbers[2:-1], numbers[0], numbers[-1]]


def test_process_keeps_several_things_of_one_key_where_guards_tell_them_apart():
    kept = kept_items.Kept()
    wanted = [0, 1, 0, 1]
    assert [kept.take("key", one.__eq__, lambda one=one: one) for one in wanted] == wanted
    assert list(kept) == [0, 1]


WIDE = Part(name="mlp", arguments={"units": [512, 256]})  # too large for XLA on a CPU
NETWORKS = {name: catalog.problem(name) for name in ("quadratic_deep", "digits_mlp", "digits_2c2d")} | {
    "wide": catalog.problem("digits_mlp").model_copy(update={"model": WIDE})
}


@pytest.mark.parametrize("problem", NETWORKS.values(), ids=NETWORKS)
def test_same_spec_gives_the_same_curves_bit_for_bit(problem, make_task):
    spec = make_task(problem, "adam", epochs=2).spec(RATE | {"optimizer.beta_1": 0.9, "optimizer.beta_2": 0.99}, 42)
    assert curves(spec) == curves(spec)


@pytest.mark.parametrize("protocol", ["deepobs", "strict"])
def test_runs_with_different_seeds_differ(protocol, make_task):
    task = make_task("digits_mlp", protocol=protocol, epochs=1)
    first, second = (run(task.spec(RATE, seed)).curves for seed in (42, 43))
    assert first["test_losses"][0] != second["test_losses"][0]  # other initial weights
    assert first["train_losses"] != second["train_losses"]


@pytest.mark.parametrize("name", ["dropout", "normalization"])
def test_hidden_state_of_a_network_starts_anew_with_every_run(name, own_network, make_task):
    task = make_task(own_network(name), epochs=2)
    specs = [task.spec(RATE, 42), task.spec(RATE, 43), task.spec({"optimizer.learning_rate": 0.01}, 42)]
    program._programs.clear()
    cold = []
    for spec in specs:
        program._programs.clear()
        cold.append(curves(spec))
    assert len(set(cold)) == 3
    warm = [curves(spec) for spec in (*specs, *specs)]
    assert warm == [*cold, *cold]


def test_dropout_acts_in_training_and_not_in_evaluation(own_network, make_task):
    still = catalog.schedule("step", epochs=[1], factors=[0.0])
    result = run(make_task(own_network("dropout"), schedule=still, epochs=3).spec(RATE, 42)).curves
    assert result["test_losses"][1] == result["test_losses"][2] == result["test_losses"][3]
    second, third = result["minibatch_train_losses"][18:36], result["minibatch_train_losses"][36:]
    # The same batches and weights; only the dropped inputs differ.
    assert all(one != other for one, other in zip(second, third, strict=True))


def test_statistics_of_a_normalization_are_learned(own_network, make_task):
    task = make_task(own_network("normalization"), epochs=1)
    still = task.spec({"optimizer.learning_rate": 0.0}, 42)
    losses = run(still).curves["test_losses"]
    assert losses[0] != losses[1]


def test_augmented_training_differs_in_every_epoch_and_evaluation_does_not(augmented_problem, make_task):
    still = {"optimizer.learning_rate": 0.0}
    result = run(make_task(augmented_problem, epochs=3).spec(still, 42)).curves
    steps = len(result["minibatch_train_losses"]) // 3
    first, second, third = (result["minibatch_train_losses"][n * steps : (n + 1) * steps] for n in range(3))
    assert all(a != b != c for a, b, c in zip(first, second, third, strict=True))
    for split in ("train", "valid", "test"):
        assert len(set(result[f"{split}_losses"])) == 1


def test_train_loss_is_evaluated_on_augmented_images_under_deepobs_only(augmented_problem, make_task):
    spec = make_task(augmented_problem, epochs=0).spec(RATE, 42)
    plain = spec.protocol.model_copy(update={"augmented_train_evaluation": False})
    augmented = run(spec).curves
    unaugmented = run(spec.model_copy(update={"protocol": plain})).curves
    assert augmented["train_losses"] != unaugmented["train_losses"]
    assert augmented["valid_losses"] == unaugmented["valid_losses"]
    assert augmented["test_losses"] == unaugmented["test_losses"]


def test_augmented_runs_repeat_bit_for_bit_and_depend_on_the_seed(augmented_problem, make_task):
    task = make_task(augmented_problem, epochs=2)
    first, other = task.spec(RATE, 42), task.spec(RATE, 43)
    program._programs.clear()
    cold = curves(first)
    assert curves(other) != cold
    assert curves(first) == cold


def test_regularizer_is_part_of_the_loss(make_task, make_candidate):
    l1 = Part(name="keras.regularizers:L1", arguments={"l1": 0.25})
    candidate = make_candidate("sgd", learning_rate=0.01, regularizer=l1)
    result = run(make_task(candidate=candidate, epochs=1).spec({}, 42))
    # The only variable is a kernel of 100 ones.
    penalty = result.curves["test_losses"][0] - result.losses_without_penalty["test_losses"][0]
    assert penalty == pytest.approx(25.0, rel=1e-5)
    without = run(make_task(epochs=1).spec({"optimizer.learning_rate": 0.01}, 42))
    assert without.losses_without_penalty["test_losses"][1] != result.losses_without_penalty["test_losses"][1]


def test_asking_for_a_gpu_leaves_its_settings_alone(monkeypatch):
    """Once TensorFlow has begun to compute, it refuses any change to them."""
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [f"{kind} 0"])

    def settled(*_):
        raise RuntimeError("Physical devices cannot be modified after being initialized")

    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", settled)
    monkeypatch.setattr(tf.config.experimental, "get_memory_growth", lambda _: False)
    assert environment.has_gpu()


def test_seed_decides_the_initial_weights():
    def weights(seed):
        with environment.seeded(seed):
            return keras.initializers.GlorotUniform()((2, 2)).numpy()

    np.testing.assert_array_equal(weights(1), weights(1))
    assert not np.array_equal(weights(1), weights(2))


def test_initial_weights_do_not_depend_on_what_other_threads_draw():
    """Dask's do: that once gave a run on a worker other initial weights."""

    def weights(disturb):
        with environment.seeded(1):
            disturb()
            return keras.initializers.GlorotUniform()((2, 2)).numpy()

    def draw_elsewhere():
        thread = threading.Thread(target=random.random)
        thread.start()
        thread.join()

    np.testing.assert_array_equal(weights(draw_elsewhere), weights(lambda: None))


def test_seeded_draws_are_those_of_keras_itself():
    keras.utils.set_random_seed(5)
    expected = keras.initializers.GlorotUniform()((2, 2)).numpy()
    with environment.seeded(5):
        np.testing.assert_array_equal(keras.initializers.GlorotUniform()((2, 2)).numpy(), expected)
