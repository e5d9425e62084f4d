"""Ranked dots: the score of each entry with its interval, best on top, a panel for each decay coupling."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from regbench.plots.looks import COLOURS
from regbench.plots.panels import coupled, extent, in_order, legend_below, places, title
from regbench.plots.scales import LARGEST, Scale, number, scale_of_better, within_unit
from regbench.plots.style import NothingToDrawError, style
from regbench.plots.text import inches, shown
from regbench.records import is_share

INK = COLOURS[0]
ROW_INCHES = 0.19


class CouplingPanels(NamedTuple):
    """One problem: the rows of each coupling's panel, from top to bottom, and the axis that all its panels share."""

    problem: str
    quantity: str
    maximize: bool
    scale: Scale
    couplings: dict[str, pd.DataFrame]


def panels_of(table: pd.DataFrame) -> list[CouplingPanels]:
    """The panels for the rows of `ranking.ranked_entries`: problems in which an entry has a finite score.

    Entries whose metric is not that of the ranked ones have no place on the axis and are left out. Each row gets
    `place`: "inside", "beyond" (worse than what the axis shows) or "nowhere" (no finite score).
    """
    problems = []
    for problem, rows in table.groupby("problem", sort=False, observed=True):
        usable = rows[rows["score"].abs() < LARGEST]
        if usable.empty:
            continue
        ranked = usable[usable["comparable"]] if usable["comparable"].any() else usable
        metric, goal, split = ranked[["metric", "goal", "split"]].iloc[0]
        rows = rows[(rows["metric"] == metric) & (rows["goal"] == goal)]
        maximize = goal == "maximize"
        scale = scale_of_better(rows["score"], maximize, [rows["score_low"], rows["score_high"]])
        scale = within_unit(scale) if is_share(metric) else scale
        beyond = rows["score"] < scale.low if maximize else rows["score"] > scale.high
        place = np.where(rows["score"].abs() < LARGEST, np.where(beyond, "beyond", "inside"), "nowhere")
        worth = rows["score"] * (1 if maximize else -1)
        rows = rows.assign(place=place, worth=worth.where(place != "nowhere"))
        rows = rows.sort_values("worth", ascending=False, na_position="last", kind="stable").drop(columns="worth")
        couplings = {name: rows[rows["coupling"] == name] for name in in_order(rows["coupling"].unique())}
        problems.append(CouplingPanels(str(problem), f"{split} {metric}", maximize, scale, couplings))
    return problems


def ranked_dots(table: pd.DataFrame, *, level: float = 0.95) -> Figure:
    """Draw the score of each entry with its interval, best on top.

    Args:
        table: `ranking.ranked_entries`.
        level: of the intervals, for the legend.

    Returns:
        A figure with, for each problem, a panel for each decay coupling, all on one scale. Open: some reported seeds
        diverged. Grey: not ranked with the others. An arrow with the value: worse than the axis shows. A cross: no
        finite score.

    Raises:
        NothingToDrawError: no entry has a finite score.
    """
    problems = panels_of(table)
    if not problems:
        raise NothingToDrawError("There is nothing to rank: no entry has a finite score.")
    texts = shown(table["label"])
    cells = places([len(problems)], widest=2)
    blocks, width = extent(cells)
    tallest = [
        max(sum(_heights(one)) for one, (row, _) in zip(problems, cells, strict=True) if row == block)
        for block in range(blocks)
    ]
    extra = [
        0.7 + 0.27 * max(len(one.couplings) for one, (row, _) in zip(problems, cells, strict=True) if row == block)
        for block in range(blocks)
    ]
    with style():
        label_inches = max(inches(text, 8) for text in texts.values())
        heights = [ROW_INCHES * units + more for units, more in zip(tallest, extra, strict=True)]
        figure = Figure(figsize=(width * (label_inches + 3.0), sum(heights)))
        parts = figure.subfigures(blocks, width, squeeze=False, height_ratios=heights)
        for one, (block, column) in zip(problems, cells, strict=True):
            _draw(parts[block, column], one, texts, tallest[block])
        legend_below(figure, _legend(problems, level))
    return figure


def _heights(one: CouplingPanels) -> list[float]:
    return [len(rows) + 0.4 for rows in one.couplings.values()]


