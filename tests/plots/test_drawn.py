"""What each figure draws, without pixels; and that there is no figure where there is nothing to draw."""

import dataclasses
import itertools
import math

import numpy as np
import pandas as pd
import pytest

from regbench.analysis import across, entries, ranking, stability, tuning
from regbench.analysis.across import AverageRanks
from regbench.analysis.decay import Ridge
from regbench.errors import ResultsError
from regbench.plots import dots, generalisation, learning_curves, lines, maps, profiles, rank_map, sensitivity
from regbench.plots.critical_difference import bars_of, critical_difference
from regbench.plots.decay_map import decay_map, points_of, slope_of
from regbench.plots.looks import looks
from regbench.plots.scales import LARGEST
from regbench.plots.style import NothingToDrawError
from regbench.plots.tuning_curves import banded_of, leader_changes, panels_of, ranking_of, tuning_curves


def test_curves_are_drawn_by_the_metric_that_the_problem_is_judged_by(make_summaries):
    groups = learning_curves.columns_of(make_summaries(2, 2))
    assert [[(column.problem, column.metrics) for column in group] for group in groups] == [
        [("digits_mlp", ["train_loss", "test_accuracy"]), ("quadratic_deep", ["train_loss", "test_loss"])]
    ]


def test_couplings_are_never_in_one_panel(make_summaries):
    summaries = make_summaries(6, 2)
    groups = learning_curves.columns_of(summaries, by_coupling=True)
    assert [[column.coupling for column in group] for group in groups] == [
        ["none", "l2", "decoupled", "decoupled_momentum"]
    ] * 2
    assert all(set(column.curves["coupling"]) == {column.coupling} for group in groups for column in group)


def test_the_best_last_value_is_first_and_a_curve_that_broke_off_last(make_summaries):
    summaries = make_summaries(7)
    ranked = learning_curves.ranking_of(learning_curves.columns_of(summaries)[0])
    last = summaries[(summaries["metric"] == "test_accuracy") & (summaries["epoch"] == 20)]
    assert ranked == list(last.sort_values("mean", ascending=False)["label"])
    assert ranked[-1].endswith("_6")


def test_a_curve_that_explodes_does_not_set_the_axis(make_summaries):
    summaries = make_summaries(7)
    scale = learning_curves.scale_for(summaries, "train_loss", list(summaries["label"].unique()))
    assert scale.log
    # Ten times the loss before training, which is at most 2.3 + 0.3, and a margin.
    assert 20 < scale.high < 60


def test_a_loss_that_hardly_falls_is_shown_where_it_ends():
    epoch = np.arange(101)
    mean = 85 + 265 * np.exp(-epoch)
    curves = pd.DataFrame({"label": "a", "metric": "train_loss", "epoch": epoch, "mean": mean})
    scale = learning_curves.scale_for(curves.assign(low=mean - 1, high=mean + 1), "train_loss", ["a"])
    assert not scale.log
    assert 83 < scale.low < scale.high < 90


def test_the_best_that_there_can_be_is_a_line_inside_the_panel_of_its_metric(make_summaries):
    summaries = make_summaries(2, 2)
    summaries = summaries[summaries["problem"] == "quadratic_deep"]
    lowest = summaries.loc[summaries["metric"] == "test_loss", "mean"].min() / 2
    plain = learning_curves.learning_curves(summaries)
    figure = learning_curves.learning_curves(summaries, optima={("quadratic_deep", "test_loss"): lowest})
    for before, axes in zip(plain.axes, figure.axes, strict=True):
        flat = [line for line in axes.lines if list(line.get_ydata()) == [lowest, lowest]]
        is_judged_by = axes is figure.axes[-1]
        assert len(flat) == is_judged_by
        low, high = axes.get_ylim()
        assert low < lowest < high if is_judged_by else (low, high) == before.get_ylim()
    texts = [text.get_text() for one in (plain, figure) for legend in one.legends for text in legend.get_texts()]
    assert texts.count("the best that there can be") == 1


