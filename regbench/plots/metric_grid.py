"""A grid of learning curves: which metric of which problem is in which panel."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from regbench.plots import lines
from regbench.plots.learning_curves import scale_for
from regbench.plots.looks import Look, looks, ordered
from regbench.plots.panels import handles, legend_below, spoken, title
from regbench.plots.scales import LARGEST, Scale
from regbench.plots.style import NothingToDrawError, style
from regbench.plots.text import shown


class GridPanel(NamedTuple):
    """The problem and the metric of one panel."""

    problem: str
    metric: str


def metric_grid(
    summaries: pd.DataFrame, rows: Sequence[Sequence[GridPanel]], *, best: Sequence[str] = (), spread: str = ""
) -> Figure:
    """Draw the curves of each panel over epochs; a panel without curves stays empty.

    Args:
        summaries: problem, label, metric, epoch, mean, low, high; a row an epoch of a curve.
        rows: the panels, row by row.
        best: labels, best first; the first ten have colours.
        spread: what the bands reach over, for the legend.

    Raises:
        NothingToDrawError: no panel has a curve.
    """
    usable = summaries[summaries["mean"].abs() < LARGEST]
    known = {GridPanel(*key) for key in usable[["problem", "metric"]].drop_duplicates().itertuples(index=False)}
    if not any(panel in known for row in rows for panel in row):
        raise NothingToDrawError("There is no learning curve of these metrics.")
    look = looks(ordered(usable["label"].unique(), best))
    width = max(map(len, rows))
    with style():
        figure = Figure(figsize=(max(4.6, 0.5 + 2.7 * width), 0.4 + 2.1 * len(rows)))
        places = figure.add_gridspec(len(rows), width)
        for at, row in enumerate(rows):
            for column, panel in enumerate(row):
                if panel in known:
                    curves = summaries[(summaries["problem"] == panel.problem) & (summaries["metric"] == panel.metric)]
                    _draw(figure.add_subplot(places[at, column]), panel, curves, look)
        figure.align_ylabels()
        legend_below(figure, [*handles(look, shown(look)), *_signs(spread, summaries)])
    return figure


def _draw(axes: Axes, panel: GridPanel, curves: pd.DataFrame, look: dict[str, Look]) -> None:
    epochs = max(1.0, float(curves["epoch"].max()))
    scale = scale_for(curves, panel.metric, [label for label, one in look.items() if one.stands_out])
    scale.apply(axes, "y")
    Scale(False, -0.02 * epochs, 1.02 * epochs).apply(axes, "x", ticks=4, counts=True)
    axes.set_title(title(panel.problem))
    axes.set_xlabel("epoch")
    axes.set_ylabel(spoken(panel.metric))
    for place, (label, one) in enumerate(look.items()):
        rows = curves[curves["label"] == label]
        if not rows.empty:
            lines.draw(axes, lines.line_of(rows, "epoch", "mean"), one, place, scale)


def _signs(spread: str, summaries: pd.DataFrame) -> list[tuple[Line2D, str]]:
    """Legend entries for the band and for curves that end."""
    signs = [(Line2D([], [], color="0.5", alpha=0.25, linewidth=7), f"band: {spread}")] if spread else []
    if (summaries["mean"].isna() | (summaries["mean"].abs() >= LARGEST)).any():
        signs.append((Line2D([], [], **lines.BROKEN, color="0.2"), "no longer finite"))
    return signs
