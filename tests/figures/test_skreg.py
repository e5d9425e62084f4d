"""The two phases of smooth-kernel regularization, with kernels from a known prior in place of trainings."""

import numpy as np
import pytest

from regbench import catalog
from regbench.figures import kernel_priors, skreg
from regbench.figures.kernel_priors import RANKS
from regbench.figures.plan import Size
from regbench.figures.skreg_pipeline import LAMBDA, Pipeline
from regbench.records import Kernel
from regbench.regularizers import KernelPrior

SHAPES = {"convolution_1": (5, 5, 1, 5), "convolution_2": (5, 5, 5, 10), "convolution_3": (5, 5, 10, 8)}


def correlated(shape, seed, reach=1.0):
    """Kernels whose entries have the covariance exp(-distance / reach)."""
    places = np.indices((5, 5)).reshape(2, -1).T
    distances = np.linalg.norm(places[:, None] - places[None], axis=-1)
    covariance = np.exp(-distances / reach) if reach else np.eye(25)
    # As large as kernels are: the ridges that a prior tries go up to a variance of 0.1.
    size = int(np.prod(shape[2:]))
    draws = 0.1 * np.random.default_rng(seed).multivariate_normal(np.zeros(25), covariance, size=size)
    return draws.T.reshape(shape)


@pytest.fixture
def pipeline():
    first, second = catalog.problem("digits_cnn_sk"), catalog.problem("digits_cnn_sk_few")
    return Pipeline(first, second, 5, (2, 3), 0.01, (0.1, 1.0), tuning_seeds=2, seeds=3)


@pytest.fixture
def with_kernels(make_result):
    """A run with kernels from a known prior and an accuracy that depends on method and strength."""

    def make(run, reach=1.0):
        spec = run.spec
        valid = {"adam_sk_1": 0.9, "adam_sk_2_none": 0.5, "adam_sk_2_l2": 0.6, "adam_sk_2_sk": 0.7}[spec.candidate]
        if spec.regularizer is not None and spec.candidate != "adam_sk_1":
            factor = spec.regularizer.arguments["convolution_1"].arguments["factor"]
            valid -= factor if spec.candidate == "adam_sk_2_sk" else -factor
        values = {"valid_accuracies": valid, "test_accuracies": valid - 0.1}
        kernels = {
            layer: Kernel.from_array(correlated(shape, [spec.seed, number], reach))
            for number, (layer, shape) in enumerate(SHAPES.items())
        }
        return make_result(spec, **values).model_copy(update={"kernels": kernels if run.keep_kernels else {}})

    return make


@pytest.fixture
def trained(with_kernels):
    """Finds the runs whose candidate is in a set."""

    def make(*candidates, reach=1.0):
        return lambda run: with_kernels(run, reach) if run.is_settled and run.candidate.name in candidates else None

    return make


ALL = ("adam_sk_1", "adam_sk_2_none", "adam_sk_2_l2", "adam_sk_2_sk")


def counts(runs_by_key):
    return {key: (len(runs), sum(run.is_settled for run in runs)) for key, runs in runs_by_key.items()}


def test_nothing_of_the_prior_is_settled_before_phase_1_is_there(pipeline, trained):
    find = trained()
    assert pipeline.priors(find) is None
    assert counts(pipeline.tuning(find)) == {
        ("none", 0.0): (2, 2),
        ("SK", 0.1): (2, 0),
        ("SK", 1.0): (2, 0),
        ("L2", 0.1): (2, 2),
        ("L2", 1.0): (2, 2),
    }
    assert counts(pipeline.final(find)) == {"none": (3, 3), "SK": (3, 0), "L2": (3, 0)}


def test_all_planned_runs_are_different_before_and_after_phase_1(pipeline, trained):
    for find in (trained(), trained("adam_sk_1")):
        later = [*pipeline.tuning(find).values(), *pipeline.final(find).values()]
        digests = {run.digest for run in pipeline.phase_1()} | {run.digest for runs in later for run in runs}
        assert len(digests) == 5 + 5 * 2 + 3 * 3


def test_tuning_is_settled_with_phase_1_and_the_rest_with_the_tuning(pipeline, trained):
    find = trained("adam_sk_1")
    assert all(settled == count for count, settled in counts(pipeline.tuning(find)).values())
    assert counts(pipeline.final(find)) == {"none": (3, 3), "SK": (3, 0), "L2": (3, 0)}
    find = trained(*ALL)
    assert counts(pipeline.final(find)) == {"none": (3, 3), "SK": (3, 3), "L2": (3, 3)}
    # The accuracy falls with the strength of SK and rises with that of L2.
    assert (pipeline.best_alpha(find, "SK"), pipeline.best_alpha(find, "L2")) == (0.1, 1.0)


