"""Looks of entries, places of panels."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from regbench.plots.looks import COLOURS, GREY, best_first, looks, ordered
from regbench.plots.panels import coupled, handles, in_order, legend_below, places, spoken
from regbench.plots.style import style

# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB.
DEFICIENCIES = {
    "none": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.95047, 1.0, 1.08883])


def lab(colour, deficiency):
    """CIELAB coordinates of a colour as it is seen."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    x, y, z = TO_XYZ @ np.clip(np.array(deficiency) @ linear, 0, 1) / WHITE
    fx, fy, fz = (np.cbrt(t) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return np.array([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)])


@pytest.mark.parametrize("name", DEFICIENCIES)
def test_colours_can_be_told_apart_whatever_the_sight(name):
    seen = [lab(colour, DEFICIENCIES[name]) for colour in COLOURS]
    # 2.3 is what is just noticed side by side; seaborn's "colorblind" reaches 10.8.
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 15


def test_ten_stand_out_and_differ_without_colour():
    given = looks([f"entry {number}" for number in range(12)])
    first = list(given.values())[:10]
    assert len({look.marker for look in first}) == len({look.colour for look in first}) == 10
    assert all(look.stands_out for look in first)
    assert [look.colour for look in list(given.values())[10:]] == [GREY, GREY]


def test_the_best_mean_rank_comes_first_and_what_is_missing_last():
    values = pd.DataFrame(
        [("p", "a", 3.0), ("p", "b", 2.0), ("p", "c", math.nan), ("q", "a", 1.0), ("q", "b", 2.0), ("q", "d", 0.5)],
        columns=["problem", "label", "value"],
    )
    # Ranks on p: a 1, b 2, c and d 3.5; on q: b 1, a 2, d 3, c 4.
    assert best_first(values) == ["a", "b", "d", "c"]


def test_an_infinite_value_is_not_the_best():
    values = pd.DataFrame({"problem": "p", "label": ["a", "b"], "value": [math.inf, 1.0]})
    assert best_first(values) == ["b", "a"]


def test_a_given_order_wins_and_names_nothing_absent():
    assert ordered(["a", "b", "c"], ["c", "x", "a"]) == ["c", "a", "b"]


def test_what_is_grey_is_counted_in_the_legend():
    names = [f"entry {number}" for number in range(46)]
    labels = [label for _, label in handles(looks(names), {name: name for name in names})]
    assert labels == [*names[:10], "grey: 36 that rank lower"]


def test_panels_fill_rows_evenly_and_groups_begin_rows():
    assert places([3]) == [(0, 0), (0, 1), (0, 2)]
    assert places([5]) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    assert places([2, 1], widest=3) == [(0, 0), (0, 1), (1, 0)]
    assert places([2, 1, 3, 6, 1], flow=True) == [
        *[(0, 0), (0, 1), (0, 2)],
        *[(1, 0), (1, 1), (1, 2)],
        *[(2, 0), (2, 1), (2, 2), (3, 0), (3, 1), (3, 2)],
        (4, 0),
    ]


def test_couplings_have_an_order_and_a_name():
    assert in_order(["other", "decoupled", "l2", "none"]) == ["none", "l2", "decoupled", "other"]
    assert coupled("decoupled_momentum") == "decay: decoupled momentum"
    assert spoken("valid_accuracy") == "validation accuracy"
    assert spoken("learning_rate") == "learning rate"


@pytest.mark.parametrize("length", [4, 60])
def test_a_legend_is_never_wider_than_the_figure(length):
    names = ["m" * length + str(number) for number in range(7)]
    with style():
        figure = Figure(figsize=(4, 3))
        legend_below(figure, handles(looks(names), {name: name for name in names}))
    assert figure.legends[0].get_window_extent().width <= figure.bbox.width
    assert figure.get_figheight() > 3
    assert [text.get_text() for text in figure.legends[0].get_texts()] == names
