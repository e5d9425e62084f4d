"""The test of a pair against SciPy, Holm's adjustment by hand, and the seeds needed against tables and simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from regbench.analysis.significance import Sample, holm, interval, p_value, seeds_needed


def test_pair_is_compared_as_welch_of_scipy():
    generator = np.random.default_rng(0)
    first, second = generator.normal(0.1, 1, 7), generator.normal(0, 3, 12)
    one, other = Sample.of(first), Sample.of(second)
    expected = stats.ttest_ind(first, second, equal_var=False)
    ends = expected.confidence_interval(0.9)
    assert p_value(one, other) == pytest.approx(expected.pvalue, rel=1e-12)
    assert interval(one, other, 0.1) == pytest.approx((ends.low, ends.high), rel=1e-12)


def test_pair_with_no_spread_in_one_is_that_of_a_single_sample():
    # The other variance vanishes from the error and from the degrees of freedom.
    values = [1.0, 2.0, 4.0, 5.0]
    found = p_value(Sample.of(values), Sample.of([0.5, 0.5, 0.5]))
    assert found == pytest.approx(stats.ttest_1samp(values, 0.5).pvalue, rel=1e-12)


def test_pair_does_not_depend_on_shift_and_scale():
    first, second = np.array([0.1, 0.4, 0.2, 0.5]), np.array([0.3, 0.6, 0.7])
    pair = Sample.of(first), Sample.of(second)
    moved = Sample.of(2 + 1000 * first), Sample.of(2 + 1000 * second)
    # Values near 1000 with a spread of 100 lose two digits to the common part.
    assert p_value(*moved) == pytest.approx(p_value(*pair), rel=1e-12)
    assert interval(*moved, 0.05) == pytest.approx([1000 * end for end in interval(*pair, 0.05)], rel=1e-11)
    assert seeds_needed(*moved) == seeds_needed(*pair)


@pytest.mark.parametrize(
    "first, second",
    [
        ([], [1.0, 2.0]),
        ([1.0], [1.0, 2.0]),
        ([1.0], [2.0]),
        ([0.1] * 9, [0.2] * 9),
        ([0.1] * 9, [0.1] * 9),
        ([1.0, math.nan], [1.0, 2.0]),
        ([1.0, math.inf], [1.0, math.inf]),
        ([1e300, -1e300], [1.0, 2.0]),
    ],
)
def test_pair_that_allows_no_test_gives_none(first, second):
    pair = Sample.of(first), Sample.of(second)
    assert all(math.isnan(value) for value in (p_value(*pair), *interval(*pair, 0.05), seeds_needed(*pair)))


@pytest.mark.parametrize("distance, table", [(0.2, 394), (0.5, 64), (0.8, 26), (1.0, 17)])
def test_seeds_needed_are_those_of_power_tables(distance, table):
    # Cohen (1992), table 2, at 80 % and 0.05, two sided: 393, 64, 26 (he rounds the first, 393.4, down). 1.0: the usual
    # 17. Unit variances and equal numbers make Welch's test Student's.
    assert seeds_needed(Sample(distance, 1.0, 10), Sample(0.0, 1.0, 10)) == table


def test_seeds_needed_give_the_power_in_simulation():
    one, other = Sample(1.5, 1.0, 2), Sample(0.0, 4.0, 2)
    n = int(seeds_needed(one, other))
    generator = np.random.default_rng(1)
    found = {}
    for count in (n, n - 3):
        first, second = generator.normal(1.5, 1, (4000, count)), generator.normal(0, 2, (4000, count))
        found[count] = int((stats.ttest_ind(first, second, axis=1, equal_var=False).pvalue < 0.05).sum())
    assert found[n] >= stats.binom.ppf(1e-4, 4000, 0.8)
    assert found[n - 3] < stats.binom.ppf(1e-4, 4000, 0.8)


def test_seeds_needed_are_infinite_beyond_reason():
    assert seeds_needed(Sample(0.001, 1.0, 9), Sample(0.0, 1.0, 9)) == math.inf
    assert seeds_needed(Sample(1.0, 1.0, 9), Sample(1.0, 1.0, 9)) == math.inf


@pytest.mark.parametrize("distance", [1e2, 1e4, 1e8])
def test_two_seeds_can_be_enough_for_an_enormous_difference(distance):
    assert 2 <= seeds_needed(Sample(distance, 1.0, 2), Sample(0.0, 0.0, 2), level=1e-5) <= 5


def test_holm_adjusts_as_by_hand():
    # Sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1: 0.04, 0.06, 0.06, 0.04; never falling: 0.04, 0.06, 0.06, 0.06.
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.9]) == pytest.approx([1.2, 1.2])
    assert holm([0.04]) == pytest.approx([0.04])
    assert len(holm([])) == 0


def test_holm_does_not_count_what_was_not_tested():
    assert holm([math.nan, 0.02, math.nan, 0.01])[[1, 3]] == pytest.approx([0.02, 0.02])
    assert np.isnan(holm([math.nan, 0.02])[0])
