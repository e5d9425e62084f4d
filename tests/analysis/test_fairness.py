import numpy as np
import pandas as pd
import pytest
from scipy import stats

from regbench.analysis import fairness, ranking


def card(runs):
    (row,) = fairness.cards(runs).to_dict("records")
    return row


def study(make_runs, settings, scores, **common):
    """The trials of one entry from their settings and validation scores; None for a diverged one."""
    rows = [
        {
            "setting": setting,
            "valid": 0.1 if score is None else score,
            "outcome": "completed" if score is not None else "diverged",
        }
        for setting, score in zip(settings, scores, strict=True)
    ]
    return make_runs(rows, **common)


def rates(make_runs, scores, **common):
    """As `study`, from learning rate -> score."""
    return study(make_runs, [{"learning_rate": rate} for rate in scores], scores.values(), **common)


def test_tuned_is_what_differs_between_the_trials(make_runs):
    settings = [
        {"learning_rate": 0.1, "momentum": 0.9, "nesterov": False},
        {"learning_rate": 0.2, "momentum": 0.9, "nesterov": True},
    ]
    assert card(study(make_runs, settings, [0.5, 0.6]))["tuned"] == ["learning_rate", "nesterov"]


def test_the_card_is_that_of_the_winner_by_the_same_mode(make_runs):
    # After the last epoch 0.01 is best, in any epoch 1.0, which ends the range of the file.
    rows = [
        {"setting": {"learning_rate": rate}, "final_valid_accuracy": final, "best_valid_accuracy": best}
        for rate, final, best in ((0.01, 0.8, 0.8), (1.0, 0.5, 0.9))
    ]
    found = {mode: fairness.cards(make_runs(rows), mode).iloc[0] for mode in ("final", "best")}
    assert {mode: row["edges"] for mode, row in found.items()} == {
        "final": "",
        "best": "learning_rate at the upper end",
    }
    assert {mode: row["near_best"] for mode, row in found.items()} == {"final": 0.5, "best": 0.5}


def test_one_trial_tunes_nothing(make_runs):
    row = card(rates(make_runs, {0.1: 0.5}))
    assert (row["tuned"], row["space"], row["at_edge"], row["edges"]) == ([], "", None, "")
    assert row["default_note"] == "nothing was tuned"


@pytest.mark.parametrize(
    "best, end",
    # The file of sgd searches the logarithm from 1e-4 to 1: 5 % are a fifth of a decade, a factor of 1.585.
    [(1.5e-4, "lower"), (1.6e-4, ""), (0.01, ""), (0.62, ""), (0.64, "upper"), (1.0, "upper")],
)
def test_the_edge_is_the_outer_twentieth_of_the_logarithm_of_the_files_range(make_runs, best, end):
    row = card(rates(make_runs, {0.03: 0.5, 0.05: 0.5, best: 0.9}))
    assert row["space"] == "catalog"
    assert row["at_edge"] == bool(end)
    assert row["edges"] == (f"learning_rate at the {end} end" if end else "")


@pytest.mark.parametrize("momentum, end", [(1 - 1.5e-4, "upper"), (0.999, ""), (0.5, ""), (0.3, "lower")])
def test_a_momentum_searched_on_its_distance_to_1_has_its_edges_there(make_runs, momentum, end):
    settings = [{"learning_rate": 0.01, "momentum": value} for value in (0.9, 0.8, momentum)]
    row = card(study(make_runs, settings, [0.5, 0.5, 0.9], candidate="momentum"))
    assert row["edges"] == (f"momentum at the {end} end" if end else "")


@pytest.mark.parametrize("power, end", [(0.4, "lower"), (0.5, ""), (0.9, "upper"), (0.9000000000000001, "upper")])
def test_the_edges_of_choices_are_the_first_and_the_last(make_runs, power, end):
    settings = [{"learning_rate": 0.01, "power": value} for value in (0.6, 0.7, power)]
    row = card(study(make_runs, settings, [0.5, 0.5, 0.9], candidate="power_sgd"))
    assert row["space"] == "catalog"
    assert row["edges"] == (f"power at the {end} end" if end else "")


