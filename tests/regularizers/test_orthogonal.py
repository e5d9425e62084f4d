"""The seven forms of orthogonal regularization."""

from __future__ import annotations

import numpy as np
import pytest

from regbench.regularizers import Orthogonal


def deviation(matrix):
    return matrix.T @ matrix - np.eye(matrix.shape[1])


def smaller(matrix):
    return matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T


FORMS = {
    "norm": lambda matrix: np.linalg.norm(deviation(matrix)),
    "squared": lambda matrix: np.linalg.norm(deviation(matrix)) ** 2,
    "double_sided": lambda matrix: np.linalg.norm(deviation(matrix)) ** 2 + np.linalg.norm(deviation(matrix.T)) ** 2,
    "mutual_coherence": lambda matrix: np.abs(deviation(matrix)).max(),
    "spectral_restricted_isometry": lambda matrix: np.linalg.norm(deviation(smaller(matrix)), 2),
    "spectral_restricted_isometry_squared": lambda matrix: np.linalg.norm(deviation(smaller(matrix)), 2) ** 2,
}
ISOMETRIES = [form for form in FORMS if form.startswith("spectral")]


def rounding(matrix, epsilon):
    """Each entry of W'W - I sums as many products as W has rows; squares of these entries are summed in turn."""
    size = (np.sum(matrix**2) + max(matrix.shape)) ** 2
    return (matrix.shape[0] + matrix.shape[1] ** 2) * epsilon * size


@pytest.mark.parametrize("form", FORMS)
def test_penalty_of_a_dense_kernel_follows_the_formula(form, dtype, value, dense_kernel):
    kernel = dense_kernel.astype(dtype).astype("float64")
    expected = 0.3 * FORMS[form](kernel)
    assert value(Orthogonal(0.3, form), kernel, dtype) == pytest.approx(
        expected, abs=rounding(kernel, float(np.finfo(dtype).eps))
    )


@pytest.mark.parametrize("form", FORMS)
def test_penalty_of_a_kernel_with_more_outputs_than_inputs_follows_the_formula(form, value, dense_kernel, epsilon):
    kernel = dense_kernel.T
    expected = 0.3 * FORMS[form](kernel)
    assert value(Orthogonal(0.3, form), kernel) == pytest.approx(expected, abs=rounding(kernel, epsilon))


@pytest.mark.parametrize("form", FORMS)
def test_penalty_of_a_convolution_kernel_is_that_of_its_filters_as_columns(form, value, convolution_kernel, epsilon):
    matrix = np.stack([convolution_kernel[..., output].ravel() for output in range(5)], axis=1)
    expected = 0.3 * FORMS[form](matrix)
    assert value(Orthogonal(0.3, form), convolution_kernel) == pytest.approx(expected, abs=rounding(matrix, epsilon))


def test_one_matrix_product_equals_the_loop_over_all_pairs_of_filters(value, convolution_kernel, epsilon):
    filters = [convolution_kernel[..., output] for output in range(convolution_kernel.shape[-1])]
    total = 0.0
    for i, one in enumerate(filters):
        for j, other in enumerate(filters):
            total += (np.sum(one * other) - (i == j)) ** 2
    tolerance = rounding(convolution_kernel.reshape(-1, 5), epsilon)
    assert value(Orthogonal(1.0, "squared"), convolution_kernel) == pytest.approx(total, abs=tolerance)
    assert value(Orthogonal(1.0), convolution_kernel) == pytest.approx(np.sqrt(total), abs=tolerance)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kernel_name", ["dense_kernel", "convolution_kernel"])
def test_gradient_agrees_with_finite_differences(form, kernel_name, assert_gradient_agrees, request):
    assert_gradient_agrees(Orthogonal(0.3, form), request.getfixturevalue(kernel_name))


@pytest.mark.parametrize("form", FORMS)
def test_orthonormal_columns_cost_exactly_nothing(form, dtype, value, gradient):
    # Entries of 1/2 and -1/2: all products and sums are exact.
    hadamard = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
    kernels = [hadamard, np.eye(3), hadamard.reshape(2, 2, 1, 4)]
    if form != "double_sided":
        kernels += [hadamard[:, :2], np.eye(5, 3)]
    for kernel in kernels:
        assert value(Orthogonal(1.0, form), kernel, dtype) == 0.0
        np.testing.assert_array_equal(gradient(Orthogonal(1.0, form), kernel, dtype), np.zeros(kernel.shape))


