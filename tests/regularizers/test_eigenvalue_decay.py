"""The largest singular value by the block power method."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

from regbench.regularizers import EigenvalueDecay

# Above 80 on the smaller side nine products are an approximation, below they are exact.
SHAPES = [(10, 10), (64, 10), (27, 32), (5, 300), (81, 81), (784, 515), (300, 400), (3, 3, 32, 96), (5, 5, 3, 8)]
DRAWS = {
    "normal": lambda generator, shape: generator.normal(size=shape),
    "uniform": lambda generator, shape: generator.uniform(-0.1, 0.1, size=shape),
    "heavy_tailed": lambda generator, shape: generator.standard_t(3, size=shape),
    "non_negative": lambda generator, shape: np.maximum(generator.normal(size=shape), 0),
}


def largest_singular_value(kernel):
    return np.linalg.norm(kernel.reshape(-1, kernel.shape[-1]).astype("float64"), 2)


def kernel_with_singular_values(shape, singular_values):
    generator = np.random.default_rng(5)
    left, _ = np.linalg.qr(generator.normal(size=(shape[0], len(singular_values))))
    right, _ = np.linalg.qr(generator.normal(size=(shape[1], len(singular_values))))
    return (left * singular_values) @ right.T


def rayleigh_quotient_of_the_source(kernel):
    """Nine products with W'W from the vector of ones, here with normalised iterates."""
    vector = np.ones(kernel.shape[1])
    for _ in range(9):
        vector = kernel.T @ (kernel @ vector)
        vector /= np.linalg.norm(vector)
    return np.linalg.norm(kernel @ vector)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("draw", DRAWS)
def test_penalty_of_random_kernels_is_within_one_percent(draw, shape, value):
    generator = np.random.default_rng(4)
    for _ in range(3):
        kernel = DRAWS[draw](generator, shape).astype("float32")
        expected = 0.5 * largest_singular_value(kernel)
        penalty = value(EigenvalueDecay(0.5), kernel, "float32")
        assert 0.99 * expected <= penalty
        # Never above, but for the rounding of as many float32 products as the longer side has entries.
        assert penalty <= expected * (1 + kernel[..., 0].size * float(np.finfo("float32").eps))


@pytest.mark.parametrize("shape", [(64, 10), (5, 5, 3, 8)], ids=str)
def test_penalty_of_small_kernels_is_exact(shape, value, epsilon):
    kernel = np.random.default_rng(4).normal(size=shape)
    assert value(EigenvalueDecay(0.5), kernel) == pytest.approx(
        0.5 * largest_singular_value(kernel), abs=0, rel=kernel.size * epsilon
    )


def test_penalty_of_trained_kernels_is_within_one_percent(value):
    images, labels = load_digits(return_X_y=True)
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(100, activation="relu"), keras.layers.Dense(100, activation="relu")]
    layers.append(keras.layers.Dense(10, kernel_initializer="zeros"))
    model = keras.Sequential([keras.Input((64,)), *layers])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    history = model.fit(images / 16, labels, batch_size=32, epochs=10, verbose=0).history
    assert history["accuracy"][-1] > 0.95
    for layer in layers:
        kernel = np.asarray(layer.kernel)
        assert value(EigenvalueDecay(1.0), kernel, "float32") == pytest.approx(
            largest_singular_value(kernel), abs=0, rel=0.01
        )


def test_penalty_is_never_below_what_the_source_computes(value, epsilon):
    generator = np.random.default_rng(6)
    for _ in range(5):
        kernel = generator.normal(size=(300, 200))
        assert value(EigenvalueDecay(1.0), kernel) >= rayleigh_quotient_of_the_source(kernel) * (1 - 300 * epsilon)


def test_more_iterations_come_closer(value):
    kernel = np.random.default_rng(4).normal(size=(784, 515))
    values = [value(EigenvalueDecay(1.0, iterations), kernel) for iterations in (1, 3, 9)]
    assert values[0] < values[1] < values[2] < largest_singular_value(kernel)


