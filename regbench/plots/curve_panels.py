"""Panels of curves: mean and band over seeds, for any quantity over any other."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from regbench.plots import lines
from regbench.plots.looks import Look, looks
from regbench.plots.panels import extent, handles, legend_below, places
from regbench.plots.scales import LARGEST, Scale, scale_of, within_unit
from regbench.plots.style import NothingToDrawError, style
from regbench.plots.text import shown

COLUMNS = ("panel", "label", "x", "mean", "low", "high")


class CurvePanel(NamedTuple):
    """How one panel is drawn.

    Args:
        title: above it.
        x: what is along the horizontal axis.
        y: what is along the vertical axis.
        is_share: the values are shares, between 0 and 1.
        is_linear: the vertical axis is not to be logarithmic.
        levels: lines across the panel, by their label.
        markers: mark each point.
        is_log_x: the horizontal axis is logarithmic in any case, not only where points are marked.
    """

    title: str
    x: str
    y: str
    is_share: bool = False
    is_linear: bool = False
    levels: Mapping[str, float] = {}
    markers: bool = False
    is_log_x: bool = False


def curve_panels(
    curves: pd.DataFrame,
    panels: Mapping[str, CurvePanel],
    *,
    spread: str = "",
    widest: int = 3,
    same_y: bool = False,
    known: Sequence[str] = (),
) -> Figure:
    """Draw the curves of each panel. An axis is logarithmic where values are positive and span a decade.

    Args:
        curves: the columns of `COLUMNS`; a row a point of a curve. Labels have their looks in the order of the rows.
        panels: how each panel is drawn, by its name, in their order.
        spread: what the bands reach over, for the legend.
        widest: panels side by side.
        same_y: all panels have the same vertical axis.
        known: labels that have the same look in several figures, in the order of their looks.

    Raises:
        NothingToDrawError: no curve has a finite point.
    """
    usable = curves[curves["mean"].abs() < LARGEST]
    if usable.empty:
        raise NothingToDrawError("No curve has a finite point.")
    there = [str(label) for label in curves["label"].unique()]
    look = {label: one for label, one in looks([*known, *there]).items() if label in there}
    cells = places([len(panels)], widest)
    rows, width = extent(cells)
    with style():
        figure = Figure(figsize=(max(4.4, 0.5 + 2.9 * width), 0.3 + 2.4 * rows))
        grid = figure.add_gridspec(rows, width)
        for (name, panel), (row, column) in zip(panels.items(), cells, strict=True):
            axes = figure.add_subplot(grid[row, column])
            shared = usable if same_y else usable[usable["panel"] == name]
            _draw(axes, curves[curves["panel"] == name], panel, _vertical(shared, panel), look)
        legend_below(figure, [*handles(look, shown(look, 48)), *_signs(spread, curves, list(panels.values()))])
    return figure


def _vertical(usable: pd.DataFrame, panel: CurvePanel) -> Scale:
    bands = [usable[name][usable[name].abs() < LARGEST] for name in ("mean", "low", "high")]
    scale = scale_of(
        [*pd.concat(bands), *panel.levels.values()], ratio=float("inf") if panel.is_share or panel.is_linear else 10
    )
    return within_unit(scale) if panel.is_share else scale


def _draw(axes: Axes, curves: pd.DataFrame, panel: CurvePanel, vertical: Scale, look: Mapping[str, Look]) -> None:
    axes.set_title(panel.title)
    axes.set_xlabel(panel.x)
    axes.set_ylabel(panel.y)
    vertical.apply(axes, "y")
    counts = bool((curves["x"] % 1 == 0).all())
    scale_of(curves["x"], ratio=10 if panel.markers or panel.is_log_x else float("inf")).apply(
        axes, "x", ticks=4, counts=counts
    )
    for level in panel.levels.values():
        axes.axhline(level, color="0.3", linewidth=1, linestyle=(0, (3, 2)), zorder=1.8)
    for place, (label, one) in enumerate(look.items()):
        rows = curves[curves["label"] == label]
        if rows.empty:
            continue
        line = lines.line_of(rows, "x", "mean")
        lines.draw(axes, line, one, place, vertical)
        if panel.markers:
            axes.plot(line.x, line.middle, **{**one.of_marker(4.5), "linestyle": "none"}, zorder=3.5)


def _signs(spread: str, curves: pd.DataFrame, panels: Sequence[CurvePanel]) -> list[tuple[Line2D, str]]:
    """Legend entries for the levels, for the band and for curves that end."""
    levels = dict.fromkeys(label for panel in panels for label in panel.levels)
    signs = [(Line2D([], [], color="0.3", linewidth=1, linestyle=(0, (3, 2))), label) for label in levels]
    if spread:
        signs.append((Line2D([], [], color="0.5", alpha=0.25, linewidth=7), f"band: {spread}"))
    if (curves["mean"].isna() | (curves["mean"].abs() >= LARGEST)).any():
        signs.append((Line2D([], [], **lines.BROKEN, color="0.2"), "no longer finite"))
    return signs
