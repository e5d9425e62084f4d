import json
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regbench.analysis import entries
from regbench.analysis.labels import ENTRY


def winner(runs, mode="final"):
    (row,) = entries.winners(runs, mode).to_dict("records")
    return row


def rate(row):
    return json.loads(row["setting"])["learning_rate"]


def test_labels_that_are_there_stay(make_study):
    page = make_study("sgd", {0.1: 0.5}).assign(label="as on the page")
    assert set(entries.trials(page)["label"]) == {"as on the page"}


@pytest.mark.parametrize(
    "seeds, expected",
    [
        ({1: 3, 42: 2}, 1),
        ({1: 2, 42: 2, 50: 2}, 42),
        ({50: 2, 7: 2}, 7),
    ],
)
def test_the_tuning_seed_ran_most_settings_then_is_42_then_the_lowest(make_runs, seeds, expected):
    rows = [{"seed": seed, "setting": {"learning_rate": n}} for seed, count in seeds.items() for n in range(count)]
    runs = make_runs(rows, valid=0.5)
    assert winner(runs)["tuning_seed"] == expected
    assert set(entries.trials(runs)["seed"]) == {expected}


def test_trials_are_one_a_setting_whatever_became_of_them(make_study, make_runs, join):
    runs = join(
        make_study("sgd", {0.1: 0.5, 0.2: None, 0.3: 0.4}, again=[0.5, 0.6]),
        make_runs([{"setting": {"learning_rate": 0.4}, "outcome": "cut_short", "valid": 0.9}]),
        make_runs([{"setting": {"learning_rate": 0.5}, "outcome": "timed_out", "valid": 0.9}]),
    )
    trials = entries.trials(runs)
    assert list(trials["outcome"]) == ["completed", "diverged", "completed", "cut_short", "timed_out"]
    row = winner(runs)
    assert (row["trials"], row["diverged"], row["unfinished"], rate(row)) == (5, 1, 2, 0.1)


@pytest.mark.parametrize("goal, best", [("maximize", 0.2), ("minimize", 0.3)])
def test_the_best_final_score_wins_in_the_direction_of_the_goal(make_study, goal, best):
    runs = make_study("sgd", {0.1: 0.5, 0.2: 0.7, 0.3: 0.1}, metric="loss", goal=goal)
    assert rate(winner(runs)) == best


def test_the_validation_split_decides_and_not_the_test_split(make_runs):
    rows = [{"setting": {"learning_rate": 1}, "valid": 0.6, "test": 0.1}]
    rows += [{"setting": {"learning_rate": 2}, "valid": 0.5, "test": 0.9}]
    row = winner(make_runs(rows))
    assert (rate(row), row["score"], row["decided_by"]) == (1, 0.6, "valid_accuracy")


@pytest.mark.parametrize(
    "given, expected, by",
    [
        (["valid_accuracy", "valid_loss", "test_accuracy", "test_loss"], 1, "valid_accuracy"),
        (["valid_loss", "test_accuracy", "test_loss"], 2, "valid_loss"),
        (["test_accuracy", "test_loss"], 3, "test_accuracy"),
        (["test_loss"], 4, "test_loss"),
    ],
)
def test_what_decides_falls_back_from_accuracy_to_loss_and_from_validation_to_test(make_runs, given, expected, by):
    # Setting 1 is best by the first of the four, setting 2 by the second, ...
    best = {"valid_accuracy": 1, "valid_loss": 2, "test_accuracy": 3, "test_loss": 4}
    rows = []
    for number in (1, 2, 3, 4):
        values = {name: (best[name] == number) == name.endswith("accuracy") for name in given}
        final = {f"final_{name}": float(value) for name, value in values.items()}
        rows.append({"setting": {"learning_rate": number}, **final})
    row = winner(make_runs(rows))
    assert (rate(row), row["decided_by"]) == (expected, by)


def test_one_trial_without_accuracies_does_not_change_what_decides(make_runs):
    rows = [{"setting": {"learning_rate": 1}, "final_valid_loss": 0.1}]
    rows += [{"setting": {"learning_rate": 2}, "final_valid_loss": 0.5, "valid": 0.8}]
    assert rate(winner(make_runs(rows))) == 2


def test_what_a_diverged_trial_has_does_not_decide(make_runs):
    rows = [{"setting": {"learning_rate": 1}, "valid": 0.1, "outcome": "diverged"}]
    rows += [{"setting": {"learning_rate": n}, "final_valid_loss": float(n)} for n in (3, 2)]
    row = winner(make_runs(rows))
    assert (rate(row), row["decided_by"]) == (2, "valid_loss")


