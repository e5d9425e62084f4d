import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from regbench.analysis import ranking
from regbench.analysis.intervals import interquartile_mean, interquartile_mean_interval, mean_interval

AGAIN = [0.6, 0.62, 0.61, 0.66, 0.59, 0.64]


def only(table):
    (row,) = table.to_dict("records")
    return row


def ranks(table):
    return dict(zip(table["label"], table["rank"], strict=True))


def notes(table):
    return dict(zip(table["label"], table["note"], strict=True))


def test_a_row_holds_what_the_seeds_say(make_study):
    runs = make_study("sgd", {0.1: 0.5, 0.2: 0.7, 0.3: None}, again=AGAIN)
    runs["epochs_to_convergence"] = np.arange(len(runs), dtype=float)
    row = only(ranking.ranked_entries(runs, level=0.9))
    values = [0.7, *AGAIN]
    assert row["seeds"] == [42, 43, 44, 45, 46, 47, 48]
    assert row["n_seeds"] == 7
    assert row["setting"] == {"learning_rate": 0.2}
    assert row["mean"] == pytest.approx(np.mean(values), rel=1e-15)
    assert row["sd"] == pytest.approx(np.std(values, ddof=1), rel=1e-15)
    assert row["clean_mean"] == pytest.approx(np.mean(AGAIN), rel=1e-15)
    assert row["clean_sd"] == pytest.approx(np.std(AGAIN, ddof=1), rel=1e-15)
    assert row["iqm"] == interquartile_mean(values)
    # The re-runs are rows 3 to 8, the winning trial is row 1.
    assert row["speed"] == np.mean([1, 3, 4, 5, 6, 7, 8])
    low, high = stats.t.interval(0.9, 6, np.mean(values), stats.sem(values))
    assert (row["low"], row["high"]) == pytest.approx((low, high), rel=1e-12)
    assert row["iqm_low"] < row["iqm"] < row["iqm_high"]
    assert (row["trials"], row["diverged"], row["diverged_seeds"], row["rank"]) == (3, 1, 0, 1)
    assert (row["comparable"], row["note"], row["decided_by"]) == (True, "", "valid_accuracy")


def test_the_speed_is_the_mean_over_seeds_as_deepobs_counts(make_study):
    runs = make_study("sgd", {0.1: 0.7}, again=[0.6, 0.7])
    # Of 100 epochs: reached after 4 and before training, and never.
    assert only(ranking.ranked_entries(runs.assign(epochs_to_convergence=[4.0, 0.0, 101.0])))["speed"] == pytest.approx(
        105 / 3
    )
    # Of a seed that nothing is known of there is no mean.
    assert np.isnan(only(ranking.ranked_entries(runs.assign(epochs_to_convergence=[4.0, 0.0, np.nan])))["speed"])


def test_the_columns_are_those_that_are_promised(make_study, make_runs):
    table = ranking.ranked_entries(make_study("sgd", {0.1: 0.5}))
    assert list(table.columns) == ranking.COLUMNS
    assert list(ranking.ranked_entries(make_runs([])).columns) == ranking.COLUMNS
    for name in ("seeds", "setting", "irregular"):
        json.dumps(list(table[name]))


@pytest.mark.parametrize("goal, best", [("maximize", "adam"), ("minimize", "sgd")])
def test_the_best_mean_of_the_seeds_is_first(make_study, join, goal, best):
    # By its lucky trial the other one would be first.
    common = {"metric": "loss", "goal": goal}
    sign = 1 if goal == "maximize" else -1
    runs = join(
        make_study("sgd", {0.1: 0.5 + 0.09 * sign * (best == "adam")}, again=[0.4, 0.41], **common),
        make_study("adam", {0.1: 0.5 + 0.09 * sign * (best == "sgd")}, again=[0.6, 0.61], **common),
    )
    table = ranking.ranked_entries(runs)
    assert table["label"][0] == best
    assert list(table["rank"]) == [1, 2]


def test_equal_means_share_the_better_rank(make_study, join):
    runs = join(*(make_study(name, {0.1: value}) for name, value in (("a", 0.5), ("b", 0.6), ("c", 0.6), ("d", 0.7))))
    assert ranks(ranking.ranked_entries(runs)) == {"d": 1, "b": 2, "c": 2, "a": 4}


def test_each_problem_is_ranked_alone(make_study, join):
    runs = join(
        make_study("sgd", {0.1: 0.5}),
        make_study("adam", {0.1: 0.6}),
        make_study("sgd", {0.1: 87.0}, problem="quadratic_deep", metric="loss", goal="minimize"),
        make_study("adam", {0.1: 88.0}, problem="quadratic_deep", metric="loss", goal="minimize"),
    )
    table = ranking.ranked_entries(runs)
    assert list(table["label"]) == ["adam", "sgd", "sgd", "adam"]
    assert list(table["rank"]) == [1, 2, 1, 2]


