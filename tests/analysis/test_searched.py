"""Searches that are one entry, and the intervals of scores; single searches are in `test_scores`."""

import numpy as np
import pytest

from regbench.analysis.searched import NO_SCORE, Score, Searched, SeveralSearches


def search(values, fresh):
    """A search whose best trial was run again with these values."""
    values = np.asarray(values, float)
    best = int(values.argmax())
    return Searched(
        sign=-1.0,
        chosen_by=values,
        own=values,
        fresh=tuple(np.asarray(fresh if place == best else [], float) for place in range(len(values))),
        failed=tuple(np.empty(0, bool) for _ in values),
        spread=0.01,
        spread_freedom=1,
        decided_by="valid_loss",
        settings=tuple(f"{value}" for value in values),
    )


@pytest.fixture
def three():
    return SeveralSearches(tuple(search([-5.0, best, -6.0], [best, best - 0.1]) for best in (-3.0, -2.0, -4.0)))


def test_score_of_several_is_the_mean_of_the_searches_with_its_error(three):
    scores = [one.score.value for one in three.each]
    assert three.score.value == pytest.approx(np.mean(scores))
    assert three.score.error == pytest.approx(np.std(scores, ddof=1) / np.sqrt(3))
    assert (three.score.freedom, three.score.is_approximate, three.score.why_silent) == (2, False, "")
    assert list(three.fresh_of_winner) == [-3.0, -3.1, -2.0, -2.1, -4.0, -4.1]


def test_each_of_several_is_cut(three):
    assert three.trials == 3
    assert [one.trials for one in three.first(2).each] == [2, 2, 2]
    assert three.first(1).score.why_silent == "a search whose winner has no fresh seed"


def test_two_searches_are_too_few(three):
    assert SeveralSearches(three.each[:2]).score.why_silent == "2 searches, 3 are needed"


def test_interval_is_students():
    # t(0.975, 4) = 2.776445
    assert Score(1.0, 0.5, 4).interval() == pytest.approx((1 - 1.3882225, 1 + 1.3882225), rel=1e-6)
    assert np.isnan(NO_SCORE.interval()).all()
    assert np.isnan(Score(1.0, 0.0, 4).interval()).all()
