"""Sensitivity: how the score of a trial depends on one hyperparameter, or on two."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from regbench.plots.looks import Look, best_first, looks, ordered
from regbench.plots.maps import RATIO, Map, best_of, draw_maps, maps_of
from regbench.plots.panels import extent, handles, legend_below, places, spoken, title
from regbench.plots.scales import LARGEST, Scale, scale_of
from regbench.plots.style import NothingToDrawError, style
from regbench.plots.text import in_lines, shown

FAR = 100  # times the median: losses beyond leave the panel
BINS = 14  # of the axis, for the lines
CLOUDS = 3  # the trials of more entries than these cover each other
MOST_MAPS = 10  # of a problem
ROW_INCHES = 0.085  # for the diverged trials of one entry, below the panel


class SensitivityPanel(NamedTuple):
    """One problem: its trials with a value, those that diverged, and what their score is."""

    problem: str
    quantity: str
    maximize: bool
    trials: pd.DataFrame
    diverged: pd.DataFrame


def panels_of(frame: pd.DataFrame) -> list[SensitivityPanel]:
    """A panel for each problem (and kind of score, should it have two) in which a trial has a finite value."""
    panels = []
    for (problem, decided_by, goal), rows in frame.groupby(
        ["problem", "decided_by", "goal"], sort=False, observed=True
    ):
        diverged = (rows["outcome"] == "diverged") | (rows["value"].abs() >= LARGEST)
        known = rows[~diverged & rows["value"].notna()]
        if not known.empty:
            panels.append(SensitivityPanel(str(problem), spoken(decided_by), goal == "maximize", known, rows[diverged]))
    return panels


def envelope(trials: pd.DataFrame, edges: np.ndarray, maximize: bool) -> pd.DataFrame:
    """The best trial in each bin of `x`: the rows through which an entry's line goes, from left to right."""
    bins = np.searchsorted(edges, trials["x"], side="right")
    values = trials["value"] if maximize else -trials["value"]
    return trials.loc[values.groupby(bins).idxmax()].sort_values("x")


def ranking_of(panels: Sequence[SensitivityPanel]) -> list[str]:
    """Labels by their best trial, ranked in each problem."""
    rows = []
    for panel in panels:
        values = panel.trials["value"] * (1 if panel.maximize else -1)
        best = values.groupby(panel.trials["label"], sort=False, observed=True).max()
        rows.append(pd.DataFrame({"problem": panel.problem, "label": best.index, "value": best.to_numpy()}))
    return best_first(pd.concat(rows, ignore_index=True))


def sensitivity(frame: pd.DataFrame, hyperparameter: str, *, best: Sequence[str] = ()) -> Figure:
    """Draw the score of trials over one hyperparameter, a panel a problem.

    A line goes through the best trial in each of 14 parts of the axis. All trials are drawn where there are no more
    than three entries. Crosses below a panel are trials that diverged, a row an entry.

    Args:
        frame: `stability.sensitivity(trials, hyperparameter)`.
        hyperparameter: its name, for the axis.
        best: labels, best first: the first ten have colours. Left out: by their best trial.

    Raises:
        NothingToDrawError: no trial has this hyperparameter and a finite score.
    """
    panels = panels_of(frame)
    if not panels:
        raise NothingToDrawError(f"No trial has a finite score and a number as `{hyperparameter}`.")
    present = pd.concat([rows["label"] for panel in panels for rows in (panel.trials, panel.diverged)]).unique()
    look = looks(ordered(present, best or ranking_of(panels)))
    cells = places([len(panels)], widest=3)
    blocks, width = extent(cells)
    with style():
        figure = Figure(figsize=(max(4.8, 0.5 + 3.4 * width), 0.3 + 3.1 * blocks))
        grid = figure.add_gridspec(blocks, width)
        for panel, (block, column) in zip(panels, cells, strict=True):
            rows = rows_of(panel, look)
            parts = [2.4, ROW_INCHES * (max(rows.values()) + 1)] if rows else [2.4]
            inner = grid[block, column].subgridspec(len(parts), 1, height_ratios=parts)
            stacked = [figure.add_subplot(inner[row]) for row in range(len(parts))]
            _draw(stacked, panel, look, rows)
            stacked[-1].set_xlabel(spoken(hyperparameter))
        legend_below(figure, [*handles(look, shown(look)), *_signs(panels)])
    return figure


