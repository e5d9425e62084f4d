"""Tuning curves against the order statistics they are, and how often their bands hold the truth."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from regbench.analysis.entries import trials
from regbench.analysis.tuning import flips, tuning_curves


@pytest.fixture(scope="module")
def curves_of(make_runs):
    """Tuning curves of simulated searches: candidate (or problem, candidate) -> scores in the order of the trials.

    None stands for a trial that diverged at 0.1.
    """

    def make(searches, confidence=0.8, seed=0, **common):
        rows = []
        for name, scores in searches.items():
            problem, candidate = name if isinstance(name, tuple) else ("p", name)
            for number, score in enumerate(scores):
                shown = 0.1 if score is None else score
                outcome = "diverged" if score is None else "completed"
                setting = json.dumps({"learning_rate": number})
                row = {"problem": problem, "candidate": candidate, "setting": setting, "outcome": outcome}
                rows.append(row | {"valid": shown, "test": shown} | common)
        return tuning_curves(trials(make_runs(rows)), confidence, seed)

    return make


LOSS = {"metric": "loss", "goal": "minimize"}


def test_expected_best_is_the_median_of_the_best(curves_of):
    scores = np.random.default_rng(0).random(20)
    curve = curves_of({"a": scores})
    # Of k draws from n equally likely scores the best is at most the i-th with probability (i/n)^k.
    positions = [next(i for i in range(1, 21) if (i / 20) ** k >= 0.5) for k in range(1, 21)]
    assert list(curve["k"]) == list(range(1, 21))
    assert list(curve["expected"]) == [np.sort(scores)[i - 1] for i in positions]
    assert curve["expected"].iloc[-1] == scores.max()


def test_curve_is_named_by_its_entry_and_score(curves_of):
    curve = curves_of({"a": [0.1, 0.2]})
    assert set(curve["label"]) == {"a"}
    assert set(curve["decided_by"]) == {"valid_accuracy"}
    assert set(curve["goal"]) == {"maximize"}


def test_minimizing_is_maximizing_the_negative(curves_of):
    scores = np.random.default_rng(1).normal(size=15)
    up = curves_of({"a": scores}, metric="loss", goal="maximize")
    down = curves_of({"a": -scores}, **LOSS)
    np.testing.assert_array_equal(up["expected"], -down["expected"])
    np.testing.assert_array_equal(up["low"], -down["high"])
    np.testing.assert_array_equal(up["high"], -down["low"])
    assert np.isfinite(down["high"].iloc[5:]).all()


def test_curves_go_along_with_any_increasing_transform(curves_of):
    scores = np.random.default_rng(2).normal(size=12)
    plain, transformed = (
        curves_of({"a": values}, metric="loss", goal="minimize") for values in (scores, np.exp(scores))
    )
    np.testing.assert_array_equal(transformed["expected"], np.exp(plain["expected"]))
    np.testing.assert_array_equal(transformed["high"], np.exp(plain["high"]))


def test_same_seed_gives_the_same_band_and_order_of_trials_does_not_matter(curves_of):
    scores = np.random.default_rng(3).random(10)
    band = curves_of({"a": scores}, seed=1)
    pd.testing.assert_frame_equal(band, curves_of({"a": scores}, seed=1))
    pd.testing.assert_frame_equal(band, curves_of({"a": scores[::-1]}, seed=1))


def test_band_holds_the_curve_rises_and_ends_where_nothing_is_known(curves_of):
    accuracy = curves_of({"a": np.random.default_rng(4).random(30)})
    assert (accuracy["low"] <= accuracy["expected"]).all()
    assert (accuracy["expected"] <= accuracy["high"]).all()
    for column in ("low", "expected", "high"):
        assert accuracy[column].is_monotonic_increasing
    assert accuracy["high"].iloc[-1] == 1.0
    loss = curves_of({"a": np.random.default_rng(4).random(30)}, **LOSS)
    assert loss["low"].iloc[-1] == -math.inf
    assert math.isfinite(loss["high"].iloc[-1])
    # A cross-entropy is not negative.
    entropy = curves_of({("fmnist_2c2d", "a"): np.random.default_rng(4).random(30)}, **LOSS)
    assert entropy["low"].iloc[-1] == 0.0


def test_higher_confidence_gives_a_wider_band(curves_of):
    scores = np.random.default_rng(5).random(30)
    narrow, wide = curves_of({"a": scores}, confidence=0.5), curves_of({"a": scores}, confidence=0.99)
    assert (wide["low"] <= narrow["low"]).all()
    assert (wide["high"] >= narrow["high"]).all()
    assert (wide["low"] < narrow["low"]).any()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_trials_have_a_curve_and_hardly_a_band(curves_of, n):
    curve = curves_of({"a": [0.5, 0.6, 0.7][:n]})
    assert len(curve) == n
    assert curve["low"].iloc[0] == 0.0
    assert set(curve["high"]) == {1.0}


def test_equal_scores_have_a_flat_curve(curves_of):
    curve = curves_of({"a": [0.5] * 8})
    assert set(curve["expected"]) == {0.5}


def test_many_trials_have_a_band_without_simulation(curves_of):
    curve = curves_of({"a": np.random.default_rng(6).random(300)})
    assert len(curve) == 300
    # Dvoretzky, Kiefer, Wolfowitz: sqrt(log(2 / 0.2) / (2 * 300)) = 0.062 around one half, +- one position.
    assert curve["high"].iloc[0] - curve["low"].iloc[0] == pytest.approx(2 * 0.062, abs=0.06)


def test_diverged_trials_count_as_the_worst(curves_of):
    curve = curves_of({"a": [0.5, None, None, 0.6], "b": [0.05, 0.7, 0.8, 0.9]})
    of_a = curve[curve["label"] == "a"]
    # Two of four at the worst score of the problem, 0.05: the median of one trial is there.
    assert list(of_a["expected"]) == [0.05, 0.5, 0.6, 0.6]


def test_losses_that_are_not_finite_count_as_the_worst_and_cut_short_trials_not_at_all(make_runs):
    rows = [
        {"setting": {"learning_rate": 1}, "valid": 1.0},
        {"setting": {"learning_rate": 2}, "valid": 3.0},
        {"setting": {"learning_rate": 3}, "valid": math.nan},
        {"setting": {"learning_rate": 4}, "valid": math.inf},
        {"setting": {"learning_rate": 5}, "valid": 0.0, "outcome": "cut_short"},
        {"setting": {"learning_rate": 6}, "valid": 0.0, "outcome": "timed_out"},
    ]
    curve = tuning_curves(trials(make_runs(rows, **LOSS)))
    assert list(curve["expected"]) == [3.0, 3.0, 3.0, 1.0, 1.0]


def test_entry_without_any_score_has_no_curve(curves_of):
    assert curves_of({"a": [math.nan, math.nan]}).empty
    assert list(curves_of({"a": [math.nan]}).columns) == list(curves_of({"a": [0.5]}).columns)


def test_bands_hold_the_whole_true_curve_as_often_as_they_say(curves_of):
    generator = np.random.default_rng(7)
    curves = curves_of({(f"p{number:03}", "a"): generator.random(20) for number in range(200)}, confidence=0.8)
    # Of uniform scores the best of k is below m with probability m^k: its median is 0.5^(1/k).
    truth = 0.5 ** (1 / curves["k"])
    inside = (curves["low"] <= truth) & (truth <= curves["high"])
    hits = inside.groupby(curves["problem"]).all().sum()
    # A rate of at least 0.8 gives fewer with a probability below 1e-4.
    assert hits >= stats.binom.ppf(1e-4, 200, 0.8)
    assert hits < 200


def test_confidence_that_does_not_exist_is_refused(curves_of):
    with pytest.raises(ValueError, match=r"`confidence` must be in \(0, 1\). Received: confidence=80"):
        curves_of({"a": [0.5]}, confidence=80)


def by_hand(goal="maximize", **curves):
    """Curves with bands of a given half width: label -> (half width, values)."""
    known = {"problem": "p", "protocol": "deepobs", "schedule": "none", "epochs": 100, "batch_size": 128}
    rows = [
        known
        | {"label": label, "decided_by": "valid_accuracy", "goal": goal, "k": k}
        | {"expected": value, "low": value - half, "high": value + half}
        for label, (half, values) in curves.items()
        for k, value in enumerate(values, start=1)
    ]
    return pd.DataFrame(rows)


def as_tuples(found):
    assert list(found.columns) == ["problem", "k", "first", "second", "supported"]
    return [tuple(row) for row in found.itertuples(index=False)]


def test_flip_is_where_the_order_changes():
    found = flips(by_hand(a=(0.1, [5, 5, 5, 5]), b=(0.1, [1, 4, 6, 7])))
    assert as_tuples(found) == [("p", 3, "a", "b", True)]
    down = flips(by_hand(goal="minimize", a=(0.1, [5, 5, 5, 5]), b=(0.1, [1, 4, 6, 7])))
    assert as_tuples(down) == [("p", 3, "b", "a", True)]


def test_flip_within_the_bands_is_not_supported():
    assert as_tuples(flips(by_hand(a=(3, [5, 5, 5]), b=(3, [4, 6, 7])))) == [("p", 2, "a", "b", False)]
    # Clear before, unclear after.
    assert as_tuples(flips(by_hand(a=(1, [5, 5, 5]), b=(1, [1, 6, 6])))) == [("p", 2, "a", "b", False)]


def test_equal_values_flip_nothing_and_every_change_is_listed():
    assert as_tuples(flips(by_hand(a=(0, [5, 5, 5]), b=(0, [4, 5, 4])))) == []
    assert as_tuples(flips(by_hand(a=(0, [5, 5, 5, 5]), b=(0, [4, 5, 6, 4])))) == [
        ("p", 3, "a", "b", True),
        ("p", 4, "b", "a", True),
    ]


def test_only_curves_of_the_same_rules_and_length_are_compared():
    curves = by_hand(a=(0, [5, 5, 5, 5]), b=(0, [4, 6]))
    assert len(flips(curves)) == 1
    curves.loc[curves["label"] == "b", "protocol"] = "strict"
    assert flips(curves).empty
    assert as_tuples(flips(by_hand(a=(0, [5, 5, 5]), b=(0, [4])))) == []


def test_planted_flip_is_found_and_supported(curves_of):
    # `safe` is always near 0.5; `risky` reaches 0.9 with 30 % of the trials: from k = 2 its median is up there, as
    # 0.7^2 = 0.49. The share seen in 75 trials, 30 % +- 5 % (one standard error), says k = 2 or 3.
    generator = np.random.default_rng(8)
    safe = 0.5 + 0.01 * generator.random(75)
    risky = np.where(generator.random(75) < 0.3, 0.9, 0.1) + 0.01 * generator.random(75)
    found = flips(curves_of({"safe": safe, "risky": risky}))
    assert len(found) == 1
    assert (found["first"].item(), found["second"].item(), found["supported"].item()) == ("safe", "risky", True)
    assert found["k"].item() in (2, 3)


def test_flips_of_equal_candidates_are_not_supported(curves_of):
    generator = np.random.default_rng(9)
    found = flips(curves_of({(f"p{n:03}", name): generator.random(30) for n in range(100) for name in "ab"}))
    # While both bands hold the one truth they overlap: a flip is supported only where one of the two bands, 80 % each,
    # fails, so on at most 36 % of the problems.
    assert len(found) > 0
    assert found.groupby("problem")["supported"].any().sum() <= stats.binom.ppf(1 - 1e-4, 100, 0.36)
