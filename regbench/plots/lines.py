"""Lines with bands: what learning curves and tuning curves have in common."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from regbench.plots.looks import Look
from regbench.plots.scales import LARGEST, Scale

MARKS_APART = 0.2  # markers along a line, in diagonals of the panel
BROKEN = {"marker": "x", "linestyle": "none", "markersize": 6, "markeredgewidth": 1.6, "zorder": 4}


class Line(NamedTuple):
    """A line to draw: its points, the band around it, and where it stopped being finite (or None)."""

    x: np.ndarray
    middle: np.ndarray
    low: np.ndarray
    high: np.ndarray
    broken_at: tuple[float, float] | None


def line_of(rows: pd.DataFrame, x: str, middle: str) -> Line:
    """The line through the rows (columns `x`, `middle`, low, high), ordered by `x`."""
    rows = rows.sort_values(x)
    values = rows[middle].to_numpy(dtype=float)
    usable = np.abs(values) < LARGEST
    at = rows[x].to_numpy(dtype=float)
    ends = np.flatnonzero(usable)
    broken = (float(at[ends[-1]]), float(values[ends[-1]])) if ends.size and ends[-1] < len(values) - 1 else None
    values = np.where(usable, values, np.nan)
    low, high = (rows[name].to_numpy(dtype=float) for name in ("low", "high"))
    known = usable & (np.abs(low) < LARGEST) & (np.abs(high) < LARGEST)
    return Line(at, values, np.where(known, low, np.nan), np.where(known, high, np.nan), broken)


def draw(axes: Axes, line: Line, look: Look, place: int, scale: Scale) -> None:
    """Draw a line; the band only if it stands out. `place` among the others shifts its markers off theirs."""
    if not look.stands_out:
        axes.plot(line.x, line.middle, **look.of_line())
    else:
        axes.fill_between(line.x, line.low, line.high, color=look.colour, alpha=0.15, linewidth=0, zorder=2)
        every = (MARKS_APART * (place % 10) / 10, MARKS_APART)
        axes.plot(line.x, line.middle, **{**look.of_line(), **look.of_marker(5)}, markevery=every)
    if line.broken_at:
        x, y = line.broken_at
        axes.plot(x, scale.inside([y]), clip_on=False, **BROKEN, color=look.colour)
