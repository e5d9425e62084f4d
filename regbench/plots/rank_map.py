"""Rank map: the rank of each entry on each problem."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from regbench.plots.looks import COLOURS
from regbench.plots.panels import legend_below, title
from regbench.plots.style import NothingToDrawError, style
from regbench.plots.text import inches, shown

CELL_INCHES = (0.62, 0.2)
PALETTE = sns.light_palette(COLOURS[0], reverse=True, as_cmap=True)
MISSING = {"facecolor": "white", "hatch": "/////", "edgecolor": "0.75"}
DARK = 0.3  # white on the palette below this shade and black above have a contrast of at least 4.5 (WCAG)


def ranks_of(table: pd.DataFrame) -> pd.DataFrame:
    """Ranks, a row an entry and a column a problem, both without those that have none.

    Entries that are ranked on the most problems come first, then the best mean rank. A missing rank is NaN.
    """
    ranks = table.pivot(index="label", columns="problem", values="rank").astype(float)
    ranks = ranks.reindex(index=table["label"].unique(), columns=table["problem"].unique())
    ranks = ranks.dropna(how="all").dropna(axis="columns", how="all")
    order = pd.DataFrame({"missing": ranks.isna().sum(axis=1), "mean": ranks.mean(axis=1)})
    return ranks.loc[order.sort_values(["missing", "mean"], kind="stable").index]


def rank_map(table: pd.DataFrame) -> Figure:
    """Draw the rank of each entry (rows, best on top) on each problem (columns); then their mean.

    The mean is that of entries which have a rank on all problems.

    Args:
        table: `ranking.ranked_entries`.

    Returns:
        A figure in which dark is the best rank on the problem and light the last one. Cells are empty where an entry
        was not run, or not ranked with the others.

    Raises:
        NothingToDrawError: no entry has a rank.
    """
    ranks = ranks_of(table)
    if ranks.empty:
        raise NothingToDrawError("There is no rank map: no entry has a rank.")
    texts = list(shown(ranks.index).values())
    names = [title(name) for name in ranks.columns]
    numbers = ranks.to_numpy()
    if len(names) > 1:
        # The mean over some problems cannot be compared with that over all.
        numbers = np.column_stack([numbers, numbers.mean(axis=1)])
        names.append("mean rank")
    with style():
        slant = max(inches(name, 8) for name in names)
        width = max(inches(text, 8) for text in texts) + CELL_INCHES[0] * len(names) + 0.4 + 0.7 * slant
        figure = Figure(figsize=(max(2.6, width), CELL_INCHES[1] * len(texts) + 0.5 + 0.75 * slant))
        axes = figure.subplots()
        _draw(axes, numbers)
        axes.set_yticks(np.arange(len(texts)) + 0.5, texts, fontsize=8)
        axes.xaxis.tick_top()
        axes.set_xticks(np.arange(len(names)) + 0.5, names, fontsize=8, rotation=40, ha="left", rotation_mode="anchor")
        axes.tick_params(length=0)
        if len(names) > 1:
            axes.add_patch(Rectangle((len(names) - 1, 0), 1, len(texts), color="white", zorder=0.5))
            axes.axvline(len(names) - 1, color="white", linewidth=3)
        if ranks.isna().any(axis=None):
            axes.patch.set(**MISSING)
            legend_below(figure, [(Patch(**MISSING), "not run, or not ranked with the others")])
    return figure


def _draw(axes: Axes, numbers: np.ndarray) -> None:
    """The cells, and in them the numbers; NaN leaves a cell empty."""
    # A rank's lightness is its place between the first and the last in the column, so that columns compare.
    shade = (numbers - 1) / np.fmax(np.fmax.reduce(numbers, axis=0) - 1, 1)
    sns.heatmap(
        shade,
        ax=axes,
        cmap=PALETTE,
        vmin=-0.1,
        vmax=1,
        cbar=False,
        linewidths=0.6,
        xticklabels=False,
        yticklabels=False,
    )
    axes.grid(False)
    for (row, column), rank in np.ndenumerate(numbers):
        if not np.isnan(rank):
            colour = "white" if shade[row, column] < DARK else "black"
            axes.text(column + 0.5, row + 0.5, f"{rank:.3g}", ha="center", va="center", fontsize=8, color=colour)
