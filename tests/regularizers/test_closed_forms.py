"""Penalties with a formula that NumPy has too: value, gradient, and steps along it."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from regbench.regularizers import (
    L1,
    L2,
    EigenvalueDecay,
    ElasticNet,
    GroupLasso,
    NormTarget,
    RowNorm,
    SpectralNorm,
)


def columns(kernel):
    return np.sqrt((kernel.reshape(-1, kernel.shape[-1]) ** 2).sum(axis=0))


def sigma(kernel):
    return np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]))[1][0]


def outer(kernel):
    left, _, right = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), full_matrices=False)
    return np.outer(left[:, 0], right[0]).reshape(kernel.shape)


# Penalty, its value, its gradient; `f` is the factor 0.3.
FORMS = {
    "spectral_norm": (
        lambda f: SpectralNorm(f),
        lambda f, w: f / 2 * sigma(w) ** 2,
        lambda f, w: f * sigma(w) * outer(w),
    ),
    "spectral_norm_plain": (
        lambda f: SpectralNorm(f, squared=False),
        lambda f, w: f * sigma(w),
        lambda f, w: f * outer(w),
    ),
    "spectral_norm_exact": (
        lambda f: SpectralNorm(f, exact=True),
        lambda f, w: f / 2 * sigma(w) ** 2,
        lambda f, w: f * sigma(w) * outer(w),
    ),
    "norm_target": (
        lambda f: NormTarget(f, target=2.5),
        lambda f, w: f / 2 * (np.linalg.norm(w) - 2.5) ** 2,
        lambda f, w: f * (1 - 2.5 / np.linalg.norm(w)) * w,
    ),
    "row_norm": (
        lambda f: RowNorm(f),
        lambda f, w: f * ((1 - columns(w)) ** 2).sum(),
        lambda f, w: -2 * f * (1 / columns(w) - 1) * w,
    ),
    "l1": (lambda f: L1(f), lambda f, w: f * np.abs(w).sum(), lambda f, w: f * np.sign(w)),
    "elastic_net": (
        lambda f: ElasticNet(f, share=0.2),
        lambda f, w: f * (0.2 * np.abs(w).sum() + 0.4 * (w**2).sum()),
        lambda f, w: f * (0.2 * np.sign(w) + 0.8 * w),
    ),
    "group_lasso": (
        lambda f: GroupLasso(f),
        lambda f, w: f * np.sqrt(w[..., 0].size) * columns(w).sum(),
        lambda f, w: f * np.sqrt(w[..., 0].size) * w / columns(w),
    ),
}
every_form = pytest.mark.parametrize("name", FORMS)
every_rank = pytest.mark.parametrize("kernel_name", ["dense_kernel", "convolution_kernel"])


@every_form
@every_rank
def test_value_is_that_of_the_formula(name, kernel_name, dtype, value, request):
    kernel = np.asarray(request.getfixturevalue(kernel_name), dtype)
    build, expected, _ = FORMS[name]
    # Sums of 90 products; the power method is exact for kernels as small as these.
    tolerance = 2 * kernel.size * float(np.finfo(dtype).eps)
    assert value(build(0.3), kernel, dtype) == pytest.approx(expected(0.3, kernel.astype(float)), abs=0, rel=tolerance)


@every_form
@every_rank
def test_gradient_is_that_of_the_formula_and_of_finite_differences(
    name, kernel_name, gradient, epsilon, assert_gradient_agrees, request
):
    kernel = request.getfixturevalue(kernel_name)
    build, _, slope = FORMS[name]
    # The direction of the power method is right to the root of the rounding.
    tolerance = np.sqrt(epsilon) if name.startswith("spectral") else 4 * kernel.size * epsilon
    np.testing.assert_allclose(gradient(build(0.3), kernel), slope(0.3, kernel), rtol=0, atol=tolerance)
    if name not in ("l1", "elastic_net"):  # which have a kink at the kernel's zero
        assert_gradient_agrees(build(0.3), kernel)
    else:
        assert_gradient_agrees(build(0.3), np.where(kernel == 0, 0.25, kernel))


@every_form
@every_rank
def test_steps_under_a_schedule_follow_the_formula_through_changes_of_sign(name, kernel_name, gradient, request):
    kernel = request.getfixturevalue(kernel_name).astype("float32").astype("float64")
    build, _, slope = FORMS[name]
    variable, expected = keras.Variable(kernel, dtype="float32"), kernel.copy()
    optimizer, sizes = keras.optimizers.SGD(1.0), []
    for step in range(6):
        # Times 1, 1/2, ... of a rate at which weights overshoot 0.
        optimizer.learning_rate = 2.0 ** (1 - step)
        before = expected.copy()
        expected = expected - float(optimizer.learning_rate) * slope(0.3, expected)
        optimizer.apply([gradient(build(0.3), np.asarray(variable), "float32").astype("float32")], [variable])
        sizes.append(np.sign(before) != np.sign(expected))
        tolerance = (step + 1) * 200 * float(np.finfo("float32").eps) * max(1, np.abs(expected).max())
        close = np.abs(np.asarray(variable) - expected) <= tolerance
        # Where rounding decides on which side of 0 a weight is, the sign goes another way from there on.
        at_kink = np.abs(before) < 1e-6 if name in ("l1", "elastic_net") else np.zeros_like(close)
        assert (close | (at_kink & (kernel != 0))).all()
    if name in ("l1", "elastic_net"):
        assert np.any(sizes)  # weights change their sign on the way


@every_form
def test_zero_kernel_has_no_gradient(name, gradient):
    np.testing.assert_array_equal(gradient(FORMS[name][0](0.3), np.zeros((5, 3))), np.zeros((5, 3)))


def test_unit_of_zeros_has_no_gradient_beside_others(gradient):
    kernel = np.random.default_rng(1).normal(size=(5, 3))
    kernel[:, 1] = 0.0
    for penalty in (RowNorm(0.3), GroupLasso(0.3)):
        slope = gradient(penalty, kernel)
        assert np.isfinite(slope).all()
        np.testing.assert_array_equal(slope[:, 1], np.zeros(5))
        assert np.all(slope[:, 0] != 0)


@every_rank
def test_plain_spectral_norm_is_eigenvalue_decay_to_the_bit(kernel_name, value, gradient, request):
    kernel = request.getfixturevalue(kernel_name)
    plain, other = SpectralNorm(0.3, squared=False), EigenvalueDecay(0.3)
    assert value(plain, kernel) == value(other, kernel)
    np.testing.assert_array_equal(gradient(plain, kernel), gradient(other, kernel))
    block = other.first_block(keras.ops.convert_to_tensor(kernel))
    np.testing.assert_array_equal(plain.first_block(keras.ops.convert_to_tensor(kernel)), block)
    for one, two in zip(plain.carried(kernel, block), other.carried(kernel, block), strict=True):
        np.testing.assert_array_equal(one, two)


def test_carried_square_is_the_square_of_the_norm(value, dense_kernel, epsilon):
    penalty = SpectralNorm(0.3)
    tensor = keras.ops.convert_to_tensor(dense_kernel)
    carried, _ = penalty.carried(tensor, penalty.first_block(tensor))
    assert float(carried) == pytest.approx(0.3 / 2 * sigma(dense_kernel) ** 2, rel=200 * epsilon)
    assert penalty.carries
    assert not SpectralNorm(0.3, exact=True).carries
    assert not SpectralNorm(0.3, warm_start=False).carries


def test_exact_norm_is_right_where_the_power_method_is_not(value):
    kernel = np.random.default_rng(1).normal(size=(120, 110))
    errors = [
        abs(value(SpectralNorm(1.0, squared=False, **arguments), kernel) / sigma(kernel) - 1)
        for arguments in ({"iterations": 1}, {"exact": True})
    ]
    assert errors[0] > 1e-3
    assert errors[1] < 1e-5


def test_special_cases_are_one_another(value, dense_kernel, epsilon):
    exactly = {"abs": 0, "rel": 50 * epsilon}
    assert value(NormTarget(0.3, target=0.0), dense_kernel) == pytest.approx(value(L2(0.3), dense_kernel), **exactly)
    assert value(ElasticNet(0.3, share=1.0), dense_kernel) == pytest.approx(value(L1(0.3), dense_kernel), **exactly)
    assert value(ElasticNet(0.3, share=0.0), dense_kernel) == pytest.approx(value(L2(0.3), dense_kernel), **exactly)
    column, row = dense_kernel[:, :1], dense_kernel[:1]
    one_output = value(RowNorm(0.3), column), value(NormTarget(0.6, target=1.0), column)
    assert one_output[0] == pytest.approx(one_output[1], **exactly)
    assert value(GroupLasso(0.3), row) == pytest.approx(value(L1(0.3), row), **exactly)
    # Keras rounds its factors to float32.
    assert value(L1(0.25), dense_kernel) == pytest.approx(value(keras.regularizers.L1(0.25), dense_kernel), **exactly)


def test_penalty_is_zero_where_its_target_is_met(value):
    orthonormal, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 4)))
    assert value(RowNorm(1.0), orthonormal) < 1e-12
    assert value(NormTarget(1.0, target=2.0), orthonormal) < 1e-12  # the root of 4 columns of length 1


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: NormTarget(0.1, target=-1.0), r"`target` must be a finite number, at least 0\. Received: target=-1.0"),
        (lambda: NormTarget(0.1, target=float("inf")), "Received: target=inf"),
        (lambda: ElasticNet(0.1, share=1.5), r"`share` must be in \[0, 1\]\. Received: share=1.5"),
        (lambda: ElasticNet(0.1, share=True), "Received: share=True"),
        (
            lambda: SpectralNorm(0.1, iterations=0),
            "`iterations` must be an integer, at least 1. Received: iterations=0",
        ),
        (lambda: SpectralNorm(0.1, squared=1), "`squared` must be true or false. Received: squared=1"),
        (lambda: SpectralNorm(0.1, exact="yes"), "`exact` must be true or false. Received: exact='yes'"),
    ],
)
def test_argument_outside_its_domain_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
