"""Claims: their sentences, and how often simulated results of known truth are told right."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from regbench.analysis.claims import COLUMNS, claims, with_probabilities
from regbench.analysis.entries import reported
from regbench.analysis.significance import Sample, holm, seeds_needed

FRESH = 9
"""Seeds besides the tuning seed, as DeepOBS has them."""


@pytest.fixture(scope="module")
def results(make_runs):
    """The `runs` frame of simulated trees: (problem, candidate) -> values of seeds 42, 43, ... of its winner."""

    def make(values, **common):
        rows = [
            {"problem": problem, "candidate": candidate, "seed": 42 + number, "valid": value, "test": value}
            for (problem, candidate), seeds in values.items()
            for number, value in enumerate(seeds)
        ]
        return make_runs(rows, **common)

    return make


@pytest.fixture(scope="module")
def claims_of(results):
    """The claims of simulated results trees."""

    def make(values, level=0.05, against="best", **common):
        return claims(reported(results(values, **common)), level, against)

    return make


def two(first, second, tuned=0.5):
    """Two candidates with these values of fresh seeds."""
    return {("p", "a"): [tuned, *first], ("p", "b"): [tuned, *second]}


def test_claim_is_a_sentence_with_difference_interval_seeds_and_p(claims_of):
    row = claims_of(two([0.90, 0.91, 0.92], [0.80, 0.81, 0.82])).iloc[0]
    assert list(row.index) == COLUMNS
    assert (row["problem"], row["better"], row["worse"], row["claimed"]) == ("p", "a", "b", True)
    assert (row["n_better"], row["n_worse"]) == (3, 3)
    assert math.isnan(row["seeds_needed"])
    # t(0.975, 4) = 2.7764 times sqrt(2 * 0.0001 / 3) is 0.0227; t = 12.25 with 4 degrees of freedom: p = 0.00026.
    assert row["sentence"] == "a beats b on p by 0.100 [0.077, 0.123], 3 seeds each, p = 0.00026."


def test_difference_of_losses_is_the_amount_by_which_the_better_is_lower(claims_of):
    row = claims_of(two([90.0, 91.0, 92.0], [80.0, 81.0, 82.0]), metric="loss", goal="minimize").iloc[0]
    assert (row["better"], row["worse"]) == ("b", "a")
    assert row["sentence"] == "b beats a on p by 10.0 [7.7, 12.3], 3 seeds each, p = 0.00026."


def test_what_is_not_claimed_says_how_many_seeds_it_would_need(claims_of):
    row = claims_of(two([0.5, 0.6, 0.7, 0.8], [0.48, 0.58, 0.68, 0.88])).iloc[0]
    assert not row["claimed"]
    assert row["sentence"].startswith("b and a are not distinguishable on p at this budget (would need more than 1000")
    row = claims_of(two([0.5, 0.6, 0.7, 0.8], [0.6, 0.7, 0.8])).iloc[0]
    needed = seeds_needed(Sample.of([0.5, 0.6, 0.7, 0.8]), Sample.of([0.6, 0.7, 0.8]))
    assert row["seeds_needed"] == needed
    assert f"(would need about {needed:.0f} seeds each; 0.05 [" in row["sentence"]
    assert "3 and 4 seeds, p = " in row["sentence"]


@pytest.mark.parametrize("against, tests", [("best", 6), ("all", 6), ("c", 3)])
def test_seeds_needed_are_those_for_the_level_that_is_left_of_all_tests(claims_of, against, tests):
    """By SciPy's noncentral t distribution, of a test at the level that Holm leaves the smallest p value.

    The fresh seeds of all have the values x - 2, x, x + 2 in another unit each: variance 4, so that Welch's test with
    equal numbers is Student's. Of four entries there are six pairs, whichever are shown; against one of them, three.
    """
    values = {("p", name): [x, x - 2, x, x + 2] for name, x in zip("abcd", (0.0, 1.0, 2.5, 4.5), strict=True)}
    means = {name: seeds[0] for (_, name), seeds in values.items()}
    rows = claims_of(values, against=against)
    assert len(rows) == {"best": 3, "all": 6, "c": 3}[against]
    assert not rows["claimed"].any()

    def power(n, distance):
        freedom = 2 * n - 2
        critical = stats.t.ppf(1 - 0.05 / tests / 2, freedom)
        return stats.nct.sf(critical, freedom, distance / np.sqrt(2 * 4 / n))

    for row in rows.to_dict("records"):
        distance = abs(means[row["better"]] - means[row["worse"]])
        expected = next(n for n in range(2, 1000) if power(n, distance) >= 0.8)
        assert row["seeds_needed"] == expected, (row["better"], row["worse"])
        assert f"(would need about {row['seeds_needed']:.0f} seeds each;" in row["sentence"]


def test_lucky_tuning_seed_claims_nothing(claims_of):
    spread = [0.50, 0.51, 0.52, 0.53, 0.54]
    with_luck = claims_of({("p", "a"): [0.99, *spread], ("p", "b"): [0.01, *spread]})
    without = claims_of({("p", "a"): [0.5, *spread], ("p", "b"): [0.5, *spread]})
    assert not with_luck["claimed"].any()
    pd.testing.assert_frame_equal(with_luck, without)


def test_entry_without_fresh_seeds_is_named_and_claims_nothing(claims_of):
    rows = claims_of({("p", "a"): [0.9], ("p", "b"): [0.5, 0.6], ("p", "c"): [0.5, 0.6, 0.7]})
    assert list(rows["better"]) == ["c", "c"]
    assert not rows["claimed"].any()
    said = " ".join(rows["sentence"])
    assert "(a has no seed besides the tuning seed, two are needed)" in said
    assert "(b has one seed besides the tuning seed, two are needed)" in said


def test_seeds_without_spread_claim_nothing(claims_of):
    row = claims_of(two([0.9] * 5, [0.1] * 5)).iloc[0]
    assert not row["claimed"]
    assert "the seeds show no spread by which to judge the difference" in row["sentence"]


def test_values_that_are_not_finite_claim_nothing(claims_of):
    row = claims_of(two([0.9, 0.91, 0.92], [0.1, math.inf, 0.2]), metric="loss", goal="minimize").iloc[0]
    assert not row["claimed"]
    assert "not all values of b are finite" in row["sentence"]


def test_diverged_runs_count_as_logged_and_are_told(make_study, join):
    good = make_study("a", {0.1: 0.9}, [0.91, 0.92, 0.90, 0.91])
    bad = make_study("b", {0.1: 0.5}, [0.51, 0.52, 0.50, 0.1])
    bad.loc[bad.index[-1], "outcome"] = "diverged"
    row = claims(reported(join(good, bad))).iloc[0]
    assert row["n_worse"] == 4
    # Means 0.91 and (0.51 + 0.52 + 0.50 + 0.1) / 4 = 0.4075.
    assert row["difference"] == pytest.approx(0.91 - 0.4075, rel=1e-12)
    assert row["sentence"].endswith("Diverged, and counted with their values as logged: 1 of 4 runs of b.")


def test_entries_of_different_rules_are_not_compared(make_study, join):
    runs = join(
        make_study("a", {0.1: 0.9}, [0.91, 0.92, 0.93], protocol="strict"),
        make_study("b", {0.1: 0.5}, [0.51, 0.52, 0.53]),
        make_study("c", {0.1: 0.1}, [0.11, 0.12, 0.13]),
    )
    rows = claims(reported(runs))
    assert list(zip(rows["better"], rows["worse"], strict=True)) == [("b", "c")]
    left_out = reported(runs).assign(comparable=lambda frame: frame["label"] != "c")
    assert claims(left_out).empty


def test_losses_with_a_penalty_are_not_claimed(make_study, join):
    loss = {"metric": "loss", "goal": "minimize", "loss_has_penalty": True}
    runs = join(*(make_study(name, {0.1: x}, [x, x + 1, x + 2], **loss) for name, x in (("a", 1), ("b", 100))))
    assert claims(reported(runs)).empty
    assert len(claims(reported(runs.assign(loss_has_penalty=False)))) == 1


def test_maximizing_claims_what_minimizing_the_negative_claims(claims_of):
    generator = np.random.default_rng(4)
    values = {("p", name): generator.normal(mean, 1, 10) for name, mean in zip("abcd", (0, 1, 2, 5), strict=True)}
    up = claims_of(values, metric="loss", goal="maximize")
    down = claims_of({key: -seeds for key, seeds in values.items()}, metric="loss", goal="minimize")
    pd.testing.assert_frame_equal(up, down)


def test_shown_pairs_are_adjusted_for_all_pairs(claims_of):
    generator = np.random.default_rng(5)
    values = {("p", name): generator.normal(mean, 1, 10) for name, mean in zip("abcd", (0, 1, 2, 3), strict=True)}
    best, every = claims_of(values), claims_of(values, against="all")
    assert (len(best), len(every)) == (3, 6)
    assert set(best["better"]) == {"d"}
    shown = every[every["better"] == "d"].reset_index(drop=True)
    pd.testing.assert_frame_equal(best, shown)


def test_entry_singled_out_beforehand_needs_less_adjustment(claims_of):
    generator = np.random.default_rng(5)
    values = {("p", name): generator.normal(mean, 1, 10) for name, mean in zip("abcd", (0, 1, 2, 3), strict=True)}
    against = claims_of(values, against="a")
    assert len(against) == 3
    assert ((against["better"] == "a") | (against["worse"] == "a")).all()
    fresh = {name: seeds[1:] for (_, name), seeds in values.items()}
    raw = [stats.ttest_ind(fresh[name], fresh["a"], equal_var=False).pvalue for name in "dcb"]
    assert list(against["p"]) == pytest.approx(np.minimum(holm(raw), 1), rel=1e-10)


def test_interval_excludes_zero_where_a_difference_is_claimed_and_only_there(claims_of):
    generator = np.random.default_rng(6)
    values = {
        (f"p{number}", f"c{candidate}"): generator.normal(candidate / 2, 1, 10)
        for number in range(20)
        for candidate in range(5)
    }
    rows = claims_of(values, against="all")
    assert 0 < rows["claimed"].sum() < len(rows)
    np.testing.assert_array_equal(rows["claimed"], rows["low"] > 0)
    assert (rows["difference"] >= 0).all()


def test_probability_counts_the_pairs_of_fresh_seeds_that_the_better_wins(results):
    # Of 3 x 2 pairs the first wins five: 0.4 only against 0.3.
    runs = reported(results(two([0.4, 0.6, 0.8], [0.3, 0.5], tuned=0.0)))
    (row,) = with_probabilities(claims(runs), runs).to_dict("records")
    assert (row["better"], row["worse"]) == ("a", "b")
    assert row["probability"] == pytest.approx(5 / 6)
    assert 0 <= row["probability_low"] < 5 / 6 < row["probability_high"] <= 1


def test_entry_without_fresh_seeds_beats_nothing_with_any_probability(results):
    runs = reported(results(two([], [0.3, 0.5])))
    (row,) = with_probabilities(claims(runs), runs).to_dict("records")
    assert math.isnan(row["probability"])


def test_no_reported_runs_give_no_claims(results):
    rows = claims(reported(results({("p", "a"): [0.5, 0.6]})).head(0))
    assert list(rows.columns) == COLUMNS
    assert rows.empty


def test_levels_and_labels_that_do_not_exist_are_refused(results):
    runs = reported(results(two([0.5, 0.6], [0.5, 0.7])))
    with pytest.raises(ValueError, match=r"`level` must be in \(0, 1\). Received: level=5"):
        claims(runs, level=5)
    with pytest.raises(ValueError, match=r"`against` must be best, all or one of the labels. Received: against='z'"):
        claims(runs, against="z")


def simulated(means, repetitions, draw):
    """Trees of one problem with candidates of these true means, all in one frame: a problem is a repetition."""
    return {
        (f"p{number:03}", f"c{candidate}"): mean + draw(FRESH + 1)
        for number in range(repetitions)
        for candidate, mean in enumerate(means)
    }


NOISE = {
    "normal": lambda generator: lambda n: generator.normal(size=n),
    # Drawn for each candidate: some vary ten times as much as others.
    "unequal": lambda generator: lambda n: generator.normal(size=n) * generator.choice([0.1, 1.0]),
    "skewed": lambda generator: lambda n: generator.exponential(size=n) - 1,
    "sometimes diverged": lambda generator: lambda n: generator.normal(size=n) - 20 * (generator.random(n) < 0.1),
}


@pytest.mark.parametrize(
    "noise, level",
    [
        ("normal", 0.05),
        ("sometimes diverged", 0.05),
        pytest.param("normal", 0.2, marks=pytest.mark.slow),
        pytest.param("unequal", 0.05, marks=pytest.mark.slow),
        pytest.param("skewed", 0.05, marks=pytest.mark.slow),
    ],
)
def test_planted_ties_are_claimed_no_more_often_than_the_level(claims_of, noise, level):
    # Four equal candidates, six pairs; a repetition errs if any pair is claimed.
    rows = claims_of(simulated([0] * 4, 200, NOISE[noise](np.random.default_rng(7))), level, against="all")
    errors = rows.groupby("problem")["claimed"].any().sum()
    assert rows["problem"].nunique() == 200
    # A rate at the level gives more errors with a probability below 1e-4.
    assert errors <= stats.binom.ppf(1 - 1e-4, 200, level)


@pytest.mark.slow
def test_best_of_many_equal_candidates_is_claimed_no_more_often_than_the_level(claims_of):
    # The best is chosen by the values that are tested: with 15 candidates an adjustment for 14 pairs would not do.
    rows = claims_of(simulated([0] * 15, 200, NOISE["normal"](np.random.default_rng(8))))
    assert len(rows) == 200 * 14
    assert rows.groupby("problem")["claimed"].any().sum() <= stats.binom.ppf(1 - 1e-4, 200, 0.05)


def test_true_null_among_planted_differences_is_claimed_no_more_often_than_the_level(claims_of):
    # c0 and c1 are equal, c2 and c3 are far off in both directions.
    rows = claims_of(simulated([0, 0, 8, -8], 200, NOISE["normal"](np.random.default_rng(9))), against="all")
    tied = rows[rows["better"].isin(["c0", "c1"]) & rows["worse"].isin(["c0", "c1"])]
    assert len(tied) == 200
    assert tied["claimed"].sum() <= stats.binom.ppf(1 - 1e-4, 200, 0.05)
    assert rows[~rows.index.isin(tied.index)]["claimed"].all()


def test_planted_difference_is_found_with_the_stated_power(claims_of):
    # The smallest difference for which nine seeds each are said to be enough, in steps of 0.01 standard deviations.
    distance = next(
        step / 100 for step in range(50, 300) if seeds_needed(Sample(step / 100, 1, 2), Sample(0, 1, 2)) <= FRESH
    )
    rows = claims_of(simulated([0, distance], 200, NOISE["normal"](np.random.default_rng(10))))
    right = rows["claimed"] & (rows["better"] == "c1")
    # 80 % power: fewer or more with a probability below 1e-4 each; a step of 0.01 adds less than 0.5 %.
    assert stats.binom.ppf(1e-4, 200, 0.8) <= right.sum() <= stats.binom.ppf(1 - 1e-4, 200, 0.805)


def test_intervals_of_differences_hold_the_truth_as_often_as_they_say(claims_of):
    rows = claims_of(simulated([0, 0.5], 400, NOISE["normal"](np.random.default_rng(11))))
    # What is better may be either; the truth has the sign of c1 against c0.
    truth = np.where(rows["better"] == "c1", 0.5, -0.5)
    hits = ((rows["low"] <= truth) & (truth <= rows["high"])).sum()
    assert stats.binom.ppf(1e-4, 400, 0.95) <= hits <= stats.binom.ppf(1 - 1e-4, 400, 0.95)


UNEQUAL = {
    "trials": ({"budget": 8}, "8 trials against 4"),
    "sampler": ({"sampler": "qmc"}, "sampler qmc against random"),
}


@pytest.mark.parametrize("change", list(UNEQUAL))
def test_winners_of_unequal_searches_are_not_compared_whatever_the_seeds_say(results, change):
    other, reason = UNEQUAL[change]
    values = {
        ("p", "a"): [0.9, 0.9, 0.91, 0.92],
        ("p", "b"): [0.5, 0.5, 0.51, 0.52],
        ("p", "c"): [0.4, 0.4, 0.41, 0.42],
    }
    runs = results(values, search="x" * 64, sampler="random", budget=4.0, study_seed=42.0, further_seeds=3.0)
    runs["role"] = np.where(runs["seed"] == 42, "trial", "re-run")
    for name, value in other.items():
        runs.loc[runs["candidate"] == "a", name] = value
    shown = reported(runs)
    found = claims(shown, against="all").set_index(["better", "worse"])
    assert list(found["claimed"]) == [False, False, True]
    for pair in (("a", "b"), ("a", "c")):
        assert found.loc[pair, "reason"] == reason
        assert found.loc[pair, "sentence"] == f"a and {pair[1]} are not compared on p: {reason}."
        assert math.isnan(found.loc[pair, "p"])
    # They are no tests, so the one that is left is adjusted for none.
    alone = claims(shown[shown["candidate"] != "a"], against="all").iloc[0]
    assert found.loc[("b", "c"), "p"] == alone["p"]
    assert found.loc[("b", "c"), "reason"] == ""


def test_sampler_of_an_inferred_search_is_not_known_and_its_trials_are_its_budget(results):
    values = {("p", "a"): [0.9, 0.9, 0.91, 0.92], ("p", "b"): [0.5, 0.5, 0.51, 0.52]}
    runs = results(values)
    of_a = runs["candidate"] == "a"
    runs.loc[of_a, ["search", "sampler"]] = ["x" * 64, "random"]
    runs.loc[of_a, ["budget", "study_seed"]] = [1.0, 42.0]
    runs.loc[of_a, "role"] = np.where(runs.loc[of_a, "seed"] == 42, "trial", "re-run")
    assert claims(reported(runs)).iloc[0]["claimed"]
    runs.loc[of_a, "budget"] = 2.0
    row = claims(reported(runs)).iloc[0]
    assert (row["claimed"], row["reason"]) == (False, "2 trials against 1")
