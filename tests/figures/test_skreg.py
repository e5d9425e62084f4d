"""The two phases of smooth-kernel regularization, with kernels from a known prior in place of trainings."""

import numpy as np
import pytest

from regbench import catalog
from regbench.figures import kernel_priors, skreg
from regbench.figures.effects import best_accuracy
from regbench.figures.kernel_priors import RANKS
from regbench.figures.plan import Size
from regbench.figures.skreg_pipeline import ARMS, PENALIZED, Pipeline
from regbench.records import Kernel, Part
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
    return Pipeline(first, second, 5, (2, 3), (0.01, 0.01), (0.005, 0.05), tuning_seeds=2, seeds=3)


VALID = {"none": 0.5, "l2": 0.6, "sk": 0.7, "sk_and_start": 0.75, "start": 0.65, "isotropic_start": 0.55}


@pytest.fixture
def with_kernels(make_result):
    """A run with kernels from a known prior and an accuracy that depends on arm and factor."""

    def make(run, reach=1.0):
        spec = run.spec
        valid = {"adam_sk_1": 0.9} | {f"adam_sk_2_{arm}": value for arm, value in VALID.items()}
        best = valid[spec.candidate]
        penalized = spec.regularizer.arguments.get("convolution_1")
        if spec.candidate != "adam_sk_1" and penalized is not None:
            factor = penalized.arguments["factor"]
            best -= factor if "sk_2_sk" in spec.candidate else -factor
        result = make_result(spec, valid_accuracies=best, test_accuracies=best - 0.1, valid_losses=-1.0)
        kernels = {
            layer: Kernel.from_array(correlated(shape, [spec.seed, number], reach))
            for number, (layer, shape) in enumerate(SHAPES.items())
        }
        return result.model_copy(update={"kernels": kernels if run.keep_kernels else {}})

    return make


@pytest.fixture
def trained(with_kernels):
    """Finds the runs whose candidate is in a set."""

    def make(*candidates, reach=1.0):
        return lambda run: with_kernels(run, reach) if run.is_settled and run.candidate.name in candidates else None

    return make


ALL = ("adam_sk_1", *(f"adam_sk_2_{arm}" for arm in VALID))


def counts(runs_by_key):
    return {key: (len(runs), sum(run.is_settled for run in runs)) for key, runs in runs_by_key.items()}


def test_nothing_of_the_prior_is_settled_before_phase_1_is_there(pipeline, trained):
    find = trained()
    assert pipeline.priors(find) is None
    settled = {key: count for key, (_, count) in counts(pipeline.tuning(find)).items()}
    assert settled == {("none", 0.0): 2} | {
        (arm, factor): 2 if arm == "L2" else 0 for arm in PENALIZED for factor in (0.005, 0.05)
    }
    assert counts(pipeline.final(find)) == {arm: (3, 3 if arm == "none" else 0) for arm in ARMS}


def test_all_planned_runs_are_different_once_phase_1_is_there(pipeline, trained):
    find = trained("adam_sk_1")
    later = [*pipeline.tuning(find).values(), *pipeline.final(find).values()]
    digests = {run.digest for run in pipeline.phase_1()} | {run.digest for runs in later for run in runs}
    assert len(digests) == 5 + 7 * 2 + 6 * 3


def test_tuning_is_settled_with_phase_1_and_the_rest_with_the_tuning(pipeline, trained):
    find = trained("adam_sk_1")
    assert all(settled == count for count, settled in counts(pipeline.tuning(find)).values())
    untuned = {arm: 0 if arm in PENALIZED else 3 for arm in ARMS}
    assert counts(pipeline.final(find)) == {arm: (3, settled) for arm, settled in untuned.items()}
    find = trained(*ALL)
    assert counts(pipeline.final(find)) == dict.fromkeys(ARMS, (3, 3))
    # The accuracy falls with the strength of SK and rises with that of L2.
    assert {arm: pipeline.best_factor(find, arm) for arm in PENALIZED} == {
        "L2": 0.05,
        "SK": 0.005,
        "SK and start": 0.005,
    }


def test_fresh_seeds_are_not_those_of_the_tuning(pipeline, trained):
    find = trained(*ALL)
    tuning = {run.seed for runs in pipeline.tuning(find).values() for run in runs}
    final = {run.seed for runs in pipeline.final(find).values() for run in runs}
    assert (tuning, final) == ({42, 43}, {44, 45, 46})


