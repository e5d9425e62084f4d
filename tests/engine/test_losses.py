"""Losses and metrics beside those of Keras and by hand, and whole runs beside a step in NumPy."""

import math
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from regbench import catalog, datasets
from regbench.benchmark.tasks import Task
from regbench.catalog.bounds import contradictions
from regbench.datasets import registry
from regbench.datasets.dataset import RawData
from regbench.engine import losses, metrics, splits
from regbench.engine.run import run
from regbench.errors import DefinitionError
from regbench.records import LOSSES, METRICS, Outcome, Problem, Protocol, facts_of

GENERATOR = np.random.default_rng(0)
CLASSES = GENERATOR.integers(0, 4, 24).astype(np.int32)
LOGITS = GENERATOR.normal(size=(24, 4)).astype(np.float32)
NUMBERS = GENERATOR.normal(size=(24, 3)).astype(np.float32)
ANSWERS = (NUMBERS + GENERATOR.normal(scale=2, size=NUMBERS.shape)).astype(np.float32)
TOKENS = GENERATOR.integers(0, 5, (24, 7)).astype(np.int32)
TOKEN_LOGITS = GENERATOR.normal(size=(24, 7, 5)).astype(np.float32)


def problem(loss, **keys):
    return catalog.problem("digits_mlp").model_copy(update={"loss": loss, **keys})


def of_keras(loss):
    return lambda targets, outputs: loss(tf.constant(targets), tf.constant(outputs)).numpy()


BESIDE_KERAS = {
    "sparse_categorical_crossentropy": (
        CLASSES,
        LOGITS,
        of_keras(lambda y, x: keras.losses.sparse_categorical_crossentropy(y, x, from_logits=True)),
    ),
    "categorical_crossentropy": (
        np.eye(4, dtype=np.float32)[CLASSES] * 0.9 + 0.025,
        LOGITS,
        of_keras(lambda y, x: keras.losses.categorical_crossentropy(y, x, from_logits=True)),
    ),
    "smoothed_crossentropy": (
        CLASSES,
        LOGITS,
        of_keras(
            lambda y, x: keras.losses.categorical_crossentropy(
                tf.one_hot(y, 4), x, from_logits=True, label_smoothing=losses.SMOOTHING
            )
        ),
    ),
    "binary_crossentropy": (
        (NUMBERS > 0).astype(np.float32),
        ANSWERS,
        of_keras(lambda y, x: keras.losses.binary_crossentropy(y, x, from_logits=True)),
    ),
    "token_crossentropy": (
        TOKENS,
        TOKEN_LOGITS,
        lambda y, x: np.stack(
            [
                keras.losses.sparse_categorical_crossentropy(one, of_one, from_logits=True).numpy().mean()
                for one, of_one in zip(y, x, strict=True)
            ]
        ),
    ),
    "mean_squared_error": (NUMBERS, ANSWERS, of_keras(keras.losses.mean_squared_error)),
    "mean_absolute_error": (NUMBERS, ANSWERS, of_keras(keras.losses.mean_absolute_error)),
    "huber": (NUMBERS, ANSWERS, of_keras(keras.losses.huber)),
    "model_output": (np.zeros((24, 0), np.float32), ANSWERS[:, 0], lambda _, x: x),
}


def test_every_loss_is_compared():
    assert BESIDE_KERAS.keys() == LOSSES.keys()


@pytest.mark.parametrize("name", BESIDE_KERAS)
def test_losses_are_those_of_keras(name):
    targets, outputs, expected = BESIDE_KERAS[name]
    found = losses.loss_of(problem(name))(tf.constant(targets), tf.constant(outputs))
    assert found.shape == (24,)
    np.testing.assert_allclose(found.numpy(), expected(targets, outputs), rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["mean_squared_error", "mean_absolute_error", "huber", "binary_crossentropy"])
