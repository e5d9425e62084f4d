"""Average ranks, critical differences and performance profiles against published tables and by hand."""

import math

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
from scipy import stats

from regbench.analysis import ranking
from regbench.analysis.across import average_ranks, critical_difference, performance_profile, problems_needed

# Demsar (2006), JMLR 7, table 5(a): critical values of the Nemenyi test for 2 ... 10 classifiers.
CRITICAL_VALUES = {
    0.05: [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164],
    0.10: [1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920],
}

# Demsar (2006), table 6: ranks of four variants of C4.5 on 14 data sets.
VARIANTS = ["C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf"]
VARIANT_RANKS = [
    [4, 3, 2, 1],
    [1, 2, 3, 4],
    [4, 1, 2, 3],
    [4, 1, 3, 2],
    [4, 2, 3, 1],
    [1, 2.5, 4, 2.5],
    [3, 2, 4, 1],
    [2.5, 2.5, 4, 1],
    [4, 3, 2, 1],
    [2.5, 2.5, 2.5, 2.5],
    [4, 2.5, 1, 2.5],
    [3, 2, 4, 1],
    [4, 1, 2, 3],
    [3, 1, 4, 2],
]


def table_of(means, goal="minimize"):
    """A ranked table from problems x labels; None: no row."""
    rows = [
        {"problem": problem, "label": label, "mean": mean, "goal": goal, "comparable": True, "rank": 1}
        for problem, labels in means.items()
        for label, mean in labels.items()
        if mean is not None
    ]
    return pd.DataFrame(rows, columns=["problem", "label", "mean", "goal", "comparable", "rank"])


def numbered(values, labels=None):
    labels = labels or [f"c{number}" for number in range(len(values[0]))]
    return {f"p{number:03}": dict(zip(labels, row, strict=True)) for number, row in enumerate(values)}


@pytest.mark.parametrize("level", [0.05, 0.10])
@pytest.mark.parametrize("k", range(2, 11))
def test_critical_values_are_those_of_demsar(level, k):
    # With N = k (k + 1) / 6 problems the critical difference is q; 36 times as many are a whole number and give q / 6.
    q = 6 * critical_difference(k, 6 * k * (k + 1), level)
    # Printed with three digits, from studentized ranges with three digits: 0.0005 + 0.0005/sqrt(2).
    assert q == pytest.approx(CRITICAL_VALUES[level][k - 2], abs=0.00086)


def test_example_of_demsar_comes_out_as_published():
    table = table_of(numbered(VARIANT_RANKS, VARIANTS))
    found = average_ranks(table, level=0.10)
    printed = {"C4.5+m+cf": 1.964, "C4.5+m": 2.000, "C4.5+cf": 2.893, "C4.5": 3.143}
    assert list(found.ranks.index) == list(printed)
    assert found.ranks.to_dict() == pytest.approx(printed, abs=0.0005)
    assert found.critical_difference == pytest.approx(1.12, abs=0.005)
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)
    # "C4.5 is significantly worse than C4.5+m and C4.5+m+cf", of C4.5+cf nothing can be said.
    assert found.groups == (("C4.5+m+cf", "C4.5+m", "C4.5+cf"), ("C4.5+cf", "C4.5"))
    assert found.n_problems == 14
    assert "C4.5+m+cf (average rank 1.96) is better than C4.5 by more than" in found.sentence


def test_example_of_demsar_shows_nothing_at_five_percent():
    found = average_ranks(table_of(numbered(VARIANT_RANKS, VARIANTS)))
    assert found.friedman_p < 0.05
    assert found.groups == (tuple(found.ranks.index),)
    assert "but no two candidates by the critical difference of 1.25" in found.sentence