def _draw(part: SubFigure, one: CouplingPanels, texts: dict[str, str], units: float) -> None:
    """Draw one problem into its part of the figure, which has room for so many units of height."""
    heights = _heights(one)
    spare = units - sum(heights)
    apart = list(one.couplings) != ["none"]
    cells = part.add_gridspec(len(heights) + (spare > 0), 1, height_ratios=heights + [spare] * (spare > 0))
    for index, (coupling, rows) in enumerate(one.couplings.items()):
        axes = part.add_subplot(cells[index, 0])
        one.scale.apply(axes, "x", ticks=4)
        axes.set_ylim(len(rows) - 0.3, -0.7)
        axes.set_yticks(range(len(rows)), [texts[label] for label in rows["label"]])
        axes.tick_params(axis="y", labelsize=8)
        axes.tick_params(axis="x", labelbottom=index == len(heights) - 1)
        for position, row in enumerate(rows.to_dict("records")):
            _row(axes, position, row, one)
        if apart:
            axes.annotate(
                coupled(coupling), (0, 1), (0, 4), xycoords="axes fraction", textcoords="offset points", fontsize=8
            )
        if index == 0:
            axes.set_title(title(one.problem), pad=18 if apart else 6)
            axes.text(1.06, 1.0, "seeds", transform=axes.transAxes, fontsize=7, color="0.4", va="bottom")
    axes.set_xlabel(one.quantity)


def _row(axes: Axes, position: int, row: dict[Any, Any], one: CouplingPanels) -> None:
    colour = INK if row["comparable"] else "0.6"
    worst = one.scale.low if one.maximize else one.scale.high
    axes.text(
        1.06, position, str(int(row["n_seeds"])),
        transform=axes.get_yaxis_transform(), fontsize=7, color="0.4", va="center",
    )  # fmt: skip
    if row["place"] == "inside":
        ends = one.scale.inside([row["score_low"], row["score_high"]])
        axes.plot(ends, [position, position], color=colour, linewidth=1.6, solid_capstyle="butt")
        axes.plot(row["clean_mean"], position, marker="|", color=colour, markersize=9, markeredgewidth=1.2)
        axes.plot(row["score"], position, **_dot(colour, bool(row["diverged_seeds"])))
    elif row["place"] == "beyond":
        marker, shift, side = ("<", 8, "left") if one.maximize else (">", -8, "right")
        face = "white" if row["diverged_seeds"] else colour
        axes.plot(
            worst, position, marker=marker, color=colour, markerfacecolor=face, markersize=5, clip_on=False, zorder=5
        )
        axes.annotate(
            number(row["score"]), (worst, position), (shift, 0),
            textcoords="offset points", ha=side, va="center", fontsize=7,
        )  # fmt: skip
    else:
        axes.plot(
            worst, position, marker="x", color=colour, markersize=5.5, markeredgewidth=1.5, clip_on=False, zorder=5
        )


def _dot(colour: str, is_open: bool) -> dict[str, Any]:
    return {
        "marker": "o",
        "markersize": 5.5,
        "color": colour,
        "markerfacecolor": "white" if is_open else colour,
        "markeredgewidth": 1.2,
        "zorder": 4,
    }


def _legend(problems: Sequence[CouplingPanels], level: float) -> list[tuple[Artist, str]]:
    """Legend entries for the signs that occur."""
    rows = pd.concat([rows for one in problems for rows in one.couplings.values()])
    inside = rows[rows["place"] == "inside"]
    signs: list[tuple[Artist, str]] = [
        (Line2D([], [], linewidth=1.6, **_dot(INK, False)), f"expected winner of a search, {100 * level:g} % interval")
    ]
    for occurs, sign, text in (
        (
            inside["clean_mean"].notna().any(),
            {"marker": "|", "color": INK, "markersize": 9},
            "mean without tuning seed",
        ),
        ((rows["diverged_seeds"] > 0).any(), _dot(INK, True), "open: some seeds diverged, so no interval"),
        ((~rows["comparable"].astype(bool)).any(), _dot("0.6", False), "grey: other rules, not ranked"),
        (
            (rows["place"] == "beyond").any(),
            {"marker": "<", "color": INK, "markersize": 5},
            "worse than the axis shows",
        ),
        ((rows["place"] == "nowhere").any(), {"marker": "x", "color": INK, "markersize": 5.5}, "no finite score"),
    ):
        if occurs:
            signs.append((Line2D([], [], linestyle="none", **sign), text))
    return signs