def test_one_seed_has_no_spread_and_says_so(make_study):
    row = only(ranking.ranked_entries(make_study("sgd", {0.1: 0.5, 0.2: 0.4})))
    assert row["mean"] == row["iqm"] == 0.5
    assert all(np.isnan(row[name]) for name in ("sd", "low", "high", "iqm_low", "iqm_high", "clean_mean", "clean_sd"))
    assert row["note"] == "no seed but that of the search"
    row = only(ranking.ranked_entries(make_study("sgd", {0.1: 0.5, 0.2: 0.4}, again=[0.5], protocol="strict")))
    assert row["note"] == "one seed"


def test_fresh_seeds_are_all_clean(make_study):
    row = only(ranking.ranked_entries(make_study("sgd", {0.1: 0.5, 0.2: 0.4}, again=[0.3, 0.4], protocol="strict")))
    assert row["seeds"] == [43, 44]
    assert row["clean_mean"] == row["mean"]
    assert row["clean_sd"] == row["sd"]


def test_an_entry_all_of_whose_trials_diverged_stays_last_with_the_reason(make_study, join):
    runs = join(
        make_study("sgd", {0.1: 0.05}),
        make_study("wild", {0.1: None, 0.2: None}),
        make_study("wilder", {0.1: None}),
    )
    table = ranking.ranked_entries(runs)
    assert ranks(table) == {"sgd": 1, "wild": 2, "wilder": 2}
    assert notes(table)["wild"] == "all 2 trials diverged"
    wild = table[table["label"] == "wild"].to_dict("records")[0]
    assert wild["setting"] is None
    assert (wild["seeds"], wild["n_seeds"], wild["trials"], wild["diverged"]) == ([], 0, 2, 2)
    assert np.isnan([wild["mean"], wild["decay"], wild["speed"]]).all()


