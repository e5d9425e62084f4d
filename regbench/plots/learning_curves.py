"""Learning curves: mean and spread over seeds of training loss and test metric, a column a problem."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from regbench.plots import lines
from regbench.plots.looks import Look, best_first, looks, ordered
from regbench.plots.panels import coupled, extent, handles, in_order, legend_below, places, spoken, title
from regbench.plots.scales import LARGEST, Scale, finite, scale_of, within_unit
from regbench.plots.style import NothingToDrawError, style
from regbench.plots.text import shown
from regbench.records import goal_of, is_share

TRAINING = "train_loss"
_OPTIMUM: dict[str, Any] = {"color": "0.2", "linestyle": (0, (4, 2)), "linewidth": 0.9, "zorder": 1.5}


def is_drawn(metrics: pd.Series) -> pd.Series:
    """Which metrics may be drawn: the training loss, and all of the test split."""
    return (metrics == TRAINING) | metrics.str.startswith("test_")


class Column(NamedTuple):
    """One column of panels: the curves of a problem (and of one decay coupling, where they are kept apart)."""

    problem: str
    coupling: str | None
    curves: pd.DataFrame

    @property
    def metrics(self) -> list[str]:
        """The metrics that are drawn, top to bottom: training loss, and test accuracy or else test loss.

        Another metric of the test split is there only where it decides, and then comes before them.
        """
        there = sorted(set(self.curves["metric"]) - {TRAINING}, key=_by_precedence)
        return [TRAINING, *there[:1]] if (self.curves["metric"] == TRAINING).any() else there[:1]


def _by_precedence(metric: str) -> int:
    return {"test_accuracy": 1, "test_loss": 2}.get(metric, 0)


def columns_of(summaries: pd.DataFrame, by_coupling: bool = False) -> list[list[Column]]:
    """The columns of the figure, a list for each problem. Curves without any finite mean are left out."""
    known = summaries[is_drawn(summaries["metric"].astype(str))]
    usable = (known["mean"].abs() < LARGEST).groupby([known[key] for key in ("problem", "label", "metric")], sort=False)
    known = known[usable.transform("any")]
    groups = []
    for problem, curves in known.groupby("problem", sort=False, observed=True):
        if by_coupling:
            couplings = in_order(curves["coupling"].unique())
            groups.append([Column(str(problem), one, curves[curves["coupling"] == one]) for one in couplings])
        else:
            groups.append([Column(str(problem), None, curves)])
    return groups if by_coupling else [[column for group in groups for column in group]] if groups else []


def ranking_of(columns: Sequence[Column]) -> list[str]:
    """Labels, best first: by the last value of what is drawn lowest, ranked in each problem."""
    rows = []
    for column in columns:
        curves = column.curves[column.curves["metric"] == column.metrics[-1]].sort_values("epoch")
        last = curves.groupby("label", sort=False, observed=True).tail(1)
        sign = 1 if goal_of(column.metrics[-1]) == "maximize" else -1
        rows.append(pd.DataFrame({"problem": column.problem, "label": last["label"], "value": sign * last["mean"]}))
    return best_first(pd.concat(rows, ignore_index=True))


def scale_for(curves: pd.DataFrame, metric: str, names: Sequence[str], shown_too: Sequence[float] = ()) -> Scale:
    """The axis of a metric, limited to the values of the named entries that matter, if any of them has it.

    Losses that fall by a factor of ten: all, up to ten times the highest value before training; a curve that explodes
    leaves the panel at its top. Other losses, and accuracies: where curves are after the first tenth of the training,
    without the worst twentieth of it, and where all of them end. `shown_too` lies inside in any case.
    """
    curves = curves[curves["metric"] == metric]
    named = curves[curves["label"].isin(names)]
    curves = curves if named.empty else named
    is_loss = goal_of(metric) == "minimize"
    ceiling = np.inf
    if is_loss:
        start = finite(curves.loc[curves["epoch"] == curves["epoch"].min(), "mean"])
        # The end of a band below zero is no loss that was seen.
        values = finite(pd.concat([curves["mean"], curves["low"][curves["low"] > 0], curves["high"]]))
        values = np.append(values, shown_too)
        ceiling = 10 * start.max() if start.size and start.max() > 0 else np.inf
        scale = scale_of(np.minimum(values, ceiling))
        if scale.log:
            return scale
    curves = curves[curves["mean"].abs() <= min(ceiling, LARGEST)]
    late = curves[curves["epoch"] >= 0.1 * curves["epoch"].max()]
    worst = late["mean"].quantile(0.95 if is_loss else 0.05)
    last = late.sort_values("epoch").groupby("label", observed=True).tail(1)
    best = finite(late["low"]).min(initial=np.inf) if is_loss else finite(late["high"]).max(initial=-np.inf)
    scale = scale_of([worst, *last["mean"], best, *shown_too], ratio=np.inf)
    return within_unit(scale) if is_share(metric) else scale


def learning_curves(
    summaries: pd.DataFrame,
    *,
    best: Sequence[str] = (),
    by_coupling: bool = False,
    spread: str = "",
    optima: Mapping[tuple[str, str], float] = {},
) -> Figure:
    """Draw the training loss, and the test metric by which the problem is judged, over epochs.

    Args:
        summaries: problem, label, coupling, metric, epoch, mean, low, high; a row an epoch of a curve.
        best: labels, best first: the first ten have colours. Left out: the ranking by the curves' last values.
        by_coupling: a column for each decay coupling of a problem, on the same scale.
        spread: what the bands reach over, for the legend ("lowest to highest seed").
        optima: by problem and metric ("test_loss"), what the best model has that there can be; a line.

    Returns:
        A figure with two rows and a column a problem, four columns at most side by side. A cross is where a mean
        stops being finite.

    Raises:
        NothingToDrawError: there is no finite value of a training loss or a test metric.
    """
    groups = columns_of(summaries, by_coupling)
    columns = [column for group in groups for column in group]
    if not columns:
        raise NothingToDrawError("There is no learning curve: no training loss and no test metric over epochs.")
    present = pd.concat([column.curves["label"] for column in columns]).unique()
    look = looks(ordered(present, best or ranking_of(columns)))
    cells = places([len(group) for group in groups], flow=True)
    blocks, width = extent(cells)
    # Where a column has no training loss, its test metric is beside those of the others.
    first = 0 if any(column.metrics[0] == TRAINING for column in columns) else 1
    height = 1 if all(column.metrics[-1] == TRAINING for column in columns) else 2 - first
    with style():
        figure = Figure(figsize=(max(4.6, 0.5 + 2.7 * width), 0.4 + 2.1 * blocks * height))
        rows = figure.add_gridspec(blocks * height, width)
        for column, (block, place) in zip(columns, cells, strict=True):
            at = [block * height + (metric != TRAINING) - first for metric in column.metrics]
            panels = [figure.add_subplot(rows[row, place]) for row in at]
            shared = pd.concat([other.curves for other in columns if other.problem == column.problem])
            _draw(panels, column, shared, look, optima)
        figure.align_ylabels()
        legend_below(figure, [*handles(look, shown(look)), *_signs(spread, columns, optima)])
    return figure


def _draw(
    panels: Sequence[Axes],
    column: Column,
    shared: pd.DataFrame,
    look: Mapping[str, Look],
    optima: Mapping[tuple[str, str], float],
) -> None:
    """Draw one column; `shared` are the curves that determine its scales."""
    name = title(column.problem)
    panels[0].set_title(name if column.coupling is None else f"{name}\n{coupled(column.coupling)}")
    epochs = max(1.0, float(shared["epoch"].max()))
    for axes, metric in zip(panels, column.metrics, strict=True):
        known = [value for key, value in optima.items() if key == (column.problem, metric)]
        scale = scale_for(shared, metric, [label for label, one in look.items() if one.stands_out], known)
        for value in known:
            axes.axhline(value, **_OPTIMUM)
        scale.apply(axes, "y")
        Scale(False, -0.02 * epochs, 1.02 * epochs).apply(axes, "x", ticks=4, counts=True)
        axes.set_ylabel(spoken(metric))
        axes.tick_params(labelbottom=axes is panels[-1])
        for place, (label, one) in enumerate(look.items()):
            rows = column.curves[(column.curves["metric"] == metric) & (column.curves["label"] == label)]
            if not rows.empty:
                lines.draw(axes, lines.line_of(rows, "epoch", "mean"), one, place, scale)
    panels[-1].set_xlabel("epoch")


def _signs(spread: str, columns: Sequence[Column], optima: Mapping[tuple[str, str], float]) -> list[tuple[Line2D, str]]:
    """Legend entries for the band, for the best that there can be and for curves that end."""
    signs = []
    if spread:
        signs.append((Line2D([], [], color="0.5", alpha=0.25, linewidth=7), f"band: {spread}"))
    if any((column.problem, metric) in optima for column in columns for metric in column.metrics):
        signs.append((Line2D([], [], **_OPTIMUM), "the best that there can be"))
    drawn = [column.curves[column.curves["metric"].isin(column.metrics)] for column in columns]
    if any((curves["mean"].isna() | (curves["mean"].abs() >= LARGEST)).any() for curves in drawn):
        signs.append((Line2D([], [], **lines.BROKEN, color="0.2"), "no longer finite"))
    return signs
