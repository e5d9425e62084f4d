"""The Gaussian prior on kernels: what it recovers, what it is worth, how it is kept."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
from scipy import stats
from sklearn.model_selection import KFold

from regbench.regularizers import GaussianInitializer, KernelPrior, SmoothKernel

RIDGES = np.logspace(-7, -1, 100)


def kernels_drawn_from(mean, covariance, count, seed, inputs=1):
    """One kernel (3, 3, inputs, count / inputs) whose slices are Gaussian."""
    draws = np.random.default_rng(seed).multivariate_normal(mean, covariance, size=count, method="cholesky")
    return [draws.T.reshape(3, 3, inputs, count // inputs)]


@pytest.fixture
def small_kernels(covariance):
    """Kernels of five networks, 3 x 3 with 2 inputs and 4 outputs, in the size of trained ones."""
    return [kernels_drawn_from(np.full(9, 0.1), covariance(9) / 100, 8, seed, inputs=2)[0] for seed in range(5)]


@pytest.fixture
def prior(small_kernels):
    return KernelPrior.fit(small_kernels)


def test_error_of_the_covariance_shrinks_with_the_root_of_the_number_of_samples(covariance):
    # For a Gaussian, E |S - C|**2 = (tr(C)**2 + tr(C**2)) / (n - 1) in the Frobenius norm. In the units chosen
    # t, at most 0.1, is nothing beside C, so that it does not matter that the best one may lie at an end.
    matrix = 1000 * covariance(9)
    counts, repetitions = 3 * 2 ** np.arange(5, 12), 20
    errors = np.empty((len(counts), repetitions))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for row, count in enumerate(counts):
            for repetition in range(repetitions):
                kernels = kernels_drawn_from(np.zeros(9), matrix, count, (row, repetition))
                errors[row, repetition] = np.linalg.norm(KernelPrior.fit(kernels).covariance - matrix)
    x = np.log(counts) - np.log(counts).mean()
    slope = x @ np.log(errors).mean(axis=1) / (x @ x)
    # The slope is a weighted sum of the mean logarithms, whose variances are those between the repetitions.
    variances = np.log(errors).var(axis=1, ddof=1) / repetitions
    assert abs(slope + 0.5) < 4 * np.sqrt(x**2 @ variances) / (x @ x)
    expected = np.sqrt((np.trace(matrix) ** 2 + np.trace(matrix @ matrix)) / (counts - 1))
    squared = (errors / expected[:, np.newaxis]) ** 2
    assert squared.mean() == pytest.approx(1, rel=0, abs=4 * squared.std(ddof=1) / np.sqrt(squared.size))


@pytest.mark.parametrize("rank", [2, 3])
def test_fit_is_mean_and_covariance_of_slices_or_filters(rank, small_kernels):
    prior = KernelPrior.fit(small_kernels, rank)
    if rank == 2:
        samples = np.array([k[:, :, i, o].ravel() for k in small_kernels for i in range(2) for o in range(4)])
    else:
        samples = np.array([k[:, :, :, o].ravel() for k in small_kernels for o in range(4)])
    deviations = samples - samples.mean(axis=0)
    expected = deviations.T @ deviations / (len(samples) - 1) + prior.ridge * np.eye(samples.shape[1])
    # Sums over n = 40 or 20 samples of numbers below 1.
    np.testing.assert_allclose(prior.mean, samples.mean(axis=0), rtol=0, atol=40 * np.finfo("float64").eps)
    np.testing.assert_allclose(prior.covariance, expected, rtol=0, atol=40 * np.finfo("float64").eps)
    assert (prior.rank, prior.sample_shape) == (rank, (3, 3) if rank == 2 else (3, 3, 2))


def test_ridge_is_the_best_of_hundred_in_three_fold_cross_validation(small_kernels, prior):
    samples = np.concatenate([kernel.reshape(9, -1).T for kernel in small_kernels])
    scores = np.zeros(100)
    for train, test in KFold(3, shuffle=True, random_state=0).split(samples):
        for number, ridge in enumerate(RIDGES):
            matrix = np.cov(samples[train], rowvar=False) + ridge * np.eye(9)
            gaussian = stats.multivariate_normal(samples[train].mean(axis=0), matrix)
            scores[number] += gaussian.logpdf(samples[test]).mean()
    assert 0 < scores.argmax() < 99
    assert prior.ridge == RIDGES[scores.argmax()]


def test_folds_depend_on_the_seed_alone(small_kernels):
    ridges = {seed: KernelPrior.fit(small_kernels, seed=seed).ridge for seed in range(6)}
    assert ridges == {seed: KernelPrior.fit(small_kernels, seed=seed).ridge for seed in range(6)}
    assert len(set(ridges.values())) > 1


@pytest.mark.parametrize("scale, end", [(1e-6, "1e-07"), (1e6, "1e-01")])
def test_best_ridge_at_an_end_of_its_range_is_warned_of(scale, end, covariance):
    # Nine samples for nine dimensions: a ridge in proportion to the kernels is needed, and the range does not reach it.
    kernels = kernels_drawn_from(np.zeros(9), scale**2 * covariance(9), 9, seed=1)
    with pytest.warns(UserWarning, match=rf"at an end of its range, t={end}: a better one may lie beyond"):
        KernelPrior.fit(kernels)


def test_log_likelihoods_are_mean_log_densities(prior, covariance):
    others = kernels_drawn_from(np.full(9, 0.1), covariance(9) / 100, 10, seed=99)
    samples = others[0].reshape(9, -1).T
    correlated = stats.multivariate_normal(prior.mean, prior.covariance)
    variance = np.trace(prior.covariance - prior.ridge * np.eye(9)) / 9
    independent = stats.norm(prior.mean, np.sqrt(variance))
    # Ten densities of nine dimensions; the condition number of the covariance, below 1000, multiplies the roundings.
    tolerance = 1000 * 90 * np.finfo("float64").eps
    assert prior.log_likelihood(others) == pytest.approx(correlated.logpdf(samples).mean(), rel=0, abs=tolerance)
    expected = independent.logpdf(samples).sum(axis=1).mean()
    assert prior.log_likelihood_independent(others) == pytest.approx(expected, rel=0, abs=tolerance)


def test_correlated_prior_beats_the_independent_one_on_held_out_correlated_kernels(covariance):
    # In expectation by half the divergence of the two Gaussians, (d log(mean eigenvalue) - sum log eigenvalues) / 2.
    mean, matrix = np.zeros(9), covariance(9) / 100
    prior = KernelPrior.fit(kernels_drawn_from(mean, matrix, 3000, seed=1))
    others = kernels_drawn_from(mean, matrix, 3000, seed=2)
    eigenvalues = np.linalg.eigvalsh(matrix)
    expected = (9 * np.log(eigenvalues.mean()) - np.log(eigenvalues).sum()) / 2
    samples = others[0].reshape(9, -1).T
    independent = stats.norm(0, np.sqrt(eigenvalues.mean())).logpdf(samples).sum(axis=1)
    differences = stats.multivariate_normal(mean, matrix).logpdf(samples) - independent
    # Four standard errors of the held-out mean, and what the fit loses: half a parameter over n for each of 45 + 9.
    bound = 4 * differences.std() / np.sqrt(3000) + 4 * 54 / (2 * 3000)
    gain = prior.log_likelihood(others) - prior.log_likelihood_independent(others)
    assert gain == pytest.approx(expected, rel=0, abs=bound)
    assert expected > 10 * bound


def test_samples_come_from_the_prior(prior):
    samples = prior.sample(20000, seed=1)
    assert samples.shape == (20000, 3, 3)
    deviation = samples.reshape(-1, 9).mean(axis=0) - prior.mean
    assert 20000 * deviation @ np.linalg.solve(prior.covariance, deviation) < stats.chi2.isf(1e-6, 9)
    variances = np.diag(prior.covariance)
    bound = 5 * np.sqrt((np.outer(variances, variances) + prior.covariance**2) / 20000)
    assert (np.abs(np.cov(samples.reshape(-1, 9), rowvar=False) - prior.covariance) < bound).all()
    np.testing.assert_array_equal(samples, prior.sample(20000, seed=1))


def test_saved_prior_is_loaded_as_it_was(prior, tmp_path):
    prior.save(tmp_path / "prior.npz")
    loaded = KernelPrior.load(tmp_path / "prior.npz")
    np.testing.assert_array_equal(loaded.mean, prior.mean)
    np.testing.assert_array_equal(loaded.covariance, prior.covariance)
    assert (loaded.ridge, loaded.sample_shape) == (prior.ridge, prior.sample_shape)


def test_file_that_is_no_prior_is_refused(tmp_path):
    (tmp_path / "text.npz").write_text("mean")
    np.savez(tmp_path / "other.npz", mean=np.zeros(9))
    for name, missing in [("text.npz", "mean"), ("other.npz", "covariance")]:
        with pytest.raises(
            ValueError, match=rf"written by `KernelPrior\.save`\. Received: .*{name}', without \['{missing}'"
        ):
            KernelPrior.load(tmp_path / name)


def test_damaged_file_is_refused_with_the_stated_error_or_gives_a_prior(prior, tmp_path):
    prior.save(tmp_path / "whole.npz")
    whole = (tmp_path / "whole.npz").read_bytes()
    generator = np.random.default_rng(0)
    refusals = []
    for _ in range(1000):
        damaged = bytearray(whole[: generator.integers(len(whole))] if generator.random() < 0.2 else whole)
        for place in generator.integers(len(damaged) or 1, size=generator.integers(4)):
            damaged[place : place + 1] = bytes([generator.integers(256)])
        (tmp_path / "damaged.npz").write_bytes(damaged)
        try:
            loaded = KernelPrior.load(tmp_path / "damaged.npz")
        except ValueError as error:
            refusals.append(str(error))
        else:
            assert np.isfinite(loaded.covariance).all()
    assert 0 < len(refusals) < 1000  # some change nothing that is read
    assert all("written by `KernelPrior.save`" in refusal for refusal in refusals)


@pytest.mark.parametrize(
    "change",
    [
        {"mean": np.zeros(8)},
        {"covariance": np.full((9, 9), np.nan)},
        {"covariance": -np.eye(9)},
        {"covariance": np.triu(np.ones((9, 9)))},
        {"covariance": np.eye(9) + np.eye(9, k=1)},
        {"ridge": np.array(np.nan)},
        {"ridge": np.array(-0.1)},
        {"sample_shape": np.array([-3, -3])},
        {"sample_shape": np.array([3, 3, 1, 1])},
        {"sample_shape": np.array(["3", "x"])},
        {"ridge": np.zeros(2)},
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(change, prior, tmp_path):
    kept = {"mean": prior.mean, "covariance": prior.covariance, "ridge": prior.ridge, "sample_shape": np.array([3, 3])}
    np.savez(tmp_path / "other.npz", **(kept | change))
    with pytest.raises(ValueError, match=r"written by `KernelPrior\.save`"):
        KernelPrior.load(tmp_path / "other.npz")


def test_loading_executes_nothing(tmp_path):
    # An array of objects is a pickle, which may run anything when it is read.
    objects = np.array([print], dtype=object)
    np.savez(tmp_path / "prior.npz", mean=objects, covariance=np.eye(9), ridge=0.1, sample_shape=np.array([3, 3]))
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        KernelPrior.load(tmp_path / "prior.npz")


def test_name_that_numpy_would_change_is_refused(prior, tmp_path):
    with pytest.raises(ValueError, match=r"`path` must end in \.npz\. Received: path='.*prior'"):
        prior.save(tmp_path / "prior")


def test_regularizer_and_initializer_carry_the_prior(prior):
    smooth, initializer = prior.regularizer(0.2), prior.initializer(seed=3)
    assert isinstance(smooth, SmoothKernel)
    assert smooth.get_config() == {"factor": 0.2, "covariance": prior.covariance.tolist(), "rank": 2}
    assert isinstance(initializer, GaussianInitializer)
    expected = {"mean": prior.mean.tolist(), "covariance": prior.covariance.tolist(), "rank": 2, "seed": 3}
    assert initializer.get_config() == expected


def test_kernels_of_trained_layers_are_taken_as_they_are(prior, covariance):
    layers = [keras.layers.Conv2D(8, 3, kernel_initializer=prior.initializer(seed)) for seed in range(20)]
    for layer in layers:
        layer.build((None, 5, 5, 4))
    refitted = KernelPrior.fit([layer.kernel for layer in layers])
    # 640 samples: five standard deviations of every entry, as above.
    variances = np.diag(prior.covariance)
    bound = 5 * np.sqrt((np.outer(variances, variances) + prior.covariance**2) / 640) + refitted.ridge
    assert (np.abs(refitted.covariance - prior.covariance) < bound).all()


@pytest.mark.parametrize(
    "kernels, rank, message",
    [
        (
            [np.ones((3, 3, 2, 4)), np.ones((5, 5, 2, 4))],
            2,
            r"with the same \(h, w\)\. Received: shapes \[\(3, 3, 2, 4\), ",
        ),
        ([np.ones((3, 3, 2, 4)), np.ones((3, 3, 1, 4))], 3, r"with the same \(h, w, in\)\. Received: shapes "),
        ([np.ones((9, 4))], 2, r"must be arrays of shape \(h, w, in, out\).*Received: shapes \[\(9, 4\)\]"),
        ([], 2, r"must be arrays of shape .*Received: shapes \[\]"),
        ([np.ones((3, 3, 1, 2))], 2, r"must hold at least 3 samples, one a fold\. Received: 2"),
        ([np.full((3, 3, 1, 4), np.nan)], 2, r"must be finite\. Received: 36 entries"),
        ([np.ones((3, 3, 1, 4))], 1, r"`rank` must be 2 .*\. Received: rank=1"),
    ],
)
def test_kernels_that_make_no_samples_are_refused(kernels, rank, message):
    with pytest.raises(ValueError, match=message):
        KernelPrior.fit(kernels, rank)


def test_kernels_of_another_size_have_no_likelihood(prior):
    with pytest.raises(ValueError, match=r"must give samples of shape \(3, 3\)\. Received: shape=\(5, 5\)"):
        prior.log_likelihood([np.ones((5, 5, 1, 1))])