def test_a_reported_seed_that_diverged_counts_with_its_value(make_study):
    runs = make_study("sgd", {0.1: 0.5}, again=[0.1, 0.6])
    runs.loc[1, "outcome"] = "diverged"
    row = only(ranking.ranked_entries(runs))
    assert row["mean"] == pytest.approx(0.4)
    assert (row["diverged_seeds"], row["diverged"]) == (1, 0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_reported_seed_that_diverged_without_a_finite_value_comes_last(make_study, join, value):
    common = {"metric": "loss", "goal": "minimize"}
    spoilt = make_study("adam", {0.1: 0.5}, again=[value], **common)
    spoilt.loc[1, "outcome"] = "diverged"
    runs = join(make_study("sgd", {0.1: 9.0}, **common), spoilt).assign(untrained_loss=100.0)
    table = ranking.ranked_entries(runs)
    assert ranks(table) == {"sgd": 1, "adam": 2}
    assert table.set_index("label")["score"].to_dict() == {"sgd": 9.0, "adam": 100.0}
    assert notes(table)["adam"] == "1 of 2 seeds have no finite value"


def test_a_figure_that_is_missing_is_not_ranked(make_study, make_runs, join):
    runs = join(make_study("sgd", {0.1: 0.5}), make_runs([{"valid": 0.5}], candidate="adam"))
    runs.loc[2] = runs.loc[0].to_dict() | {"run": 2, "candidate": "cut", "outcome": "cut_short"}
    table = ranking.ranked_entries(runs)
    assert ranks(table) == pytest.approx({"sgd": 1, "adam": np.nan, "cut": np.nan}, nan_ok=True)
    assert notes(table)["adam"] == "no test accuracy; no seed but that of the search"
    assert notes(table)["cut"] == "none of 1 trials was finished"


def test_a_winner_chosen_by_the_test_split_says_so(make_runs):
    row = only(ranking.ranked_entries(make_runs([{"test": 0.5, "seed": seed} for seed in (42, 43)])))
    assert row["note"] == "winner chosen by the test accuracy, there is no validation curve"


def test_a_winner_that_is_not_the_setting_with_the_most_seeds_says_so(make_study, make_runs, join):
    runs = join(make_study("sgd", {0.1: 0.5}, again=[0.5, 0.5]), make_runs([{"valid": 0.9, "test": 0.9}]))
    assert only(ranking.ranked_entries(runs))["note"].endswith("another setting was run with more seeds (3)")
    assert "more seeds" not in only(ranking.ranked_entries(runs, mode="most"))["note"]
    strict = make_study("sgd", {0.1: 0.5, 0.2: 0.4}, again=[0.3, 0.4], protocol="strict")
    assert only(ranking.ranked_entries(strict))["note"] == ""


RULES = {
    "protocol": ("deepobs", "strict", "protocol strict (ranked: deepobs)"),
    "schedule": ("none", "cosine", "schedule cosine (ranked: none)"),
    "epochs": (100, 50, "epochs 50 (ranked: 100)"),
    "batch_size": (128, 64, "batch size 64 (ranked: 128)"),
}


@pytest.mark.parametrize("rule", RULES)
def test_runs_under_other_rules_are_shown_but_never_ranked_beside(make_study, join, rule):
    usual, other, text = RULES[rule]
    runs = join(
        make_study("a", {0.1: 0.5}, again=[0.5], **{rule: usual}),
        make_study("b", {0.1: 0.4}, again=[0.4], **{rule: usual}),
        make_study("c", {0.1: 0.9}, again=[0.9, 0.9], **{rule: other}),
    )
    table = ranking.ranked_entries(runs)
    assert ranks(table) == pytest.approx({"a": 1, "b": 2, "c": np.nan}, nan_ok=True)
    assert list(table["comparable"]) == [True, True, False]
    assert notes(table)["c"] == f"not ranked: {text}"
    assert table["mean"][2] == pytest.approx(0.9)


def test_of_equally_many_entries_the_rules_with_more_seeds_are_ranked_then_the_first(make_study, join):
    usual, strict = make_study("a", {0.1: 0.5}), make_study("b", {0.1: 0.5}, protocol="strict")
    assert ranks(ranking.ranked_entries(join(strict, usual))) == pytest.approx({"a": 1, "b": np.nan}, nan_ok=True)
    strict = make_study("b", {0.1: 0.5}, again=[0.4, 0.5], protocol="strict")
    assert ranks(ranking.ranked_entries(join(usual, strict))) == pytest.approx({"a": np.nan, "b": 1}, nan_ok=True)


def test_entries_without_figures_do_not_decide_which_rules_are_ranked(make_study, join):
    failed = [make_study(name, {0.1: None}, protocol="strict") for name in "bcd"]
    assert ranks(ranking.ranked_entries(join(make_study("a", {0.1: 0.5}), *failed)))["a"] == 1


def test_the_two_rules_of_deepobs_are_ranked_together_where_that_is_asked_for_on_the_test_split(make_study, join):
    runs = join(make_study("a", {0.1: 0.5}), make_study("b", {0.1: 0.6}, protocol="deepobs-1.1"))
    assert sorted(ranking.ranked_entries(runs)["comparable"]) == [False, True]
    together = ("deepobs", "deepobs-1.1")
    table = ranking.ranked_entries(runs, together=together)
    assert ranks(table) == {"b": 1, "a": 2}
    assert table["comparable"].all()
    assert "trains on the validation samples too" in notes(table)["b"]
    assert "trains on the validation samples too" not in notes(table)["a"]
    for split in ("train", "valid"):
        runs["final_train_accuracy"] = 0.5
        assert sorted(ranking.ranked_entries(runs, split=split, together=together)["comparable"]) == [False, True]


def test_no_word_on_deepobs_1_1_where_all_are_of_it(make_study):
    runs = make_study("b", {0.1: 0.6}, again=[0.5], protocol="deepobs-1.1")
    assert only(ranking.ranked_entries(runs))["note"] == ""


def test_couplings_are_compared_by_accuracy_and_by_losses_without_penalty(make_study, join):
    runs = join(
        make_study("adam", {0.1: 0.5}, coupling="l2", decay=0.002),
        make_study("adam", {0.1: 0.6}, coupling="decoupled", decay=0.002),
    )
    runs["final_test_loss"] = [0.4, 0.3]
    for metric in ("accuracy", "loss"):
        assert ranks(ranking.ranked_entries(runs, metric=metric)) == {"adam · decoupled": 1, "adam · l2": 2}


def test_losses_with_a_penalty_are_compared_only_with_those_with_the_same(make_study, join):
    def study(name, **common):
        return make_study(name, {0.1: 0.5}, coupling="l2", **common)

    runs = join(
        study("a", decay=0.002, loss_has_penalty=True),
        study("b", decay=0.002, loss_has_penalty=True),
        study("c", decay=0.001, loss_has_penalty=True),
        study("d", decay=0.002),
    )
    runs["final_test_loss"] = [0.4, 0.3, 0.2, 0.1]
    table = ranking.ranked_entries(runs, metric="loss")
    assert ranks(table) == pytest.approx({"b": 1, "a": 2, "c": np.nan, "d": np.nan}, nan_ok=True)
    assert notes(table)["c"].startswith("not ranked: penalty in the loss 0.001 (ranked: 0.002)")
    assert notes(table)["d"].startswith("not ranked: penalty in the loss none (ranked: 0.002)")
    assert ranking.ranked_entries(runs)["comparable"].all()


def test_penalties_of_unknown_strength_are_compared_with_nothing(make_study, join):
    common = {"coupling": "unknown", "decay": np.nan, "loss_has_penalty": True, "metric": "loss", "goal": "minimize"}
    runs = join(make_study("a", {0.1: 0.5}, **common), make_study("b", {0.1: 0.4}, **common))
    table = ranking.ranked_entries(runs)
    assert list(table["comparable"]) == [True, False]
    assert notes(table)["b"].startswith("not ranked: penalty in the loss unknown, of b (ranked: unknown, of a)")


def test_an_entry_that_diverged_with_a_penalty_is_last_of_those_with_the_same(make_study, join):
    common = {"coupling": "l2", "decay": 0.002, "loss_has_penalty": True, "metric": "loss", "goal": "minimize"}
    runs = join(make_study("a", {0.1: 0.5}, **common), make_study("b", {0.1: None}, **common))
    assert ranks(ranking.ranked_entries(runs)) == {"a": 1, "b": 2}


def test_irregular_files_are_counted_by_kind_superseded_ones_too(make_study):
    runs = make_study("sgd", {0.1: 0.5, 0.2: 0.4, 0.3: 0.3})
    runs["irregular"] = ["repeated_seed,no_validation", "", "no_validation"]
    runs.loc[2, "superseded"] = True
    row = only(ranking.ranked_entries(runs))
    assert row["irregular"] == {"repeated_seed": 1, "no_validation": 2}
    assert row["trials"] == 2


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ("problem_digest", "problem 1111 (ranked: 0000)"),
        ("network", "source of the network 1111 (ranked: 0000)"),
        ("data_digest", "data 1111 (ranked: 0000)"),
    ],
)
def test_entries_of_another_problem_network_or_data_stand_apart(column, told, make_study, join):
    same = [make_study(name, {0.1: 0.5}, again=AGAIN).assign(**{column: "0000"}) for name in "ab"]
    other = make_study("c", {0.1: 0.9}, again=AGAIN).assign(**{column: "1111"})
    rows = {row["label"]: row for row in ranking.ranked_entries(join(*same, other)).to_dict("records")}
    assert [rows[name]["comparable"] for name in "abc"] == [True, True, False]
    assert told in rows["c"]["note"]
    unknown = ranking.ranked_entries(join(*same, other.assign(**{column: ""})))
    assert unknown["comparable"].all()