def test_every_arm_with_a_penalty_has_the_same_budget_and_all_have_the_penalty_on_the_softmax(pipeline, trained):
    find = trained(*ALL)
    budgets = {arm: [] for arm in PENALIZED}
    for (arm, factor), runs in pipeline.tuning(find).items():
        budgets.get(arm, []).append((factor, [run.seed for run in runs]))
    assert budgets["L2"] == budgets["SK"] == budgets["SK and start"]
    for runs in pipeline.final(find).values():
        for run in runs:
            # Keras's L2(0.01).
            assert run.spec.regularizer.arguments["logits"] == Part(name="l2", arguments={"factor": 0.02})


def test_phase_1_has_the_penalties_of_the_source(pipeline):
    of_layers = pipeline.phase_1()[0].spec.regularizer.arguments
    # Keras's L2(0.05) on the convolutions and L2(0.01) on the dense layer.
    assert {layer: one.arguments["factor"] for layer, one in of_layers.items()} == {
        "convolution_1": 0.1,
        "convolution_2": 0.1,
        "convolution_3": 0.1,
        "dense_1": 0.02,
    }


def test_starts_are_those_of_the_prior_or_of_the_same_variance(pipeline, trained):
    find = trained(*ALL)
    priors = pipeline.priors(find)
    models = {arm: runs[0].problem.model.arguments for arm, runs in pipeline.final(find).items()}
    for arm in ("none", "L2", "SK"):
        assert "covariance_1" not in models[arm]
    for number, fitted in enumerate(priors.values(), start=1):
        covariance = fitted.prior.covariance
        for arm in ("start", "SK and start"):
            np.testing.assert_array_equal(models[arm][f"covariance_{number}"], covariance)
        isotropic = np.array(models["isotropic start"][f"covariance_{number}"])
        np.testing.assert_allclose(isotropic, np.eye(25) * np.trace(covariance) / 25)


def test_l2_and_sk_are_the_same_penalty_where_the_covariance_is_the_identity(pipeline, trained):
    from regbench.engine.build import build_regularizer

    find = trained(*ALL)
    (l2,), (sk,) = (pipeline.tuning(find)[arm, 0.05][:1] for arm in ("L2", "SK"))
    kernel = correlated(SHAPES["convolution_2"], 7).astype("float32")
    of_l2 = float(build_regularizer(l2.spec)["convolution_2"](kernel))
    # Float32 sums of 1,250 squares.
    assert of_l2 == pytest.approx(0.05 * np.sum(kernel.astype(float) ** 2), rel=1e-5)
    arguments = sk.spec.regularizer.arguments["convolution_2"].arguments
    assert (arguments["factor"], arguments["rank"]) == (0.05, 2)
    prior = pipeline.priors(find)["convolution_2"].prior
    np.testing.assert_array_equal(arguments["covariance"], prior.covariance)


def test_few_images_are_drawn_by_the_seed_in_the_figures():
    for pipeline in (skreg._digits(Size.DEFAULT), skreg._mnist(Size.DEFAULT)):
        for problem in (pipeline.second, pipeline.tuned_on or pipeline.second):
            assert (problem.selection.draw, problem.selection.train_per_class) == ("seed", 8)
        assert pipeline.second.selection.test_per_class is None
        assert (len(pipeline.factors), pipeline.tuning_seeds, pipeline.seeds) == (8, 5, 40)


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
        # 0.7 - 0.005 for SK, 0.6 + 2 * 0.05 for L2 (our L2 has a half), 0.5 without.
        assert means["SK minus L2"] == pytest.approx(-0.5)
        assert means["SK minus none, last epoch"] == pytest.approx(19.5)
    if name == "likelihood":
        assert set(drawing.numbers["comparison"]) == set(RANKS)


def test_published_log_likelihoods_are_drawn_for_the_images_of_the_source_only(trained, pipeline):
    find = trained("adam_sk_1")
    for stem, published in (("digits", [np.nan]), ("silhouettes", [358.46 - 144.11, 82.65 - 57.87, 82.81 - 62.15])):
        (figure,) = (one for one in skreg._of(stem, pipeline, []) if one.name == f"{stem}_likelihood")
        np.testing.assert_allclose(figure.draw(find).numbers["published"].unique(), published)


def test_silhouettes_are_planned_without_looking_at_the_images():
    runs = [run for figure in skreg.figures(Size.QUICK) for run in figure.runs(lambda run: None)]
    assert {run.problem.dataset for run in runs} == {"digits", "mnist", "silhouettes"}


def test_accuracy_at_the_best_validation_loss_is_that_of_the_first_such_epoch(make_result, pipeline):
    run = make_result(pipeline.phase_1()[0].spec, test_accuracies=0.3)
    losses = run.losses_without_penalty | {"valid_losses": [3.0, 1.0, 1.0]}
    curves = run.curves | {"test_accuracies": [0.1, 0.2, 0.3]}
    assert best_accuracy(run.model_copy(update={"losses_without_penalty": losses, "curves": curves})) == 0.2
