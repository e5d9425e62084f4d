"""Intervals against closed forms, invariances, and how often they hold the truth."""

import math

import numpy as np
import pytest
from scipy import stats

from regbench.analysis.intervals import (
    UNBOUNDED,
    bounds,
    interquartile_mean,
    interquartile_mean_interval,
    mean_interval,
    probability_of_improvement,
)

INTERVALS = [mean_interval, interquartile_mean_interval]
TEN = [0.61, 0.62, 0.63, 0.64, 0.66, 0.67, 0.68, 0.70, 0.71, 0.75]


def fewest_hits(samples, coverage):
    """A rate at least as high as `coverage` gives fewer hits with a probability below 1e-4."""
    return stats.binom.ppf(1e-4, samples, coverage)


def most_hits(samples, coverage):
    """A rate at most as high as `coverage` gives more hits with a probability below 1e-4."""
    return stats.binom.ppf(1 - 1e-4, samples, coverage)


def test_mean_interval_is_that_of_a_t_table():
    # 1 ... 5: mean 3, variance 10/4, standard error sqrt(2.5/5); t(0.975, 4) = 2.7764 in every table (to 5e-5).
    low, high = mean_interval([1, 2, 3, 4, 5])
    half = 2.7764 * math.sqrt(0.5)
    assert (low, high) == pytest.approx((3 - half, 3 + half), abs=5e-5)


def test_mean_interval_stays_within_the_values_that_there_can_be():
    values = [0.9, 1.0, 0.95, 0.99]
    low, high = mean_interval(values)
    assert low < 1 < high
    assert mean_interval(values, within=bounds("accuracy")) == (low, 1.0)
    # As losses they may be above 1.
    assert mean_interval(values, within=bounds("loss", "digits_mlp")) == (low, high)
    assert mean_interval([0.0, 0.1, 0.01], within=bounds("loss", "digits_mlp")).low == 0.0
    assert mean_interval([0.0, 0.1, 0.01], within=bounds("loss", "quadratic_deep")).low < 0


def test_bounds_are_those_of_metric_and_problem():
    assert bounds("accuracy") == bounds("valid_accuracy", "nobody_knows_it") == (0, 1)
    assert bounds("test_loss", "fmnist_2c2d") == (0, math.inf)
    # The model is the loss, or nothing is known of it: it may be negative.
    assert bounds("loss", "two_d_branin") == bounds("loss", "nobody_knows_it") == bounds("loss") == UNBOUNDED


def test_there_is_no_mean_interval_where_a_seed_diverged():
    assert all(math.isnan(end) for end in mean_interval(TEN, diverged=1))


def test_wider_level_gives_a_wider_interval():
    for interval in INTERVALS:
        narrow, wide = interval(TEN, level=0.8), interval(TEN, level=0.99)
        assert wide.low < narrow.low < narrow.high < wide.high


def test_interquartile_mean_leaves_out_a_quarter_at_each_end():
    assert interquartile_mean([8, 1, 2, 7, 3, 6, 4, 5]) == 4.5
    # A quarter of ten values, rounded down, is two.
    assert interquartile_mean([0, 0, 1, 2, 3, 4, 5, 6, 100, 100]) == 3.5
    assert interquartile_mean([1, 2, 6]) == 3


def test_one_diverged_seed_does_not_move_the_interquartile_mean_far():
    assert interquartile_mean([1, 2, 3, math.inf]) == 2.5


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize(
    "values",
    [[], [1.0], [0.1, 0.1], [0.1] * 10, [1.0, math.nan], [*TEN, math.nan], [*TEN, math.inf], [-math.inf] * 9],
)
def test_there_is_no_interval_where_nothing_tells_the_spread(interval, values):
    assert all(math.isnan(end) for end in interval(values))


@pytest.mark.parametrize("values", [[1.0, 2.0, 3.0, 4.0], [0.0] * 8 + [1.0], [1e308, 1e308, 1.0, -1e308, 0.0, 2.0]])
def test_bootstrap_gives_no_interval_where_it_is_degenerate(values):
    assert all(math.isnan(end) for end in interquartile_mean_interval(values))


def test_mean_interval_of_values_too_large_to_square_is_none():
    assert all(math.isnan(end) for end in mean_interval([1e300, -1e300, 1.0]))


def test_interquartile_mean_of_nothing_is_nothing():
    assert math.isnan(interquartile_mean([]))
    assert math.isnan(interquartile_mean([1.0, math.nan]))


def test_same_seed_gives_the_same_interval():
    assert interquartile_mean_interval(TEN, seed=3) == interquartile_mean_interval(TEN, seed=3)
    assert interquartile_mean_interval(TEN, seed=3) != interquartile_mean_interval(TEN, seed=4)


@pytest.mark.parametrize("interval", INTERVALS)
def test_intervals_shift_and_scale_with_the_values(interval):
    low, high = interval(TEN)
    moved = interval(5 + 100 * np.array(TEN))
    # The bootstrap draws the same samples; its means are rounded to 1e-9 of the range of the values, which is 14.
    assert moved == pytest.approx((5 + 100 * low, 5 + 100 * high), abs=14e-9)


@pytest.mark.parametrize("interval", INTERVALS)
def test_intervals_of_the_negative_are_the_negative_intervals(interval):
    low, high = interval(TEN)
    # Means are rounded to 1e-9 of the range, 0.14.
    assert interval(-np.array(TEN)) == pytest.approx((-high, -low), abs=0.14e-9)


