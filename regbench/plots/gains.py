"""Differences between two sides, seed by seed, with the interval of their mean."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from regbench.plots.looks import COLOURS
from regbench.plots.panels import legend_below
from regbench.plots.scales import Scale, finite, scale_of
from regbench.plots.style import NothingToDrawError, style
from regbench.plots.text import shown

SEED = {"marker": "o", "linestyle": "none", "color": "0.55", "markersize": 3.5, "markeredgewidth": 0}
MEAN = {"marker": "D", "color": COLOURS[0], "markersize": 6, "markeredgecolor": "white", "markeredgewidth": 0.6}
PUBLISHED = {"marker": "|", "linestyle": "none", "color": COLOURS[1], "markersize": 14, "markeredgewidth": 2}


def gains(differences: pd.DataFrame, quantity: str, point: str = "a seed") -> Figure:
    """Draw a row for each comparison: its seeds, their mean with its interval, and what the source has.

    Args:
        differences: comparison, seed, difference, mean, low, high, published (NaN: nothing); a row a seed.
        quantity: what is along the axis.
        point: what a point stands for.

    Raises:
        NothingToDrawError: no difference is finite.
    """
    names = [str(name) for name in differences["comparison"].unique()]
    values = [differences[name] for name in ("difference", "low", "high", "published")]
    if not finite(differences["difference"]).size:
        raise NothingToDrawError("No difference is finite.")
    with style():
        figure = Figure(figsize=(6.4, 0.9 + 0.5 * len(names)))
        axes = figure.subplots()
        scale_of([*finite(pd.concat(values)), 0.0], ratio=float("inf")).apply(axes, "x", ticks=7)
        Scale(False, len(names) - 0.4, -0.6).apply(axes, "y")
        axes.set_yticks(range(len(names)), list(shown(names, 44).values()))
        axes.axvline(0, color="0.3", linewidth=1)
        axes.grid(False, axis="y")
        axes.set_xlabel(quantity)
        for place, name in enumerate(names):
            _draw(axes, differences[differences["comparison"] == name], place)
        signs = [(Line2D([], [], **SEED), point), (Line2D([], [], **MEAN), "mean, 95 % interval")]
        if differences["published"].notna().any():
            signs.append((Line2D([], [], **PUBLISHED), "published"))
        legend_below(figure, signs)
    return figure


def _draw(axes: Axes, rows: pd.DataFrame, place: int) -> None:
    first = rows.iloc[0]
    above = place - 0.18 - 0.05 * (np.arange(len(rows)) % 4)  # so that equal differences do not hide each other
    axes.plot(rows["difference"], above, **SEED, zorder=3)
    axes.plot([first["low"], first["high"]], [place, place], color=MEAN["color"], linewidth=2, zorder=3)
    axes.plot([first["mean"]], [place], **MEAN, linestyle="none", zorder=4)
    axes.plot([first["published"]], [place], **PUBLISHED, zorder=3.5)