@pytest.mark.parametrize("period, end", [(1, "lower"), (2, ""), (18, ""), (19, "upper")])
def test_the_edges_of_whole_numbers_are_on_a_straight_scale(make_runs, period, end):
    settings = [{"sync_period": value} for value in (5, 6, period)]
    row = card(study(make_runs, settings, [0.5, 0.5, 0.9], candidate="lookahead_momentum"))
    assert row["edges"] == (f"sync_period at the {end} end" if end else "")


def test_names_of_other_dialects_find_their_range(make_runs):
    settings = [{"beta1": value, "weight_decay_opt": 1e-3 * value} for value in (0.9, 0.8, 0.51)]
    row = card(study(make_runs, settings, [0.5, 0.5, 0.9], candidate="adam_decoupled"))
    assert row["space"] == "catalog"
    assert row["edges"] == "beta1 at the lower end"


OWN = """
summary = "mine"
source = "here"
[optimizer]
name = "lookahead"
inner_optimizer = { name = "sgd", learning_rate = { low = 1.0, high = 2.0 } }
learning_rate = { low = 0.1, high = 1.0 }
kind = { choices = [1, 2] }
"""


def test_an_inner_optimizers_value_goes_by_its_longer_name_and_two_choices_have_no_edge(
    make_runs, tmp_path, monkeypatch
):
    (tmp_path / "search_spaces").mkdir()
    (tmp_path / "search_spaces" / "mine.toml").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    settings = [
        {"learning_rate": outer, "inner_optimizer.learning_rate": inner, "kind": kind}
        for outer, inner, kind in ((0.5, 1.1, 1), (0.6, 1.5, 2), (0.4, 1.97, 1))
    ]
    row = card(study(make_runs, settings, [0.1, 0.2, 0.9], candidate="mine"))
    assert (row["space"], row["edges"]) == ("catalog", "inner_optimizer.learning_rate at the upper end")


@pytest.mark.parametrize("candidate", ["sgd", "nobody_knows_it"])
def test_trials_beyond_the_files_range_or_without_a_file_have_the_observed_ends(make_runs, candidate):
    scale = [10.0**exponent for exponent in range(-5, 3)]
    scores = dict.fromkeys(scale, 0.5)
    assert card(rates(make_runs, scores | {1.0: 0.9}, candidate=candidate))["edges"] == ""
    row = card(rates(make_runs, scores | {100.0: 0.9}, candidate=candidate))
    assert (row["space"], row["edges"]) == ("observed", "learning_rate at the upper end")


def test_observed_ends_less_than_a_factor_of_ten_apart_are_on_a_straight_scale(make_runs):
    # 5 % of 1..9 is 0.4; of the logarithm it would be a factor of 1.12.
    assert card(rates(make_runs, {1.0: 0.1, 9.0: 0.1, 1.3: 0.9}, candidate="x"))["at_edge"] is True
    assert card(rates(make_runs, {1.0: 0.1, 10.0: 0.1, 1.3: 0.9}, candidate="x"))["at_edge"] is False


def test_two_observed_values_and_words_have_no_edge(make_runs):
    assert card(rates(make_runs, {1.0: 0.1, 9.0: 0.9}, candidate="x"))["at_edge"] is False
    settings = [{"kind": kind} for kind in "abc"]
    assert card(study(make_runs, settings, [0.1, 0.5, 0.9], candidate="x"))["at_edge"] is False


def test_odd_values_of_foreign_settings_do_no_harm(make_runs):
    odd = [[1, 2], {"c": None}, 10**400, None, True, "Infinity", 1e308, -1e308, 0]
    settings = [{"learning_rate": value, "momentum": value, "beta1": value} for value in odd]
    for candidate in ("momentum", "adam", "power_sgd", "nobody_knows_it"):
        row = card(study(make_runs, settings, [n / 10 for n in range(len(odd))], candidate=candidate))
        assert row["tuned"] == ["beta1", "learning_rate", "momentum"]
        assert row["at_edge"] is False
    numbers = [{"learning_rate": value} for value in (1e308, -1e308, 0)]
    assert card(study(make_runs, numbers, [0.9, 0.1, 0.2]))["edges"] == "learning_rate at the upper end"