def test_gradient_of_the_norm_keeps_its_length_close_to_orthonormal_columns(gradient, epsilon):
    # W = (1 + t) I in two dimensions: |W'W - I| = sqrt(2) |2t + t**2|, with the gradient sign(t) * sqrt(2) (1 + t) I.
    for distance in (1e-3, -1e-3, 16 * epsilon, -16 * epsilon):
        expected = np.sign(distance) * np.sqrt(2) * (1 + distance) * np.eye(2)
        slope = gradient(Orthogonal(1.0), (1 + distance) * np.eye(2))
        np.testing.assert_allclose(slope, expected, rtol=0, atol=8 * epsilon)


def test_gradient_of_double_sided_is_twice_that_of_squared(gradient, dense_kernel):
    double, single = (gradient(Orthogonal(1.0, form), dense_kernel) for form in ("double_sided", "squared"))
    np.testing.assert_array_equal(double, 2 * single)


def test_penalty_of_double_sided_is_zero_at_no_rectangular_kernel(value):
    # WW' - I of the first 3 columns of I (5 x 5) is -1 at two places.
    assert value(Orthogonal(1.0, "double_sided"), np.eye(5, 3)) == 2.0


def test_unknown_form_is_refused():
    with pytest.raises(ValueError, match=r"`form` must be one of \['norm', .*\]\. Received: form='nrom'"):
        Orthogonal(0.1, "nrom")


@pytest.mark.parametrize("form", ISOMETRIES)
def test_isometry_of_a_wide_kernel_has_a_gradient_by_the_smaller_matrix_and_none_by_the_other(
    form, gradient, value, assert_gradient_agrees
):
    # Singular values between 0.3 and 0.9: all eigenvalues of W'W - I lie in [-1, -0.19], and three of them are -1.
    generator = np.random.default_rng(6)
    left, _ = np.linalg.qr(generator.normal(size=(6, 6)))
    right, _ = np.linalg.qr(generator.normal(size=(9, 6)))
    kernel = (left * np.linspace(0.3, 0.9, 6)) @ right.T
    slope = gradient(Orthogonal(1.0, form), kernel)
    assert np.linalg.norm(slope) > 0.1
    assert_gradient_agrees(Orthogonal(1.0, form), kernel)
    by_columns = Orthogonal(1.0, form, gram="columns")
    assert value(by_columns, kernel) == pytest.approx(1.0)
    assert np.linalg.norm(gradient(by_columns, kernel)) < 1e-6


def brock(kernel):
    """Loops over filters: rows of height, all widths and inputs beside each other."""
    height, _, _, outputs = kernel.shape
    total = 0.0
    for output in range(outputs):
        rows = [kernel[row, :, :, output].ravel() for row in range(height)]
        total += sum(abs(np.dot(rows[i], rows[j]) - (i == j)) for i in range(height) for j in range(height))
    return total


def test_penalty_of_brock_is_that_of_each_filter_by_itself(dtype, value, convolution_kernel):
    kernel = convolution_kernel.astype(dtype).astype("float64")
    expected = 1e-3 * brock(kernel)
    tolerance = rounding(kernel.reshape(-1, 5), float(np.finfo(dtype).eps))
    assert value(Orthogonal(1e-3, "brock"), kernel, dtype) == pytest.approx(expected, abs=tolerance)


def test_gradient_of_brock_agrees_with_finite_differences_and_is_zero_at_orthonormal_rows(
    gradient, convolution_kernel, assert_gradient_agrees
):
    assert_gradient_agrees(Orthogonal(0.3, "brock"), convolution_kernel)
    rows = np.eye(3, 6).reshape(3, 3, 2, 1)
    np.testing.assert_array_equal(gradient(Orthogonal(1.0, "brock"), rows), np.zeros(rows.shape))


def test_brock_is_for_convolutions(value, dense_kernel):
    assert Orthogonal(0.1, "brock").default_kernels == "convolution"
    assert Orthogonal(0.1).default_kernels == "both"
    with pytest.raises(ValueError, match=r"`brock` needs kernels \(h, w, in, out\)\. Received: shape=\(7, 4\)"):
        value(Orthogonal(0.1, "brock"), dense_kernel)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gram": "rows"}, r"`gram` must be .* Received: gram='rows'"),
        ({"gram": "smaller"}, r"`gram` must be .* Received: gram='smaller'"),
        ({"last_layer": 1}, r"`last_layer` must be true or false\. Received: last_layer=1"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Orthogonal(0.1, **arguments)
