"""The expected winner: its weights, exact variance and divisions against draws and against all cases."""

from itertools import combinations, product

import numpy as np
import pytest

from regbench.analysis import expected_winner


def test_weights_are_the_chances_to_win_a_redrawn_search():
    """Of all 4^8 ways to draw twice as often as there are trials."""
    wins = np.bincount([min(draw) for draw in product(range(4), repeat=8)], minlength=4)
    np.testing.assert_allclose(expected_winner.weights(4), wins / 4**8, rtol=1e-12)
    assert expected_winner.weights(50)[:3] == pytest.approx([0.8674, 0.1157, 0.0148], abs=1e-4)
    assert expected_winner.weights(1) == pytest.approx([1.0])


def test_equal_scores_share_their_weights():
    scores = np.array([3.0, 2.0, 2.0, 1.0, -np.inf, -np.inf])
    alone, shared = expected_winner.weights(6), expected_winner.shared_weights(scores)
    np.testing.assert_allclose(shared, [alone[0], *[alone[1:3].mean()] * 2, alone[3], *[alone[4:].mean()] * 2])
    assert shared.sum() == pytest.approx(1)


@pytest.mark.parametrize("values", [[5.0, 3.0, 4.0, -2.0], [1.0, 0.0, 0.0], [2.0, 7.0]])
def test_variance_is_that_of_all_searches_that_can_be_drawn(values):
    size = len(values)
    chances = expected_winner.weights(size)
    scores = [chances @ np.array(values)[sorted(draw)] for draw in product(range(size), repeat=size)]
    assert expected_winner.draw_variance(np.array(values)) == pytest.approx(np.var(scores), rel=1e-7)


@pytest.mark.parametrize("trials", [10, 50, 200])
def test_variance_is_that_of_searches_drawn_at_random(trials):
    generator = np.random.default_rng(trials)
    values = np.sort(generator.random(trials))[::-1]
    order = generator.permutation(trials)
    by_number = np.empty(trials)
    by_number[order] = values
    counts = generator.multinomial(trials, np.full(trials, 1 / trials), size=40_000)
    scores = expected_winner.redrawn(by_number, order, counts)
    assert expected_winner.draw_variance(values) == pytest.approx(scores.var(), rel=0.05)
    # The mean over searches is not quite the score: twice drawn is less spread than once.
    assert scores.mean() <= expected_winner.weights(trials) @ values


def test_one_trial_has_no_luck_of_the_draw():
    assert expected_winner.draw_variance(np.array([3.0])) == 0


def test_loadings_have_all_but_little_of_the_variance():
    for trials in (2, 4, 25, 50):
        values = np.sort(np.random.default_rng(trials).random(trials))[::-1]
        squares = np.sum((values @ expected_winner.draw_loadings(trials)) ** 2)
        assert squares == pytest.approx(expected_winner.draw_variance(values), rel=0.06)


def test_one_trial_has_no_loadings():
    assert not expected_winner.draw_loadings(1).any()


def test_division_gives_the_difference_of_the_two_scores_and_its_error():
    values = np.array([9.0, 7.0, 4.0, 3.0, 1.0])
    for chosen in combinations(range(5), 2):
        mine = np.isin(np.arange(5), chosen)
        expected = expected_winner.weights(2) @ values[mine] - expected_winner.weights(3) @ values[~mine]
        variance = expected_winner.draw_variance(values[mine]) + expected_winner.draw_variance(values[~mine])
        difference, *loadings = expected_winner.division(mine[None], 2)[0] @ values
        assert difference == pytest.approx(expected, rel=1e-6)
        assert np.sum(np.square(loadings)) == pytest.approx(variance, rel=1e-5)


def test_random_divisions_are_of_the_two_sizes_and_all_alike_likely():
    weights = expected_winner.divisions(2, 2)[:, 0]
    rows, counts = np.unique(weights, axis=0, return_counts=True)
    assert len(rows) == 6
    expected = len(weights) / 6
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)


@pytest.mark.parametrize(("one", "other"), [(50, 50), (40, 60)])
def test_trials_that_are_left_out_cannot_be_seen(one, other):
    """Values between 0 and 1: of the difference nothing is missed that anyone could read."""
    values = np.sort(np.random.default_rng(0).random(one + other))[::-1].astype(np.float32)
    mine = np.random.default_rng(1).permuted(np.tile(np.arange(one + other) < one, (500, 1)), axis=1)
    seen = expected_winner.divisions(one, other).shape[-1]
    assert seen < one + other
    relative = values - values[0]
    whole = expected_winner.division(mine, one) @ relative
    part = expected_winner.division(mine, one, seen=seen) @ relative[:seen]
    assert np.abs(whole - part).max() < 1e-4