def test_what_comes_from_both_is_said_so(make_runs):
    settings = [{"learning_rate": value, "wind": value} for value in (0.01, 0.02, 0.03)]
    assert card(study(make_runs, settings, [0.1, 0.9, 0.5]))["space"] == "catalog and observed"


def test_without_a_winner_the_edge_is_unknown(make_runs):
    row = card(rates(make_runs, {0.1: None, 0.2: None}))
    assert row["at_edge"] is None
    assert (row["divergence_rate"], row["near_best"]) == (1.0, 0.0)
    assert np.isnan(row["default_gain"])


@pytest.mark.parametrize("goal, gain", [("maximize", 0.2), ("minimize", 0.3)])
def test_the_default_gain_is_how_much_better_the_winner_is_than_the_trial_with_the_defaults(make_runs, goal, gain):
    # The default of sgd is 0.01.
    row = card(rates(make_runs, {0.1: 0.7, 0.01: 0.5, 0.3: 0.2}, metric="loss", goal=goal))
    assert row["default_gain"] == pytest.approx(gain)
    assert row["default_note"] == ""


def test_a_diverged_default_counts_with_the_value_it_shows(make_runs):
    assert card(rates(make_runs, {0.1: 0.7, 0.01: None}))["default_gain"] == pytest.approx(0.6)


def test_without_a_run_with_the_defaults_there_is_no_gain(make_runs):
    row = card(rates(make_runs, {0.1: 0.7, 0.011: 0.5}))
    assert np.isnan(row["default_gain"])
    assert row["default_note"] == "no run with the default values"
    row = card(rates(make_runs, {0.1: 0.7, 0.01: 0.5}, candidate="nobody_knows_it"))
    assert np.isnan(row["default_gain"])
    assert row["default_note"] == "no default of learning_rate is known"


def test_all_tuned_values_must_be_the_defaults(make_runs):
    settings = [
        {"learning_rate": rate, "momentum": momentum} for rate, momentum in ((0.01, 0.9), (0.1, 0.99), (0.1, 0.5))
    ]
    assert np.isnan(card(study(make_runs, settings, [0.5, 0.6, 0.9], candidate="momentum"))["default_gain"])
    settings.append({"learning_rate": 0.01, "momentum": 0.99})
    row = card(study(make_runs, settings, [0.5, 0.6, 0.9, 0.4], candidate="momentum"))
    assert row["default_gain"] == pytest.approx(0.5)


def test_near_best_is_the_share_of_trials_within_one_percent_of_the_winner(make_runs):
    # 1 % of 0.8 is 0.008. Six trials; a diverged one that shows the same value does not count as near.
    runs = rates(make_runs, {0.1: 0.8, 0.2: 0.7921, 0.3: 0.7919, 0.4: 0.5, 0.5: None, 0.6: 0.8})
    runs.loc[4, "final_valid_accuracy"] = 0.8
    row = card(runs)
    assert row["near_best"] == pytest.approx(3 / 6)
    assert row["divergence_rate"] == pytest.approx(1 / 6)
    assert row["trials"] == 6


@pytest.mark.parametrize("goal", ["maximize", "minimize"])
def test_near_best_of_negative_scores_is_that_of_their_size(make_runs, goal):
    # Of -0.8 as of 0.8 one percent is 0.008; the goal decides which one wins. (A log-likelihood is such a loss.)
    better = -1 if goal == "minimize" else 1
    values = [-0.8, -0.8 - better * 0.0079, -0.8 - better * 0.0081, -0.8 - better * 0.3]
    runs = rates(make_runs, dict(zip((0.1, 0.2, 0.3, 0.4), values, strict=True)), metric="loss", goal=goal)
    assert card(runs)["near_best"] == pytest.approx(2 / 4)


def test_near_best_of_a_winner_with_score_zero_are_those_that_are_equal(make_runs):
    runs = rates(make_runs, {0.1: 0.0, 0.2: 0.0, 0.3: 1e-9}, metric="loss", goal="minimize")
    assert card(runs)["near_best"] == pytest.approx(2 / 3)


