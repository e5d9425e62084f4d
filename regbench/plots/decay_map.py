"""Decay map: the score of trials over learning rate and decay, and the ridge along which the decay is best."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from regbench.analysis.decay import Ridge
from regbench.analysis.entries import learning_rates
from regbench.plots.maps import INK, Map, draw_maps, maps_of
from regbench.plots.panels import coupled, title
from regbench.plots.scales import Scale, number
from regbench.plots.style import NothingToDrawError
from regbench.plots.text import in_lines, shown

TITLE = 30  # characters that fit above a panel
RIDGE = {"color": INK, "linewidth": 1.4, "linestyle": (0, (5, 2)), "zorder": 4}


def points_of(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials as `maps.maps_of` takes them: x is the learning rate, y the decay, value the score."""
    points = trials.assign(
        x=learning_rates(trials), y=trials["decay"].astype(float), value=trials["score"], goal=trials["score_goal"]
    )
    return points[(points["x"] > 0) & (points["y"] >= 0) & np.isfinite(points["x"] * points["y"])]


def decay_map(trials: pd.DataFrame, ridges: Mapping[tuple[str, str], Ridge]) -> Figure:
    """Draw score over learning rate and decay, a panel an entry, ordered by decay coupling, on one scale a problem.

    Args:
        trials: `entries.trials`.
        ridges: `decay.ridge` of the entries, by problem and label; the ridge is drawn where its slope tells something.

    Raises:
        NothingToDrawError: no entry has trials with different learning rates and different decays.
    """
    groups = maps_of(points_of(trials))
    if not groups:
        raise NothingToDrawError("There is no decay map: no entry searched both learning rate and decay.")
    texts = shown(one.label for maps in groups for one in maps)

    def titles(one: Map) -> str:
        return "\n".join(
            [title(one.problem, TITLE), in_lines(texts[one.label], TITLE), coupled(one.coupling), slope_of(one, ridges)]
        )

    def line(axes: Axes, one: Map, xs: Scale, ys: Scale) -> None:
        ridge = ridges.get((one.problem, one.label))
        if ridge is not None and ridge.is_told:
            ends = np.geomspace(xs.low, xs.high, 200)
            best = 10 ** np.clip(ridge.intercept + ridge.slope * np.log10(ends), -30, 30)
            axes.plot(ends, np.where((best >= ys.low) & (best <= ys.high), best, np.nan), **RIDGE)

    drawn = any(ridge.is_told for ridge in ridges.values())
    signs = [(Line2D([], [], **RIDGE), "ridge: best decay at a learning rate")] if drawn else []
    return draw_maps(groups, ("learning_rate", "decay"), titles, line, signs, ratio=3)


def slope_of(one: Map, ridges: Mapping[tuple[str, str], Ridge]) -> str:
    """The slope of an entry's ridge, with its interval, as a title says it."""
    ridge = ridges.get((one.problem, one.label))
    if ridge is None or not np.isfinite(ridge.slope):
        return "slope cannot be told"
    slope, low, high = (number(round(value, 2)) for value in (ridge.slope, ridge.low, ridge.high))
    return f"slope {slope} [{low}, {high}]"
