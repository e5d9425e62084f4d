"""The test problems against the genuine deepobs 1.1.2, which runs in a process of its own.

Same weights and same batch must give the same logits, losses, L2 term and gradients; fresh weights must come from the
same distributions.
"""

import importlib.util
import itertools
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from regbench import catalog, models
from regbench.models import quadratic
from regbench.records import Problem

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(package) is None for package in ("deepobs", "tf_keras")),
    reason="the genuine package is not installed (extra `deepobs`)",
)

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
EPSILON = float(np.finfo(np.float32).eps)
# Both sides sum up to N float32 products, maybe in another order: the difference grows like sqrt(N) epsilon (160
# epsilon for the longest sum, N = 25,088 in VGG), relative to the magnitude of the summands; twice for the way back to
# the gradients. A wrong padding, order or factor changes the first or second digit.
TOLERANCE = 500 * EPSILON
# VGG chooses 14 million times an image, by ReLU or pooling, which of two numbers goes on. Where another kernel of the
# same convolution rounds the last digit otherwise, a few choices flip and gradients move by 0.5 % of the largest (seen
# with TF_ENABLE_ONEDNN_OPTS=0 on one side; with the same kernels it is 65 epsilon).
FLIPPED_CHOICES = 0.02
# Of one comparison of initial weights. There are about 50 and the seeds are fixed, so the chance that a correct
# implementation fails, and then on every run, is below 1 %.
FALSE_ALARM = 1e-4

SHAPES = {
    "mnist": (28, 28, 1),
    "fmnist": (28, 28, 1),
    "cifar10": (32, 32, 3),
    "cifar100": (32, 32, 3),
    "svhn": (32, 32, 3),
}
SLOW_IMAGE_PROBLEMS = (
    "mnist_logreg",
    "mnist_mlp",
    "mnist_2c2d",
    "fmnist_logreg",
    "fmnist_mlp",
    "cifar100_3c3d",
    "svhn_3c3d",
    "cifar10_vgg16",
)
IMAGE_PROBLEMS = [
    "fmnist_2c2d",
    "cifar10_3c3d",
    *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW_IMAGE_PROBLEMS),
]
LOSS_PROBLEMS = [
    pytest.param("quadratic_deep", 100),
    *(pytest.param(f"two_d_{function}", 2, marks=pytest.mark.slow) for function in ("beale", "branin", "rosenbrock")),
]


@dataclass(frozen=True)
class Values:
    """What a network computes, and the shapes of its variables, in order."""

    shapes: list[tuple[int, ...]]
    logits: np.ndarray
    losses: np.ndarray
    penalty: float
    gradients: list[np.ndarray]


@dataclass(frozen=True)
class Pair:
    """One problem, computed by both."""

    problem: Problem
    ours: Values
    theirs: Values


Ask = Callable[..., str]


def classes_of(problem: Problem) -> int:
    return 100 if problem.dataset == "cifar100" else 10


def build(problem: Problem) -> keras.Model:
    shape = SHAPES[problem.dataset]
    return models.build(problem.model.name, problem.model.arguments, shape, classes_of(problem))