@pytest.mark.parametrize("shape", [(200, 100), (20, 10)])
def test_kernel_whose_columns_add_up_to_zero_is_seen(shape, value):
    # As those of a softmax layer that starts at zero. The vector of ones, from which the source starts, is mapped to 0.
    kernel = np.random.default_rng(4).normal(size=shape)
    kernel -= kernel.mean(axis=1, keepdims=True)
    assert value(EigenvalueDecay(1.0), kernel) == pytest.approx(largest_singular_value(kernel), abs=0, rel=0.01)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
@pytest.mark.parametrize("shape", [(100, 90), (6, 5)])
def test_huge_and_tiny_kernels_neither_overflow_nor_vanish(scale, shape, value, gradient):
    kernel = (np.random.default_rng(4).normal(size=shape) * scale).astype("float32")
    expected = largest_singular_value(kernel)
    assert value(EigenvalueDecay(1.0), kernel, "float32") == pytest.approx(expected, abs=0, rel=0.01)
    # A matrix u v' with unit vectors u and v has norm 1.
    norm = np.linalg.norm(gradient(EigenvalueDecay(1.0), kernel, "float32"))
    assert norm == pytest.approx(1, abs=0, rel=kernel.size * float(np.finfo("float32").eps))


@pytest.mark.parametrize("shape", [(7, 4), (4, 7), (100, 90)])
def test_gradient_agrees_with_finite_differences_where_the_power_method_converges(shape, assert_gradient_agrees):
    # Singular values 1, 0.6, 0.36 ...: nine products leave nothing of the others.
    assert_gradient_agrees(EigenvalueDecay(0.7), kernel_with_singular_values(shape, 0.6 ** np.arange(min(shape))))


def test_gradient_agrees_with_finite_differences_for_a_convolution(convolution_kernel, assert_gradient_agrees):
    assert_gradient_agrees(EigenvalueDecay(0.7), convolution_kernel)


def test_gradient_is_that_at_a_fixed_vector(value, gradient, epsilon):
    # G = u v' with unit vectors, and <G, W> = u'Wv = |Wv|, the value. The only such u is Wv / |Wv|.
    kernel = np.random.default_rng(4).normal(size=(300, 200))
    slope = gradient(EigenvalueDecay(1.0), kernel)
    singular_values = np.linalg.svd(slope, compute_uv=False)
    tolerance = kernel.size * epsilon
    assert singular_values[0] == pytest.approx(1, abs=tolerance)
    assert singular_values[1] < tolerance
    assert np.sum(slope * kernel) == pytest.approx(value(EigenvalueDecay(1.0), kernel), abs=0, rel=tolerance)


def test_gradient_is_a_subgradient_of_the_largest_singular_value(value, gradient, epsilon):
    generator = np.random.default_rng(8)
    kernel = generator.normal(size=(150, 120))
    slope, penalty = gradient(EigenvalueDecay(1.0), kernel), value(EigenvalueDecay(1.0), kernel)
    for size in (1e-3, 0.1, 1.0, 10.0):
        step = size * generator.normal(size=kernel.shape)
        assert largest_singular_value(kernel + step) >= penalty + np.sum(slope * step) - kernel.size * epsilon * penalty


@pytest.mark.parametrize("iterations", [0, -1, 2.5, True])
def test_iterations_that_are_no_positive_integer_are_refused(iterations):
    with pytest.raises(ValueError, match=r"`iterations` must be an integer, at least 1\. Received: iterations="):
        EigenvalueDecay(0.1, iterations)


def test_vector_is_refused(value):
    with pytest.raises(ValueError, match=r"`kernel` must have at least two axes\. Received: shape=\(3,\)"):
        value(EigenvalueDecay(0.1), np.ones(3))


def carry(penalty, kernel, block):
    value, following = penalty.carried(keras.ops.convert_to_tensor(kernel), block)
    return float(value), following


def test_carried_block_follows_a_kernel_that_changes(gradient):
    # Close singular values at the top, as where the penalty has pushed the largest one down to the next.
    generator = np.random.default_rng(9)
    kernel = kernel_with_singular_values((60, 40), np.array([1.0, *np.linspace(0.97, 0.01, 39)]))
    penalty = EigenvalueDecay(1.0)
    block = penalty.first_block(kernel)
    for _ in range(100):
        kernel = kernel + 1e-4 * generator.normal(size=kernel.shape)
        _, block = carry(penalty, kernel, block)
    left, values, right = np.linalg.svd(kernel)
    slope = gradient(lambda tensor: penalty.carried(tensor, block)[0], kernel)
    np.testing.assert_allclose(slope, np.outer(left[:, 0], right[0]), atol=1e-3)
    assert carry(penalty, kernel, block)[0] == pytest.approx(values[0], rel=1e-4)
    assert carry(penalty, kernel, block)[0] <= values[0] * (1 + 1e-6)