def test_a_column_of_outputs_and_a_row_of_targets_do_not_make_a_square(name):
    loss = losses.loss_of(problem(name))
    targets = (NUMBERS[:, 0] > 0).astype(np.int32 if name == "binary_crossentropy" else np.float32)
    flat = loss(tf.constant(targets), tf.constant(ANSWERS[:, 0]))
    np.testing.assert_array_equal(loss(tf.constant(targets), tf.constant(ANSWERS[:, :1])), flat)


def test_hits():
    right = losses.hits(problem("sparse_categorical_crossentropy"), tf.constant(CLASSES), tf.constant(LOGITS))
    np.testing.assert_array_equal(right, LOGITS.argmax(axis=1) == CLASSES)
    of_shares = losses.hits(
        problem("categorical_crossentropy"), tf.one_hot(CLASSES, 4, on_value=0.7, off_value=0.1), tf.constant(LOGITS)
    )
    np.testing.assert_array_equal(of_shares, right)
    binary = losses.hits(problem("binary_crossentropy"), tf.constant(CLASSES % 2), tf.constant(LOGITS[:, :1]))
    np.testing.assert_array_equal(binary, (LOGITS[:, 0] > 0) == (CLASSES % 2 == 1))
    tokens = losses.hits(problem("token_crossentropy"), tf.constant(TOKENS), tf.constant(TOKEN_LOGITS))
    np.testing.assert_allclose(tokens, (TOKEN_LOGITS.argmax(axis=2) == TOKENS).mean(axis=1), rtol=1e-6)


def by_hand(name, targets, logits):
    """The metrics of classes from their definitions."""
    answers = logits.argmax(axis=1)
    count = logits.shape[1]
    found = np.array([(answers[targets == one] == one).mean() for one in range(count)])
    if name == "balanced_accuracy":
        return found.mean()
    if name == "f1":
        precise = np.array([(targets[answers == one] == one).mean() for one in range(count)])
        each = 2 * found * precise / (found + precise)
        return each[1] if count == 2 else each.mean()
    shares = np.exp(logits.astype(float)) / np.exp(logits.astype(float)).sum(axis=1, keepdims=True)
    areas = []
    for one in range(count):
        mine, others = shares[targets == one, one], shares[targets != one, one]
        areas.append((mine[:, None] > others).mean())
    return areas[1] if count == 2 else np.mean(areas)


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("name", ["balanced_accuracy", "f1", "auroc"])
def test_metrics_of_classes_are_their_definitions(name, count):
    targets, logits = CLASSES % count, LOGITS[:, :count]
    found = metrics.computed(problem("sparse_categorical_crossentropy"), name, targets, logits)
    assert found == pytest.approx(by_hand(name, targets, logits), rel=1e-12)


@pytest.mark.parametrize("name", ["balanced_accuracy", "f1", "auroc"])
def test_metrics_of_one_output_are_those_of_two_classes(name):
    binary = metrics.computed(problem("binary_crossentropy"), name, CLASSES % 2, LOGITS[:, :1])
    both = np.hstack([np.zeros_like(LOGITS[:, :1]), LOGITS[:, :1]])
    assert binary == pytest.approx(by_hand(name, CLASSES % 2, both), rel=1e-12)


def test_losses_of_frequent_and_rare_classes():
    targets = np.repeat([2, 0, 3, 1], [9, 6, 5, 4])  # 2 and 0 hold 15 of 24, 2 alone 9
    sparse = problem("sparse_categorical_crossentropy")
    each = losses.loss_of(sparse)(tf.constant(targets), tf.constant(LOGITS)).numpy()
    frequent, rare = (
        metrics.computed(sparse, f"loss_of_{part}_classes", targets, LOGITS) for part in ("frequent", "rare")
    )
    assert frequent == pytest.approx(each[:15].mean(), rel=1e-6)
    assert rare == pytest.approx(each[15:].mean(), rel=1e-6)
    assert math.isnan(metrics.computed(sparse, "loss_of_rare_classes", np.zeros(24, int), LOGITS))


