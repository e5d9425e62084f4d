"""Generalisation: the training value of each reported run against its test value."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from regbench.plots.looks import Look, best_first, looks, ordered
from regbench.plots.panels import extent, handles, legend_below, places, spoken, title
from regbench.plots.scales import LARGEST, Scale, number, scale_of_better, within_unit
from regbench.plots.style import NothingToDrawError, style
from regbench.plots.text import shown
from regbench.records import is_share

GAP = {"color": "0.8", "linewidth": 0.7, "linestyle": (0, (4, 2)), "zorder": 1.5}
NO_GAP = {**GAP, "color": "0.3", "linewidth": 1.4}


class GeneralisationPanel(NamedTuple):
    """One problem and metric: a row a run, with `train` and `test`."""

    problem: str
    metric: str
    maximize: bool
    runs: pd.DataFrame

    @property
    def ended(self) -> pd.DataFrame:
        """The runs that have both values and did not diverge."""
        finite = (self.runs["train"].abs() < LARGEST) & (self.runs["test"].abs() < LARGEST)
        return self.runs[finite & (self.runs["outcome"] != "diverged")]


def panels_of(train: pd.DataFrame, test: pd.DataFrame) -> list[GeneralisationPanel]:
    """The runs in both frames, a panel for each problem (and metric) in which a run has both values."""
    keys = ["problem", "label", "seed", "metric", "goal"]
    both = train[[*keys, "value"]].merge(test[[*keys, "value", "outcome"]], on=keys, suffixes=("_train", "_test"))
    both = both.rename(columns={"value_train": "train", "value_test": "test"})
    panels = [
        GeneralisationPanel(str(problem), str(metric), goal == "maximize", runs)
        for (problem, metric, goal), runs in both.groupby(["problem", "metric", "goal"], sort=False, observed=True)
    ]
    return [panel for panel in panels if len(panel.ended)]


def ranking_of(panels: Sequence[GeneralisationPanel]) -> list[str]:
    """Labels, best first: by the mean test value, ranked in each problem."""
    rows = []
    for panel in panels:
        means = panel.runs.groupby("label", sort=False, observed=True)["test"].mean()
        value = means.to_numpy() * (1 if panel.maximize else -1)
        rows.append(pd.DataFrame({"problem": panel.problem, "label": means.index, "value": value}))
    return best_first(pd.concat(rows, ignore_index=True))


def scales_for(panel: GeneralisationPanel) -> tuple[Scale, Scale]:
    """The axes of training and of test values, limited to runs that are not far worse than the others."""
    scales = [scale_of_better(panel.ended[split], panel.maximize) for split in ("train", "test")]
    if is_share(panel.metric):
        scales = [within_unit(scale) for scale in scales]
    return scales[0], scales[1]


def gaps_of(xs: Scale, ys: Scale) -> np.ndarray:
    """The gaps, training minus test value, of which lines are drawn; 0 alone where an axis shows ratios."""
    if xs.log or ys.log:
        return np.zeros(1)
    return MaxNLocator(nbins=6, steps=[1, 2, 5, 10]).tick_values(xs.low - ys.high, xs.high - ys.low)


def generalisation(train: pd.DataFrame, test: pd.DataFrame, *, best: Sequence[str] = ()) -> Figure:
    """Draw each reported run at its training value (x) and its test value (y), a panel a problem.

    On a dashed line the generalisation gap is the same; on the thick one it is zero. Crosses diverged; they and runs
    that are far worse than the others lie at the edge where their values are beyond the axes.

    Args:
        train: `entries.reported(runs, mode, metric, split="train")`.
        test: the same with `split="test"`.
        best: labels, best first: the first ten have colours. Left out: by their mean test value.

    Raises:
        NothingToDrawError: no run has both values.
    """
    panels = panels_of(train, test)
    if not panels:
        raise NothingToDrawError("There is no generalisation to show: no run has a training and a test value.")
    present = pd.concat([panel.runs["label"] for panel in panels]).unique()
    look = looks(ordered(present, best or ranking_of(panels)))
    cells = places([len(panels)])
    blocks, width = extent(cells)
    with style():
        figure = Figure(figsize=(max(3.6, 0.3 + 2.7 * width), 0.1 + 2.9 * blocks))
        grid = figure.add_gridspec(blocks, width)
        for panel, (block, column) in zip(panels, cells, strict=True):
            _draw(figure.add_subplot(grid[block, column]), panel, look)
        legend_below(figure, [*handles(look, shown(look), lines=False), *_signs(panels)])
    return figure


def _draw(axes: Axes, panel: GeneralisationPanel, look: Mapping[str, Look]) -> None:
    scales = scales_for(panel)
    scales[0].apply(axes, "x", ticks=4)
    scales[1].apply(axes, "y", ticks=4)
    axes.grid(False)
    axes.set_title(title(panel.problem), pad=14)
    axes.set_xlabel(spoken(f"train_{panel.metric}"))
    axes.set_ylabel(spoken(f"test_{panel.metric}"))
    _draw_gaps(axes, *scales)
    for label, one in reversed(list(look.items())):
        runs = panel.runs[panel.runs["label"] == label]
        worst = [scale.low if panel.maximize else scale.high for scale in scales]
        at = [
            scale.inside(runs[split].fillna(bad))
            for scale, split, bad in zip(scales, ("train", "test"), worst, strict=True)
        ]
        diverged = (runs["outcome"] == "diverged").to_numpy()
        marker = {**one.of_marker(5), "linestyle": "none", "zorder": 3 if one.stands_out else 2, "alpha": 0.85}
        for chosen, sign in ((~diverged, {**marker, "clip_on": False}), (diverged, _cross(one.colour))):
            # An empty line that is not clipped would count as lying at the figure's corner.
            if chosen.any():
                axes.plot(at[0][chosen], at[1][chosen], **sign)


def _draw_gaps(axes: Axes, xs: Scale, ys: Scale) -> None:
    gaps = gaps_of(xs, ys)
    ends = np.geomspace(xs.low, xs.high, 50) if xs.log else np.array([xs.low, xs.high])
    for gap in gaps:
        axes.plot(ends, ends - gap, **(NO_GAP if gap == 0 else GAP))
    step = f"lines: gap in steps of {number(gaps[1] - gaps[0])}" if len(gaps) > 1 else "line: no gap"
    axes.text(0, 1.01, step, transform=axes.transAxes, fontsize=7, color="0.4", va="bottom")


def _cross(colour: str) -> dict[str, object]:
    cross = {"marker": "x", "linestyle": "none", "markersize": 5.5, "markeredgewidth": 1.4, "clip_on": False}
    return {**cross, "color": colour, "zorder": 4}


def _signs(panels: Sequence[GeneralisationPanel]) -> list[tuple[Artist, str]]:
    """Legend entries for the lines of equal gap and for diverged runs."""
    signs: list[tuple[Artist, str]] = []
    views = [scales_for(panel) for panel in panels]
    if any(max(xs.low, ys.low) < min(xs.high, ys.high) for xs, ys in views):
        signs.append((Line2D([], [], **NO_GAP), "training = test"))
    if any((panel.runs["outcome"] == "diverged").any() for panel in panels):
        signs.append((Line2D([], [], **_cross("0.2")), "diverged"))
    return signs