@pytest.mark.parametrize("outcome", ["diverged", "cut_short", "timed_out"])
def test_only_completed_trials_win(make_runs, outcome):
    rows = [{"setting": {"learning_rate": 1}, "valid": 0.9, "test": 0.9, "train": 0.9, "outcome": outcome}]
    rows += [{"setting": {"learning_rate": 2}, "valid": 0.2, "test": 0.2, "train": 0.2}]
    runs = make_runs(rows)
    assert [rate(winner(runs, mode)) for mode in entries.MODES] == [2, 2, 2, 2, 2]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("goal", ["maximize", "minimize"])
def test_a_score_that_is_not_finite_never_wins(make_study, value, goal):
    runs = make_study("sgd", {0.1: 1.0, 0.2: 2.0}, metric="loss", goal=goal)
    runs.loc[2] = runs.loc[0].to_dict() | {"run": 2, "setting": '{"learning_rate": 3}', "final_valid_loss": value}
    assert rate(winner(runs)) == (0.2 if goal == "maximize" else 0.1)


def test_of_equal_scores_the_setting_that_was_rerun_wins_then_the_first_by_text(make_study):
    tied = {0.3: 0.5, 0.1: 0.5, 0.2: 0.5}
    assert rate(winner(make_study("sgd", tied))) == 0.1
    # The factory re-runs the first of equals, which is 0.3.
    assert rate(winner(make_study("sgd", tied, again=[0.4]))) == 0.3


@pytest.mark.parametrize(
    "outcomes, reason",
    [
        (["diverged"] * 3, "all 3 trials diverged"),
        (["cut_short", "timed_out"], "none of 2 trials was finished"),
        (["diverged", "cut_short"], "1 of 2 trials diverged, the others were not finished"),
        (["completed", "diverged"], "no completed trial has a finite value"),
    ],
)
def test_an_entry_without_winner_stays_and_says_why(make_runs, outcomes, reason):
    runs = make_runs({"setting": {"learning_rate": n}, "outcome": outcome} for n, outcome in enumerate(outcomes))
    row = winner(runs)
    assert row["setting"] is None
    assert row["reason"] == reason
    assert entries.reported(runs).empty


def test_best_looks_at_the_best_epoch_and_reports_it(make_runs):
    rows = [{"setting": {"learning_rate": 1}, "valid": 0.7, "test": 0.6}]
    rows += [{"setting": {"learning_rate": 2}, "valid": 0.5, "best_valid_accuracy": 0.8, "best_test_accuracy": 0.75}]
    runs = make_runs(rows)
    assert (rate(winner(runs)), rate(winner(runs, "best"))) == (1, 2)
    assert list(entries.reported(runs)["value"]) == [0.6]
    assert list(entries.reported(runs, "best")["value"]) == [0.75]


def test_most_takes_the_setting_with_the_most_seeds(make_runs):
    rows = [
        {"setting": {"learning_rate": n}, "seed": seed, "valid": n / 10}
        for n, seeds in ((1, 3), (2, 2), (3, 1))
        for seed in range(42, 42 + seeds)
    ]
    assert [rate(winner(make_runs(rows), mode)) for mode in ("final", "most")] == [3, 1]


def test_most_falls_back_to_final_where_all_have_the_same_number_of_seeds(make_study):
    runs = make_study("sgd", {0.1: 0.5, 0.2: 0.7, 0.3: None})
    assert rate(winner(runs, "most")) == 0.2


def test_most_may_choose_a_setting_that_was_only_rerun(make_runs):
    rows = [{"setting": {"learning_rate": n}, "valid": 0.5} for n in (1, 2)]
    rows += [{"setting": {"learning_rate": 3}, "seed": seed, "valid": 0.4, "test": 0.4} for seed in (43, 44)]
    runs = make_runs(rows)
    row = winner(runs, "most")
    assert (rate(row), row["decided_by"]) == (3, "seeds")
    assert np.isnan(row["score"])
    assert rate(winner(runs)) == 1
    assert list(entries.reported(runs, "most")["seed"]) == [43, 44]


def test_unfinished_runs_count_for_nothing_in_most(make_runs):
    rows = [{"setting": {"learning_rate": 1}, "valid": 0.5, "seed": seed} for seed in (42, 43)]
    rows += [{"setting": {"learning_rate": 2}, "valid": 0.9, "seed": 42}]
    rows += [{"setting": {"learning_rate": 2}, "valid": 0.9, "seed": s, "outcome": "cut_short"} for s in (43, 44)]
    assert rate(winner(make_runs(rows), "most")) == 1