def test_metrics_of_numbers_are_their_definitions():
    def found(name):
        return metrics.computed(problem("mean_squared_error"), name, NUMBERS, ANSWERS)

    error = ANSWERS.astype(float) - NUMBERS
    assert found("mean_absolute_error") == pytest.approx(np.abs(error).mean(), rel=1e-12)
    assert found("rmse") == pytest.approx(np.sqrt((error**2).mean(axis=0)).mean(), rel=1e-12)
    explained = 1 - (error**2).sum(axis=0) / ((NUMBERS - NUMBERS.mean(axis=0, dtype=float)) ** 2).sum(axis=0)
    assert found("r2") == pytest.approx(explained.mean(), rel=1e-6)


def test_metrics_of_the_loss():
    assert metrics.OF_LOSS["perplexity"](math.log(7)) == pytest.approx(7)
    assert metrics.OF_LOSS["perplexity"](1e6) == math.inf
    assert metrics.OF_LOSS["bits_per_character"](math.log(8)) == pytest.approx(3)


def test_what_cannot_be_told_is_nan():
    sparse = problem("sparse_categorical_crossentropy")
    assert math.isnan(metrics.computed(sparse, "auroc", np.zeros(24, np.int32), LOGITS))
    assert math.isnan(metrics.computed(sparse, "f1", CLASSES, np.full_like(LOGITS, np.nan)))


# ------------------------------------------------------------------------------------------------ whole runs


@pytest.fixture
def register(monkeypatch):
    """Registers a data set of these targets; its 40 inputs have two values each, the first 20 train."""
    inputs = np.random.default_rng(1).normal(size=(40, 2)).astype(np.float32)

    def build(targets, classes=0, target_shape=(), weights=None):
        parts = [slice(0, 20), slice(20, 30), slice(30, 40)]
        train, test, valid = ((inputs[part], targets(inputs[part])) for part in parts)
        record = replace(
            datasets.get("digits"),
            name="made",
            classes=classes,
            input_shape=(2,),
            train_size=20,
            test_size=10,
            validation_size=10,
            preprocessing="none",
            target_shape=target_shape,
        )
        raw = RawData(*train, *test, *valid, train_weights=weights)
        monkeypatch.setitem(registry._READERS, "made", (record, lambda dataset, folder: raw))
        return raw

    splits._load.cache_clear()
    yield build
    splits._load.cache_clear()


def whole_run(loss, epochs=1, **keys):
    """One step of plain SGD an epoch on a linear model."""
    table = {
        "name": "made_linear",
        "summary": "x",
        "source": "x",
        "dataset": "made",
        "model": {"name": "logreg"},
        "loss": loss,
        "batch_size": 20,
        "epochs": epochs,
        **keys,
    }
    made = Problem.model_validate(table, strict=False)
    strict = catalog.protocol("strict")
    task = Task.of(made, "sgd", protocol=strict)
    return run(task.spec({"optimizer.learning_rate": 0.1}, seed=42))


def test_regression_takes_the_step_of_the_formula(register):
    raw = register(lambda x: (2 * x[:, 0] - x[:, 1]).astype(np.float32))
    result = whole_run("mean_squared_error", metrics=["rmse", "r2", "mean_absolute_error"])
    assert (result.spec.problem.metric, result.spec.problem.goal) == ("loss", "minimize")
    assert result.outcome is Outcome.COMPLETED
    x, y = raw.train_inputs.astype(float), raw.train_targets.astype(float)
    # DeepOBS's logistic regression starts at zero.
    error = -y
    w, b = -0.1 * 2 * x.T @ error / 20, -0.1 * 2 * error.mean()
    assert result.losses_without_penalty["test_losses"][0] == pytest.approx(np.mean(raw.test_targets**2.0), rel=1e-6)
    left = raw.test_inputs.astype(float) @ w + b - raw.test_targets
    assert result.losses_without_penalty["test_losses"][1] == pytest.approx(np.mean(left**2), rel=1e-5)
    assert result.metrics["test_rmse"][1] == pytest.approx(np.sqrt(np.mean(left**2)), rel=1e-5)
    assert result.metrics["test_mean_absolute_error"][1] == pytest.approx(np.abs(left).mean(), rel=1e-5)
    assert result.metrics["test_r2"][1] == pytest.approx(1 - np.mean(left**2) / raw.test_targets.var(), rel=1e-4)
    assert "test_accuracies" not in result.curves


