"""The models that are a loss, against independent formulas in float64."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from regbench import models
from regbench.models import convex_quadratic

EPSILON = float(np.finfo(np.float32).eps)
# A loss is reached by at most 100 sums and some products in float32, relative to the largest term.
TOLERANCE = 100 * EPSILON

QUADRATIC = {"counts": [90, 10], "lows": [0.0, 30.0], "highs": [1.0, 60.0], "seed": 42}

Function = Callable[[float, float], float]


def beale(u: float, v: float) -> float:
    return sum((constant - u + u * v**power) ** 2 for power, constant in ((1, 1.5), (2, 2.25), (3, 2.625)))


def branin(u: float, v: float) -> float:
    a, b, c, r, s, t = 1, 5.1 / (4 * np.pi**2), 5 / np.pi, 6, 10, 1 / (8 * np.pi)
    return a * (v - b * u**2 + c * u - r) ** 2 + s * (1 - t) * np.cos(u) + s


def rosenbrock(u: float, v: float) -> float:
    return (1 - u) ** 2 + 100 * (v - u**2) ** 2


# Function, start of DeepOBS, and a known minimum with its value (Surjanovic and Bingham).
TWO_D: dict[str, tuple[Function, tuple[float, float], tuple[float, float], float]] = {
    "beale": (beale, (-4.5, 4.5), (3, 0.5), 0.0),
    "branin": (branin, (2.5, 12.5), (np.pi, 2.275), 0.397887),
    "rosenbrock": (rosenbrock, (-0.5, 1.5), (1, 1), 0.0),
}
POINTS = [(-4.5, 4.5), (2.5, 12.5), (-0.5, 1.5), (0.3, -0.7)]


def differentiate(model: keras.Model, inputs: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    variables = [variable.value for variable in model.trainable_variables]
    with tf.GradientTape() as tape:
        losses = model(inputs)
        mean_loss = tf.reduce_mean(losses)
    return losses.numpy(), [gradient.numpy() for gradient in tape.gradient(mean_loss, variables)]


def central_difference(function: Callable[[np.ndarray], float], point: np.ndarray, step: float) -> np.ndarray:
    gradient = np.empty_like(point)
    for index in np.ndindex(point.shape):
        shift = np.zeros_like(point)
        shift[index] = step
        gradient[index] = (function(point + shift) - function(point - shift)) / (2 * step)
    return gradient


@pytest.mark.parametrize(("seed", "published"), [(43, 353.4468), (44, 353.8128)])
def test_quadratic_deep_starts_at_the_published_test_and_validation_loss(seed: int, published: float) -> None:
    model = models.build("quadratic", QUADRATIC, (100,), 0)
    inputs = np.random.RandomState(seed).normal(0, 0.6, (1000, 100)).astype(np.float32)
    # 896: the seven whole batches of 128. Tolerance: the last published digit and the rounding of float32.
    losses = model(inputs[:896]).numpy()
    assert losses.mean(dtype=np.float64) == pytest.approx(published, abs=1e-4 + TOLERANCE * published)


def test_quadratic_has_the_prescribed_spectrum() -> None:
    hessian = models.build("quadratic", QUADRATIC, (100,), 0).get_layer("quadratic").hessian.astype(np.float64)
    stream = np.random.RandomState(42)
    eigenvalues = np.concatenate([stream.uniform(0, 1, 90), stream.uniform(30, 60, 10)])
    # Rounding each entry to float32 is a perturbation of at most epsilon/2 times the Frobenius norm (Weyl).
    np.testing.assert_allclose(
        np.linalg.eigvalsh((hessian + hessian.T) / 2),
        np.sort(eigenvalues),
        rtol=0,
        atol=EPSILON * np.linalg.norm(eigenvalues),
    )
    np.testing.assert_allclose(hessian, hessian.T, rtol=0, atol=EPSILON * np.abs(hessian).max())


def test_quadratic_has_the_loss_and_gradient_of_its_formula() -> None:
    model = models.build("quadratic", QUADRATIC, (100,), 0)
    generator = np.random.default_rng(0)
    theta = generator.normal(size=(1, 100)).astype(np.float32)
    inputs = generator.normal(size=(3, 100)).astype(np.float32)
    model.set_weights([theta])
    hessian = model.get_layer("quadratic").hessian.astype(np.float64)

    def loss(theta: np.ndarray, x: np.ndarray) -> float:
        return 0.5 * ((theta - x) @ hessian @ (theta - x).T).item()

    losses, (gradient,) = differentiate(model, inputs)
    expected = [loss(theta.astype(np.float64), x[np.newaxis]) for x in inputs.astype(np.float64)]
    np.testing.assert_allclose(losses, expected, rtol=TOLERANCE)
    # A central difference of a quadratic has no truncation error, so the step may be 1.
    difference = central_difference(
        lambda point: np.mean([loss(point, x[np.newaxis]) for x in inputs.astype(np.float64)]),
        theta.astype(np.float64),
        1.0,
    )
    np.testing.assert_allclose(gradient, difference, rtol=0, atol=TOLERANCE * np.abs(difference).max())


def test_quadratic_is_determined_by_its_seed() -> None:
    first, again, other = (
        models.build("quadratic", {"counts": [4, 1], "seed": seed}, (5,), 0).get_layer("quadratic").hessian
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_quadratic_of_two_dimensions_is_a_rotated_pair_of_eigenvalues() -> None:
    arguments = {"counts": [1, 1], "lows": [2.0, 8.0], "highs": [2.0, 8.0]}
    hessian = models.build("quadratic", arguments, (2,), 0).get_layer("quadratic").hessian
    # Trace and determinant do not change with the rotation.
    assert np.trace(hessian) == pytest.approx(10, rel=4 * EPSILON)
    assert np.linalg.det(hessian.astype(np.float64)) == pytest.approx(16, rel=16 * EPSILON)


@pytest.mark.parametrize("function", TWO_D)
@pytest.mark.parametrize("point", POINTS)
def test_two_d_has_the_loss_and_gradient_of_its_formula(function: str, point: tuple[float, float]) -> None:
    formula = TWO_D[function][0]
    model = models.build("two_d", {"function": function}, (2,), 0)
    model.set_weights([np.float32(value) for value in point])
    inputs = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    start = np.array([np.float32(value) for value in point], np.float64)

    losses, gradient = differentiate(model, inputs)
    expected = formula(*start) + inputs.astype(np.float64) @ start
    np.testing.assert_allclose(losses, expected, rtol=0, atol=TOLERANCE * np.abs(expected).max())

    # Truncation h^2/6 f''' and rounding 1e-16 f/h are both far below float32 at h = 1e-4.
    difference = central_difference(lambda p: formula(*p) + inputs.astype(np.float64).mean(axis=0) @ p, start, 1e-4)
    np.testing.assert_allclose(gradient, difference, rtol=0, atol=TOLERANCE * np.abs(difference).max())


@pytest.mark.parametrize("function", TWO_D)
def test_two_d_starts_where_deepobs_starts_and_has_the_known_minimum(function: str) -> None:
    _, start, minimum, value = TWO_D[function]
    model = models.build("two_d", {"function": function}, (2,), 0)
    assert tuple(float(weight) for weight in model.get_weights()) == start

    model.set_weights([np.float32(coordinate) for coordinate in minimum])
    losses, gradient = differentiate(model, np.zeros((1, 2), np.float32))
    # The published minimum of Branin has six digits; near a minimum the rounded place matters only in second order.
    assert losses[0] == pytest.approx(value, abs=5e-6)
    # The coordinates are rounded to float32 (3e-7 at most), times second derivatives of at most 802 (Rosenbrock).
    assert np.abs(gradient).max() < 802 * 3e-7


def test_convex_quadratic_has_the_loss_and_gradient_of_its_formula_whatever_the_sample() -> None:
    model = models.build("convex_quadratic", {}, (1,), 0)
    layer = model.get_layer("convex_quadratic")
    matrix, offset = layer.matrix.astype(np.float64), layer.offset.astype(np.float64)
    w = np.random.default_rng(0).normal(size=(1, 100)).astype(np.float32)
    model.set_weights([w])

    losses, (gradient,) = differentiate(model, np.arange(3, dtype=np.float32)[:, np.newaxis])
    exact = w[0].astype(np.float64)
    terms = exact @ matrix @ exact / 2, offset @ exact
    # Each of the two terms is a sum of at most 100 times 100 products, whose sizes may be larger than that of the sum.
    magnitude = np.abs(exact) @ np.abs(matrix) @ np.abs(exact) / 2 + np.abs(offset) @ np.abs(exact)
    np.testing.assert_allclose(losses, np.full(3, terms[0] - terms[1]), rtol=0, atol=TOLERANCE * magnitude)
    expected = (matrix + matrix.T) @ exact / 2 - offset
    bound = np.abs(matrix) @ np.abs(exact) + np.abs(offset)
    np.testing.assert_allclose(gradient[0], expected, rtol=0, atol=TOLERANCE * bound.max())


def test_convex_quadratic_is_convex_and_as_badly_conditioned_as_the_matrices_of_scikit_learn() -> None:
    matrix = models.build("convex_quadratic", {}, (1,), 0).get_layer("convex_quadratic").matrix.astype(np.float64)
    eigenvalues = np.linalg.eigvalsh((matrix + matrix.T) / 2)
    # The rank-one part of `make_spd_matrix` has the eigenvalue 100; the rest adds between 0 and 1 (Weyl).
    assert 100 < eigenvalues[-1] < 101
    assert 0 < eigenvalues[0] < eigenvalues[-2] < 1


def test_convex_quadratic_is_determined_by_its_seed_and_starts_at_random() -> None:
    def build(problem_seed: int, run_seed: int) -> tuple[np.ndarray, np.ndarray]:
        keras.utils.set_random_seed(run_seed)
        model = models.build("convex_quadratic", {"seed": problem_seed}, (1,), 0)
        return model.get_layer("convex_quadratic").matrix, model.get_weights()[0]

    (first, start), (same, other_start), (other, _) = build(1, 5), build(1, 6), build(2, 5)
    np.testing.assert_array_equal(first, same)
    assert not np.allclose(first, other)
    assert not np.allclose(start, other_start)
    # Five standard errors of the standard deviation of 100 normal numbers.
    assert start.std() == pytest.approx(1, rel=5 / np.sqrt(200))


def test_instance_of_the_source_gives_the_losses_that_it_prints() -> None:
    """NSGD (l2 norm plus 1e-7, learning rate 0.1, Nesterov 0.9) in float64; the source computes in float32."""
    matrix, offset, start = convex_quadratic.instance()

    def loss(w: np.ndarray) -> float:
        return float(w @ matrix @ w / 2 - offset @ w)

    w, velocity, losses = start, np.zeros(100), []
    for _ in range(1500):
        losses.append(loss(w))
        gradient = matrix @ w - offset
        step = 0.1 * gradient / (np.linalg.norm(gradient) + 1e-7)
        velocity = 0.9 * velocity - step
        w = w + 0.9 * velocity - step
    in_float64, printed = [94.4129, -186.5295, -248.3984, -429.9408], [94.4129, -186.5157, -248.3904, -429.9427]
    ours = [losses[step] for step in (0, 99, 198, 1485)]
    assert ours == pytest.approx(in_float64, abs=1e-3)
    assert ours == pytest.approx(printed, abs=0.02)
    assert convex_quadratic.minimum(100, 0, one_stream=True) == pytest.approx(-453.0813, abs=1e-3)


def test_model_with_one_stream_is_that_instance_in_float32_and_starts_there_whatever_the_seed() -> None:
    matrix, offset, start = convex_quadratic.instance()
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        model = models.build("convex_quadratic", {"one_stream": True}, (1,), 0)
        layer = model.get_layer("convex_quadratic")
        np.testing.assert_array_equal(layer.matrix, matrix.astype("float32"))
        np.testing.assert_array_equal(layer.offset, offset.astype("float32"))
        np.testing.assert_array_equal(model.get_weights()[0][0], start.astype("float32"))