def test_fresh_seeds_are_not_those_of_the_tuning(pipeline, trained):
    find = trained(*ALL)
    tuning = {run.seed for runs in pipeline.tuning(find).values() for run in runs}
    final = {run.seed for runs in pipeline.final(find).values() for run in runs}
    assert (tuning, final) == ({42, 43}, {44, 45, 46})


def test_l2_and_sk_are_the_same_penalty_where_the_covariance_is_the_identity(pipeline, trained):
    from regbench.engine.build import build_regularizer

    find = trained(*ALL)
    (l2,), (sk,) = (pipeline.tuning(find)[method, 1.0][:1] for method in ("L2", "SK"))
    kernel = correlated(SHAPES["convolution_2"], 7).astype("float32")
    of_l2 = float(build_regularizer(l2.spec)["convolution_2"](kernel))
    # Float32 sums of 1,250 squares.
    assert of_l2 == pytest.approx(LAMBDA * np.sum(kernel.astype(float) ** 2), rel=1e-5)
    arguments = sk.spec.regularizer.arguments["convolution_2"].arguments
    assert (arguments["factor"], arguments["rank"]) == (LAMBDA, 2)
    prior = pipeline.priors(find)["convolution_2"].prior
    np.testing.assert_array_equal(arguments["covariance"], prior.covariance)


def test_correlated_gaussian_explains_correlated_kernels_better_and_independent_ones_not(trained, pipeline):
    for reach, is_better in ((2.0, True), (0.0, False)):
        results = [trained("adam_sk_1", reach=reach)(run) for run in pipeline.phase_1()]
        priors = kernel_priors.fit(results)
        # The first layer has 25 filters in all networks together, too few for 25 x 25 covariances.
        for layer in ("convolution_2", "convolution_3"):
            gain = priors[layer].correlated - priors[layer].independent
            assert gain.shape == (5,)
            assert (gain.mean() > 1) == is_better


def test_held_out_networks_are_not_among_those_of_the_fit(trained, pipeline):
    results = [trained("adam_sk_1")(run) for run in pipeline.phase_1()]
    kernels = [run.kernels["convolution_3"].array() for run in results]
    fitted = kernel_priors.fit(results)["convolution_3"]
    # Five networks in five folds: each is held out alone.
    for number, kernel in enumerate(kernels):
        others = KernelPrior.fit([other for place, other in enumerate(kernels) if place != number], rank=2)
        assert fitted.correlated[number] == pytest.approx(others.log_likelihood([kernel]))


@pytest.mark.parametrize(("rank", "count"), [(2, 50), (3, 10)])
def test_samples_of_a_kernel_are_its_slices_or_the_means_of_its_filters(rank, count):
    kernel = correlated(SHAPES["convolution_2"], 3)
    images = kernel_priors.slices(kernel, rank)
    assert images.shape == (count, 5, 5)
    last = kernel[:, :, -1, -1] if rank == 2 else kernel[:, :, :, -1].mean(axis=2)
    np.testing.assert_allclose(images[-1], last)


@pytest.mark.parametrize("name", ["kernels", "covariance", "likelihood", "accuracy", "gain"])
def test_every_figure_is_drawn_from_its_runs(name, trained, pipeline):
    figures = {figure.name: figure for figure in skreg._of("digits", pipeline, [])}
    find = trained(*ALL)
    figure = figures[f"digits_{name}"]
    assert all(find(run) is not None for run in figure.runs(find))
    drawing = figure.draw(find)
    assert len(drawing.numbers)
    if name == "gain":
        means = drawing.numbers.groupby("comparison")["mean"].first()
        # 0.7 - 0.05 * 0.1 for SK, 0.6 + 2 * 0.05 * 1.0 for L2 (our L2 has a half), 0.5 without.
        assert means["SK minus L2"] == pytest.approx(-0.5)
        assert means["L2 minus none"] == pytest.approx(20.0)
    if name == "likelihood":
        assert set(drawing.numbers["comparison"]) == set(RANKS)


def test_published_log_likelihoods_are_drawn_for_the_images_of_the_source_only(trained, pipeline):
    find = trained("adam_sk_1")
    for stem, published in (("digits", [np.nan]), ("silhouettes", [358.46 - 144.11, 413.26 - 289.35, 828.05 - 621.47])):
        (figure,) = (one for one in skreg._of(stem, pipeline, []) if one.name == f"{stem}_likelihood")
        np.testing.assert_allclose(figure.draw(find).numbers["published"].unique(), published)


def test_silhouettes_are_planned_without_looking_at_the_images():
    runs = [run for figure in skreg.figures(Size.QUICK) for run in figure.runs(lambda run: None)]
    assert {run.problem.dataset for run in runs} == {"digits", "mnist", "silhouettes"}
