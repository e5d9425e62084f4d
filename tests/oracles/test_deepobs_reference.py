"""The harness around the genuine deepobs: what it answers must follow from formulas that need no deepobs."""

from __future__ import annotations

import gzip
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

HARNESS = Path(__file__).parents[2] / "scripts" / "deepobs_reference.py"
EPSILON = float(np.finfo(np.float32).eps)

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("deepobs") is None or importlib.util.find_spec("tf_keras") is None,
    reason="deepobs 1.1.2 and tf_keras are an optional extra",
)


def call(*arguments: object) -> str:
    """Runs the harness in a process of its own and returns what it prints."""
    command = [sys.executable, str(HARNESS), *map(str, arguments)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr[-2000:]
    return answer.stdout


@pytest.fixture
def graph(tmp_path: Path, ask: Callable[..., str]) -> Callable[..., dict[str, np.ndarray]]:
    """Returns a function that evaluates a problem at given inputs and weights."""

    def evaluate(problem: str, *options: object, **given: np.ndarray) -> dict[str, np.ndarray]:
        np.savez(tmp_path / "in.npz", **given)
        ask("graph", problem, "--input", tmp_path / "in.npz", "--output", tmp_path / "out.npz", *options)
        with np.load(tmp_path / "out.npz") as archive:
            return dict(archive)

    return evaluate


def write_mnist(folder: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """Writes the same images as training and as test data."""
    (folder / "mnist").mkdir()
    for split in ("train", "t10k"):
        header = np.array([2051, *images.shape], ">u4").tobytes()
        (folder / "mnist" / f"{split}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images.tobytes()))
        header = np.array([2049, len(labels)], ">u4").tobytes()
        (folder / "mnist" / f"{split}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(header + labels.tobytes()))


def test_rosenbrock_answers_with_the_closed_form_at_the_given_weights(
    graph: Callable[..., dict[str, np.ndarray]],
) -> None:
    u, v = -0.75, 1.25
    x, y = np.random.default_rng(0).normal(size=(2, 8)).astype(np.float32)
    found = graph("two_d_rosenbrock", x=x, y=y, weight_0=np.float32(u), weight_1=np.float32(v))
    # Every value below stays under 200, and fewer than ten roundings make it.
    tolerance = 10 * 200 * EPSILON
    np.testing.assert_allclose(found["losses"], (1 - u) ** 2 + 100 * (v - u**2) ** 2 + u * x + v * y, atol=tolerance)
    np.testing.assert_allclose(found["mean_loss"], found["losses"].mean(), atol=tolerance)
    slope = -2 * (1 - u) - 400 * u * (v - u**2) + x.mean()
    np.testing.assert_allclose(found["gradient_0"], slope, atol=tolerance)
    np.testing.assert_allclose(found["gradient_1"], 200 * (v - u**2) + y.mean(), atol=tolerance)
    assert found["regularizer"] == 0
    assert list(found["names"]) == ["weight:0", "bias:0"]
    assert "accuracy" not in found


def test_logistic_regression_answers_with_softmax_cross_entropy(graph: Callable[..., dict[str, np.ndarray]]) -> None:
    generator = np.random.default_rng(1)
    images = generator.random((16, 28, 28, 1)).astype(np.float32)
    labels = np.eye(10, dtype=np.int32)[generator.integers(0, 10, 16)]
    kernel, bias = generator.normal(0, 0.1, (784, 10)).astype(np.float32), np.arange(10, dtype=np.float32) / 10
    found = graph("mnist_logreg", x=images, y=labels, weight_0=kernel, weight_1=bias)

    flat = images.reshape(16, 784).astype(np.float64)
    logits = flat @ kernel + bias
    log_sum = np.log(np.exp(logits).sum(axis=1))
    # A sum of 784 products in float32 is off by at most 784 epsilon times the sum of their absolute values.
    tolerance = 784 * EPSILON * float((flat @ np.abs(kernel)).max() + 1)
    np.testing.assert_allclose(found["logits"], logits, atol=tolerance)
    np.testing.assert_allclose(found["losses"], log_sum - (logits * labels).sum(axis=1), atol=2 * tolerance)
    residual = (np.exp(logits - log_sum[:, None]) - labels) / 16
    np.testing.assert_allclose(found["gradient_0"], flat.T @ residual, atol=2 * tolerance)
    np.testing.assert_allclose(found["gradient_1"], residual.sum(axis=0), atol=2 * tolerance)
    assert found["accuracy"] == np.float32((logits.argmax(axis=1) == labels.argmax(axis=1)).mean())


def test_regularizer_is_half_the_factor_times_the_squares_of_the_kernels(
    graph: Callable[..., dict[str, np.ndarray]],
) -> None:
    images, labels = np.ones((2, 32, 32, 3), np.float32), np.eye(10, dtype=np.float32)[:2]
    found = graph("cifar10_3c3d", "--weight-decay", 0.5, x=images, y=labels)
    kernels = [found[f"weight_{i}"].astype(np.float64) for i, name in enumerate(found["names"]) if "kernel" in name]
    assert len(kernels) == 6
    expected = 0.25 * sum((kernel**2).sum() for kernel in kernels)
    # One layer has 589,824 of the 894,144 weights; a float32 sum of n positive terms is off by a factor of n epsilon
    # at most, by sqrt(n) epsilon as a rule.
    np.testing.assert_allclose(found["regularizer"], expected, rtol=10 * 768 * EPSILON)
    np.testing.assert_allclose(found["objective"], found["mean_loss"] + found["regularizer"], rtol=2 * EPSILON)


def test_factor_zero_means_no_regularizer(graph: Callable[..., dict[str, np.ndarray]]) -> None:
    images, labels = np.ones((2, 32, 32, 3), np.float32), np.eye(10, dtype=np.float32)[:2]
    assert graph("cifar10_3c3d", "--weight-decay", 0, x=images, y=labels)["regularizer"] == 0


def test_weight_that_the_problem_does_not_have_is_an_error(graph: Callable[..., dict[str, np.ndarray]]) -> None:
    point = np.zeros(2, np.float32)
    with pytest.raises(AssertionError, match="at most 2 weights"):
        graph("two_d_beale", x=point, y=point, weight_2=np.float32(0))


def test_initial_weights_are_a_truncated_normal_and_differ_between_seeds(
    ask: Callable[..., str], tmp_path: Path
) -> None:
    ask("initial", "mnist_mlp", "--seed", 7, "--count", 2, "--output", tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as found:
        assert found["shape_0"].tolist() == [784, 1000]
        assert found["sample_0"].shape == (2, 1000)
        assert not np.array_equal(found["sample_0"][0], found["sample_0"][1])
        # A normal cut at two standard deviations keeps 0.87963 of its standard deviation; that of a sample of n has
        # itself a standard error below 1/sqrt(2 n).
        np.testing.assert_allclose(found["std_0"], 0.03 * 0.87963, rtol=5 / np.sqrt(2 * 784_000))
        assert 0.0599 < found["max_0"].max() <= 0.06
        assert found["std_1"].tolist() == [0, 0]


def test_order_of_mnist_is_the_same_in_every_epoch(ask: Callable[..., str], tmp_path: Path) -> None:
    images = np.repeat(np.arange(200, dtype=np.uint8), 784).reshape(200, 28, 28)
    write_mnist(tmp_path, images, np.arange(200, dtype=np.uint8) % 10)
    ask(
        "batches",
        "mnist",
        "--data-dir",
        tmp_path,
        "--batch-size",
        30,
        "--epochs",
        3,
        "--batches",
        6,
        "--output",
        tmp_path / "out.npz",
    )
    with np.load(tmp_path / "out.npz") as found:
        order = np.rint(found["x"][..., 0, 0, 0] * 255).astype(int)
    assert order.shape == (3, 6, 30)
    assert len(set(order[0].ravel())) == 180
    assert order[0].ravel().tolist() != sorted(order[0].ravel())
    assert np.array_equal(order[0], order[1])
    assert np.array_equal(order[0], order[2])


def test_cifar10_shuffles_its_files_anew_in_every_epoch_and_keeps_the_rest_of_the_order(
    ask: Callable[..., str], tmp_path: Path
) -> None:
    # The picture says which place in its file a record has, the label says which file.
    pictures = np.random.default_rng(2).integers(0, 256, (20, 3072), dtype=np.uint8)
    (tmp_path / "cifar-10").mkdir()
    for file in range(5):
        records = np.concatenate([np.full((20, 1), file, np.uint8), pictures], axis=1)
        records.tofile(tmp_path / "cifar-10" / f"data_batch_{file + 1}.bin")
    records.tofile(tmp_path / "cifar-10" / "test_batch.bin")
    ask(
        *("batches", "cifar10", "--no-augmentation", "--data-dir", tmp_path, "--output", tmp_path / "out.npz"),
        *("--batch-size", 20, "--epochs", 4, "--batches", 5),
    )
    with np.load(tmp_path / "out.npz") as found:
        places, files = found["x"], found["y"].argmax(axis=-1)
    orders = []
    for epoch in range(1, 4):
        assert np.array_equal(places[0], places[epoch])
        # What came from one file in the first epoch comes from one file now.
        pairs = set(zip(files[0].ravel().tolist(), files[epoch].ravel().tolist(), strict=True))
        assert len(pairs) == 5
        orders.append(sorted(pairs))
    assert orders[0] != orders[1] or orders[1] != orders[2]


@pytest.mark.slow
def test_runner_logs_the_mean_over_whole_batches_and_the_harness_its_times(tmp_path: Path) -> None:
    # Zero weights predict class 0 with a loss of log 10; of the 300 images only the first 256 are evaluated.
    labels = np.arange(300, dtype=np.uint8) % 3
    write_mnist(tmp_path, np.zeros((300, 28, 28), np.uint8), labels)
    line = call(
        *("run", "mnist_logreg", "--optimizer", "momentum", "--momentum", 0.5, "--learning-rate", 0.1, "--epochs", 2),
        *("--data-dir", tmp_path, "--output-dir", tmp_path / "results", "--train-log-interval", 1),
    )
    (file,) = (tmp_path / "results" / "mnist_logreg" / "MomentumOptimizer").glob("*/*.json")
    result = json.loads(file.read_text())
    np.testing.assert_allclose(result["test_losses"][0], np.log(10), rtol=4 * EPSILON)
    assert result["test_accuracies"][0] == np.mean([(labels[:128] == 0).mean(), (labels[128:256] == 0).mean()])
    assert len(result["test_losses"]) == len(result["train_losses"]) == 3
    assert len(result["minibatch_train_losses"]) == 2 * 2
    assert result["hyperparams"] == {"momentum": 0.5, "use_nesterov": False}

    times = json.loads(line)
    assert [len(times[f"{phase}_seconds"]) for phase in ("train", "train_eval", "test")] == [2, 3, 3]
    parts = [second for phase in ("train", "train_eval", "test") for second in times[f"{phase}_seconds"]]
    assert min(parts) > 0
    # Both are sums of the same differences of one clock.
    np.testing.assert_allclose(times["run_seconds"], sum(parts), atol=1e-6)
    assert times["import_seconds"] + times["build_seconds"] + times["run_seconds"] <= times["wall_seconds"]


@pytest.mark.slow
def test_logged_loss_contains_the_regularizer_and_a_seed_means_the_same_weights_in_run_and_graph(
    tmp_path: Path, graph: Callable[..., dict[str, np.ndarray]]
) -> None:
    records = np.random.default_rng(3).integers(0, 256, (40, 3073), dtype=np.uint8)
    records[:, 0] %= 10
    (tmp_path / "cifar-10").mkdir()
    for name in ("test_batch", *(f"data_batch_{file}" for file in range(1, 6))):
        records.tofile(tmp_path / "cifar-10" / f"{name}.bin")
    call(
        *("run", "cifar10_3c3d", "--optimizer", "sgd", "--learning-rate", 0.1, "--epochs", 0, "--batch-size", 20),
        *("--seed", 5, "--data-dir", tmp_path, "--output-dir", tmp_path / "results"),
    )
    (file,) = (tmp_path / "results").rglob("*.json")
    pixels = records[:, 1:].reshape(40, 3, 32, 32).transpose(0, 2, 3, 1).astype(np.float64)
    images = (pixels - pixels.mean(axis=(1, 2, 3), keepdims=True)) / pixels.std(axis=(1, 2, 3), keepdims=True)
    labels = np.eye(10, dtype=np.float32)[records[:, 0]]
    halves = [
        graph("cifar10_3c3d", "--seed", 5, x=images[part].astype(np.float32), y=labels[part])
        for part in (slice(20), slice(20, 40))
    ]
    expected = np.mean([half["mean_loss"].astype(float) + half["regularizer"] for half in halves])
    # Standardized pixels differ in their last digits, and every layer sums at most 1,152 float32 products.
    np.testing.assert_allclose(json.loads(file.read_text())["test_losses"], [expected], rtol=1152 * EPSILON)
    assert halves[0]["regularizer"] > 1