def test_an_accuracy_at_chance_stays_on_the_axis(make_summaries):
    summaries = make_summaries(7)
    scale = learning_curves.scale_for(summaries, "test_accuracy", list(summaries["label"].unique()))
    assert scale.low <= 0.1


def test_a_line_ends_where_it_is_no_longer_finite():
    rows = pd.DataFrame({"epoch": [2, 0, 1, 3], "mean": [3.0, 1.0, 2.0, math.nan], "low": 0.0, "high": LARGEST})
    line = lines.line_of(rows, "epoch", "mean")
    assert list(line.middle[:3]) == [1.0, 2.0, 3.0]
    assert line.broken_at == (2.0, 3.0)
    assert np.isnan(line.high).all()


def make_table(means, **columns):
    table = pd.DataFrame(
        {
            "problem": "p",
            "label": list("abcdef")[: len(means)],
            "coupling": "none",
            "score": means,
            "score_low": math.nan,
            "score_high": math.nan,
            "clean_mean": math.nan,
            "metric": "accuracy",
            "goal": "maximize",
            "split": "test",
            "comparable": True,
            "diverged_seeds": 0,
            "n_seeds": 3,
        }
    )
    return table.assign(**columns)


def test_dots_are_sorted_by_value_with_the_failed_last():
    table = make_table([0.8, math.nan, 0.1, 0.82, 0.81], coupling=["l2", "none", "none", "none", "l2"])
    (panels,) = dots.panels_of(table)
    assert list(panels.couplings) == ["none", "l2"]
    assert [list(rows["label"]) for rows in panels.couplings.values()] == [["d", "c", "b"], ["e", "a"]]
    assert list(panels.couplings["none"]["place"]) == ["inside", "beyond", "nowhere"]


def test_dots_of_a_loss_have_the_lowest_on_top():
    (panels,) = dots.panels_of(make_table([3.0, 1.0, 2.0], metric="loss", goal="minimize"))
    assert list(panels.couplings["none"]["label"]) == ["b", "c", "a"]
    assert panels.quantity == "test loss"


def test_an_entry_with_another_metric_has_no_place_on_the_axis():
    table = make_table([0.8, 0.9, 0.3], metric=["accuracy", "accuracy", "loss"], comparable=[True, True, False])
    (panels,) = dots.panels_of(table)
    assert list(panels.couplings["none"]["label"]) == ["b", "a"]


def test_a_problem_without_any_mean_is_left_out():
    table = pd.concat([make_table([math.nan, math.inf]), make_table([0.5], problem="q")])
    assert [panels.problem for panels in dots.panels_of(table)] == ["q"]


def test_ranks_have_the_complete_first_and_missing_ones_empty():
    table = pd.DataFrame(
        [("p", "a", 2.0), ("q", "a", 2.0), ("p", "b", 1.0), ("p", "c", 3.0), ("q", "c", 1.0), ("r", "a", math.nan)],
        columns=["problem", "label", "rank"],
    )
    ranks = rank_map.ranks_of(table)
    assert list(ranks.index) == ["a", "c", "b"]
    assert list(ranks.columns) == ["p", "q"]
    assert ranks.loc["b"].isna().tolist() == [False, True]


def average_ranks(ranks, groups):
    return AverageRanks(pd.Series(ranks), ("p", "q"), {}, (), 1.0, 0.01, pd.DataFrame(), groups, 0.05)


RANKS = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}


def test_bars_have_the_rows_of_their_group():
    found = average_ranks(RANKS, (("d", "b"), ("b", "c"), ("a", "b")))
    assert bars_of(found) == [(0, 1), (1, 2), (1, 3)]


def test_a_bar_has_dots_at_its_entries_and_none_at_those_between():
    ranks, bars = critical_difference(average_ranks(RANKS, (("a", "d"),))).axes
    dots = [list(line.get_ydata()) for line in bars.lines if line.get_marker() == "o"]
    assert dots == [[0, 3]]
    assert [text.get_text() for text in bars.texts] == ["bar: cannot be", "told apart"]
    assert len(ranks.lines) == 1  # no ruler of a critical difference


