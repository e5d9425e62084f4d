"""Average ranks, their tests, and performance profiles against published tables and by hand."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
from scipy import stats

from regbench.analysis import ranking
from regbench.analysis.across import average_ranks, performance_profile, problems_needed, signed_rank_p

# Demsar (2006), JMLR 7, table 6: ranks of four variants of C4.5 on 14 data sets.
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
        {"problem": problem, "label": label, "score": mean, "goal": goal, "comparable": True, "rank": 1}
        for problem, labels in means.items()
        for label, mean in labels.items()
        if mean is not None
    ]
    return pd.DataFrame(rows, columns=["problem", "label", "score", "goal", "comparable", "rank"])


def numbered(values, labels=None):
    labels = labels or [f"c{number}" for number in range(len(values[0]))]
    return {f"p{number:03}": dict(zip(labels, row, strict=True)) for number, row in enumerate(values)}


# Demsar (2006), table 2: the area under the ROC curve of two of them.
PLAIN = [0.763, 0.599, 0.954, 0.628, 0.882, 0.936, 0.661, 0.583, 0.775, 1.000, 0.940, 0.619, 0.972, 0.957]
PRUNED = [0.768, 0.591, 0.971, 0.661, 0.888, 0.931, 0.668, 0.583, 0.838, 1.000, 0.962, 0.666, 0.981, 0.978]


def test_example_of_demsar_comes_out_as_published():
    found = average_ranks(table_of(numbered(VARIANT_RANKS, VARIANTS)))
    printed = {"C4.5+m+cf": 1.964, "C4.5+m": 2.000, "C4.5+cf": 2.893, "C4.5": 3.143}
    assert list(found.ranks.index) == list(printed)
    assert found.ranks.to_dict() == pytest.approx(printed, abs=0.0005)
    # Printed are Friedman's 9.28 and F = 13 * 9.28 / (14 * 3 - 9.28) = 3.69, without a correction for ties. There are
    # three of two and one of four: 9.28 / (1 - (3 * 6 + 60) / (14 * 60)) = 10.23, and so F = 4.19.
    assert found.statistic == pytest.approx(13 * 10.23 / (14 * 3 - 10.23), abs=0.005)
    assert found.p < 0.05
    assert found.n_problems == 14
    assert "but no two candidates are told apart by signed-rank tests, adjusted for all 6 pairs." in found.sentence


def test_f_is_that_of_an_analysis_of_variance_of_the_ranks():
    # Conover, Practical Nonparametric Statistics (1999), section 5.8; with ties.
    values = np.random.default_rng(0).integers(0, 4, (12, 5)).astype(float)
    ranks = stats.rankdata(values, axis=1)
    between = 12 * ((ranks.mean(axis=0) - 3) ** 2).sum()
    rest = ((ranks - 3) ** 2).sum() - between
    expected = (between / 4) / (rest / (4 * 11))
    found = average_ranks(table_of(numbered(values)))
    assert found.statistic == pytest.approx(expected, rel=1e-10)
    assert found.p == pytest.approx(stats.f.sf(expected, 4, 44), rel=1e-10)


def test_signed_ranks_of_demsars_example_are_those_by_hand():
    # Differences in thousandths: 5, -8, 17, 33, 6, -5, 7, 0, 63, 0, 22, 47, 9, 21. Without the zeros the negative ones
    # have ranks 5 and 1.5 of twelve: 6.5. Of 4096 signs of the ranks 1 to 12 so many have sums of at most 6 or 7:
    sums = [sum(one) for size in range(13) for one in itertools.combinations(range(1, 13), size)]
    (p,) = signed_rank_p(np.round(np.subtract(PRUNED, PLAIN), 3)[:, None])
    # Half ranks take it between the two; rounded up to the larger p.
    assert p == pytest.approx(2 * sum(one <= 7 for one in sums) / 4096, rel=1e-12)
    assert p < 0.02  # printed: significant at 5 %, T = 12 where zeros count, 21 is critical


def test_differences_of_zero_do_not_count():
    differences = np.array([[0.0, 1, 2, 3, 4, 5, 6], [0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 2]]).T
    assert list(signed_rank_p(differences)) == [2 / 64, 1.0, 0.5]


@pytest.mark.parametrize("n_problems, labels", [(14, 5), (60, 3)])
def test_pairs_are_judged_as_by_scikit_posthocs(n_problems, labels):
    # Losses around 1 of which the differences are small: their relative differences have the order of the differences.
    values = 1 + 1e-6 * (np.random.default_rng(5).normal(size=(n_problems, labels)) + 0.4 * np.arange(labels))
    found = average_ranks(table_of(numbered(values)))
    expected = scikit_posthocs.posthoc_wilcoxon(list(values.T), p_adjust="holm").to_numpy()
    place = {f"c{number}": number for number in range(labels)}
    assert len(found.pairs) == math.comb(labels, 2)
    for row in found.pairs.to_dict("records"):
        better, worse = place[row["better"]], place[row["worse"]]
        assert row["p"] == pytest.approx(expected[better, worse], rel=1e-9)
        assert row["is_told"] == (row["p"] < 0.05)
    assert 0 < found.pairs["is_told"].sum() < len(found.pairs)


def test_two_candidates_are_told_apart_by_their_own_values():
    generator = np.random.default_rng(8)
    two = 1 + generator.normal(size=(12, 2)) * 0.05 + [0, 0.08]
    between = two[:, :1] + (two[:, 1:] - two[:, :1]) * generator.random((12, 8))
    alone = average_ranks(table_of(numbered(two))).pairs["p"].iloc[0]
    many = average_ranks(table_of(numbered(np.hstack([two, between]))))
    (p,) = many.pairs.loc[many.pairs[["better", "worse"]].isin(["c0", "c1"]).all(axis=1), "p"]
    # By ranks eight candidates that lie between the two push them apart; here they cost comparisons, 45 at most.
    assert alone <= p <= 45 * alone


def test_losses_of_any_size_weigh_the_same():
    values = np.random.default_rng(4).random((10, 3)) + np.array([0.1, 0.6, 0.9])
    whole = average_ranks(table_of(numbered(values)))
    scaled = average_ranks(table_of(numbered(values * 10.0 ** np.arange(-4, 6)[:, None])))
    pd.testing.assert_frame_equal(scaled.pairs, whole.pairs)
    assert whole.pairs["is_told"].any()


def test_groups_are_the_largest_sets_of_which_no_two_are_told_apart():
    generator = np.random.default_rng(3)
    found = average_ranks(table_of(numbered(np.exp(generator.normal(size=(12, 4)) * 0.5 + 0.45 * np.arange(4)))))
    told = {frozenset(pair) for pair in found.pairs.loc[found.pairs["is_told"], ["better", "worse"]].to_numpy()}
    labels = list(found.ranks.index)
    alike = [
        set(some)
        for size in (2, 3, 4)
        for some in itertools.combinations(labels, size)
        if not any(frozenset(pair) in told for pair in itertools.combinations(some, 2))
    ]
    largest = [some for some in alike if not any(some < other for other in alike)]
    assert 1 < len(largest) < 6
    assert sorted(map(sorted, found.groups)) == sorted(map(sorted, largest))


def test_two_candidates_are_compared_by_the_signed_rank_test():
    found = average_ranks(table_of(numbered([[1, 2]] * 7 + [[2, 1], [3, 3]])))
    assert math.isnan(found.statistic)
    # Eight equal differences, one of them lost: 4.5 of 36. Of ranks 1 to 8 a sum is at most 5 in 10 of 256 cases. The
    # tie does not count.
    assert found.p == pytest.approx(2 * 10 / 256)
    assert "not distinguishable (signed-rank test, p = 0.078)" in found.sentence


@pytest.mark.parametrize("k, needed", [(2, 6), (3, 7), (4, 8), (10, 11), (46, 16)])
def test_problems_needed_are_computed(k, needed):
    # The smallest p value is 2 / 2^N, times k (k - 1) / 2 pairs: 2/64, 3 * 2/128, 6 * 2/256, 45 / 1024, 1035 / 32768.
    assert problems_needed(k) == needed


@pytest.mark.parametrize("k", [3, 4, 10, 46])
def test_two_problems_cannot_support_a_claim_even_if_they_agree(k):
    found = average_ranks(table_of(numbered([range(1, k + 1)] * 2)))
    assert found.groups == (tuple(found.ranks.index),)
    assert f"2 problems cannot support a claim about {k} candidates" in found.sentence
    assert f"at least {problems_needed(k)} are needed" in found.sentence
    # And with as many as are said to be needed, problems that agree do support one, with one less they do not.
    enough = average_ranks(table_of(numbered([range(1, k + 1)] * problems_needed(k))))
    assert "c0 (average rank 1.00) is better than" in enough.sentence
    assert not average_ranks(table_of(numbered([range(1, k + 1)] * (problems_needed(k) - 1)))).pairs["is_told"].any()


def test_planted_order_over_ten_problems_is_found():
    generator = np.random.default_rng(0)
    values = np.arange(4) * 3.0 + generator.normal(size=(10, 4))
    found = average_ranks(table_of(numbered(values)))
    assert list(found.ranks.index) == ["c0", "c1", "c2", "c3"]
    assert "Over 10 problems the ranks differ (Iman-Davenport test, p = " in found.sentence
    assert not any({"c0", "c3"} <= set(group) for group in found.groups)


def test_equal_candidates_are_told_apart_no_more_often_than_the_level():
    generator = np.random.default_rng(2)
    claims = 0
    for _ in range(100):
        found = average_ranks(table_of(numbered(np.exp(3 * generator.normal(size=(12, 4))))))
        claims += found.pairs["is_told"].any() or len(found.groups) != 1 or len(found.groups[0]) != 4
    # A rate at the level gives more with a probability below 1e-4.
    assert claims <= stats.binom.ppf(1 - 1e-4, 100, 0.05)


def test_candidates_that_are_equal_everywhere_are_not_distinguishable():
    found = average_ranks(table_of(numbered([[1.0, 1.0, 1.0]] * 8)))
    assert (found.statistic, found.p) == (0.0, 1.0)
    assert found.ranks.to_dict() == {"c0": 2.0, "c1": 2.0, "c2": 2.0}
    assert "not distinguishable (Iman-Davenport test, p = 1)" in found.sentence


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


def test_candidates_on_equally_many_problems_stay_or_go_together():
    # Five problems support no claim about any three: nobody is left out by name.
    found = average_ranks(table_of(numbered([range(1, 9)] * 5)))
    assert (len(found.ranks), found.n_problems, found.absent) == (8, 5, ())
    # Seven do about three.
    means = numbered([[1, 2, 3]] * 7)
    means["p000"] |= {"rare": 9.0, "rarer": 10.0}
    found = average_ranks(table_of(means))
    assert (list(found.ranks.index), found.absent) == (["c0", "c1", "c2"], ("rare", "rarer"))
    assert found.pairs["is_told"].all()


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
    table.loc[(table["problem"] == "p001") & (table["label"] == "c1"), ["score", "rank"]] = math.nan
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
        *(make_study("failed", {0.1: None, 0.01: None}, problem=problem) for problem in ("p", "q")),
    )
    table = ranking.ranked_entries(runs)
    found = average_ranks(table)
    assert found.ranks.to_dict() == {"good": 1, "poor": 2, "failed": 3}
    assert found.left_out == {"r": ("failed",)}
    assert set(steps(performance_profile(table), "failed").values()) == {0.0}


def test_maximizing_ranks_as_minimizing_the_negative():
    values = np.random.default_rng(3).random((6, 4))
    up = average_ranks(table_of(numbered(values), goal="maximize"))
    down = average_ranks(table_of(numbered(-values), goal="minimize"))
    pd.testing.assert_series_equal(up.ranks, down.ranks)
    assert (up.statistic, up.p) == (down.statistic, down.p)
    # Relative differences are those of errors, 1 - value.
    errors = average_ranks(table_of(numbered(1 - values), goal="minimize"))
    pd.testing.assert_frame_equal(up.pairs, errors.pairs)


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