def test_order_and_superseded_runs_and_the_sign_of_the_metric_change_nothing(make_study, join):
    generator = np.random.default_rng(1)
    studies = [
        make_study(name, dict(zip([0.1, 0.2, 0.3], generator.random(3), strict=True)), again=generator.random(6))
        for name in "abcde"
    ]
    # Of a problem whose loss may be negative.
    runs = join(*studies).assign(metric="loss", goal="maximize", problem="quadratic_deep")
    for column in [name for name in runs if name.endswith("_accuracy")]:
        runs[column.replace("accuracy", "loss")] = runs[column]
    expected = ranking.ranked_entries(runs)
    old = runs.assign(superseded=True, final_valid_loss=99.0, final_test_loss=99.0)
    shuffled = join(runs, old).sample(frac=1, random_state=2)
    pd.testing.assert_frame_equal(ranking.ranked_entries(shuffled), expected)
    losses = [name for name in runs if name.endswith("_loss")]
    least = ranking.ranked_entries(runs.assign(goal="minimize", **{name: -runs[name] for name in losses}))
    assert list(least["label"]) == list(expected["label"])
    for name in ("mean", "clean_mean"):
        np.testing.assert_array_equal(least[name], -expected[name])
    np.testing.assert_array_equal(least["sd"], expected["sd"])
    # Sums in another order: a few units in the last place.
    np.testing.assert_allclose(least["low"], -expected["high"], rtol=1e-14)
    np.testing.assert_allclose(least["iqm"], -expected["iqm"], rtol=1e-14)


def test_level_and_seed_are_those_of_the_intervals(make_study):
    runs = make_study("sgd", {0.1: 0.5}, again=AGAIN)
    for level, seed in ((0.95, 0), (0.8, 3)):
        row = only(ranking.ranked_entries(runs, level=level, seed=seed))
        values = [0.5, *AGAIN]
        assert (row["low"], row["high"]) == mean_interval(values, level)
        assert (row["iqm_low"], row["iqm_high"]) == interquartile_mean_interval(values, level, seed)