def test_mean_interval_holds_the_truth_as_often_as_it_says():
    samples = np.random.default_rng(1).normal(2.0, 3.0, (2000, 5))
    hits = sum(low <= 2.0 <= high for low, high in map(mean_interval, samples))
    assert fewest_hits(2000, 0.95) <= hits <= most_hits(2000, 0.95)


@pytest.mark.parametrize("n, coverage", [(5, 0.89), (10, 0.93)])
def test_interquartile_mean_interval_holds_the_truth_as_often_as_documented(n, coverage):
    samples = np.random.default_rng(n).normal(size=(400, n))
    hits = sum(low <= 0.0 <= high for low, high in map(interquartile_mean_interval, samples))
    assert fewest_hits(400, coverage) <= hits <= most_hits(400, 0.95)


def test_probability_of_improvement_counts_pairs_and_ties_half():
    # Against 1: 2 and 3 win, 1 ties; against 2: 3 wins, 2 ties; so 2.5 + 1.5 of 6.
    probability, interval = probability_of_improvement([1, 2, 3], [1, 2], "maximize")
    assert probability == 4 / 6
    assert interval.low < 4 / 6 < interval.high


def test_probability_of_improvement_is_the_mann_whitney_statistic():
    generator = np.random.default_rng(0)
    first, second = generator.integers(0, 5, 9), generator.integers(1, 6, 7)
    probability, _ = probability_of_improvement(first, second, "maximize")
    assert probability == pytest.approx(stats.mannwhitneyu(first, second).statistic / 63, rel=1e-15)


def test_probability_of_improvement_maximizes_what_minimizes_the_negative():
    first, second = np.array([1.0, 2.0, 5.0, 7.0]), np.array([2.0, 3.0, 4.0])
    assert probability_of_improvement(first, second, "maximize") == probability_of_improvement(
        -first, -second, "minimize"
    )


def test_probabilities_of_the_two_sides_add_to_one():
    first, second = [1.0, 2.0, 5.0, 7.0], [2.0, 3.0, 4.0]
    probability, (low, high) = probability_of_improvement(first, second, "maximize")
    other, (other_low, other_high) = probability_of_improvement(second, first, "maximize")
    assert other + probability == pytest.approx(1, rel=1e-15)
    # brentq is exact to 2e-12 by default.
    assert (other_low, other_high) == pytest.approx((1 - high, 1 - low), abs=1e-11)


def test_probability_of_improvement_is_that_of_any_increasing_transform():
    first, second = np.array(TEN[::2]), np.array(TEN[1::2]) - 0.03
    assert probability_of_improvement(first, second, "maximize") == probability_of_improvement(
        np.exp(20 * first), np.exp(20 * second), "maximize"
    )


def test_one_value_that_beats_one_other_gives_the_interval_of_one_win_in_one_game():
    # m = n = 1: (1 - t)^2 = z^2 t (1 - t), so t = 1/(1 + z^2), Wilson's interval of one success in one trial.
    probability, interval = probability_of_improvement([2.0], [1.0], "maximize")
    assert probability == 1
    assert interval == pytest.approx((1 / (1 + 1.959964**2), 1.0), abs=1e-6)


def test_three_values_that_beat_three_others_do_not_exclude_one_half():
    # The exact test gives p = 2 / 20 for this most extreme outcome.
    _, interval = probability_of_improvement([4, 5, 6], [1, 2, 3], "maximize")
    assert interval == (0.5, 1.0)
    _, interval = probability_of_improvement(range(10, 20), range(10), "maximize")
    assert interval.low > 0.5


def test_values_that_are_no_numbers_lose_for_either_goal():
    for goal in ("maximize", "minimize"):
        assert probability_of_improvement([1.0], [math.nan], goal)[0] == 1
        assert probability_of_improvement([math.nan], [math.nan, 1.0], goal)[0] == 0.25


def test_equal_values_are_even_and_no_values_are_nothing():
    assert probability_of_improvement([0.1, 0.1], [0.1, 0.1, 0.1], "maximize")[0] == 0.5
    probability, interval = probability_of_improvement([], [1.0], "maximize")
    assert math.isnan(probability)
    assert all(math.isnan(end) for end in interval)


@pytest.mark.parametrize("n, shift", [(3, 0.0), (5, 1.0), (10, 0.0), (10, 1.0), (10, 2.0)])
def test_interval_of_improvement_holds_the_truth_as_often_as_it_says(n, shift):
    generator = np.random.default_rng(n)
    # Chance that one of two unit normal values a shift apart is the larger.
    truth = stats.norm.cdf(shift / math.sqrt(2))
    hits = 0
    for _ in range(400):
        _, (low, high) = probability_of_improvement(
            generator.normal(shift, 1, n), generator.normal(0, 1, n), "maximize"
        )
        hits += low <= truth <= high
    assert hits >= fewest_hits(400, 0.95)


def test_levels_and_goals_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match=r"`level` must be in \(0, 1\). Received: level=95"):
        mean_interval([1, 2], level=95)
    with pytest.raises(ValueError, match=r"`goal` must be maximize or minimize. Received: goal='max'"):
        probability_of_improvement([1], [2], "max")
