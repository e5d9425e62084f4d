"""Made surfaces: what they promise, and that claims on them err no more than they may."""

import numpy as np
import pytest
from scipy import stats

from regbench.analysis.calibration import claimed, searches
from regbench.analysis.made_surfaces import DISTRIBUTIONS, MEAN, UNTRAINED, made

REPETITIONS = 40


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_candidates_have_equal_means(name):
    one, other = made(name, 2, settings=2000)
    assert one.test.shape == (2000, 12)
    assert one.test.mean() == pytest.approx(other.test.mean(), abs=1e-12)
    assert np.std(one.test.mean(axis=1)) < 3 * one.test.std() / np.sqrt(12)


def test_seeds_are_as_their_names_say():
    (steps,), (five,) = made("steps of 1/360", 1), made("one seed in five collapses", 1)
    np.testing.assert_allclose(np.round(steps.valid * 360), steps.valid * 360, atol=1e-6)
    assert np.isclose(five.test, UNTRAINED).mean() == pytest.approx(0.2, abs=0.02)
    assert five.valid.max() < MEAN + 0.05
    even, spread = made("equal means, skewed, spread 1 and 6", 2)
    assert spread.test.std() / even.test.std() == pytest.approx(6, rel=0.1)
    assert stats.skew(spread.test, axis=None) < -1


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_claims_given_the_budget_err_no_more_than_the_level(name):
    rows = claimed(searches(made(name, 3), 10, REPETITIONS, fresh_seeds=5))
    false = rows.groupby("problem")["claimed"].any().sum()
    # A rate at the level gives more with a probability below 1e-4.
    assert false <= stats.binom.ppf(1 - 1e-4, REPETITIONS, 0.05)
    assert (rows["reason"] == "").all()


def test_three_fresh_seeds_claim_nothing_and_say_why():
    rows = claimed(searches(made("one seed in five collapses", 2), 10, 3, fresh_seeds=3))
    assert not rows["claimed"].any()
    assert rows["reason"].str.contains("5 are needed").all()
