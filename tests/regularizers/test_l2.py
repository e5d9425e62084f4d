"""factor / 2 * sum w**2."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from regbench.regularizers import L2


@pytest.mark.parametrize("kernel_name", ["dense_kernel", "convolution_kernel"])
def test_penalty_is_half_the_factor_times_the_sum_of_squares(kernel_name, dtype, value, request):
    kernel = np.asarray(request.getfixturevalue(kernel_name), dtype)
    expected = 0.3 / 2 * np.sum(kernel.astype("float64") ** 2)
    # One rounding a square, one a sum, and two for factor and half.
    tolerance = (2 * kernel.size + 2) * float(np.finfo(dtype).eps) / 2
    assert value(L2(0.3), kernel, dtype) == pytest.approx(expected, abs=0, rel=tolerance)


def test_gradient_is_factor_times_weight(gradient, convolution_kernel, epsilon):
    # Twice the weight, times the factor, halved: two of these round.
    np.testing.assert_allclose(gradient(L2(0.3), convolution_kernel), 0.3 * convolution_kernel, rtol=2 * epsilon)


def test_keras_l2_with_half_the_factor_is_the_same(value, dense_kernel, epsilon):
    # Factors that float32 holds exactly, because Keras rounds its own to that.
    ours, keras_own = value(L2(0.25), dense_kernel), value(keras.regularizers.L2(0.125), dense_kernel)
    assert ours == pytest.approx(keras_own, abs=0, rel=4 * epsilon)


def test_biases_may_be_penalized_too(value):
    assert value(L2(2.0), np.array([1.0, -2.0])) == 5.0


def test_float16_kernels_do_not_overflow(value):
    # The sum of squares, 4 * 300**2 = 360000, is beyond float16's 65504.
    assert value(L2(2.0), np.full((2, 2), 300.0), "float16") == 360000.0


@pytest.mark.parametrize("factor", [-1e-3, float("nan"), float("inf"), "0.1", None, True])
def test_factor_that_is_no_finite_non_negative_number_is_refused(factor):
    with pytest.raises(ValueError, match=r"`factor` must be a finite number, at least 0\. Received: factor="):
        L2(factor)


def test_numpy_factor_becomes_a_plain_number():
    assert type(L2(np.float32(0.5)).get_config()["factor"]) is float