def test_friedman_is_the_formula_where_there_are_no_ties():
    values = np.random.default_rng(0).random((12, 5))
    ranks = stats.rankdata(values, axis=1).mean(axis=0)
    # Demsar (2006), section 3.2.2: 12 N / (k (k + 1)) (sum R^2 - k (k + 1)^2 / 4).
    expected = 12 * 12 / 30 * ((ranks**2).sum() - 5 * 36 / 4)
    found = average_ranks(table_of(numbered(values)))
    assert found.friedman_statistic == pytest.approx(expected, rel=1e-10)
    assert found.friedman_p == pytest.approx(stats.chi2.sf(expected, 4), rel=1e-10)


def test_critical_difference_decides_as_nemenyi_of_scikit_posthocs():
    values = np.random.default_rng(5).normal(size=(10, 6)) + np.arange(6) * 0.8
    found = average_ranks(table_of(numbered(values)))
    p = scikit_posthocs.posthoc_nemenyi_friedman(values).to_numpy()
    ranks = found.ranks.reindex([f"c{number}" for number in range(6)]).to_numpy()
    apart = abs(ranks[:, None] - ranks) > found.critical_difference
    assert found.friedman_p < 0.05
    assert 0 < apart.sum() < 30
    np.testing.assert_array_equal(apart, p < 0.05)


def test_two_candidates_are_compared_by_the_sign_test():
    found = average_ranks(table_of(numbered([[1, 2]] * 7 + [[2, 1], [3, 3]])))
    assert math.isnan(found.friedman_statistic)
    # One loss or fewer, or seven wins or more, in eight: 2 (1 + 8) / 256; the tie does not count.
    assert found.friedman_p == pytest.approx(18 / 256)
    assert "not distinguishable (sign test, p = 0.07)" in found.sentence


@pytest.mark.parametrize("k, needed", [(2, 6), (3, 3), (4, 3)])
def test_problems_needed_are_computed(k, needed):
    # Two candidates: 2 / 2^N < 0.05 from N = 6. Three that are ranked alike have the statistic 2 N, exp(-N) < 0.05 from
    # N = 3, and 2.344 sqrt(12 / 18) < 2. Four: 3 N, chi2 with 3 degrees p = 0.029 at N = 3, and 2.569 sqrt(20/18) < 3.
    assert problems_needed(k) == needed


@pytest.mark.parametrize("k", [3, 4, 10, 46])
def test_two_problems_cannot_support_a_claim_even_if_they_agree(k):
    found = average_ranks(table_of(numbered([range(k)] * 2)))
    assert found.groups == (tuple(found.ranks.index),)
    assert f"2 problems cannot support a claim about {k} candidates" in found.sentence
    assert f"at least {problems_needed(k)} are needed" in found.sentence
    # And with as many as are said to be needed, problems that agree do support one.
    enough = average_ranks(table_of(numbered([range(k)] * problems_needed(k))))
    assert "c0 (average rank 1.00) is better than" in enough.sentence


def test_planted_order_over_ten_problems_is_found():
    generator = np.random.default_rng(0)
    values = np.arange(4) * 3.0 + generator.normal(size=(10, 4))
    found = average_ranks(table_of(numbered(values)))
    assert list(found.ranks.index) == ["c0", "c1", "c2", "c3"]
    assert "Over 10 problems the ranks differ (Friedman test, p = " in found.sentence
    assert not any({"c0", "c3"} <= set(group) for group in found.groups)


def test_equal_candidates_are_told_apart_no_more_often_than_the_level():
    generator = np.random.default_rng(2)
    claims = 0
    for _ in range(200):
        found = average_ranks(table_of(numbered(generator.random((8, 4)))))
        claims += len(found.groups) != 1 or len(found.groups[0]) != 4
    # A rate at the level gives more with a probability below 1e-4.
    assert claims <= stats.binom.ppf(1 - 1e-4, 200, 0.05)


def test_candidates_that_are_equal_everywhere_are_not_distinguishable():
    found = average_ranks(table_of(numbered([[1.0, 1.0, 1.0]] * 8)))
    assert (found.friedman_statistic, found.friedman_p) == (0.0, 1.0)
    assert found.ranks.to_dict() == {"c0": 2.0, "c1": 2.0, "c2": 2.0}
    assert "not distinguishable (Friedman test, p = 1)" in found.sentence