def test_a_setting_that_only_diverged_is_not_the_one_with_the_most_seeds(make_runs):
    rows = [{"setting": {"learning_rate": 1}, "seed": seed, "outcome": "diverged"} for seed in (42, 43, 44)]
    rows += [{"setting": {"learning_rate": 2}, "valid": 0.5}]
    assert rate(winner(make_runs(rows), "most")) == 2


def test_reported_are_the_runs_of_the_winner_one_a_seed(make_study):
    runs = make_study("sgd", {0.1: 0.5, 0.2: 0.7}, again=[0.6, 0.65])
    reported = entries.reported(runs)
    assert list(reported["seed"]) == [42, 43, 44]
    assert list(reported["value"]) == [0.7, 0.6, 0.65]
    assert list(reported["is_tuning_seed"]) == [True, False, False]
    assert set(reported["setting"]) == {'{"learning_rate": 0.2}'}
    assert set(ENTRY) < set(reported.columns)


def test_diverged_reruns_are_reported_and_unfinished_ones_are_not(make_study):
    runs = make_study("sgd", {0.1: 0.5}, again=[0.1, 0.9, 0.8])
    runs.loc[[1, 2, 3], "outcome"] = ["diverged", "cut_short", "timed_out"]
    assert list(entries.reported(runs)["value"]) == [0.5, 0.1]


def test_strict_leaves_out_the_tuning_seed_unless_there_is_no_other(make_study):
    fresh = make_study("sgd", {0.1: 0.5, 0.2: 0.7}, again=[0.6, 0.65], protocol="strict")
    assert list(entries.reported(fresh)["seed"]) == [43, 44]
    alone = entries.reported(make_study("sgd", {0.1: 0.5, 0.2: 0.7}, protocol="strict"))
    assert list(alone["seed"]) == [42]
    assert list(alone["is_tuning_seed"]) == [True]


@pytest.mark.parametrize(
    "metric, goal, value", [("loss", "minimize", 0.25), ("accuracy", "maximize", 0.5), (None, "maximize", 0.5)]
)
def test_another_metric_and_split_can_be_reported_without_changing_the_winner(make_runs, metric, goal, value):
    runs = make_runs([{"train": 0.5, "valid": 0.4, "final_train_loss": 0.25}])
    (row,) = entries.reported(runs, metric=metric, split="train").to_dict("records")
    assert (row["value"], row["goal"], row["metric"]) == (value, goal, metric or "accuracy")


def test_the_metric_of_the_problem_keeps_its_direction_when_it_is_asked_for(make_runs):
    runs = make_runs([{"valid": 0.4, "test": 0.5}], metric="loss", goal="maximize")
    assert list(entries.reported(runs, metric="loss")["goal"]) == ["maximize"]


@pytest.mark.parametrize(
    "bad, message",
    [
        ({"mode": "worst"}, "`mode` must be one of final, best, most, test, train. Received: mode='worst'"),
        ({"metric": "speed"}, "`metric` must be one of loss, accuracy, .*. Received: metric='speed'"),
        ({"split": "tests"}, "`split` must be train, valid or test. Received: split='tests'"),
    ],
)
def test_unknown_words_are_refused(make_study, bad, message):
    with pytest.raises(ValueError, match=message):
        entries.reported(make_study("sgd", {0.1: 0.5}), **bad)


def test_hyperparameters_become_columns(make_runs):
    runs = make_runs([{"setting": {"a": 1.0}}, {"setting": {"a": 2.0, "b": "x"}}]).set_axis([5, 3])
    expected = pd.DataFrame({"a": [1.0, 2.0], "b": [np.nan, "x"]}, index=[5, 3])
    pd.testing.assert_frame_equal(entries.hyperparameters(runs), expected, check_dtype=False)


def test_hyperparameters_that_are_no_plain_values_can_be_compared(make_runs):
    odd = {"a": [1, 2], "b": {"c": None}, "d": 10**400, "e": None, "f": True, "g": "Infinity"}
    row = entries.hyperparameters(make_runs([{"setting": odd}])).iloc[0].to_dict()
    assert row == {"a": "[1, 2]", "b": '{"c": null}', "d": "1" + 400 * "0", "e": None, "f": True, "g": "Infinity"}


values = st.sampled_from([0.1, 0.25, 0.5, 0.75, np.nan, np.inf])
outcomes = st.sampled_from(["completed", "completed", "completed", "diverged", "cut_short"])
studies = st.lists(
    st.tuples(st.sampled_from(["sgd", "adam"]), st.integers(1, 4), st.integers(41, 44), values, outcomes),
    min_size=1,
    max_size=25,
    unique_by=lambda run: run[:3],
)