def rows_of(panel: SensitivityPanel, look: Mapping[str, Look]) -> dict[str, int]:
    """The row of each entry below a panel, from the top; all that are grey share the last. Empty if none diverged."""
    if panel.diverged.empty:
        return {}
    there = {*panel.diverged["label"], *panel.trials["label"]}
    coloured = [label for label, one in look.items() if label in there and one.stands_out]
    grey = [label for label, one in look.items() if label in there and not one.stands_out]
    return {**{label: row for row, label in enumerate(coloured)}, **dict.fromkeys(grey, len(coloured))}


def _draw(stacked: Sequence[Axes], panel: SensitivityPanel, look: Mapping[str, Look], rows: Mapping[str, int]) -> None:
    axes = stacked[0]
    axes.set_title(title(panel.problem))
    axes.set_ylabel(panel.quantity)
    xs = scale_of([*panel.trials["x"], *panel.diverged["x"]], ratio=RATIO)
    for part in stacked:
        xs.apply(part, "x")
    axes.tick_params(labelbottom=not rows)
    named = panel.trials[panel.trials["label"].isin([label for label, one in look.items() if one.stands_out])]
    values = (panel.trials if named.empty else named)["value"]
    if not panel.maximize and values.median() > 0:
        values = values.clip(upper=FAR * values.median())
    scale = scale_of(values, ratio=np.inf if panel.maximize else 10)
    scale.apply(axes, "y")
    edges = (np.geomspace if xs.log else np.linspace)(xs.low, xs.high, BINS + 1)[1:-1]
    for label, one in look.items():
        trials = panel.trials[panel.trials["label"] == label]
        trials = trials.assign(x=xs.inside(trials["x"]))
        line = envelope(trials, edges, panel.maximize)
        axes.plot(line["x"], line["value"], **{**one.of_line(), **(one.of_marker(4.5) if one.stands_out else {})})
        if one.stands_out and len(look) <= CLOUDS:
            axes.plot(trials["x"], trials["value"], **{**one.of_marker(3.5), "linestyle": "none", "alpha": 0.45})
    if rows:
        _draw_diverged(stacked[1], panel.diverged, look, rows, xs)


def _draw_diverged(
    axes: Axes, diverged: pd.DataFrame, look: Mapping[str, Look], rows: Mapping[str, int], xs: Scale
) -> None:
    axes.set_ylim(max(rows.values()) + 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_ylabel("diverged", fontsize=7, rotation=0, ha="right", va="center")
    for label, row in rows.items():
        at = xs.inside(diverged.loc[diverged["label"] == label, "x"])
        axes.plot(at, np.full(len(at), row), **_cross(look[label].colour))


def _cross(colour: str) -> dict[str, object]:
    return {"marker": "x", "linestyle": "none", "color": colour, "markersize": 3.6, "markeredgewidth": 1.0}


def _signs(panels: Sequence[SensitivityPanel]) -> list[tuple[Artist, str]]:
    """Legend entries for the lines and for diverged trials."""
    signs: list[tuple[Artist, str]] = [(Line2D([], [], linestyle="none"), "lines: the best trials nearby")]
    if any(len(panel.diverged) for panel in panels):
        signs.append((Line2D([], [], **_cross("0.2")), "diverged (rows in the order given here)"))
    return signs


def sensitivity_map(frame: pd.DataFrame, first: str, second: str) -> Figure:
    """Draw the score of trials over two hyperparameters, a panel an entry, on one scale a problem.

    Cells where the trials fill a grid, else points; hatched or crossed where a trial diverged. Of a problem with more
    than ten entries, the ten with the best trials are drawn.

    Args:
        frame: `stability.sensitivity(trials, first, second)`.
        first: the hyperparameter on x.
        second: the one on y.

    Raises:
        NothingToDrawError: no entry has trials with several values of both.
    """
    groups = maps_of(frame)
    if not groups:
        raise NothingToDrawError(f"No entry has trials with several values of both `{first}` and `{second}`.")
    drawn = [best_of(maps, MOST_MAPS) for maps in groups]
    texts = shown(one.label for maps in drawn for one in maps)
    left_out = sum(map(len, groups)) - sum(map(len, drawn))
    signs = [(Line2D([], [], linestyle="none"), f"{left_out} more with worse trials not drawn")] if left_out else []

    def titles(one: Map) -> str:
        return f"{title(one.problem)}\n{in_lines(texts[one.label], 30)}"

    return draw_maps(drawn, (first, second), titles, signs=signs)
