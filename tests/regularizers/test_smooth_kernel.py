"""trace(W S W') with S the inverse of a covariance of determinant 1."""

from __future__ import annotations

import numpy as np
import pytest

from regbench.regularizers import L2, SmoothKernel


def samples(kernel, rank):
    """One by one, by loops: slices (h, w) or filters (h, w, in)."""
    inputs, outputs = kernel.shape[2:]
    if rank == 2:
        return [kernel[:, :, i, o].ravel() for i in range(inputs) for o in range(outputs)]
    return [kernel[:, :, :, o].ravel() for o in range(outputs)]


def reference(kernel, covariance, rank):
    inverse = np.linalg.inv(covariance / np.linalg.det(covariance) ** (1 / len(covariance)))
    return sum(sample @ inverse @ sample for sample in samples(kernel, rank))


@pytest.mark.parametrize("rank", [2, 3])
def test_penalty_follows_the_formula(rank, dtype, value, convolution_kernel, covariance):
    matrix = covariance(9 if rank == 2 else 18)
    kernel = convolution_kernel.astype(dtype).astype("float64")
    expected = 0.3 * reference(kernel, matrix, rank)
    # d products a sum and as many sums as entries; the condition number of the covariance is 30.
    tolerance = 30 * (len(matrix) + kernel.size) * float(np.finfo(dtype).eps)
    assert value(SmoothKernel(0.3, matrix, rank), kernel, dtype) == pytest.approx(expected, abs=0, rel=tolerance)


@pytest.mark.parametrize("rank", [2, 3])
def test_gradient_agrees_with_finite_differences(rank, convolution_kernel, covariance, assert_gradient_agrees):
    assert_gradient_agrees(SmoothKernel(0.3, covariance(9 if rank == 2 else 18), rank), convolution_kernel)


@pytest.mark.parametrize("rank", [2, 3])
def test_identity_gives_l2_with_twice_the_factor(rank, value, gradient, convolution_kernel, epsilon):
    smooth, plain = SmoothKernel(0.3, np.eye(9 if rank == 2 else 18), rank), L2(0.6)
    tolerance = convolution_kernel.size * epsilon
    assert value(smooth, convolution_kernel) == pytest.approx(value(plain, convolution_kernel), abs=0, rel=tolerance)
    np.testing.assert_allclose(
        gradient(smooth, convolution_kernel), gradient(plain, convolution_kernel), rtol=tolerance, atol=0
    )


@pytest.mark.parametrize("scale", [1e-8, 10.0])
def test_size_of_the_covariance_does_not_matter(scale, value, convolution_kernel, covariance, epsilon):
    penalties = [value(SmoothKernel(1.0, c, 2), convolution_kernel) for c in (covariance(9), scale * covariance(9))]
    # The eigenvalues carry up to d roundings of the largest one, the smallest is a thirtieth of it.
    assert penalties[0] == pytest.approx(penalties[1], abs=0, rel=2 * 30 * 9 * epsilon * 9)


def test_smooth_kernels_cost_less_than_rough_ones_of_the_same_length(value):
    # Neighbours are correlated: covariance exp(-distance).
    places = np.array([(row, column) for row in range(3) for column in range(3)])
    distances = np.linalg.norm(places[:, np.newaxis] - places, axis=-1)
    smooth = np.ones((3, 3, 1, 1))
    rough = np.where(np.indices((3, 3)).sum(axis=0) % 2, -1.0, 1.0).reshape(3, 3, 1, 1)
    penalty = SmoothKernel(1.0, np.exp(-distances))
    assert value(penalty, smooth) < value(penalty, rough)


def test_penalty_is_not_negative_where_the_covariance_is_nearly_singular(value):
    # The direction with the largest variance costs 1e-10 of the dearest: less than float32 resolves in w'Sw.
    direction = np.ones(9) / 3
    matrix = np.eye(9) * 1e-5 + 1e5 * np.outer(direction, direction)
    kernel = np.tile(direction.reshape(3, 3, 1, 1), (1, 1, 4, 4))
    assert value(SmoothKernel(1.0, matrix), kernel, "float32") >= 0


def test_slices_need_not_be_square(value, covariance, epsilon):
    kernel = np.random.default_rng(4).normal(size=(1, 7, 2, 3))
    expected = reference(kernel, covariance(7), 2)
    assert value(SmoothKernel(1.0, covariance(7)), kernel) == pytest.approx(expected, abs=0, rel=30 * 100 * epsilon)


