"""Maps: the score of trials over two hyperparameters, a panel an entry, with what diverged."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from regbench.plots.panels import extent, in_order, legend_below, places, spoken
from regbench.plots.scales import LARGEST, Scale, finite, number, scale_of
from regbench.plots.style import style

CELLS = 15  # values of a hyperparameter up to which it may be one of a grid
PALE = 0.25  # share of the trials that may be too bad for the colour scale
INK = "0.15"
RATIO = 20  # shares like a momentum are not drawn as ratios


class Map(NamedTuple):
    """One entry: its trials with a value, and those that diverged (columns `x`, `y`, `value`)."""

    problem: str
    label: str
    coupling: str
    quantity: str
    maximize: bool
    trials: pd.DataFrame
    diverged: pd.DataFrame

    @property
    def is_grid(self) -> bool:
        """Whether the trials fill at least half of a grid, so that cells can be drawn."""
        points = pd.concat([self.trials, self.diverged])[["x", "y"]]
        columns, rows = points["x"].nunique(), points["y"].nunique()
        return max(columns, rows) <= CELLS and 2 * len(points.drop_duplicates()) >= columns * rows > 1


def maps_of(frame: pd.DataFrame) -> list[list[Map]]:
    """The panels, a list for each problem and kind of score; entries in the order of their coupling, then the frame's.

    Left out are entries in which a hyperparameter has one value only, and problems without a finite value.

    Args:
        frame: problem, label, coupling, decided_by, goal, outcome, x, y, value; a row a trial.
    """
    groups = []
    for (problem, decided_by, goal), rows in frame.groupby(
        ["problem", "decided_by", "goal"], sort=False, observed=True
    ):
        maps = []
        for coupling in in_order(rows["coupling"].unique()):
            for label, entry in rows[rows["coupling"] == coupling].groupby("label", sort=False, observed=True):
                lost = (entry["outcome"] == "diverged") | (entry["value"].abs() >= LARGEST)
                trials, diverged = entry[~lost & entry["value"].notna()], entry[lost]
                if entry["x"].nunique() > 1 and entry["y"].nunique() > 1 and len(trials) + len(diverged):
                    about = (str(problem), str(label), coupling, spoken(decided_by), goal == "maximize")
                    maps.append(Map(*about, trials, diverged))
        if any(len(one.trials) for one in maps):
            groups.append(maps)
    return groups


def best_of(maps: Sequence[Map], most: int) -> list[Map]:
    """The panels of so many entries, in their order: those with the best trials."""

    def worth(one: Map) -> float:
        if not len(one.trials):
            return -np.inf
        return float(one.trials["value"].max() if one.maximize else -one.trials["value"].min())

    kept = {one.label for one in sorted(maps, key=worth, reverse=True)[:most]}
    return [one for one in maps if one.label in kept]


def colours_of(maps: Sequence[Map]) -> tuple[Normalize, str]:
    """The colour scale of a problem, and at which end ("min", "max", "neither") worse values share the last colour."""
    values = finite(pd.concat([one.trials["value"] for one in maps]))
    scale = scale_of(values, ratio=np.inf if maps[0].maximize else 10)
    if maps[0].maximize:
        low, high = float(np.quantile(values, PALE)), float(values.max())
        extend = "min" if values.min() < low else "neither"
    else:
        low, high = max(float(values.min()), scale.low if scale.log else -np.inf), float(np.quantile(values, 1 - PALE))
        extend = "max" if values.max() > high else "neither"
    if high <= low:
        low, high = low - 0.01 * (abs(low) or 1), low + 0.01 * (abs(low) or 1)
    return (LogNorm(low, high) if scale.log and low > 0 else Normalize(low, high)), extend


def axes_of(maps: Sequence[Map], ratio: float) -> tuple[Scale, Scale]:
    """The axes that all panels of a problem share, with room for half a cell at the ends of grids."""
    points = pd.concat([rows for one in maps for rows in (one.trials, one.diverged)])
    grids = [pd.concat([one.trials, one.diverged]) for one in maps if one.is_grid]
    scales = []
    for name in ("x", "y"):
        fewest = min((grid[name].nunique() for grid in grids), default=0)
        scales.append(scale_of(points[name], ratio=ratio, margin=0.52 / (fewest - 1) if fewest else 0.06))
    return scales[0], scales[1]


def draw_maps(
    groups: Sequence[Sequence[Map]],
    names: tuple[str, str],
    titles: Callable[[Map], str],
    over: Callable[[Axes, Map, Scale, Scale], None] = lambda *_: None,
    signs: Sequence[tuple[Artist, str]] = (),
    ratio: float = RATIO,
) -> Figure:
    """Draw the panels; a problem begins a row, and has one pair of axes and one colour scale.

    Args:
        groups: of `maps_of`.
        names: of the hyperparameters on x and y.
        titles: what stands above a panel.
        over: draws what else belongs into a panel.
        signs: what else the legend explains.
        ratio: of the largest to the smallest value of a hyperparameter, from which on its axis is logarithmic.
    """
    cells = places([len(maps) for maps in groups], widest=3)
    blocks, width = extent(cells)
    lines = max(titles(one).count("\n") + 1 for maps in groups for one in maps)
    with style():
        figure = Figure(figsize=(max(4.2, 2.5 * width + 1.2), (2.4 + 0.16 * lines) * blocks + 0.2))
        grid = figure.add_gridspec(blocks, width + 1, width_ratios=[1.0] * width + [0.06])
        free = iter(cells)
        for maps in groups:
            norm, extend = colours_of(maps)
            colours = ScalarMappable(norm, "viridis_r" if maps[0].maximize else "viridis")
            scales = axes_of(maps, ratio)
            for one, (row, column) in zip(maps, free, strict=False):
                axes = figure.add_subplot(grid[row, column])
                _draw(axes, one, colours, scales)
                over(axes, one, *scales)
                axes.set_title(titles(one), fontsize=7.5)
                axes.set_xlabel(spoken(names[0]))
                axes.set_ylabel(spoken(names[1]) if column == 0 else "")
                if column == 0:
                    _colour_bar(
                        figure, figure.add_subplot(grid[row, width], label="<colorbar>"), colours, extend, one.quantity
                    )
        legend_below(figure, [*_signs(groups), *signs])
    return figure


def _draw(axes: Axes, one: Map, colours: ScalarMappable, scales: tuple[Scale, Scale]) -> None:
    for name, scale in zip(("x", "y"), scales, strict=True):
        scale.apply(axes, "x" if name == "x" else "y", ticks=4 if name == "x" else 5)
    axes.grid(False)
    (x, y), (lost_x, lost_y) = (
        [scale.inside(rows[name]) for name, scale in zip(("x", "y"), scales, strict=True)]
        for rows in (one.trials, one.diverged)
    )
    if one.is_grid:
        _draw_cells(axes, one, colours, scales)
    else:
        axes.scatter(x, y, c=colours.to_rgba(one.trials["value"]), s=26, linewidths=0, zorder=3)
    _outlined(axes, lost_x, lost_y, _cross())
    if len(x):
        values = one.trials["value"].to_numpy()
        best = np.argmax(values) if one.maximize else np.argmin(values)
        _outlined(axes, x[[best]], y[[best]], _ring())


def _draw_cells(axes: Axes, one: Map, colours: ScalarMappable, scales: tuple[Scale, Scale]) -> None:
    points = pd.concat([one.trials, one.diverged.assign(value=np.nan)])
    points = points.assign(**{name: scale.inside(points[name]) for name, scale in zip("xy", scales, strict=True)})
    best = points.groupby(["y", "x"])["value"].agg("max" if one.maximize else "min")
    cells = best.unstack()
    xs, ys = (_edges(at.to_numpy(), scale.log) for at, scale in zip((cells.columns, cells.index), scales, strict=True))
    axes.pcolormesh(xs, ys, cells, norm=colours.norm, cmap=colours.cmap, edgecolors="white", linewidth=0.6)
    for y, x in best.index[best.isna()]:
        row, column = cells.index.get_loc(y), cells.columns.get_loc(x)
        size = (xs[column + 1] - xs[column], ys[row + 1] - ys[row])
        axes.add_patch(Rectangle((xs[column], ys[row]), *size, facecolor="0.9", edgecolor="0.7", hatch="////", lw=0))


def _edges(values: np.ndarray, log: bool) -> np.ndarray:
    """The edges of the cells around sorted values: half-way to the neighbours."""
    at = np.log(values) if log else values
    between = (at[1:] + at[:-1]) / 2
    ends = np.concatenate([[2 * at[0] - between[0]], between, [2 * at[-1] - between[-1]]])
    return np.exp(ends) if log else ends


def _colour_bar(figure: Figure, beside: Axes, colours: ScalarMappable, extend: str, quantity: str) -> None:
    log = isinstance(colours.norm, LogNorm) and colours.norm.vmax >= 10 * colours.norm.vmin
    ticks = LogLocator(subs=(1, 2, 5), numticks=6) if log else MaxNLocator(nbins=5)
    bar = figure.colorbar(colours, cax=beside, extend=extend, ticks=ticks, format=FuncFormatter(number))
    beside.minorticks_off()
    beside.yaxis.set_minor_formatter(NullFormatter())
    bar.set_label(quantity)
    bar.outline.set_visible(False)


def _outlined(axes: Axes, x: np.ndarray, y: np.ndarray, sign: dict[str, Any]) -> None:
    """Draw signs that can be seen on light and on dark colours."""
    axes.plot(x, y, **{**sign, "markeredgewidth": sign["markeredgewidth"] + 1.4, "markeredgecolor": "white"})
    axes.plot(x, y, **sign)


def _cross() -> dict[str, Any]:
    return {
        "marker": "x",
        "linestyle": "none",
        "markeredgecolor": INK,
        "markersize": 4.5,
        "markeredgewidth": 1.1,
        "zorder": 3,
    }


def _ring() -> dict[str, Any]:
    return {
        "marker": "o",
        "linestyle": "none",
        "markersize": 9,
        "markerfacecolor": "none",
        "markeredgecolor": INK,
        "markeredgewidth": 1.4,
        "zorder": 5,
    }


def _signs(groups: Sequence[Sequence[Map]]) -> list[tuple[Artist, str]]:
    signs: list[tuple[Artist, str]] = [(Line2D([], [], **_ring()), "best trial")]
    if any(len(one.diverged) for maps in groups for one in maps):
        signs.append((Line2D([], [], **_cross()), "diverged"))
    return signs
