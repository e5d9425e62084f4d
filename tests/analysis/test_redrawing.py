"""Two searches compared: errors with and without common draws, and divisions against all that there are."""

from itertools import combinations, product

import numpy as np
import pytest

from regbench.analysis import expected_winner, redrawing
from regbench.analysis.searched import Searched


def searched(values, settings=None, chosen_by=None, spread=0.0):
    values = np.asarray(values, float)
    return Searched(
        sign=1.0,
        chosen_by=values if chosen_by is None else np.asarray(chosen_by, float),
        own=values,
        fresh=tuple(np.empty(0) for _ in values),
        failed=tuple(np.empty(0, bool) for _ in values),
        spread=spread,
        spread_freedom=8,
        decided_by="valid_accuracy",
        settings=settings,
    )


def test_errors_of_searches_with_draws_of_their_own_add():
    one, other = (
        searched([1.0, 3.0, 2.0], tuple("abc"), spread=0.3),
        searched([2.0, 2.5, 0.0], tuple("xyz"), spread=0.2),
    )
    difference = redrawing.difference(one, other)
    assert difference.value == pytest.approx(one.oriented - other.oriented)
    assert difference.error == pytest.approx(np.hypot(one.score.error, other.score.error))
    assert difference.freedom == one.score.freedom


def test_common_draws_are_redrawn_together():
    """Of all 3^3 searches that can be drawn; what both gain by a lucky draw is no difference."""
    first, second = np.array([1.0, 3.0, 2.0]), np.array([1.5, 3.5, 2.0])
    one, other = searched(first, tuple("abc")), searched(second, tuple("abc"))
    chances = expected_winner.weights(3)
    gaps = [
        chances @ np.sort(first[list(draw)])[::-1] - chances @ np.sort(second[list(draw)])[::-1]
        for draw in product(range(3), repeat=3)
    ]
    error = redrawing.difference(one, other).error
    assert error == pytest.approx(np.std(gaps), rel=0.05)
    assert error < 0.5 * np.hypot(one.score.error, other.score.error)
    assert redrawing.difference(searched(first), searched(second)).error > 2 * error


def relative(mine, theirs):
    """The difference of the scores of two searches, relative to its draw error."""
    chances = expected_winner.weights(len(mine))
    mine, theirs = (np.sort(values)[::-1] for values in (mine, theirs))
    error = np.sqrt(expected_winner.draw_variance(mine) + expected_winner.draw_variance(theirs))
    return abs(chances @ mine - chances @ theirs) / error


def test_share_of_divisions_is_that_of_all():
    one, other = searched([9.0, 7.0, 6.0]), searched([8.0, 1.0, 0.0])
    values = np.concatenate([one.values, other.values])
    seen = relative(one.values, other.values)
    each = [np.isin(np.arange(6), chosen) for chosen in combinations(range(6), 3)]
    expected = np.mean([relative(values[mine], values[~mine]) >= seen - 1e-9 for mine in each])
    assert redrawing.permuted_p([(one, other)])[0] == pytest.approx(expected, abs=0.04)
    assert redrawing.permuted_p([(one, other)])[0] == redrawing.permuted_p([(other, one)])[0]


def test_trials_of_common_draws_change_places():
    """Each trial of the one is better by as much: of the 2^3 ways to swap only two give so large a difference."""
    second = np.array([5.0, 4.0, 3.0])
    first = second + 0.5
    one, other = searched(first, tuple("abc")), searched(second, tuple("abc"))
    seen = relative(first, second)
    swapped = [np.array(swaps) for swaps in product([False, True], repeat=3)]
    expected = np.mean(
        [relative(np.where(swaps, second, first), np.where(swaps, first, second)) >= seen - 1e-9 for swaps in swapped]
    )
    assert redrawing.permuted_p([(one, other)])[0] == pytest.approx(expected, abs=0.02)


def test_equal_values_on_both_sides_are_told_apart():
    one, other = searched([0.97] * 8), searched([0.96] * 8)
    assert redrawing.permuted_p([(one, other)])[0] < 0.01
    assert redrawing.permuted_p([(one, searched([0.97] * 8))])[0] == 1
