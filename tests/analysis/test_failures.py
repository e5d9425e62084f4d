"""Shares of failure: intervals against the binomial distribution, and the exact test against all tables."""

from math import comb

import numpy as np
import pytest
from scipy import stats

from regbench.analysis.failures import Failures, compared


def test_none_of_nine_leaves_more_than_a_quarter_possible():
    none = Failures(0, 9, 0.9)
    assert none.interval() == pytest.approx((0, 1 - 0.05 ** (1 / 9)))
    assert str(none) == "0 of 9 (up to 28 % possible)"
    assert str(Failures(9, 9, np.nan)) == "9 of 9 (from 72 % possible)"
    assert Failures(0, 0, np.nan).interval() == (0, 1)


def test_interval_ends_where_as_many_failures_would_be_too_rare():
    low, high = Failures(2, 9, 0.9).interval()
    assert stats.binom.sf(1, 9, low) == pytest.approx(0.025)
    assert stats.binom.cdf(2, 9, high) == pytest.approx(0.025)


@pytest.mark.parametrize("runs", [5, 9, 10, 25])
def test_interval_holds_the_truth_as_often_as_it_says(runs):
    ends = np.array([Failures(failed, runs, np.nan).interval() for failed in range(runs + 1)])
    truths = np.linspace(0.001, 0.999, 999)
    chances = stats.binom.pmf(np.arange(runs + 1), runs, truths[:, None])
    holds = (ends[:, 0] <= truths[:, None]) & (truths[:, None] <= ends[:, 1])
    assert (chances * holds).sum(axis=1).min() > 0.92


def test_exact_test_counts_all_tables_that_are_no_likelier():
    def chance(failed):
        return comb(5, failed) * comb(7, 4 - failed) / comb(12, 4)

    seen = chance(4)
    expected = sum(chance(failed) for failed in range(5) if chance(failed) <= seen * (1 + 1e-9))
    assert compared(Failures(4, 5, 0.9), Failures(0, 7, 0.9)) == pytest.approx(expected)
    assert compared(Failures(0, 5, 0.9), Failures(0, 7, 0.9)) == 1
    assert np.isnan(compared(Failures(0, 0, np.nan), Failures(0, 7, 0.9)))


def test_survivors_are_averaged_by_themselves():
    failures = Failures.of(np.array([0.1, 0.9, 0.8]), np.array([True, False, False]))
    assert failures == (1, 3, pytest.approx(0.85))
    assert np.isnan(Failures.of(np.array([0.1]), np.array([True])).mean_of_others)