def test_problems_where_a_candidate_is_missing_do_not_count_and_are_named():
    means = numbered([[1, 2, 3]] * 3) | {"quadratic_deep": {"c0": 9.0, "c1": None, "c2": 1.0}}
    found = average_ranks(table_of(means))
    assert found.problems == ("p000", "p001", "p002")
    assert found.left_out == {"quadratic_deep": ("c1",)}
    assert found.ranks["c0"] == 1
    assert found.sentence.endswith("Left out: quadratic_deep (without c1).")


def test_candidates_on_too_few_problems_are_left_out_before_the_others_cannot_be_compared():
    means = numbered([[1, 2, 3]] * 4)
    for number, problem in enumerate(means):
        means[problem][f"rare{number}"] = 0.0
    found = average_ranks(table_of(means))
    assert list(found.ranks.index) == ["c0", "c1", "c2"]
    assert (found.n_problems, found.left_out) == (4, {})
    assert found.absent == ("rare0", "rare1", "rare2", "rare3")
    assert found.sentence.endswith("Left out: rare0, rare1, rare2, rare3 (ranked on too few problems).")
    # But a gap on one of many problems costs that problem, not the candidate.
    wide = numbered([[1, 2, 3]] * 10) | {"gap": {"c0": 1.0, "c1": 2.0}}
    assert (average_ranks(table_of(wide)).absent, average_ranks(table_of(wide)).n_problems) == ((), 10)


def test_long_lists_of_what_is_left_out_are_cut():
    means = numbered([[1, 2, 3]] * 4) | {"p000": {f"rare{number}": 0.0 for number in range(9)}}
    sentence = average_ranks(table_of(means)).sentence
    assert "rare0, rare1, rare2, rare3, rare4 and 4 more (ranked on too few problems)" in sentence


def test_no_common_problem_and_no_two_candidates_are_said():
    found = average_ranks(table_of({"p": {"a": 1.0}, "q": {"b": 1.0}}))
    assert (found.n_problems, found.left_out) == (0, {"p": ("b",), "q": ("a",)})
    assert "There is no problem on which all 2 candidates have a result" in found.sentence
    assert "no two candidates" in average_ranks(table_of({"p": {"a": 1.0}})).sentence
    assert "no two candidates" in average_ranks(table_of({})).sentence


def test_rows_that_are_not_comparable_do_not_count():
    table = table_of(numbered([[1, 2, 3]] * 4))
    table["comparable"] = table["label"] != "c1"
    found = average_ranks(table)
    assert list(found.ranks.index) == ["c0", "c2"]
    assert found.n_problems == 4


def test_rows_that_the_table_does_not_rank_are_missing():
    table = table_of(numbered([[1, 2]] * 3))
    table.loc[(table["problem"] == "p001") & (table["label"] == "c1"), ["mean", "rank"]] = math.nan
    assert average_ranks(table).left_out == {"p001": ("c1",)}
    assert set(performance_profile(table)["problems"]) == {2}


def test_table_of_runs_is_ranked_across_problems(make_study, join):
    again = {"good": [0.9, 0.91], "poor": [0.5, 0.52]}
    runs = join(
        *(
            make_study(name, {0.1: values[0], 0.01: 0.1}, values, problem=problem)
            for problem in ("p", "q", "r")
            for name, values in again.items()
        ),
        make_study("failed", {0.1: None, 0.01: None}, problem="p"),
    )
    table = ranking.ranked_entries(runs)
    found = average_ranks(table)
    assert found.ranks.to_dict() == {"good": 1, "poor": 2, "failed": 3}
    assert found.left_out == {"q": ("failed",), "r": ("failed",)}
    assert set(steps(performance_profile(table), "failed").values()) == {0.0}