def test_of_many_bars_the_largest_are_drawn_and_the_others_counted():
    labels = [f"e{number:02}" for number in range(40)]
    pairs = tuple(itertools.pairwise(labels))
    bars = critical_difference(average_ranks(dict.fromkeys(labels, 1.0), pairs)).axes[1]
    assert sum(line.get_marker() == "o" for line in bars.lines) == 30
    assert "told apart (9 more)" in [text.get_text() for text in bars.texts]


def make_tuning(**expected):
    return pd.concat(
        [
            pd.DataFrame(
                {"label": label, "k": np.arange(1, len(values) + 1), "expected": values, "low": 0.0, "high": 1.0}
            )
            for label, values in expected.items()
        ]
    ).assign(
        problem="p",
        protocol="deepobs",
        schedule="none",
        epochs=1,
        batch_size=1,
        decided_by="valid_accuracy",
        goal="maximize",
    )


def test_only_changes_of_the_leader_are_marked():
    curves = make_tuning(a=[0.5, 0.5, 0.5, 0.5], b=[0.1, 0.6, 0.6, 0.6], c=[0.2, 0.2, 0.3, 0.9])
    changes = leader_changes(curves, tuning.flips(curves))
    assert changes[["k", "first", "second"]].to_numpy().tolist() == [[2, "a", "b"], [4, "b", "c"]]


def test_tuning_curves_are_ranked_by_where_they_end_and_the_best_has_the_band():
    curves = make_tuning(a=[0.5, 0.7, 0.7], b=[0.1, 0.8], c=[0.2, 0.2, 0.9])
    (panel,) = panels_of(curves, tuning.flips(curves))
    assert ranking_of([panel]) == ["c", "b", "a"]
    assert banded_of(panel, looks(["a", "b", "c"])) == ["c"]
    assert banded_of(panel, looks(["a", "b"])) == ["a", "b"]


def test_scores_of_different_protocols_are_in_different_panels():
    curves = pd.concat([make_tuning(a=[0.5, 0.7]), make_tuning(b=[0.1, 0.8]).assign(protocol="strict")])
    panels = panels_of(curves, tuning.flips(curves))
    assert [panel.title for panel in panels] == ["p\nprotocol deepobs", "p\nprotocol strict"]


def make_trials(x, y, value, outcome="completed", label="a", coupling="none", goal="maximize"):
    return pd.DataFrame(
        {
            "problem": "p",
            "label": label,
            "coupling": coupling,
            "decided_by": "valid_accuracy",
            "goal": goal,
            "outcome": outcome,
            "x": x,
            "y": y,
            "value": value,
        }
    )


def test_a_line_goes_through_the_best_trial_of_each_part():
    trials = make_trials([1.0, 1.5, 2.5, 2.6, 9.0], 0.0, [0.1, 0.3, 0.5, 0.2, 0.4])
    edges = np.array([2.0, 3.0])
    assert list(sensitivity.envelope(trials, edges, True)["value"]) == [0.3, 0.5, 0.4]
    assert list(sensitivity.envelope(trials, edges, False)["value"]) == [0.1, 0.2, 0.4]


def test_an_overflow_counts_as_diverged_and_a_missing_value_not_at_all():
    trials = make_trials([1, 2, 3, 4], 1.0, [0.5, math.inf, math.nan, math.nan], ["completed"] * 3 + ["diverged"])
    (panel,) = sensitivity.panels_of(trials)
    assert list(panel.trials["x"]) == [1]
    assert list(panel.diverged["x"]) == [2, 4]
    assert panel.quantity == "validation accuracy"


def test_rows_below_a_panel_follow_the_legend_and_grey_ones_share_the_last():
    names = [f"entry {number:02}" for number in range(13)]
    trials = pd.concat([make_trials([1.0, 2.0], 1.0, 0.5, ["completed", "diverged"], name) for name in names])
    (panel,) = sensitivity.panels_of(trials)
    rows = sensitivity.rows_of(panel, looks(names))
    assert list(rows.values()) == [*range(10), 10, 10, 10]
    assert not sensitivity.rows_of(panel._replace(diverged=panel.diverged[:0]), looks(names))


