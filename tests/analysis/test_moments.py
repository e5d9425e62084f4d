"""Mean and standard deviation, against the standard library's exact sums."""

import math
import statistics

import pytest

from regbench.analysis.moments import mean, standard_deviation

VALUES = [0.1, 0.7, 0.2, 12.5, 3e-3]


def test_moments_are_those_of_exact_sums():
    # A sum of n doubles is off by at most n - 1 roundings of the largest partial sum.
    assert mean(VALUES) == pytest.approx(statistics.fmean(VALUES), rel=5 * 2**-53)
    assert standard_deviation(VALUES) == pytest.approx(statistics.stdev(VALUES), rel=20 * 2**-53)


@pytest.mark.parametrize("value", [0.889, 0.1, -2.3, 1e-300])
def test_equal_values_have_no_deviation_at_all(value):
    assert mean([value] * 9) == value
    assert standard_deviation([value] * 9) == 0.0


def test_too_few_values_have_no_deviation():
    assert math.isnan(mean([]))
    assert math.isnan(standard_deviation([1.0]))


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_value_that_is_not_finite_leaves_no_deviation(bad):
    assert math.isnan(standard_deviation([1.0, bad, 2.0]))
    assert math.isnan(mean([math.inf, math.nan]))
    assert mean([1.0, bad]) == pytest.approx(bad, nan_ok=True)
