"""Axes: when they are logarithmic, what they show, and how numbers are written."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from regbench.plots.scales import LARGEST, number, scale_of, scale_of_better, within_unit


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.9712, "0.9712"),
        (1e-5, "1e\N{MINUS SIGN}5"),
        (0.0001, "0.0001"),
        (-2.5, "\N{MINUS SIGN}2.5"),
        (123456.0, "1.235e5"),
        (0, "0"),
        (1, "1"),
    ],
)
def test_numbers_are_short(value, text):
    assert number(value) == text


def test_values_a_decade_apart_are_ratios():
    assert scale_of([1, 10]).log
    assert not scale_of([1, 9]).log
    assert not scale_of([-1, 10]).log


def test_zeros_lie_at_the_lower_end_of_ratios():
    scale = scale_of([0.0, 1e-3, 1.0])
    assert scale.log
    assert 0 < scale.low < 1e-3
    assert scale.inside([0.0])[0] == scale.low


def test_numbers_without_digits_for_ratios_have_a_linear_scale():
    assert not scale_of([5e-324], ratio=1).log
    assert scale_of([5e-324], ratio=1).low < scale_of([5e-324], ratio=1).high


def test_ratios_span_no_more_than_twelve_decades():
    scale = scale_of([1e-300, 1.0], margin=0)
    assert scale.high / scale.low == pytest.approx(1e12)


@given(st.lists(st.floats() | st.just(0.0), max_size=8), st.booleans())
def test_every_scale_can_be_drawn(values, log):
    scale = scale_of(values, ratio=1 if log else 10)
    assert math.isfinite(scale.low)
    assert math.isfinite(scale.high)
    assert scale.low < scale.high
    assert scale.low > 0 or not scale.log
    scale.apply(Figure().subplots(), "y")


@given(st.lists(st.floats(-LARGEST, LARGEST, exclude_min=True, exclude_max=True), min_size=1, max_size=8))
def test_a_linear_scale_shows_all_finite_values(values):
    scale = scale_of([*values, math.nan, math.inf], ratio=math.inf)
    assert scale.low <= min(values)
    assert max(values) <= scale.high


def test_far_worse_values_do_not_set_the_axis():
    assert scale_of_better([0.97, 0.96, 0.95, 0.1], maximize=True).low > 0.9
    assert scale_of_better([0.97, 0.96, 0.95, 0.90], maximize=True).low < 0.9
    assert scale_of_better([0.01, 0.02, 0.03, 1e6], maximize=False).high < 1


def test_maximizing_is_minimizing_the_negative():
    values = [0.97, 0.96, 0.95, 0.1]
    up, down = scale_of_better(values, True), scale_of_better([-value for value in values], False)
    # The two sums of low and high differ by rounding alone.
    assert (up.low, up.high) == pytest.approx((-down.high, -down.low), rel=1e-12)


def test_intervals_have_room_but_no_end_rules():
    scale = scale_of_better([0.90, 0.80], True, [[0.85, -5.0], [0.95, 7.0]])
    assert scale.low <= 0.5
    assert scale.high >= 0.95
    # Three times the distance from best to worst, and the margin of a twentieth of the axis.
    assert scale.high - scale.low == pytest.approx(1.1 * (0.1 + 2 * 3 * 0.1))


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=6), st.booleans())
def test_a_scale_of_anything_finite_exists(values, maximize):
    if not any(abs(value) < LARGEST for value in values):
        values.append(0.5)
    scale = scale_of_better(values, maximize, [values, values])
    assert np.isfinite([scale.low, scale.high]).all()
    assert scale.low < scale.high


def test_shares_are_shown_up_to_a_hundredth_beyond():
    scale = within_unit(scale_of([0.0, 1.0]))
    assert (scale.low, scale.high) == (-0.01, 1.01)
