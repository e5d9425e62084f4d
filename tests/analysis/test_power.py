"""Power: what is said to be seen is seen, by simulation and by the formulas of two means."""

import numpy as np
import pytest
from scipy import stats

from regbench.analysis import scores
from regbench.analysis.calibration import Surface, claimed, searches
from regbench.analysis.power import Power
from regbench.analysis.searched import FREEDOM


def flat(slope=0.0):
    """Settings that are all alike, or worth evenly more."""
    generator = np.random.default_rng(0)
    level = 0.9 + slope * np.linspace(-1, 0, 400)[:, None]
    valid, test = (level + 0.005 * generator.standard_normal((400, 12)) for _ in range(2))
    return Surface("made__flat", "maximize", valid, test, 0.1)


def pair(surface, budget=20):
    found = scores.searched(searches([surface, surface], budget, 1, seed=3))
    return tuple(found.values())


def test_seeds_are_those_of_a_t_test_of_two_means():
    one, other = pair(flat())
    seen = Power(one, other).of("seeds", 12)
    variance = one.fresh_of_winner.var(ddof=1) + other.fresh_of_winner.var(ddof=1)
    quantiles = stats.t.ppf(0.975, 22) + stats.t.ppf(0.8, 22)
    assert seen.visible == pytest.approx(quantiles * np.sqrt(variance / 12))
    # A variance of 16 degrees of freedom.
    ends = stats.chi2.ppf([0.975, 0.025], 16)
    assert (seen.low, seen.high) == pytest.approx(tuple(seen.visible * np.sqrt(16 / ends)))
    assert (seen.question, seen.runs) == ("settings", 24)


def test_one_search_sees_what_its_claim_says():
    one, other = pair(flat())
    seen = Power(one, other).of("searches", 1)
    error = np.hypot(one.score.error, other.score.error)
    assert seen.visible == pytest.approx((stats.t.ppf(0.975, FREEDOM) + stats.t.ppf(0.8, FREEDOM)) * error)
    assert seen.runs == 2 * (20 + 9)


def test_of_all_trials_as_much_is_seen_as_of_the_search_itself():
    both = Power(*pair(flat(slope=0.5)))
    assert both.of("trials", 20).visible == pytest.approx(both.of("searches", 1).visible, rel=1e-6)
    assert both.of("trials", 5).visible > both.of("trials", 20).visible


@pytest.mark.parametrize(
    ("what", "count", "more"), [("searches", 5, {"several": 5, "fresh_seeds": 2}), ("trials", 20, {})]
)
def test_most_of_the_differences_that_are_said_to_be_seen_are_claimed(what, count, more):
    """Of a surface on which the luck of the draw is that of the seeds; the second test costs a few."""
    surface = flat()
    visible = Power(*pair(surface)).of(what, count).visible
    rows = claimed(searches([surface.shifted(visible), surface], 20, 60, seed=1, **more))
    assert 0.6 <= (rows["claimed"] & (rows["better"] == "c0")).mean() <= 0.99


def test_the_fewest_that_see_a_difference_are_found():
    both = Power(*pair(flat(slope=0.5)))
    for what, count in (("searches", 7), ("trials", 15), ("seeds", 20)):
        visible = both.of(what, count).visible
        needed, low, high = both.needed(what, visible)
        assert needed.number == count
        assert low.number <= needed.number
        assert high is None or high.number >= needed.number
        assert both.needed(what, 1e-9) == (None, None, None)


def test_searches_without_spread_are_refused():
    one, other = pair(flat())
    silent = scores.searched(searches([flat()], 5, 1, fresh_seeds=1))
    with pytest.raises(ValueError, match="at least 2 fresh seeds"):
        Power(one, next(iter(silent.values())))
    with pytest.raises(ValueError, match="`count` must be one that `counts` has"):
        Power(one, other).of("searches", 2)


def test_candidate_without_a_search_has_no_trials_to_add():
    one, other = pair(flat(), budget=1)
    both = Power(one, other)
    assert not both.counts("trials")
    assert both.needed("trials", 1.0) == (None, None, None)
    seen = both.of("searches", 1)
    # But for Welch's degrees of freedom, 15.7 in place of 16.
    assert seen.visible == pytest.approx(both.of("seeds", 9).visible, rel=0.005)
    assert seen.low < seen.visible < seen.high
