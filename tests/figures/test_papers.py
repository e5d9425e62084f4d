"""What the figures of each paper declare."""

import functools
import json
import re

import pytest

from regbench import catalog, datasets, figures, models
from regbench.engine.build import build_regularizer, plain_optimizer
from regbench.engine.splits import dataset_of
from regbench.figures import normalized_convex, orthogonal
from regbench.figures.plan import Size
from regbench.regularizers.orthogonal import FORMS

EVERY = [
    pytest.param(figure, id=f"{paper}-{figure.name}-{size}")
    for paper in figures.PAPERS
    for size in Size
    for figure in figures.of_paper(paper, size)
]


def nothing(run):
    return None


@functools.cache
def layers_of(name, arguments, shape, classes):
    """The names of a network's layers, which is built once for all figures that train it; arguments as JSON."""
    return {layer.name for layer in models.build(name, json.loads(arguments), shape, classes).layers}


@pytest.mark.parametrize("figure", EVERY)
def test_figure_declares_runs_that_could_be_trained(figure):
    runs = figure.runs(nothing)
    assert runs
    one_of_each = {(run.problem.name, run.candidate.name, str(run.candidate.regularizer)): run for run in runs}
    for run in one_of_each.values():
        spec = run.spec
        optimizer, regularizer = plain_optimizer(spec), build_regularizer(spec)
        dataset = dataset_of(run.problem)
        network = run.problem.model
        arguments = json.dumps(network.arguments, sort_keys=True)
        layers = layers_of(network.name, arguments, dataset.input_shape, dataset.classes)
        assert optimizer is not None
        assert not isinstance(regularizer, dict) or set(regularizer) <= layers
        assert max(run.schedule.epochs, default=0) < run.epochs


@pytest.mark.parametrize("figure", EVERY)
def test_figure_says_what_it_shows_its_source_and_its_departures(figure):
    assert re.fullmatch(r"[a-z0-9_]+", figure.name)
    for sentence in (figure.shows, *figure.departures):
        assert not sentence[0].islower() or "_" in sentence.split()[0]  # the name of a problem
        assert sentence.endswith(".")
    assert re.search(r"arXiv|https://|20\d\d", figure.source)


@pytest.mark.parametrize("size", Size)
@pytest.mark.parametrize("paper", figures.PAPERS)
def test_names_of_figures_are_different(paper, size):
    names = [figure.name for figure in figures.of_paper(paper, size)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("paper", figures.PAPERS)
def test_quick_trains_less_than_default_and_default_less_than_full(paper):
    from regbench.benchmark.estimate import Estimator

    def seconds(size):
        specs = {run.digest: run.spec for figure in figures.of_paper(paper, size) for run in figure.runs(nothing)}
        return Estimator().seconds(specs.values())

    assert seconds(Size.QUICK) < seconds(Size.DEFAULT) < seconds(Size.FULL)


@pytest.mark.parametrize("paper", figures.PAPERS)
def test_problem_of_a_run_has_the_content_that_its_name_stands_for(paper):
    contents = {}
    for size in Size:
        for figure in figures.of_paper(paper, size):
            for run in figure.runs(nothing):
                assert contents.setdefault(run.problem.name, run.problem) == run.problem
    for name, problem in contents.items():
        assert name not in catalog.problem_names() or catalog.problem(name) == problem


def test_labels_of_normalized_optimizers_are_what_is_trained():
    for label, make in normalized_convex.OPTIMIZERS.items():
        optimizer = make(0.03).optimizer
        is_normalized = optimizer.name == "normalized"
        inner = optimizer.arguments["inner_optimizer"] if is_normalized else optimizer
        expected = {"NSGD (std)": "sgd", "normalized Adam (std)": "adam", "Adam": "adam", "RMSprop": "rmsprop"}[label]
        assert (inner.name, is_normalized) == (expected, "std" in label)
        assert inner.arguments["learning_rate"] == 0.03
        if is_normalized:
            assert optimizer.arguments["norm"] == "std"
        if expected == "sgd":
            assert (inner.arguments["momentum"], inner.arguments["nesterov"]) == (0.9, True)


def test_all_norms_and_all_forms_are_there():
    from regbench.optimizers.norms import BUNDLED_NORMS

    assert set(normalized_convex.NORMS) == set(BUNDLED_NORMS) - {"linf"}  # another name of max
    assert orthogonal.FORMS == FORMS


def runs_of(paper, name, size=Size.FULL):
    (figure,) = (figure for figure in figures.of_paper(paper, size) if figure.name == name)
    return figure.runs(nothing)


def test_full_networks_are_those_of_the_sources():
    deep = runs_of("normalized", "mnist_deep_mlp")[0]
    assert (deep.problem.name, deep.epochs, deep.schedule.epochs, deep.schedule.factors) == (
        "mnist_deep_mlp",
        30,
        (10, 20),
        (0.1, 0.01),
    )
    assert deep.spec.decay_strength == 2e-5
    stages = {run.candidate.name: (run.epochs, run.schedule) for run in runs_of("normalized", "cifar10_cnn")}
    assert {name: (epochs, schedule.epochs) for name, (epochs, schedule) in stages.items()} == {
        "nsgd_l2": (60, (15, 30, 45)),
        "nadam_l2": (45, (15, 30)),
        "adam_keras": (45, (15, 30)),
    }
    assert stages["nsgd_l2"][1].factors == (0.5, 0.1, 0.01)


def test_full_experiments_with_eigenvalue_decay_are_those_of_the_source():
    mnist = runs_of("eigenvalue", "mnist_gain")
    assert {(run.epochs, run.batch_size or run.problem.batch_size) for run in mnist} == {(36, 128)}
    decay = mnist[0].candidate.regularizer.arguments
    assert {layer: part.arguments["factor"] for layer, part in decay.items()} == {
        "dense_1": 0.001,
        "dense_2": 0.01,
        "logits": 0.001,
    }
    cifar = runs_of("eigenvalue", "cifar10_gain")
    assert {(run.epochs, run.batch_size) for run in cifar} == {(50, 32)}
    assert len({run.seed for run in cifar}) == 10
    # 1 / (1 + 1e-6 * steps), 1,562 steps an epoch.
    schedule = cifar[0].schedule
    assert schedule.factors[0] == pytest.approx(1 / 1.001562)
    assert schedule.factors[-1] == pytest.approx(1 / (1 + 1e-6 * 1562 * 49))
    with_decay, without = ([run for run in cifar if (run.candidate.regularizer is None) == plain] for plain in (0, 1))
    assert [run.seed for run in with_decay] == [run.seed for run in without]


def test_data_sets_that_can_be_fetched_are_named_by_every_figure_but_those_of_silhouettes():
    needed = {run.problem.dataset for paper in figures.PAPERS for figure in figures.of_paper(paper, Size.FULL)
              for run in figure.runs(nothing)}  # fmt: skip
    generated = {"blank", "digits", "mnist1d", "modular_pairs", "quadratic"}
    assert needed == generated | {"cifar10", "fmnist", "mnist", "silhouettes"}
    assert needed - set(datasets.published()) == {"silhouettes"}
