"""The pictures of `regbench figures`: what is drawn is what came in."""

import numpy as np
import pandas as pd
import pytest

from regbench.plots.curve_panels import CurvePanel, curve_panels
from regbench.plots.gains import gains
from regbench.plots.kernel_images import covariance_maps, kernel_grid
from regbench.plots.stamp import stamp
from regbench.plots.style import NothingToDrawError


def curve(panel, label, x, mean):
    mean = np.asarray(mean, float)
    return pd.DataFrame({"panel": panel, "label": label, "x": x, "mean": mean, "low": mean * 0.9, "high": mean * 1.1})


def texts(figure):
    figure.canvas.draw()
    return {text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))}


def test_every_panel_shows_its_curves_and_no_others():
    frame = pd.concat(
        [curve("a", "one", [1, 2, 3], [1, 2, 3]), curve("a", "two", [1, 2], [5, 6]), curve("b", "one", [1, 2], [7, 8])]
    )
    figure = curve_panels(frame, {"b": CurvePanel("B", "x", "y"), "a": CurvePanel("A", "x", "y")})
    first, second = figure.axes
    assert (first.get_title(), second.get_title()) == ("B", "A")
    drawn = [[line.get_ydata().tolist() for line in axes.lines] for axes in (first, second)]
    assert drawn == [[[7, 8]], [[1, 2, 3], [5, 6]]]
    assert {"one", "two"} <= texts(figure)


def test_levels_lie_across_and_are_named_once():
    frame = curve("a", "one", [1, 2], [0.1, 0.2])
    panels = {
        "a": CurvePanel("A", "x", "y", levels={"without": 0.7}),
        "b": CurvePanel("B", "x", "y", levels={"without": 0.8}),
    }
    figure = curve_panels(pd.concat([frame, frame.assign(panel="b")]), panels)
    for axes, level in zip(figure.axes, (0.7, 0.8), strict=True):
        assert any(list(line.get_ydata()) == [level, level] for line in axes.lines)
        assert axes.get_ylim()[0] < 0.1 < level < axes.get_ylim()[1]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["one", "without"]


@pytest.mark.parametrize(
    ("options", "scale"), [({}, "log"), ({"is_share": True}, "linear"), ({"is_linear": True}, "linear")]
)
def test_values_that_span_decades_are_shown_as_ratios_unless_told_otherwise(options, scale):
    frame = curve("a", "one", [1, 2, 3], [0.001, 0.1, 0.9])
    (axes,) = curve_panels(frame, {"a": CurvePanel("A", "x", "y", **options)}).axes
    assert axes.get_yscale() == scale


def test_factors_of_marked_points_are_shown_as_ratios():
    frame = curve("a", "one", [0.001, 0.01, 0.1], [1, 2, 3])
    for options, scale in (({"markers": True}, "log"), ({"is_log_x": True}, "log"), ({}, "linear")):
        (axes,) = curve_panels(frame, {"a": CurvePanel("A", "x", "y", **options)}).axes
        assert axes.get_xscale() == scale


def test_panels_with_the_same_vertical_axis_show_all_values():
    frame = pd.concat([curve("a", "one", [1, 2], [1, 2]), curve("b", "one", [1, 2], [5, 6])])
    panels = {name: CurvePanel(name, "x", "y") for name in "ab"}
    same, own = (curve_panels(frame, panels, same_y=same).axes for same in (True, False))
    assert same[0].get_ylim() == same[1].get_ylim()
    assert own[0].get_ylim() != own[1].get_ylim()


def test_curve_that_stops_being_finite_ends_with_a_cross_that_is_explained():
    figure = curve_panels(curve("a", "one", [1, 2, 3], [1, 2, np.nan]), {"a": CurvePanel("A", "x", "y")})
    assert any(line.get_marker() == "x" and list(line.get_xdata()) == [2] for line in figure.axes[0].lines)
    assert "no longer finite" in texts(figure)


def test_nothing_finite_is_nothing_to_draw():
    with pytest.raises(NothingToDrawError):
        curve_panels(curve("a", "one", [1, 2], [np.nan, np.inf]), {"a": CurvePanel("A", "x", "y")})
    with pytest.raises(NothingToDrawError):
        gains(differences("x", [np.nan]), "points")


def differences(name, values, published=np.nan):
    mean = float(np.mean(values))
    rows = {"comparison": name, "seed": range(len(values)), "difference": values, "mean": mean}
    return pd.DataFrame(rows | {"low": mean - 1, "high": mean + 1, "published": published})


def test_gains_show_seeds_mean_interval_and_what_was_published():
    figure = gains(pd.concat([differences("A", [1, 2, 6], 2.71), differences("B", [-4.0])]), "points")
    (axes,) = figure.axes
    drawn = [sorted(line.get_xdata()) for line in axes.lines]
    for expected in ([1, 2, 6], [3.0], [2.0, 4.0], [2.71], [-4.0], [-5.0, -3.0]):
        assert expected in drawn
    assert [label.get_text() for label in axes.get_yticklabels()] == ["A", "B"]
    assert axes.get_xlim()[0] < -5 < 6 < axes.get_xlim()[1]
    assert "published" in texts(figure)
    assert "published" not in texts(gains(differences("B", [-4.0, 1.0]), "points"))


def test_seeds_with_equal_differences_do_not_hide_each_other():
    (axes,) = gains(differences("A", [1.0, 1.0, 1.0]), "points").axes
    (points,) = (line for line in axes.lines if len(line.get_xdata()) == 3)
    assert len(set(points.get_ydata())) == 3


def test_kernels_are_tiled_with_gaps_on_colours_that_are_white_at_zero():
    blocks = {"trained": np.arange(7 * 9, dtype=float).reshape(7, 3, 3), "drawn": -np.ones((2, 3, 3))}
    figure = kernel_grid({"convolution_1": blocks}, across=4)
    first, second = (axes.images[0] for axes in figure.axes)
    assert first.get_array().shape == (7, 15)
    np.testing.assert_array_equal(first.get_array()[4:, 8:11], blocks["trained"][6])
    assert np.ma.masked_invalid(first.get_array()).mask[3].all()
    assert first.get_clim() == second.get_clim() == (-62.0, 62.0)
    assert {"trained", "drawn", "convolution 1"} <= texts(figure)


def test_covariances_share_colours_that_the_diagonal_does_not_widen():
    matrices = {"a": np.array([[5.0, 0.2], [0.2, 5.0]]), "b": np.array([[1.0, -0.4], [-0.4, 1.0]])}
    figure = covariance_maps(matrices, ["A", "B"], "covariance")
    images = [axes.images[0] for axes in figure.axes if axes.images]
    assert [image.get_clim() for image in images[:2]] == [(-0.4, 0.4)] * 2
    assert {"A", "B", "covariance"} <= texts(figure)


def test_stamp_stands_above_the_panels():
    figure = gains(differences("A", [1, 2, 6]), "points")
    height = figure.get_size_inches()[1]
    stamp(figure, "look out")
    assert figure.get_size_inches()[1] > height
    figure.canvas.draw()
    (text,) = (text for text in figure.texts if text.get_text() == "look out")
    assert text.get_window_extent().y0 >= max(axes.get_window_extent().y1 for axes in figure.axes)