@pytest.mark.parametrize(("balanced", "own"), [(True, False), (False, True), (True, True)])
def test_weights_act_on_the_step_and_not_on_what_is_told(register, balanced, own):
    weights = np.linspace(0.5, 3, 20).astype(np.float32) if own else None
    raw = register(lambda x: (x[:, 0] > 0.6).astype(np.int32), classes=2, weights=weights)
    keys = {"class_weights": "balanced"} if balanced else {}
    result = whole_run("binary_crossentropy", metrics=["balanced_accuracy"], **keys)
    assert result.spec.problem.metric == "accuracy"
    x, y = raw.train_inputs.astype(float), raw.train_targets
    counts = np.bincount(y)
    assert counts[0] != counts[1]
    importance = np.ones(20) if weights is None else weights.astype(float)
    if balanced:
        importance = importance * 20 / (2 * counts[y])
    importance /= importance.mean()
    error = importance * (0.5 - y)
    w, b = -0.1 * x.T @ error / 20, -0.1 * error.mean()
    logits = raw.test_inputs.astype(float) @ w + b
    expected = np.mean(np.log1p(np.exp(logits)) - raw.test_targets * logits)
    assert result.losses_without_penalty["test_losses"][1] == pytest.approx(expected, rel=1e-5)
    assert result.curves["test_accuracies"][1] == pytest.approx(np.mean((logits > 0) == raw.test_targets))


def test_chance_that_is_not_told_is_the_value_before_training(register):
    register(lambda x: x[:, 0].astype(np.float32) * 1e3)
    table = whole_run("mean_squared_error", epochs=2)
    assert table.spec.problem.chance is None
    diverged = table.model_copy(update={"outcome": Outcome.DIVERGED})
    assert diverged.score() == table.losses_without_penalty["valid_losses"][0] != table.score()
    assert diverged.brief().score() == diverged.score()


def test_own_loss_and_metric(register, tmp_path, monkeypatch):
    raw = register(lambda x: x[:, 0].astype(np.float32))
    (tmp_path / "own_measures.py").write_text(
        "import tensorflow as tf\n"
        "def loss(targets, outputs):\n    return tf.abs(outputs[:, 0] - targets)\n"
        "def worst(targets, outputs):\n    return abs(outputs[:, 0] - targets).max()\n"
        "def scalar(targets, outputs):\n    return tf.reduce_mean(outputs)\n"
        "def wrong(targets, outputs):\n    raise KeyError('no such thing')\n"
    )
    monkeypatch.chdir(tmp_path)
    own = whole_run("own_measures:loss", metric="own_measures:worst", goal="minimize")
    known = whole_run("mean_absolute_error")
    np.testing.assert_allclose(
        own.losses_without_penalty["test_losses"], known.losses_without_penalty["test_losses"], rtol=1e-6
    )
    assert own.metrics["test_own_measures:worst"][0] == pytest.approx(np.abs(raw.test_targets).max())
    assert own.score() == own.metrics["valid_own_measures:worst"][-1]
    with pytest.raises(DefinitionError, match=r"loss `own_measures:scalar`: must give the loss of each sample"):
        whole_run("own_measures:scalar")
    with pytest.raises(DefinitionError, match=r"metric `own_measures:wrong`: must give a number .*no such thing"):
        whole_run("own_measures:loss", metric="own_measures:wrong", goal="minimize")
    with pytest.raises(DefinitionError, match=r"loss: own_measures:absent cannot be imported"):
        whole_run("own_measures:absent")


# ------------------------------------------------------------------------------------------------ definitions