def as_runs(make_runs, study, **common):
    return make_runs(
        [
            {
                "candidate": name,
                "setting": {"learning_rate": n},
                "seed": seed,
                "valid": v,
                "test": v,
                "outcome": outcome,
            }
            for name, n, seed, v, outcome in study
        ],
        **common,
    )


@settings(max_examples=15)
@given(studies, st.randoms(use_true_random=False), st.sampled_from(entries.MODES))
def test_neither_the_order_of_rows_nor_superseded_runs_matter(make_runs, study, random, mode):
    runs = as_runs(make_runs, study)
    expected = entries.reported(runs, mode)
    old = as_runs(make_runs, [(*run[:3], 0.99, "completed") for run in study], superseded=True)
    mixed = pd.concat([runs, old.assign(run=old["run"] + len(runs))], ignore_index=True)
    mixed = mixed.loc[random.sample(range(len(mixed)), len(mixed))]
    pd.testing.assert_frame_equal(entries.reported(mixed, mode), expected)
    pd.testing.assert_frame_equal(entries.winners(mixed, mode), entries.winners(runs, mode))


@settings(max_examples=15)
@given(studies, st.sampled_from(entries.MODES))
def test_to_maximise_is_to_minimise_the_negative(make_runs, study, mode):
    most = as_runs(make_runs, study, metric="loss", goal="maximize")
    negative = [(*run[:3], -run[3], run[4]) for run in study]
    least = as_runs(make_runs, negative, metric="loss", goal="minimize")
    expected, found = entries.reported(most, mode), entries.reported(least, mode)
    pd.testing.assert_series_equal(found["value"], -expected["value"])
    pd.testing.assert_frame_equal(found[["run", "setting"]], expected[["run", "setting"]])


def test_no_runs_give_no_entries(make_runs):
    for function in (entries.trials, entries.winners, entries.reported):
        assert function(make_runs([])).empty


def lines_of(function, *arguments):
    """How many lines of Python run, those of each iteration of a loop anew, however fast."""
    lines = 0

    def count(frame, event, argument):
        nonlocal lines
        lines += 1
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        found = function(*arguments)
    finally:
        sys.settrace(before)
    return lines, found


@pytest.mark.parametrize("function", [entries.trials, entries.winners, entries.reported])
def test_ten_times_as_many_runs_of_as_many_entries_take_hardly_more_lines(make_runs, function):
    """No loop over runs, which of fifty thousand would take minutes: columns are computed as a whole."""

    def tree(settings):
        runs = make_runs({"candidate": f"c{n % 20}", "seed": 42 + n // (18 * settings)} for n in range(20 * settings))
        runs["setting"] = [f'{{"learning_rate": {n // 20}}}' for n in range(20 * settings)]
        runs["final_valid_accuracy"] = runs["final_test_accuracy"] = np.random.default_rng(0).random(20 * settings)
        return runs

    few, _ = lines_of(function, tree(20))
    many, found = lines_of(function, tree(200))
    assert len(set(found["label"])) == 20
    # A loop with a single line for each of the 3600 further runs would show.
    assert many < few + 1800


def decays(make_runs, strengths):
    """Trials of one entry with these decays; the later, the better."""
    rows = [
        {"setting": {"learning_rate": 0.1 + value, "decay": strength}, "decay": strength, "valid": value, "test": value}
        for value, strength in zip(np.arange(1, 11) / 20, strengths, strict=True)
    ]
    return make_runs(rows, coupling="decoupled")


def test_settings_with_another_decay_than_four_fifths_of_the_trials_are_no_trials(make_runs):
    runs = decays(make_runs, [0.002] * 8 + [0.001] * 2)
    (winner,) = entries.winners(runs).to_dict("records")
    assert (winner["decay"], winner["trials"], winner["aside"]) == (0.002, 8, 2)
    assert set(entries.trials(runs)["decay"]) == {0.002}
    assert set(entries.reported(runs)["value"]) == {8 / 20}


def test_a_decay_that_was_searched_has_no_settings_aside(make_runs):
    for strengths in ([0.002] * 7 + [0.001] * 3, np.geomspace(1e-5, 1e-1, 10)):
        (winner,) = entries.winners(decays(make_runs, strengths)).to_dict("records")
        assert (winner["decay"], winner["trials"], winner["aside"]) == (strengths[-1], 10, 0)
