"""Results as they may come: overflows, zeros, missing values, single points. Warnings are errors."""

import math

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from regbench.plots.learning_curves import learning_curves
from regbench.plots.style import NothingToDrawError

VALUES = (math.nan, math.inf, -math.inf, 1e300, -1e300, 1e-300, 0.0, 1.0, -1.0)
FIGURES = (
    "dots", "rank_map", "critical_difference", "tuning_curves", "sensitivity", "sensitivity_map", "decay_map",
    "profiles", "generalisation",
)  # fmt: skip


def draw(figure):
    FigureCanvasAgg(figure).draw()


def test_every_figure_is_tried(figures_of_runs):
    assert sorted(FIGURES) == sorted(figures_of_runs)


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_any_value_can_be_drawn(make_runs, figures_of_runs, name, share):
    runs = make_runs(4, 2).copy()
    generator = np.random.default_rng(0)
    for column in [column for column in runs if column.startswith(("final_", "best_"))]:
        replaced = generator.random(len(runs)) < share
        runs.loc[replaced, column] = generator.choice(VALUES, replaced.sum())
    try:
        draw(figures_of_runs[name](runs))
    except NothingToDrawError:
        # A score takes in all trials: a single absurd one makes it absurd.
        assert share == 1.0 or name == "dots"


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_equal_values_can_be_drawn(make_runs, figures_of_runs, name):
    runs = make_runs(4, 2).copy()
    for column in [column for column in runs if column.startswith(("final_", "best_"))]:
        runs[column] = runs[column].where(runs[column].isna(), 0.5)
    draw(figures_of_runs[name](runs))


@pytest.mark.parametrize(
    "name", ["dots", "rank_map", "critical_difference", "sensitivity", "profiles", "generalisation"]
)
def test_a_single_trial_can_be_drawn(make_runs, figures_of_runs, name):
    draw(figures_of_runs[name](make_runs(2, 1, trials=1, seeds=1)))


@pytest.mark.parametrize("epochs", [0, 1, 20])
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_any_curve_can_be_drawn(make_summaries, epochs, share):
    summaries = make_summaries(4, 2)
    summaries = summaries[summaries["epoch"] <= epochs].copy()
    generator = np.random.default_rng(0)
    for column in ("mean", "low", "high"):
        replaced = generator.random(len(summaries)) < share
        summaries.loc[replaced, column] = generator.choice(VALUES, replaced.sum())
    draw(learning_curves(summaries))


def test_a_problem_without_training_loss_keeps_its_test_metric(make_summaries):
    summaries = make_summaries(2, 2)
    without = (summaries["problem"] == "digits_mlp") & (summaries["metric"] == "train_loss")
    figure = learning_curves(summaries[~without])
    draw(figure)
    lone, upper, lower = figure.axes
    assert [axes.get_ylabel() for axes in figure.axes] == ["test accuracy", "training loss", "test loss"]
    assert lone.get_title() == "digits_mlp"
    assert lone.bbox.y0 == pytest.approx(lower.bbox.y0)
    assert upper.bbox.y0 > lower.bbox.y1