def test_indefinite_covariance_is_refused_by_name():
    matrix = np.diag([1.0, -0.3, 2.0, 1.0])
    message = r"`covariance` must be positive definite\. Received: an indefinite matrix, smallest eigenvalue -0\.3$"
    with pytest.raises(ValueError, match=message):
        SmoothKernel(1.0, matrix)


@pytest.mark.parametrize(
    "covariance, message",
    [
        (
            np.diag([1.0, 0.0]),
            r"positive definite\. Received: a singular matrix, smallest eigenvalue 0 beside .* 1; add",
        ),
        (-np.eye(2), r"positive definite\. Received: a matrix without a positive eigenvalue, smallest eigenvalue -1$"),
        (np.zeros((2, 2)), r"positive definite\. Received: a singular matrix"),
        ([[1.0, 0.5], [0.2, 1.0]], r"must be symmetric\. Received: 0\.5 at \(0, 1\) and 0\.2 at \(1, 0\)"),
        (np.ones((2, 3)), r"must be a square matrix\. Received: shape=\(2, 3\)"),
        ([1.0, 2.0], r"must be a square matrix\. Received: shape=\(2,\)"),
        ([[1.0, np.nan], [np.nan, 1.0]], r"must be finite\. Received: 2 entries"),
    ],
)
def test_matrix_that_is_no_covariance_is_refused(covariance, message):
    with pytest.raises(ValueError, match=message):
        SmoothKernel(1.0, covariance)


@pytest.mark.parametrize(
    "rank, shape, product", [(2, (5, 5, 2, 4), r"h \* w"), (3, (3, 3, 2, 4), r"h \* w \* in"), (2, (9, 4), r"h \* w")]
)
def test_kernel_that_does_not_fit_the_covariance_is_refused(rank, shape, product, value):
    message = rf"The kernel must have shape \(h, w, in, out\) with {product} = 9, .*\. Received: shape=\({shape[0]}, "
    with pytest.raises(ValueError, match=message):
        value(SmoothKernel(1.0, np.eye(9), rank), np.ones(shape))


def test_rank_other_than_two_and_three_is_refused():
    with pytest.raises(ValueError, match=r"`rank` must be 2 .* or 3 .*\. Received: rank=4"):
        SmoothKernel(1.0, np.eye(9), 4)


def test_config_holds_plain_numbers_and_lists(covariance):
    config = SmoothKernel(np.float64(1.0), covariance(4)).get_config()
    assert config == {"factor": 1.0, "covariance": covariance(4).tolist(), "rank": 2}
    assert type(config["covariance"][0][0]) is float


@pytest.mark.parametrize("shape", [(3, 3, 2, 4), (5, 5, 1, 3), (2, 4, 3, 2)])
def test_length_stands_for_the_exponential_covariance_of_any_size(shape, value, epsilon):
    kernel = np.random.default_rng(0).normal(size=shape).astype("float32")
    height, width = shape[:2]
    matrix = np.empty((height * width,) * 2)
    for a in range(height * width):
        for b in range(height * width):
            matrix[a, b] = np.exp(-np.hypot(a // width - b // width, a % width - b % width) / 1.5)
    expected = 0.3 * reference(kernel.astype("float64"), matrix, 2)
    tolerance = np.linalg.cond(matrix) * (len(matrix) + kernel.size) * epsilon
    assert value(SmoothKernel(0.3, 1.5), kernel) == pytest.approx(expected, abs=0, rel=tolerance)


def test_length_near_zero_gives_l2_with_twice_the_factor(value, convolution_kernel, epsilon):
    # exp(-1/0.01) is 4e-44: the covariance is the identity.
    expected = value(L2(0.6), convolution_kernel)
    assert value(SmoothKernel(0.3, 0.01), convolution_kernel) == pytest.approx(
        expected, abs=0, rel=convolution_kernel.size * epsilon
    )


@pytest.mark.parametrize(
    ("covariance", "rank", "message"),
    [
        (0.0, 2, "must be a matrix, or a positive length in pixels. Received: 0.0"),
        (float("inf"), 2, "Received: inf"),
        (True, 2, "Received: True"),
        (1.0, 3, "`rank` must be 2 where `covariance` is a length. Received: rank=3"),
    ],
)
def test_number_that_is_no_length_is_refused(covariance, rank, message):
    with pytest.raises(ValueError, match=message):
        SmoothKernel(0.1, covariance, rank)
