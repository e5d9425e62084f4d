"""Tuning curves: how good the best of k trials is, and from how many trials on another candidate leads."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from regbench.plots import lines
from regbench.plots.looks import Look, best_first, looks, ordered
from regbench.plots.panels import extent, handles, legend_below, places, spoken, title
from regbench.plots.scales import LARGEST, Scale, scale_of
from regbench.plots.style import NothingToDrawError, style
from regbench.plots.text import shown

BANDS = 2  # more bands than these cover each other


class TuningPanel(NamedTuple):
    """One problem: its curves, and where its leader changes."""

    problem: str
    title: str
    quantity: str
    maximize: bool
    curves: pd.DataFrame
    changes: pd.DataFrame


def panels_of(curves: pd.DataFrame, flips: pd.DataFrame) -> list[TuningPanel]:
    """A panel a problem, without entries that have no finite value.

    Scores of different protocols or metrics are of different things: such entries have separate panels.
    """
    if curves.empty:
        return []
    usable = (curves["expected"].abs() < LARGEST).groupby([curves[key] for key in ("problem", "decided_by", "label")])
    known = curves[usable.transform("any")]
    several = known.groupby("problem", observed=True)["protocol"].nunique() > 1
    panels = []
    keys = ["problem", "protocol", "decided_by", "goal"]
    for (problem, protocol, score, goal), rows in known.groupby(keys, sort=False, observed=True):
        name = (
            f"{title(str(problem))}\nprotocol {title(str(protocol), 24)}" if several[problem] else title(str(problem))
        )
        changes = leader_changes(rows, flips[flips["problem"] == problem])
        panels.append(TuningPanel(str(problem), name, spoken(str(score)), goal == "maximize", rows, changes))
    return panels


def leader_changes(curves: pd.DataFrame, flips: pd.DataFrame) -> pd.DataFrame:
    """The flips by which another entry comes to lead all those of the problem."""
    sign = 1 if curves["goal"].iloc[0] == "maximize" else -1
    worth = curves.assign(worth=sign * curves["expected"]).pivot(index="k", columns="label", values="worth")
    best = worth.max(axis=1)
    leads = {(k, label) for k, row in worth.eq(best, axis=0).iterrows() for label in row.index[row]}
    rows = [(row.k - 1, row.first) in leads and (row.k, row.second) in leads for row in flips.itertuples()]
    return flips[np.array(rows, dtype=bool)].drop_duplicates("k")


def ranking_of(panels: Sequence[TuningPanel]) -> list[str]:
    """Labels, best first: by the value with the most trials that each has, ranked in each problem."""
    rows = []
    for panel in panels:
        last = panel.curves.sort_values("k").groupby("label", sort=False, observed=True).tail(1)
        value = last["expected"] * (1 if panel.maximize else -1)
        rows.append(pd.DataFrame({"problem": panel.problem, "label": last["label"], "value": value}))
    return best_first(pd.concat(rows, ignore_index=True))


def scale_for(panel: TuningPanel, names: Sequence[str]) -> Scale:
    """An axis for what the named entries reach from a tenth of the trials on; bands may go beyond it."""
    named = panel.curves[panel.curves["label"].isin(names)]
    rows = panel.curves if named.empty else named
    late = rows.loc[rows["k"] >= 0.1 * rows["k"].max(), "expected"]
    return scale_of(late, margin=0.12)


def tuning_curves(
    curves: pd.DataFrame, flips: pd.DataFrame, *, best: Sequence[str] = (), confidence: float = 0.8
) -> Figure:
    """Draw the expected best score of k trials over k, a panel a problem, with marks where the leader changes.

    Args:
        curves: `analysis.tuning.tuning_curves`.
        flips: `analysis.tuning.flips` of the same.
        best: labels, best first: the first ten have colours. Left out: by the last value.
        confidence: of the bands, for the legend.

    Raises:
        NothingToDrawError: no entry has two trials and a finite score.
    """
    panels = panels_of(curves, flips)
    if not panels or curves["k"].max() < 2:
        raise NothingToDrawError("There is no tuning curve: no entry has two trials and a finite score.")
    present = pd.concat([panel.curves["label"] for panel in panels]).unique()
    look = looks(ordered(present, best or ranking_of(panels)))
    cells = places([len(panels)])
    blocks, width = extent(cells)
    with style():
        figure = Figure(figsize=(max(4.6, 0.5 + 2.7 * width), 0.3 + 2.6 * blocks))
        grid = figure.add_gridspec(blocks, width)
        for panel, (block, column) in zip(panels, cells, strict=True):
            axes = figure.add_subplot(grid[block, column])
            _draw(axes, panel, look)
        legend_below(figure, [*handles(look, shown(look)), *_signs(panels, look, confidence)])
    return figure


def banded_of(panel: TuningPanel, look: Mapping[str, Look]) -> list[str]:
    """Whose bands are drawn: all of two entries, else that of the one that leads after all trials."""
    labels = [label for label, one in look.items() if one.stands_out and label in set(panel.curves["label"])]
    if len(look) <= BANDS or not labels:
        return labels
    last = panel.curves.sort_values("k").groupby("label", observed=True)["expected"].last()[labels]
    return [str(last.idxmax() if panel.maximize else last.idxmin())]


def _draw(axes: Axes, panel: TuningPanel, look: Mapping[str, Look]) -> None:
    axes.set_title(panel.title)
    axes.set_xlabel("trials k")
    axes.set_ylabel(f"best {panel.quantity}")
    most = float(panel.curves["k"].max())
    Scale(True, 0.95, max(2, most) * 1.06).apply(axes, "x", ticks=6)
    scale = scale_for(panel, [label for label, one in look.items() if one.stands_out])
    scale.apply(axes, "y")
    banded = banded_of(panel, look)
    for place, (label, one) in enumerate(look.items()):
        rows = panel.curves[panel.curves["label"] == label]
        if rows.empty:
            continue
        line = lines.line_of(rows, "k", "expected")
        low, high = (scale.inside(rows.sort_values("k")[end]) for end in ("low", "high"))
        without = np.full(len(line.x), np.nan)
        line = line._replace(low=low, high=high) if label in banded else line._replace(low=without, high=without)
        lines.draw(axes, line, one, place, scale)
    for change in panel.changes.itertuples():
        axes.axvline(float(change.k), color="0.45", linewidth=0.8, linestyle=(0, (2, 2)), zorder=1.8)
        axes.plot(change.k, 1.0, transform=axes.get_xaxis_transform(), clip_on=False, **_mark(bool(change.supported)))


def _mark(is_supported: bool) -> dict[str, object]:
    return {
        "marker": "v",
        "linestyle": "none",
        "color": "0.2",
        "markersize": 5,
        "markerfacecolor": "0.2" if is_supported else "white",
        "zorder": 5,
    }


def _signs(panels: Sequence[TuningPanel], look: Mapping[str, Look], confidence: float) -> list[tuple[Artist, str]]:
    """Legend entries for the bands and for changes of the leader."""
    whose = "" if len(look) <= BANDS else " of the best in the panel"
    signs: list[tuple[Artist, str]] = [
        (Line2D([], [], color="0.5", alpha=0.25, linewidth=7), f"{100 * confidence:g} % band{whose}")
    ]
    changes = pd.concat([panel.changes for panel in panels])
    for is_supported, text in (
        (True, "another leads from here on"),
        (False, "another leads from here on, perhaps by chance"),
    ):
        if (changes["supported"].astype(bool) == is_supported).any():
            signs.append((Line2D([], [], **_mark(is_supported)), text))
    return signs