def test_maximizing_ranks_as_minimizing_the_negative():
    values = np.random.default_rng(3).random((6, 4))
    up = average_ranks(table_of(numbered(values), goal="maximize"))
    down = average_ranks(table_of(numbered(-values), goal="minimize"))
    pd.testing.assert_series_equal(up.ranks, down.ranks)
    assert (up.friedman_p, up.groups, up.sentence) == (down.friedman_p, down.groups, down.sentence)


@pytest.mark.parametrize("goal", ["maximize", "minimize"])
@pytest.mark.parametrize("failed", [math.nan, math.inf, -math.inf])
def test_candidate_without_a_finite_mean_is_the_worst_of_its_problem(goal, failed):
    found = average_ranks(table_of(numbered([[0.1, 0.2, failed]] * 4), goal=goal))
    assert found.ranks["c2"] == 3


def test_label_that_stands_twice_on_a_problem_is_refused():
    table = pd.concat([table_of(numbered([[1, 2]])), table_of(numbered([[1, 2]]))])
    with pytest.raises(ValueError, match=r"one row for each label of a problem. Received twice: \('p000', 'c0'\)"):
        average_ranks(table)


def steps(profile, label):
    rows = profile[profile["label"] == label]
    return dict(zip(rows["factor"], rows["share"], strict=True))


def test_performance_profile_of_losses_is_the_share_within_a_factor():
    profile = performance_profile(
        table_of({"p": {"a": 1.0, "b": 2.0}, "q": {"a": 6.0, "b": 2.0}, "r": {"a": 1, "b": 1}})
    )
    assert steps(profile, "a") == {1.0: 2 / 3, 3.0: 1.0}
    assert steps(profile, "b") == {1.0: 2 / 3, 2.0: 1.0, 3.0: 1.0}
    assert set(profile["problems"]) == {3}


def test_performance_profile_of_accuracies_divides_errors():
    profile = performance_profile(table_of({"p": {"a": 0.75, "b": 0.5}}, goal="maximize"))
    assert steps(profile, "a") == {1.0: 1.0, 2.0: 1.0}
    assert steps(profile, "b") == {1.0: 0.0, 2.0: 1.0}


def test_performance_profile_of_goals_together_takes_each_by_its_own():
    mixed = pd.concat([table_of({"p": {"a": 0.75, "b": 0.5}}, goal="maximize"), table_of({"q": {"a": 3.0, "b": 1.0}})])
    assert steps(performance_profile(mixed), "a") == {1.0: 0.5, 3.0: 1.0}


def test_diverged_candidate_is_infinitely_far_from_the_best():
    profile = performance_profile(table_of({"p": {"a": 1.0, "b": math.nan}, "q": {"a": 1.0, "b": 4.0}}))
    assert steps(profile, "b") == {1.0: 0.0, 4.0: 0.5}


def test_loss_of_zero_is_reached_only_by_zero():
    profile = performance_profile(table_of({"p": {"a": 0.0, "b": 1.0, "c": 0.0}}))
    assert [steps(profile, label) for label in "abc"] == [{1.0: 1.0}, {1.0: 0.0}, {1.0: 1.0}]


def test_negative_losses_have_no_factors():
    profile = performance_profile(table_of({"p": {"a": -1.0, "b": 1.0}, "q": {"a": 2.0, "b": 1.0}}))
    assert set(profile["problems"]) == {1}
    assert steps(profile, "b") == {1.0: 1.0, 2.0: 1.0}
    assert performance_profile(table_of({"p": {"a": -1.0, "b": 1.0}})).empty
    assert performance_profile(table_of({})).empty


def test_factors_do_not_depend_on_the_unit_of_a_loss():
    values = np.random.default_rng(4).random((5, 3)) + 0.1
    whole = performance_profile(table_of(numbered(values)))
    scaled = performance_profile(table_of(numbered(values * np.array([[1], [10], [0.1], [7], [1e6]]))))
    np.testing.assert_allclose(scaled["factor"], whole["factor"], rtol=1e-12)
    np.testing.assert_array_equal(scaled["share"], whole["share"])