def definition(**keys):
    known = catalog.problem("digits_mlp").model_dump(mode="json") | {"chance": None}
    for key in ("metric", "goal"):
        known.pop(key)
    return Problem.model_validate(known | keys, strict=False)


def test_what_is_left_out_is_what_is_usual():
    assert (definition().metric, definition().goal) == ("accuracy", "maximize")
    numbers = definition(loss="huber")
    assert (numbers.metric, numbers.goal, numbers.has_accuracy) == ("loss", "minimize", False)
    assert definition(loss="huber", metric="r2").goal == "maximize"
    with pytest.raises(ValueError, match="goal"):
        definition(metric="my:metric")
    assert definition(loss="my:loss", metric="accuracy").has_accuracy


@pytest.mark.parametrize(
    ("keys", "must"),
    [
        ({"loss": "mse"}, "`loss` must be one of sparse_categorical_crossentropy"),
        ({"loss": "huber", "metric": "accuracy"}, "`metric` must be loss or mean_absolute_error or rmse or r2"),
        ({"loss": "model_output", "metric": "my:metric", "goal": "minimize"}, "`metric` must be loss where"),
        ({"metrics": ["perplexity", "rmse"]}, "`metrics` must be .* Received: metrics='rmse'"),
    ],
)
def test_metrics_must_fit_the_loss(keys, must):
    with pytest.raises(ValueError, match=must):
        definition(**keys)


def test_metrics_change_no_digest():
    task = Task.of(catalog.problem("digits_mlp"), "sgd", protocol=Protocol.model_validate(catalog.protocol("strict")))
    plain = task.spec({"optimizer.learning_rate": 0.1}, seed=42)
    more = plain.model_copy(update={"problem": plain.problem.model_copy(update={"metrics": ("f1",), "chance": None})})
    assert more.digest() == plain.digest()
    weighted = plain.problem.model_copy(update={"class_weights": "balanced"})
    assert plain.model_copy(update={"problem": weighted}).digest() != plain.digest()


def test_every_metric_has_a_task():
    for name, facts in METRICS.items():
        assert facts.tasks, name


@pytest.mark.parametrize(
    ("dataset", "loss", "has"),
    [
        ("digits", "mean_squared_error", "10 classes"),
        ("digits", "binary_crossentropy", "10 classes"),
        ("digits", "token_crossentropy", "10 classes"),
        ("diabetes", "sparse_categorical_crossentropy", "numbers"),
        ("diabetes", "categorical_crossentropy", "numbers"),
        ("markov_text", "sparse_categorical_crossentropy", "tokens of 32 kinds"),
        ("markov_text", "huber", "tokens of 32 kinds"),
        ("quadratic", "mean_squared_error", "no targets"),
        ("quadratic", "my_module:my_loss", "no targets"),
    ],
)
def test_losses_must_fit_the_targets(dataset, loss, has):
    made = definition(dataset=dataset, loss=loss)
    with pytest.raises(DefinitionError, match=rf"`loss` must fit the data set `{dataset}`, which has {has}\."):
        Task.of(made, "sgd")


def test_class_weights_need_classes():
    with pytest.raises(DefinitionError, match="`class_weights` must be none where there are no classes by number"):
        Task.of(definition(dataset="diabetes", loss="huber", class_weights="balanced"), "sgd")


def test_own_metrics_are_no_built_in_ones():
    assert facts_of("mine:neg_loss") is facts_of("mine:top5_accuracy") is None
    assert facts_of("valid_accuracy") is facts_of("accuracy") is METRICS["accuracy"]
    own = definition(metric="mine:neg_loss", goal="maximize")
    assert contradictions(own) == []


def test_accuracy_of_an_own_loss_is_asked_of_runs_on_record():
    plain = definition(loss="mine:loss")
    asked = definition(loss="mine:loss", metric="accuracy")
    assert (plain.recorded, asked.recorded) == ((), ("accuracy",))
    assert definition(metrics=["f1"]).recorded == ("f1",)