def test_the_seconds_of_a_step_are_median_and_quartiles_of_the_entrys_own_runs(make_runs, join):
    def timed(candidate, seconds, **common):
        rows = [{"setting": {"learning_rate": n}, "step_seconds": one} for n, one in enumerate(seconds)]
        return make_runs(rows, candidate=candidate, **common)

    runs = join(
        timed("sgd", [1.0, 2.0, 9.0]),
        timed("adam", [3.0, 5.0, 4.0, np.nan]),
        timed("adam", [1.0], batch_size=64),
        timed("lion", [np.nan]),
        timed("sgd", [10.0], problem="quadratic_deep"),
    )
    cards = fairness.cards(runs)
    columns = ["step_seconds_low", "step_seconds", "step_seconds_high"]
    found = {(row["problem"], row["label"]): tuple(row[columns]) for _, row in cards.iterrows()}
    expected = {
        ("fmnist_2c2d", "sgd"): (1.5, 2.0, 5.5),
        ("fmnist_2c2d", "adam · batch 128"): (3.5, 4.0, 4.5),
        ("fmnist_2c2d", "adam · batch 64"): (1.0, 1.0, 1.0),
        ("fmnist_2c2d", "lion"): (np.nan,) * 3,
        ("quadratic_deep", "sgd"): (10.0,) * 3,
    }
    assert found.keys() == expected.keys()
    for entry, values in expected.items():
        assert found[entry] == pytest.approx(values, nan_ok=True)


def test_the_order_of_runs_and_superseded_ones_change_no_card(make_runs, join):
    runs = join(
        rates(make_runs, {0.01: 0.5, 0.1: 0.7, 0.9: None}), rates(make_runs, {0.01: 0.4, 0.2: 0.6}, candidate="adam")
    )
    runs["step_seconds"] = np.arange(1.0, len(runs) + 1)
    expected = fairness.cards(runs)
    old = runs.assign(superseded=True, final_valid_accuracy=0.99, step_seconds=50.0, setting='{"learning_rate": 7}')
    pd.testing.assert_frame_equal(fairness.cards(join(runs, old).sample(frac=1, random_state=1)), expected)


def test_no_runs_give_no_cards(make_runs):
    assert fairness.cards(make_runs([])).empty


def baselines(make_study, values, **common):
    runs = make_study("sgd", {0.1: values[0]}, again=values[1:], metric="loss", goal="minimize", **common)
    return ranking.ranked_entries(runs)


OURS = [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "shift, verdict",
    # Both have variance 2.5 and five seeds: 2.306 (Student's t, 8 degrees, 5 %) times sqrt(2 * 2.5 / 5) is 2.306.
    [
        (0.0, "not distinguishable"),
        (2.2, "not distinguishable"),
        (-2.2, "not distinguishable"),
        (2.4, "stronger"),
        (-2.4, "weaker"),
    ],
)
def test_baselines_are_judged_by_welchs_test_in_the_direction_of_the_goal(make_study, shift, verdict):
    ours = [1.0, 2.0, 3.0, 4.0, 5.0]
    published = baselines(make_study, np.add(ours, shift), protocol="deepobs-1.1", source="published")
    (row,) = fairness.baseline_strength(baselines(make_study, ours), published).to_dict("records")
    assert row["difference"] == pytest.approx(-shift)
    assert row["standard_errors"] == pytest.approx(shift)
    assert row["p"] == pytest.approx(stats.ttest_ind(ours, np.add(ours, shift), equal_var=False).pvalue)
    assert row["verdict"] == verdict
    assert (row["protocol"], row["published_protocol"]) == ("deepobs", "deepobs-1.1")


def test_baselines_with_few_seeds_are_judged_by_the_degrees_of_the_smaller_sample(make_study):
    # Variances 1 and 2.5 over 3 and 5 seeds: an error of sqrt(1/3 + 1/2); 4.303 (2 degrees) times it is 3.93.
    for shift, verdict in ((3.8, "not distinguishable"), (4.0, "stronger")):
        table = baselines(make_study, [value + 1 + shift for value in (1.0, 2.0, 3.0, 4.0, 5.0)])
        assert list(fairness.baseline_strength(baselines(make_study, np.add(OURS, 2)), table)["verdict"]) == [verdict]


