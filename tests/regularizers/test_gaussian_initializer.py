"""Convolution kernels drawn from a Gaussian."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from scipy import stats

from regbench.regularizers import GaussianInitializer

MEAN = np.linspace(-1, 1, 6)


@pytest.mark.parametrize("rank, shape", [(2, (2, 3, 40, 500)), (3, (2, 1, 3, 20000))])
def test_samples_have_the_mean_and_covariance_that_were_asked_for(rank, shape, covariance):
    kernel = np.asarray(GaussianInitializer(MEAN, covariance(6), rank, seed=1)(shape), "float64")
    samples = kernel.reshape(6, -1).T
    count = len(samples)
    assert kernel.shape == shape
    assert count == 20000
    # n (m - mean)' C^-1 (m - mean) is chi-squared with d degrees of freedom.
    deviation = samples.mean(axis=0) - MEAN
    assert count * deviation @ np.linalg.solve(covariance(6), deviation) < stats.chi2.isf(1e-6, 6)
    # An entry of the sample covariance has variance (c_ii c_jj + c_ij**2) / n; 5 standard deviations for 21 entries.
    variances = np.diag(covariance(6))
    bound = 5 * np.sqrt((np.outer(variances, variances) + covariance(6) ** 2) / count)
    assert (np.abs(np.cov(samples, rowvar=False) - covariance(6)) < bound).all()


def test_slices_of_one_kernel_are_drawn_independently(covariance):
    # Correlations over n = 3000 pairs of slices are normal with standard deviation 1/sqrt(n); 5 of them.
    kernel = np.asarray(GaussianInitializer(np.zeros(6), covariance(6), 2, seed=1)((2, 3, 2, 3000)))
    one, other = kernel[:, :, 0].reshape(6, -1), kernel[:, :, 1].reshape(6, -1)
    assert np.abs(np.corrcoef(one, other)[:6, 6:]).max() < 5 / np.sqrt(3000)


def test_singular_covariance_is_drawn_from():
    kernel = GaussianInitializer(np.zeros(4), np.ones((4, 4)), seed=1)((2, 2, 3, 5))
    slices = np.asarray(kernel).reshape(4, -1)
    # All entries of a slice are one number, but for the rounding of the float32 root times at most 5 sigma.
    np.testing.assert_allclose(slices, slices[:1].repeat(4, axis=0), rtol=0, atol=4 * 5 * np.finfo("float32").eps)
    assert slices[0].std() > 0.1


def test_same_seed_draws_the_same_kernel_and_another_seed_another_one(covariance):
    def draw(seed):
        return np.asarray(GaussianInitializer(MEAN, covariance(6), seed=seed)((2, 3, 2, 2)))

    np.testing.assert_array_equal(draw(1), draw(1))
    assert (draw(1) != draw(2)).all()


def test_without_a_seed_the_global_one_decides(covariance):
    def draw(seed):
        keras.utils.set_random_seed(seed)
        return np.asarray(GaussianInitializer(MEAN, covariance(6))((2, 3, 2, 2)))

    np.testing.assert_array_equal(draw(1), draw(1))
    assert (draw(1) != draw(2)).all()


def test_layer_gets_a_kernel_in_its_own_dtype(covariance):
    initializer = GaussianInitializer(np.zeros(9), covariance(9), seed=1)
    layer = keras.layers.Conv2D(4, 3, kernel_initializer=initializer, dtype="float16")
    layer.build((None, 8, 8, 2))
    assert keras.backend.standardize_dtype(layer.kernel.dtype) == "float16"
    np.testing.assert_array_equal(np.asarray(layer.kernel), np.asarray(initializer((3, 3, 2, 4))).astype("float16"))


@pytest.mark.parametrize("seed", [7, None])
def test_config_survives_json(seed, covariance):
    initializer = GaussianInitializer(MEAN, covariance(6), 3, seed=seed)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(initializer)))
    restored = keras.saving.deserialize_keras_object(config)
    assert restored.get_config() == initializer.get_config()
    assert config["config"] == {"mean": MEAN.tolist(), "covariance": covariance(6).tolist(), "rank": 3, "seed": seed}


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"mean": np.zeros(3)}, r"`mean` must hold 4 finite numbers.*\. Received: shape=\(3,\), 0 of them not finite"),
        ({"mean": [0, 0, np.nan, 0]}, r"`mean` must hold 4 finite numbers.*, 1 of them not finite"),
        (
            {"covariance": np.diag([1.0, -0.3, 2.0, 1.0])},
            r"positive semi-definite\. Received: an indefinite matrix, smallest eigenvalue -0\.3",
        ),
        ({"rank": 1}, r"`rank` must be 2 .*\. Received: rank=1"),
        ({"seed": 1.5}, r"`seed` must be an integer or None\. Received: seed=1\.5"),
    ],
)
def test_arguments_that_make_no_gaussian_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        GaussianInitializer(**({"mean": np.zeros(4), "covariance": np.eye(4)} | arguments))


def test_shape_that_does_not_fit_the_covariance_is_refused():
    with pytest.raises(
        ValueError, match=r"with h \* w = 4, the size of the covariance\. Received: shape=\(3, 3, 1, 1\)"
    ):
        GaussianInitializer(np.zeros(4), np.eye(4))((3, 3, 1, 1))