def grid(values, **columns):
    x, y = np.meshgrid([0.1, 1.0, 10.0], [1.0, 2.0, 3.0])
    return make_trials(x.ravel(), y.ravel(), np.broadcast_to(values, 9), **columns)


def test_trials_on_a_grid_are_cells_and_others_points():
    ((cells,),) = maps.maps_of(grid(np.linspace(0, 1, 9)))
    assert cells.is_grid
    generator = np.random.default_rng(0)
    ((points,),) = maps.maps_of(make_trials(generator.random(9), generator.random(9), 0.5))
    assert not points.is_grid


def test_maps_of_couplings_are_ordered_and_apart():
    frame = pd.concat(
        [grid(0.5, label="b", coupling="decoupled"), grid(0.5, label="c"), grid(0.6, label="a", coupling="l2")]
    )
    (panels,) = maps.maps_of(frame)
    assert [(one.label, one.coupling) for one in panels] == [("c", "none"), ("a", "l2"), ("b", "decoupled")]


def test_the_best_maps_are_kept_in_their_order():
    frame = pd.concat([grid(value, label=name) for name, value in (("a", 0.5), ("b", 0.7), ("c", 0.6))])
    (panels,) = maps.maps_of(frame)
    assert [one.label for one in maps.best_of(panels, 2)] == ["b", "c"]


def test_the_worst_quarter_shares_a_colour():
    (panels,) = maps.maps_of(grid([0.1, 0.2, 0.8, 0.8, 0.9, 0.9, 0.9, 0.95, 1.0]))
    norm, extend = maps.colours_of(panels)
    assert (norm.vmin, norm.vmax, extend) == (0.8, 1.0, "min")
    (panels,) = maps.maps_of(grid(np.full(9, 0.5)))
    norm, extend = maps.colours_of(panels)
    assert norm.vmin < 0.5 < norm.vmax
    assert extend == "neither"


def test_cells_end_halfway_to_their_neighbours(make_figure):
    figure = maps.draw_maps(maps.maps_of(grid([0.5] * 8 + [0.7])), ("learning_rate", "power"), lambda one: one.label)
    corners = np.asarray(figure.axes[0].collections[0].get_coordinates())
    assert corners[0, :, 0] == pytest.approx(10.0 ** np.array([-1.5, -0.5, 0.5, 1.5]))
    assert corners[:, 0, 1] == pytest.approx([0.5, 1.5, 2.5, 3.5])


def test_trials_without_learning_rate_or_with_zero_are_no_points(make_runs):
    tried = entries.trials(make_runs(2))
    tried["setting"] = ['{"learning_rate": 0.0}', '{"power": 1}', *tried["setting"][2:]]
    points = points_of(tried)
    assert len(points) == len(tried) - 2
    assert (points["x"] > 0).all()
    assert set(points.loc[points["coupling"] == "none", "y"]) == {0.0}


def test_a_title_says_the_slope_or_that_it_cannot_be_told():
    ((one,),) = maps.maps_of(grid(0.5))
    known = Ridge(-1.014, -1.2, -0.8, -3.0, 9, pd.DataFrame(), "")
    unknown = dataclasses.replace(known, slope=math.nan)
    assert slope_of(one, {("p", "a"): known}).replace("\N{MINUS SIGN}", "-") == "slope -1.01 [-1.2, -0.8]"
    assert slope_of(one, {("p", "a"): unknown}) == slope_of(one, {}) == "slope cannot be told"


def ridge_drawn(make_runs, ridge):
    """The points of the ridge on the decay map of an entry; none where no line is drawn."""
    tried = entries.trials(make_runs(2))
    searched = tried[tried["coupling"] == "l2"]
    figure = decay_map(searched, {("digits_mlp", searched["label"].iloc[0]): ridge})
    return [line.get_data() for line in figure.axes[0].lines if len(line.get_xdata()) == 200]