@pytest.mark.parametrize("shape", [(60, 40), (40, 60), (300, 200), (3, 3, 4, 8), (6, 3)], ids=str)
def test_first_block_is_orthonormal_and_holds_the_dominant_vector(shape):
    kernel = np.random.default_rng(4).normal(size=shape)
    block = np.asarray(EigenvalueDecay(1.0).first_block(kernel), "float64")
    assert block.shape == (shape[-1], min(8, shape[-1]))
    np.testing.assert_allclose(block.T @ block, np.eye(block.shape[1]), atol=1e-5)
    value, _ = carry(EigenvalueDecay(1.0), kernel, block)
    assert 0.99 * largest_singular_value(kernel) < value < 1.00001 * largest_singular_value(kernel)


def test_block_is_not_lost_where_the_kernel_is_zero(gradient):
    penalty, zeros = EigenvalueDecay(1.0), np.zeros((20, 12))
    block = penalty.first_block(zeros)
    value, following = carry(penalty, zeros, block)
    assert value == 0
    np.testing.assert_array_equal(gradient(lambda tensor: penalty.carried(tensor, block)[0], zeros), zeros)
    kernel = kernel_with_singular_values((20, 12), 0.8 ** np.arange(12.0))
    for _ in range(100):
        value, following = carry(penalty, kernel, following)
    assert value == pytest.approx(1.0)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_carried_norm_and_that_of_the_source_neither_overflow_nor_vanish(scale, value):
    kernel = (scale * kernel_with_singular_values((9, 7), 0.5 ** np.arange(7.0))).astype("float32")
    penalty = EigenvalueDecay(1.0)
    assert carry(penalty, kernel, penalty.first_block(kernel))[0] == pytest.approx(scale, rel=1e-3)
    of_source = EigenvalueDecay(1.0, differentiate_through=True)
    assert value(of_source, kernel, "float32") == pytest.approx(scale, rel=1e-3)


def test_carried_penalty_has_the_factor(gradient):
    kernel = np.random.default_rng(4).normal(size=(9, 7))
    block = EigenvalueDecay(1.0).first_block(kernel)
    one, third = (EigenvalueDecay(factor) for factor in (1.0, 0.3))
    assert carry(third, kernel, block)[0] == pytest.approx(0.3 * carry(one, kernel, block)[0])
    slopes = [gradient(lambda tensor, one=one: one.carried(tensor, block)[0], kernel) for one in (one, third)]
    np.testing.assert_allclose(slopes[1], 0.3 * slopes[0])


def test_source_is_what_it_computes_and_its_gradient_passes_through_the_products(value, assert_gradient_agrees):
    kernel = np.random.default_rng(4).uniform(-0.1, 0.1, size=(30, 20))
    penalty = EigenvalueDecay(1.0, differentiate_through=True)
    assert value(penalty, kernel) == pytest.approx(rayleigh_quotient_of_the_source(kernel))
    assert_gradient_agrees(penalty, kernel)


def test_gradient_of_the_source_points_elsewhere_at_a_glorot_start_and_alike_where_there_is_a_gap(gradient):
    generator, through = np.random.default_rng(4), EigenvalueDecay(1.0, differentiate_through=True)
    start = generator.uniform(-1, 1, size=(300, 200)) * np.sqrt(6 / 500)
    gap = kernel_with_singular_values((30, 20), 0.3 ** np.arange(20.0))
    cosines = [np.sum(gradient(through, one) * gradient(EigenvalueDecay(1.0), one)) for one in (start, gap)]
    cosines[0] /= np.linalg.norm(gradient(through, start))
    assert abs(cosines[0]) < 0.6
    assert cosines[1] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("name", ["warm_start", "differentiate_through"])
def test_switches_must_be_true_or_false(name):
    with pytest.raises(ValueError, match=rf"`{name}` must be true or false\. Received: {name}=1"):
        EigenvalueDecay(0.1, **{name: 1})
