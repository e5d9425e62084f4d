import json

import numpy as np
import pandas as pd
import pytest

from regbench.analysis import entries, stability


def only(table):
    (row,) = table.to_dict("records")
    return row


def limit(runs):
    row = only(stability.stability(runs))
    return row["largest_stable_learning_rate"], row["is_bounded"]


def test_with_one_hyperparameter_the_limit_is_the_largest_rate_below_the_first_divergence(make_study):
    assert limit(make_study("sgd", {0.001: 0.2, 0.01: 0.5, 0.1: 0.6, 1.0: None, 10.0: None})) == (0.1, True)


def test_where_nothing_diverged_it_is_the_largest_rate_tried(make_study):
    assert limit(make_study("sgd", {0.1: 0.2, 10.0: 0.5, 1.0: 0.6})) == (10.0, False)


def test_where_all_diverged_there_is_none(make_study):
    assert limit(make_study("sgd", {0.1: None, 10.0: None})) == pytest.approx((np.nan, False), nan_ok=True)


def test_where_only_larger_rates_completed_the_divergences_below_do_not_bound_them(make_study):
    assert limit(make_study("sgd", {0.1: None, 0.2: 0.5, 0.3: 0.5})) == (0.3, False)


def test_single_trials_that_another_hyperparameter_decided_do_not_set_the_limit(make_study):
    # With 41 rates, one early divergence (its momentum is to blame) and one late success.
    rates = np.logspace(-4, 0, 41)
    trials = {rate: None if rate > 0.011 else 0.5 for rate in rates}
    trials |= {rates[3]: None, rates[30]: 0.5}
    largest, is_bounded = limit(make_study("momentum", trials))
    assert (largest, is_bounded) == (pytest.approx(0.01), True)


def test_of_equally_good_thresholds_the_lowest_is_taken(make_study):
    # One wrong trial either way: 0.1 (0.3 completed above it) or 0.3 (0.2 diverged below it).
    assert limit(make_study("sgd", {0.1: 0.5, 0.2: None, 0.3: 0.5, 0.4: None})) == (0.1, True)


def test_a_rate_at_which_most_trials_diverged_is_not_stable(make_runs):
    rows = [{"setting": {"learning_rate": 0.1}}, {"setting": {"learning_rate": 0.2, "momentum": 0.0}}]
    rows += [{"setting": {"learning_rate": 0.2, "momentum": m}, "outcome": "diverged"} for m in (0.9, 0.99)]
    assert limit(make_runs(rows, valid=0.5)) == (0.1, True)


def test_trials_that_were_not_finished_are_counted_and_decide_nothing(make_study):
    runs = make_study("sgd", {0.1: 0.5, 0.2: 0.5, 0.3: None, 0.4: 0.5}, again=[0.1])
    runs.loc[[1, 3], "outcome"] = ["cut_short", "timed_out"]
    row = only(stability.stability(runs))
    assert (row["trials"], row["diverged"], row["unfinished"], row["divergence_rate"]) == (4, 1, 2, 0.25)
    assert (row["largest_stable_learning_rate"], row["is_bounded"]) == (0.1, True)


def test_settings_without_a_learning_rate_have_no_limit(make_runs):
    rows = [{"setting": {"momentum": 0.9}, "valid": 0.5}, {"setting": {"learning_rate": "warm"}, "valid": 0.5}]
    rows += [{"setting": {"learning_rate": value}, "valid": 0.5} for value in (10**400, [0.1], None)]
    for row in rows:
        assert limit(make_runs([row])) == pytest.approx((np.nan, False), nan_ok=True)


def test_every_entry_has_its_row_in_any_order_of_the_runs(make_study, join):
    runs = join(
        make_study("sgd", {0.1: 0.5, 0.2: None}),
        make_study("adam", {0.1: 0.5, 0.2: 0.6}),
        make_study("adam", {0.1: None}, problem="quadratic_deep", metric="loss", goal="minimize"),
    )
    table = stability.stability(runs)
    assert list(zip(table["problem"], table["label"], table["divergence_rate"], strict=True)) == [
        ("fmnist_2c2d", "adam", 0.0),
        ("fmnist_2c2d", "sgd", 0.5),
        ("quadratic_deep", "adam", 1.0),
    ]
    pd.testing.assert_frame_equal(stability.stability(runs.sample(frac=1, random_state=1)), table)


def test_no_runs_give_no_rows(make_runs):
    assert stability.stability(make_runs([])).empty


def two_dimensional(make_runs):
    settings = [(0.1, 0.9), (0.1, 0.5), (0.01, 0.9), (0.01, 0.5)]
    rows = [
        {"setting": {"learning_rate": rate, "momentum": momentum, "nesterov": True}, "valid": rate + momentum}
        for rate, momentum in settings
    ]
    rows[0] |= {"outcome": "diverged"}
    return make_runs(rows)


def test_sensitivity_is_the_score_over_one_hyperparameter_with_diverged_trials_marked(make_runs):
    frame = stability.sensitivity(entries.trials(two_dimensional(make_runs)), "learning_rate")
    assert list(frame["x"]) == [0.01, 0.01, 0.1, 0.1]
    assert list(frame["value"]) == pytest.approx([0.51, 0.91, 0.6, 1.0])
    assert list(frame["outcome"]) == ["completed", "completed", "completed", "diverged"]
    assert set(frame["decided_by"]) == {"valid_accuracy"}
    assert "y" not in frame


def test_sensitivity_over_two_hyperparameters_has_a_second_axis(make_runs):
    frame = stability.sensitivity(entries.trials(two_dimensional(make_runs)), "momentum", "learning_rate")
    assert list(zip(frame["x"], frame["y"], strict=True)) == [(0.5, 0.01), (0.5, 0.1), (0.9, 0.01), (0.9, 0.1)]
    np.testing.assert_allclose(frame["value"], frame["x"] + frame["y"], rtol=1e-15)


def test_trials_without_the_hyperparameter_as_a_number_are_left_out(make_runs):
    rows = [{"setting": {"power": power}} for power in (0.5, "half")] + [{"setting": {}}]
    trials = entries.trials(make_runs(rows, valid=0.5))
    assert list(stability.sensitivity(trials, "power")["x"]) == [0.5]
    assert stability.sensitivity(trials, "rho").empty


def test_sensitivity_gives_the_value_that_decides_and_its_direction(make_runs):
    runs = make_runs([{"setting": json.dumps({"learning_rate": 1}), "final_valid_loss": 2.5}])
    row = only(stability.sensitivity(entries.trials(runs), "learning_rate"))
    assert (row["value"], row["goal"], row["decided_by"]) == (2.5, "minimize", "valid_loss")


def test_rate_of_pytorch_is_a_learning_rate_too(make_study):
    runs = make_study("sgd", {0.001: 0.2, 0.01: 0.5, 0.1: 0.6, 1.0: None})
    runs["setting"] = runs["setting"].str.replace('"learning_rate"', '"lr"')
    assert limit(runs) == (0.1, True)