def test_the_ridge_is_a_straight_line_between_logarithms(make_runs):
    ((x, y),) = ridge_drawn(make_runs, Ridge(-0.5, -0.6, -0.4, -4.0, 9, pd.DataFrame(), ""))
    assert np.isfinite(y).sum() > 100
    on_axis = np.isfinite(y)
    assert np.log10(y[on_axis]) == pytest.approx(-4 - 0.5 * np.log10(x[on_axis]), abs=1e-9)


def test_no_ridge_is_drawn_where_its_slope_tells_nothing(make_runs):
    assert not ridge_drawn(make_runs, Ridge(-0.5, -1.1, 0.1, -4.0, 9, pd.DataFrame(), ""))


def test_profiles_are_ranked_by_their_area_and_end_where_little_happens():
    profile = pd.DataFrame(
        [("a", 1.0, 0.2), ("a", 2.0, 1.0), ("a", 1e6, 1.0), ("b", 1.0, 0.8), ("b", 1e6, 1.0)],
        columns=["label", "factor", "share"],
    ).assign(problems=5)
    assert profiles.ranking_of(profile) == ["a", "b"]
    # Half of the two have four fifths of their problems within a factor of (2 + 1) / 2.
    assert profiles.end_of(profile, ["a", "b"]) == pytest.approx(3 * 1.5)


def test_runs_are_paired_by_seed_and_gaps_have_round_steps(make_runs):
    runs = make_runs(4, 2)
    train, test = entries.reported(runs, split="train"), entries.reported(runs, split="test")
    panels = generalisation.panels_of(train, test.sample(frac=1, random_state=0))
    assert [panel.metric for panel in panels] == ["accuracy", "loss"]
    for panel in panels:
        for row in panel.runs.to_dict("records"):
            key = (row["problem"], row["label"], row["seed"])
            pair = [frame.set_index(["problem", "label", "seed"]).loc[key, "value"] for frame in (train, test)]
            assert [row["train"], row["test"]] == pair
        assert len(panel.ended) == (panel.runs["outcome"] == "completed").sum()
        steps = np.diff(generalisation.gaps_of(*generalisation.scales_for(panel)))
        assert steps == pytest.approx(steps[0])


EMPTY = {
    "learning curve": lambda runs: learning_curves.learning_curves(
        pd.DataFrame(columns=["problem", "label", "coupling", "metric", "epoch", "mean", "low", "high"], dtype=float)
    ),
    "rank": lambda runs: dots.ranked_dots(ranking.ranked_entries(runs)),
    "rank map": lambda runs: rank_map.rank_map(ranking.ranked_entries(runs)[:0]),
    "critical-difference": lambda runs: critical_difference(across.average_ranks(ranking.ranked_entries(runs))),
    "tuning curve": lambda runs: tuning_curves(
        tuning.tuning_curves(entries.trials(runs)), tuning.flips(tuning.tuning_curves(entries.trials(runs)))
    ),
    "`power`": lambda runs: sensitivity.sensitivity(stability.sensitivity(entries.trials(runs), "power"), "power"),
    "both `power`": lambda runs: sensitivity.sensitivity_map(
        stability.sensitivity(entries.trials(runs), "power", "learning_rate"), "power", "learning_rate"
    ),
    "decay map": lambda runs: decay_map(entries.trials(runs), {}),
    "performance profile": lambda runs: profiles.performance_profile(
        across.performance_profile(ranking.ranked_entries(runs)[:0])
    ),
    "generalisation": lambda runs: generalisation.generalisation(
        entries.reported(runs, split="train"), entries.reported(runs, split="test")
    ),
}


@pytest.mark.parametrize("message", EMPTY)
def test_there_is_no_figure_where_there_is_nothing_to_draw(make_runs, message):
    runs = make_runs(1).assign(outcome="diverged")
    runs[[name for name in runs if name.startswith(("final_", "best_"))]] = math.nan
    with pytest.raises(NothingToDrawError, match=message) as caught:
        EMPTY[message](runs)
    assert isinstance(caught.value, ResultsError)