@pytest.mark.parametrize("n, n_published", [(2, 2), (2, 10), (3, 3), (3, 10), (10, 10)])
def test_equal_baselines_are_rarely_told_apart(make_study, n, n_published):
    generator = np.random.default_rng(n)
    rows = baselines(make_study, OURS).loc[[0] * 20_000].assign(problem=np.arange(20_000))
    ours, published = (
        rows.assign(mean=values.mean(axis=1), sd=values.std(axis=1, ddof=1), n_seeds=count)
        for count in (n, n_published)
        for values in [generator.normal(size=(20_000, count))]
    )
    told = fairness.baseline_strength(ours, published)["verdict"].isin(["stronger", "weaker"])
    # A rate of at most 5 % gives more with a probability below 1e-4. By two fixed standard errors it is 18 % with 2 and
    # 2 seeds, by Welch's own degrees of freedom 10 % with 2 and 10.
    assert told.sum() <= stats.binom.ppf(1 - 1e-4, 20_000, 0.05)


@pytest.mark.parametrize("ours, other", [([1.0], OURS), ([1.0, np.nan], OURS), ([1.0, 1.0], [2.0, 2.0])])
def test_a_baseline_without_spread_cannot_be_judged(make_study, ours, other):
    (row,) = fairness.baseline_strength(baselines(make_study, ours), baselines(make_study, other)).to_dict("records")
    assert row["verdict"] == "cannot be said"
    assert np.isnan([row["standard_errors"], row["p"]]).all()


def test_a_baseline_with_a_diverged_seed_cannot_be_judged_by_its_mean(make_study):
    table = baselines(make_study, OURS)
    for ours, published in ((table.assign(diverged_seeds=1), table), (table, table.assign(diverged_seeds=1))):
        assert list(fairness.baseline_strength(ours, published)["verdict"]) == ["cannot be said"]


@pytest.mark.parametrize("offset", [-10.0, -2.0, 0.0, 10.0])
@pytest.mark.parametrize("goal, better", [("minimize", -1), ("maximize", 1)])
def test_the_strength_of_a_baseline_does_not_depend_on_the_sign_of_its_losses(make_study, goal, better, offset):
    def table(values, **common):
        runs = make_study("sgd", {0.1: values[0]}, again=values[1:], metric="loss", goal=goal, **common)
        return ranking.ranked_entries(runs)

    # Means differ by 7 in favour of ours. Variances by hand: of 0, 1, 2 it is 1; of 0, 2, 4, 6 it is 20/3.
    ours = [offset + better * 7 - 1 + value for value in (0, 1, 2)]
    published = [offset - 3 + value for value in (0, 2, 4, 6)]
    (row,) = fairness.baseline_strength(table(ours), table(published)).to_dict("records")
    # Losses of up to 18, of which deviations of 1 lose two of 16 digits.
    assert row["difference"] == pytest.approx(better * 7, rel=1e-12)
    assert row["standard_errors"] == pytest.approx(7 / np.sqrt(1 / 3 + 20 / 3 / 4), rel=1e-12)
    assert row["verdict"] == "stronger"


def test_baselines_with_and_without_a_penalty_in_the_loss_cannot_be_judged(make_study):
    with_penalty = baselines(make_study, OURS, loss_has_penalty=True, decay=0.002)
    for other, verdict in (
        (baselines(make_study, OURS), "cannot be said"),
        (baselines(make_study, OURS, loss_has_penalty=True, decay=0.001), "cannot be said"),
        (with_penalty, "not distinguishable"),
    ):
        assert list(fairness.baseline_strength(with_penalty, other)["verdict"]) == [verdict]


@pytest.mark.parametrize("other", [{"epochs": 50}, {"batch_size": 64}, {"schedule": "cosine"}, {"problem": "x"}])
def test_baselines_under_other_rules_are_no_pair(make_study, other):
    assert fairness.baseline_strength(baselines(make_study, OURS), baselines(make_study, OURS, **other)).empty


def test_only_sgd_momentum_and_adam_are_baselines(make_study, join):
    table = ranking.ranked_entries(
        join(*(make_study(name, {0.1: 0.5}, again=[0.4]) for name in ("sgd", "adam", "momentum", "lion")))
    )
    assert sorted(fairness.baseline_strength(table, table)["candidate"]) == ["adam", "momentum", "sgd"]
