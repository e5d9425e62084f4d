"""Claims: their sentences, and how often simulated results of known truth are told right."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from regbench.analysis import scores
from regbench.analysis.claims import COLUMNS, claims, with_runs
from regbench.analysis.ranking import ranked_entries
from regbench.analysis.significance import holm

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


def claims_from(runs, **arguments):
    """The claims of a `runs` frame."""
    searched = scores.searched(runs)
    return claims(ranked_entries(runs, searched=searched), searched, **arguments)


@pytest.fixture(scope="module")
def claims_of(results):
    """The claims on settings of simulated results trees; of one trial each, those given the budget are the same."""

    def make(values, level=0.05, against="best", question="settings", **common):
        return claims_from(results(values, **common), level=level, against=against, question=question)

    return make


def two(first, second, tuned=0.5):
    """Two candidates with these values of fresh seeds."""
    return {("p", "a"): [tuned, *first], ("p", "b"): [tuned, *second]}


HIGH, LOW = [0.90, 0.91, 0.92, 0.90, 0.92], [0.80, 0.81, 0.82, 0.80, 0.82]
# t(0.975, 8) = 2.3060 times sqrt(2 * 0.0001 / 5) is 0.0146; t = 15.8 with 8 degrees of freedom: p < 0.0001.


@pytest.mark.parametrize(
    "question, sentence",
    [
        (
            "settings",
            "the setting found for a beats the setting found for b on p by 0.100 [0.085, 0.115] on this "
            "test set over 5 fresh seeds each (p < 0.0001).",
        ),
        (
            "budget",
            "a beats b on p by 0.100 [0.085, 0.115] on this test set when each is tuned anew with its "
            "budget (p < 0.0001).",
        ),
    ],
)
def test_claim_is_a_sentence_with_question_difference_interval_and_p(claims_of, question, sentence):
    row = claims_of(two(HIGH, LOW), question=question).iloc[0]
    assert list(row.index) == COLUMNS
    assert (row["problem"], row["better"], row["worse"], row["claimed"]) == ("p", "a", "b", True)
    assert (row["n_better"], row["n_worse"], row["comparisons"], row["question"]) == (5, 5, 1, question)
    assert (row["level"], row["reason"]) == (pytest.approx(0.95), "")
    assert row["sentence"] == sentence


def test_difference_of_losses_is_the_amount_by_which_the_better_is_lower(claims_of):
    row = claims_of(
        two([90.0, 91.0, 92.0, 90.0, 92.0], [80.0, 81.0, 82.0, 80.0, 82.0]), metric="loss", goal="minimize"
    ).iloc[0]
    assert (row["better"], row["worse"]) == ("b", "a")
    assert "by 10.0 [8.5, 11.5]" in row["sentence"]


def test_what_is_not_claimed_says_which_difference_would_have_been_seen(claims_of):
    values = two([0.5, 0.6, 0.7, 0.8, 0.9], [0.52, 0.62, 0.72, 0.82, 0.92])
    row = claims_of(values).iloc[0]
    assert not row["claimed"]
    # t(0.975, 8) + t(0.8, 8) = 2.306 + 0.889, times sqrt(2 * 0.025 / 5) = 0.1.
    assert row["detectable"] == pytest.approx(0.3195, abs=1e-4)
    assert "cannot be told apart on p over 5 fresh seeds each (0.02 [" in row["sentence"]
    assert "; 0.32 or more would have been seen)." in row["sentence"]


def test_end_of_an_interval_that_is_claimed_is_never_rounded_to_zero(claims_of):
    shift = 2.3061 * np.sqrt(2 * np.var([0, 1, 2, 3, 4], ddof=1) / 5)
    row = claims_of(
        two([shift + x for x in range(5)], range(5)), metric="loss", goal="maximize", question="budget"
    ).iloc[0]
    assert row["claimed"]
    assert 0 < row["low"] < 0.001
    low = float(row["sentence"].split("[")[1].split(",")[0])
    assert low > 0


def test_ranks_that_contradict_the_means_keep_a_difference_of_settings_from_being_claimed(claims_of):
    """The mean of b is far lower for its collapsed seeds alone; its other seeds are better than those of a."""
    a = [0.9, 0.9001, 0.9002, 0.9003, 0.9004, 0.9005, 0.9006, 0.9007, 0.9008]
    b = [0.91 + 0.0001 * x for x in range(6)] + [0.1, 0.12, 0.11, 0.1, 0.12]
    row = claims_of(two(a, b)).iloc[0]
    assert stats.ttest_ind(a, b, equal_var=False).pvalue < 0.05
    assert (row["better"], row["claimed"]) == ("a", False)


def test_lucky_tuning_seed_claims_nothing(claims_of):
    spread = [0.50, 0.51, 0.52, 0.53, 0.54]
    with_luck = claims_of({("p", "a"): [0.99, *spread], ("p", "b"): [0.01, *spread]})
    without = claims_of({("p", "a"): [0.5, *spread], ("p", "b"): [0.5, *spread]})
    assert not with_luck["claimed"].any()
    pd.testing.assert_frame_equal(with_luck, without)


@pytest.mark.parametrize("question", ["budget", "settings"])
def test_fewer_than_five_fresh_seeds_claim_nothing(claims_of, question):
    values = {("p", "a"): [0.9], ("p", "b"): [0.5, 0.6], ("p", "c"): [0.5, 0.6, 0.7, 0.8, 0.9, 0.8]}
    rows = claims_of(values, question=question, against="all")
    assert not rows["claimed"].any()
    assert rows["p"].isna().all()
    said = " ".join(rows["sentence"])
    assert "a has no fresh seed, 5 are needed" in said
    assert "b has one fresh seed, 5 are needed" in said
    two_seeds = claims_of(two([0.99, 0.991], [0.1, 0.11, 0.12, 0.13, 0.1, 0.11, 0.12, 0.13, 0.1]), question=question)
    assert not two_seeds["claimed"].any()


@pytest.mark.parametrize("question", ["budget", "settings"])
def test_equal_values_of_two_candidates_differ_by_all_divisions(claims_of, question):
    row = claims_of(two([0.97] * 9, [0.96] * 9), question=question).iloc[0]
    # Of the 48,620 divisions of eighteen values into halves two give means as far apart.
    assert row["p"] == pytest.approx(2 / 48620)
    assert row["claimed"]
    alike = claims_of(two([0.97] * 9, [0.97] * 9), question=question).iloc[0]
    assert (alike["claimed"], alike["reason"]) == (False, "there is no spread by which to judge the difference")


def test_diverged_run_counts_as_before_training_never_with_its_value(make_study, join):
    """Six of nine runs of b diverged after they had logged 2.3, which is better than what a ends with."""
    common = {"metric": "loss", "goal": "minimize"}
    good = make_study("a", {0.1: 5.0}, [5.0, 5.1, 4.9, 5.05, 4.95, 5.0, 5.1, 4.9, 5.0], **common)
    bad = make_study("b", {0.1: 5.0}, [2.3] * 6 + [5.0, 5.1, 4.9], **common)
    bad.loc[bad.index[1:7], "outcome"] = "diverged"
    runs = join(good, bad).assign(untrained_loss=9.0)
    for question in ("budget", "settings"):
        row = claims_from(runs, question=question).iloc[0]
        assert (row["better"], row["worse"]) == ("a", "b")
        # b: six times 9, and 5.0, 5.1, 4.9.
        assert row["difference"] == pytest.approx((6 * 9 + 15) / 9 - 5.0)
        assert row["sentence"].endswith(
            "Failed, and counted as before training: 0 of 9 (up to 28 % possible) runs of a, "
            "6 of 9 (30 to 93 % possible) of b (p = 0.009 by itself); the mean of the others is 5 of a and 5 of b."
        )
    (row,) = with_runs(claims_from(runs), scores.searched(runs)).to_dict("records")
    assert (row["failed_better"], row["failed_worse"]) == (0, 6)
    # Of the 18 over 6 choices of six runs, 9 over 6 all lie in either of the halves.
    assert row["failed_p"] == pytest.approx(2 * math.comb(9, 6) / math.comb(18, 6))


def test_one_run_that_is_no_number_counts_as_before_training(make_study, join):
    good, bad = make_study("a", {0.1: 0.9}, HIGH), make_study("b", {0.1: 0.9}, [*HIGH[:4], math.nan])
    runs = join(good, bad).assign(untrained_accuracy=0.1)
    for question in ("budget", "settings"):
        row = claims_from(runs, question=question).iloc[0]
        assert row["difference"] == pytest.approx(np.mean(HIGH) - np.mean([*HIGH[:4], 0.1]))
        assert not row["claimed"]
        assert "1 of 5 (1 to 72 % possible) of b" in row["sentence"]


@pytest.mark.parametrize("mode", ["best", "most"])
def test_modes_that_look_at_the_best_epoch_or_the_most_seeds_claim_nothing(results, mode):
    runs = results(two(HIGH, LOW))
    searched = scores.searched(runs, mode)
    row = claims(ranked_entries(runs, mode=mode, searched=searched), searched).iloc[0]
    assert (row["claimed"], row["reason"]) == (False, f"winners were chosen by mode {mode}, which claims nothing")


def test_protocols_that_are_ranked_together_claim_nothing(make_study, join):
    runs = join(make_study("a", {0.1: 0.9}, HIGH), make_study("b", {0.1: 0.5}, LOW, protocol="deepobs-1.1"))
    assert claims_from(runs).empty
    searched = scores.searched(runs)
    table = ranked_entries(runs, searched=searched, together=("deepobs", "deepobs-1.1"))
    row = claims(table, searched).iloc[0]
    assert (row["claimed"], row["reason"]) == (False, "protocol deepobs against deepobs-1.1")


def test_entries_of_different_rules_are_not_compared(make_study, join):
    runs = join(
        make_study("a", {0.1: 0.9}, [0.91, 0.92, 0.93], protocol="strict"),
        make_study("b", {0.1: 0.5}, [0.51, 0.52, 0.53]),
        make_study("c", {0.1: 0.1}, [0.11, 0.12, 0.13]),
    )
    rows = claims_from(runs)
    assert list(zip(rows["better"], rows["worse"], strict=True)) == [("b", "c")]


def test_losses_with_a_penalty_are_not_claimed(make_study, join):
    loss = {"metric": "loss", "goal": "minimize", "loss_has_penalty": True}
    runs = join(*(make_study(name, {0.1: x}, [x, x + 1, x + 2], **loss) for name, x in (("a", 1), ("b", 100))))
    assert claims_from(runs).empty
    assert len(claims_from(runs.assign(loss_has_penalty=False))) == 1


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
    rows = rows[~rows["reason"].str.contains("means alone may mislead")]
    assert 0 < rows["claimed"].sum() < len(rows)
    np.testing.assert_array_equal(rows["claimed"], rows["low"] > 0)
    assert ((rows["low"] == 0) | (rows["low"] < 0) | rows["claimed"]).all()
    assert (rows["difference"] >= 0).all()


def test_probability_counts_the_pairs_of_fresh_seeds_that_the_better_wins(results):
    # Of 3 x 2 pairs the first wins five: 0.4 only against 0.3.
    runs = results(two([0.4, 0.6, 0.8], [0.3, 0.5], tuned=0.0))
    (row,) = with_runs(claims_from(runs), scores.searched(runs)).to_dict("records")
    assert (row["better"], row["worse"]) == ("a", "b")
    assert row["probability"] == pytest.approx(5 / 6)
    assert 0 <= row["probability_low"] < 5 / 6 < row["probability_high"] <= 1


def test_entry_without_fresh_seeds_beats_nothing_with_any_probability(results):
    runs = results(two([], [0.3, 0.5]))
    (row,) = with_runs(claims_from(runs), scores.searched(runs)).to_dict("records")
    assert math.isnan(row["probability"])


def test_levels_and_labels_that_do_not_exist_are_refused(results):
    runs = results(two([0.5, 0.6], [0.5, 0.7]))
    with pytest.raises(ValueError, match=r"`level` must be in \(0, 1\). Received: level=5"):
        claims_from(runs, level=5)
    with pytest.raises(ValueError, match=r"`against` must be best, all or one of the labels. Received: against='z'"):
        claims_from(runs, against="z")
    with pytest.raises(ValueError, match=r"`question` must be one of budget, settings. Received: question='z'"):
        claims_from(runs, question="z")


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
    rows = claims_of(simulated([0] * 4, 100, NOISE[noise](np.random.default_rng(7))), level, against="all")
    errors = rows.groupby("problem")["claimed"].any().sum()
    assert rows["problem"].nunique() == 100
    # A rate at the level gives more errors with a probability below 1e-4.
    assert errors <= stats.binom.ppf(1 - 1e-4, 100, level)


@pytest.mark.slow
def test_best_of_many_equal_candidates_is_claimed_no_more_often_than_the_level(claims_of):
    # The best is chosen by the values that are tested: with 15 candidates an adjustment for 14 pairs would not do.
    rows = claims_of(simulated([0] * 15, 60, NOISE["normal"](np.random.default_rng(8))))
    assert len(rows) == 60 * 14
    assert rows.groupby("problem")["claimed"].any().sum() <= stats.binom.ppf(1 - 1e-4, 60, 0.05)


def test_true_null_among_planted_differences_is_claimed_no_more_often_than_the_level(claims_of):
    # c0 and c1 are equal, c2 and c3 are far off in both directions.
    rows = claims_of(simulated([0, 0, 8, -8], 100, NOISE["normal"](np.random.default_rng(9))), against="all")
    tied = rows[rows["better"].isin(["c0", "c1"]) & rows["worse"].isin(["c0", "c1"])]
    assert len(tied) == 100
    assert tied["claimed"].sum() <= stats.binom.ppf(1 - 1e-4, 100, 0.05)
    assert rows[~rows.index.isin(tied.index)]["claimed"].all()


def test_planted_difference_is_found_with_the_stated_power(claims_of):
    """A difference of unit normals that nine seeds each find in 80 of 100 cases, by the noncentral t distribution."""
    distance = optimize.brentq(lambda d: stats.nct.sf(stats.t.ppf(0.975, 16), 16, d / np.sqrt(2 / 9)) - 0.8, 0.5, 3)
    rows = claims_of(simulated([0, distance], 150, NOISE["normal"](np.random.default_rng(10))))
    right = rows["claimed"] & (rows["better"] == "c1")
    # The ranks must not contradict, which loses little: 80 % of cases, or up to a tenth fewer.
    assert stats.binom.ppf(1e-4, 150, 0.72) <= right.sum() <= stats.binom.ppf(1 - 1e-4, 150, 0.8)


def test_intervals_of_differences_hold_the_truth_as_often_as_they_say(claims_of):
    rows = claims_of(simulated([0, 0.5], 200, NOISE["normal"](np.random.default_rng(11))))
    # What is better may be either; the truth has the sign of c1 against c0.
    truth = np.where(rows["better"] == "c1", 0.5, -0.5)
    hits = ((rows["low"] <= truth) & (truth <= rows["high"])).sum()
    assert stats.binom.ppf(1e-4, 200, 0.95) <= hits <= stats.binom.ppf(1 - 1e-4, 200, 0.95)


@pytest.mark.parametrize(
    ("sampler", "trials", "question", "is_silent"),
    [
        ("narrowed", 75, "budget", True),
        ("narrowed", 50, "budget", False),
        ("narrowed", 75, "settings", False),
        ("random", 75, "budget", False),
    ],
)
def test_trials_that_depend_on_the_first_claim_nothing_given_the_budget(
    make_runs, sampler, trials, question, is_silent
):
    common = {"sampler": sampler, "budget": float(trials), "searches": 1.0, "study_seed": 42.0}
    rows = []
    for candidate, level in (("a", 0.9), ("b", 0.5)):
        of_search = {"candidate": candidate, "search": candidate * 64, "planned": float(trials), **common}
        for number in range(trials):
            value = level - number / 1000
            of_trial = {"role": "trial", "trial": float(number), "setting": {"learning_rate": number}}
            rows.append(of_search | of_trial | {"valid": value, "test": value})
        for seed in range(43, 52):
            again = {"role": "re-run", "seed": seed, "setting": {"learning_rate": 0}}
            rows.append(of_search | again | {"valid": level, "test": level + seed / 1e5})
    (reason,) = claims_from(make_runs(rows), question=question)["reason"]
    assert reason.endswith("depend on the first, so one search does not tell its luck") == is_silent
    assert bool(reason) == is_silent