def draw_weights(model: keras.Model, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Weights that keep activations near 1; those above 10 million entries stay as deepobs draws them."""
    drawn = {}
    for index, variable in enumerate(model.trainable_variables):
        fan_in = np.prod(variable.shape[:-1]) if len(variable.shape) > 1 else 100
        if np.prod(variable.shape) < 10**7:
            drawn[f"weight_{index}"] = generator.normal(0, fan_in**-0.5, variable.shape).astype(np.float32)
    return drawn


def compute_theirs(ask: Ask, name: str, folder: Path, given: dict[str, np.ndarray]) -> tuple[Values, list[np.ndarray]]:
    np.savez(folder / "input.npz", **given)
    ask("graph", name, "--input", folder / "input.npz", "--output", folder / "output.npz")
    with np.load(folder / "output.npz") as output:
        count = len(output["names"])
        weights = [output[f"weight_{index}"] for index in range(count)]
        gradients = [output[f"gradient_{index}"] for index in range(count)]
        shapes = [weight.shape for weight in weights]
        return Values(shapes, output["logits"], output["losses"], float(output["regularizer"]), gradients), weights


def compute_ours(
    problem: Problem, model: keras.Model, weights: list[np.ndarray], images: np.ndarray, labels: np.ndarray
) -> Values:
    shapes = [tuple(variable.shape) for variable in model.trainable_variables]
    model.set_weights(weights)
    rank_at_least = 4 if problem.l2_on == "convolution_kernels" else 2
    variables = [variable.value for variable in model.trainable_variables]
    with tf.GradientTape() as tape:
        logits = model(images, training=False)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        kernels = [variable for variable in variables if len(variable.shape) >= rank_at_least]
        penalty = problem.l2 / 2 * tf.add_n([tf.reduce_sum(tf.square(kernel)) for kernel in kernels])
        objective = tf.reduce_mean(losses) + penalty
    gradients = [gradient.numpy() for gradient in tape.gradient(objective, variables)]
    return Values(shapes, logits.numpy(), losses.numpy(), float(penalty), gradients)


@pytest.fixture(scope="module", params=IMAGE_PROBLEMS)
def pair(ask: Ask, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    problem = catalog.problem(request.param)
    model = build(problem)
    generator = np.random.default_rng(1)
    size = 2 if problem.model.name == "vgg16" else 16
    images = generator.normal(0, 1, (size, *SHAPES[problem.dataset])).astype(np.float32)
    labels = generator.integers(classes_of(problem), size=size)
    one_hot = np.eye(classes_of(problem), dtype=np.float32)[labels]
    folder = tmp_path_factory.mktemp(problem.name)
    theirs, weights = compute_theirs(
        ask, problem.name, folder, {"x": images, "y": one_hot, **draw_weights(model, generator)}
    )
    for file in folder.iterdir():
        file.unlink()  # a gigabyte for VGG
    return Pair(problem, compute_ours(problem, model, weights, images, labels), theirs)


def assert_same_to_float32(ours: np.ndarray, theirs: np.ndarray, tolerance: float = TOLERANCE) -> None:
    magnitude = np.abs(theirs).max()
    assert magnitude > 0
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * magnitude)


def test_variables_have_the_same_shapes_in_the_same_order(pair: Pair) -> None:
    assert pair.ours.shapes == pair.theirs.shapes


def test_same_weights_and_batch_give_the_same_logits(pair: Pair) -> None:
    assert_same_to_float32(pair.ours.logits, pair.theirs.logits)


def test_same_weights_and_batch_give_the_same_loss_of_each_example(pair: Pair) -> None:
    assert_same_to_float32(pair.ours.losses, pair.theirs.losses)


def test_same_weights_give_the_same_l2_term(pair: Pair) -> None:
    # Without L2 both are exactly 0. A sum of up to 15 million positive squares, added up in blocks on both sides.
    assert pair.ours.penalty == pytest.approx(pair.theirs.penalty, rel=TOLERANCE, abs=0)


def test_same_weights_and_batch_give_the_same_gradients(pair: Pair) -> None:
    tolerance = FLIPPED_CHOICES if pair.problem.model.name == "vgg16" else TOLERANCE
    for ours, theirs in zip(pair.ours.gradients, pair.theirs.gradients, strict=True):
        assert_same_to_float32(ours, theirs, tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fmnist_2c2d", "cifar10_3c3d", *SLOW_IMAGE_PROBLEMS])
def test_initial_weights_come_from_the_same_distributions(ask: Ask, name: str, tmp_path: Path) -> None:
    problem = catalog.problem(name)
    seeds = range(42, 43 if problem.model.name == "vgg16" else 62)
    output = tmp_path / "initial.npz"
    ask("initial", name, "--seed", str(seeds[0]), "--count", str(len(seeds)), "--output", output)
    with np.load(output) as archive:
        theirs = dict(archive)
    ours: list[list[np.ndarray]] = []
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        ours.append([np.ravel(variable) for variable in build(problem).trainable_variables])
    for index in range(len(theirs["names"])):
        assert_same_distribution([weights[index] for weights in ours], theirs, index)


def assert_same_distribution(ours: list[np.ndarray], theirs: dict[str, np.ndarray], index: int) -> None:
    low, high = theirs[f"min_{index}"].min(), theirs[f"max_{index}"].max()
    values = np.concatenate(ours)
    if low == high:
        assert set(values) == {low}
        return
    # The densities end abruptly (truncated normal at 2 standard deviations, or uniform), so the extremes of many
    # weights are close to the ends: within 2 % in all but 4e-4 of the cases for the fewest weights (1,728 in VGG).
    assert values.min() == pytest.approx(low, rel=0.02)
    assert values.max() == pytest.approx(high, rel=0.02)
    generator = np.random.default_rng(index)
    sample = generator.choice(values, theirs[f"sample_{index}"].size)
    assert stats.ks_2samp(sample, theirs[f"sample_{index}"].ravel()).pvalue > FALSE_ALARM


@pytest.mark.parametrize(("name", "dimension"), LOSS_PROBLEMS)
def test_loss_problems_start_at_the_same_point_with_the_same_losses_and_gradients(
    ask: Ask, name: str, dimension: int, tmp_path: Path
) -> None:
    problem = catalog.problem(name)
    model = models.build(problem.model.name, problem.model.arguments, (dimension,), 0)
    inputs = np.random.default_rng(2).normal(0, 1, (128, dimension)).astype(np.float32)
    given = {"x": inputs} if dimension > 2 else {"x": inputs[:, 0], "y": inputs[:, 1]}
    np.savez(tmp_path / "input.npz", **given)
    ask("graph", name, "--input", tmp_path / "input.npz", "--output", tmp_path / "output.npz")

    variables = [variable.value for variable in model.trainable_variables]
    with tf.GradientTape() as tape:
        losses = model(inputs)
        mean_loss = tf.reduce_mean(losses)
    gradients = tape.gradient(mean_loss, variables)
    with np.load(tmp_path / "output.npz") as theirs:
        assert len(theirs["names"]) == len(variables)
        assert_same_to_float32(losses.numpy(), theirs["losses"])
        for index, (variable, gradient) in enumerate(zip(variables, gradients, strict=True)):
            np.testing.assert_array_equal(variable.numpy(), theirs[f"weight_{index}"])
            assert_same_to_float32(gradient.numpy(), theirs[f"gradient_{index}"])


def test_hessian_of_quadratic_deep_is_the_same(tmp_path: Path) -> None:
    program = """
import sys
import numpy
sys.path.insert(0, sys.argv[1])
import deepobs_reference
tf, genuine = deepobs_reference.load_deepobs()
numpy.save(sys.argv[2], [genuine.testproblems.quadratic_deep(128)._hessian for _ in range(3)])
"""
    subprocess.run([sys.executable, "-c", program, SCRIPTS, tmp_path / "hessian.npy"], check=True)
    instances = np.load(tmp_path / "hessian.npy")
    theirs = instances[0]
    problem = catalog.problem("quadratic_deep")
    model = models.build(problem.model.name, problem.model.arguments, (100,), 0)
    # Ours is rounded to float32 once (half an epsilon), theirs is float64.
    np.testing.assert_allclose(model.get_layer("quadratic").hessian, theirs, rtol=EPSILON, atol=1e-12)
    # Further instances in one process have other Hessians: the stream is a global.
    assert np.abs(instances[1] - theirs).max() > 1
    np.testing.assert_allclose(list(itertools.islice(quadratic.hessians(), 3)), instances, rtol=1e-9, atol=1e-12)
