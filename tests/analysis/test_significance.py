"""The test of a pair against SciPy, Holm's adjustment by hand, and what could have been seen by the noncentral t."""

import math

import numpy as np
import pytest
from scipy import stats

from regbench.analysis.significance import Difference, Sample, holm


def test_pair_is_compared_as_welch_of_scipy():
    generator = np.random.default_rng(0)
    first, second = generator.normal(0.1, 1, 7), generator.normal(0, 3, 12)
    one, other = Sample.of(first), Sample.of(second)
    expected = stats.ttest_ind(first, second, equal_var=False)
    ends = expected.confidence_interval(0.9)
    assert Difference.of(one, other).p_value() == pytest.approx(expected.pvalue, rel=1e-12)
    assert Difference.of(one, other).interval(0.1) == pytest.approx((ends.low, ends.high), rel=1e-12)


def test_pair_with_no_spread_in_one_is_that_of_a_single_sample():
    # The other variance vanishes from the error and from the degrees of freedom.
    values = [1.0, 2.0, 4.0, 5.0]
    found = Difference.of(Sample.of(values), Sample.of([0.5, 0.5, 0.5])).p_value()
    assert found == pytest.approx(stats.ttest_1samp(values, 0.5).pvalue, rel=1e-12)


def test_pair_does_not_depend_on_shift_and_scale():
    first, second = np.array([0.1, 0.4, 0.2, 0.5]), np.array([0.3, 0.6, 0.7])
    pair = Sample.of(first), Sample.of(second)
    moved = Sample.of(2 + 1000 * first), Sample.of(2 + 1000 * second)
    # Values near 1000 with a spread of 100 lose two digits to the common part.
    assert Difference.of(*moved).p_value() == pytest.approx(Difference.of(*pair).p_value(), rel=1e-12)
    assert Difference.of(*moved).interval(0.05) == pytest.approx(
        [1000 * end for end in Difference.of(*pair).interval(0.05)], rel=1e-11
    )


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
    assert all(math.isnan(value) for value in (Difference.of(*pair).p_value(), *Difference.of(*pair).interval(0.05)))


@pytest.mark.parametrize("n, level", [(5, 0.05), (9, 0.05), (20, 0.001)])
def test_detectable_difference_is_found_in_80_of_100_cases(n, level):
    """By the noncentral t distribution; Student's test, since spread and numbers are equal. The formula is a sum."""
    pair = Difference.of(Sample(0.0, 4.0, n), Sample(0.0, 4.0, n))
    shift = pair.detectable(level) / pair.error
    critical = stats.t.ppf(1 - level / 2, pair.freedom)
    assert stats.nct.sf(critical, pair.freedom, shift) == pytest.approx(0.8, abs=0.02)


def test_holm_adjusts_as_by_hand():
    # Sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1: 0.04, 0.06, 0.06, 0.04; never falling: 0.04, 0.06, 0.06, 0.06.
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.9]) == pytest.approx([1.2, 1.2])
    assert holm([0.04]) == pytest.approx([0.04])
    assert len(holm([])) == 0


def test_holm_does_not_count_what_was_not_tested():
    assert holm([math.nan, 0.02, math.nan, 0.01])[[1, 3]] == pytest.approx([0.02, 0.02])
    assert np.isnan(holm([math.nan, 0.02])[0])
