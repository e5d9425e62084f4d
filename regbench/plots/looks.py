"""How an entry looks wherever it is drawn as a line or a point: colour, marker and line style together."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.lines import Line2D

# Paul Tol's "muted" scheme and black. Under simulated protanopia, deuteranopia and tritanopia (Machado et al. 2009) its
# closest pair is 16 CIELAB units apart (seaborn's "colorblind": 11), and lightness goes from 0 to 82.
COLOURS = (
    "#332288", "#CC6677", "#117733", "#88CCEE", "#882255", "#DDCC77", "#AA4499", "#44AA99", "#999933", "#000000",
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p")
LINES = ("-", (0, (5, 1.5)), (0, (6, 1.5, 1.2, 1.5)), (0, (1.2, 1.2)), (0, (8, 2, 1.2, 1.5, 1.2, 1.5)))
GREY = "0.78"


class Look(NamedTuple):
    """Colour, marker and line style of one entry; `stands_out` is False for those drawn grey."""

    colour: str
    marker: str
    line: Any
    stands_out: bool

    def of_line(self) -> dict[str, Any]:
        """Arguments of `Axes.plot`; markers come on top of it where there is room."""
        if not self.stands_out:
            return {"color": self.colour, "linewidth": 0.8, "zorder": 1.5}
        return {"color": self.colour, "linestyle": self.line, "linewidth": 1.3, "zorder": 3}

    def of_marker(self, size: float = 5.5) -> dict[str, Any]:
        """Arguments of `Axes.plot` or `Line2D` for the marker."""
        if not self.stands_out:
            return {"marker": "o", "color": self.colour, "markersize": 0.6 * size, "markeredgewidth": 0}
        edge = {"markeredgecolor": "white", "markeredgewidth": 0.5}
        return {"marker": self.marker, "color": self.colour, "markersize": size, **edge}


def looks(best_first: Sequence[str]) -> dict[str, Look]:
    """A look for each name: the first ten stand out, the rest are alike and grey."""
    given = {}
    for index, name in enumerate(dict.fromkeys(best_first)):
        if index < len(COLOURS):
            given[name] = Look(COLOURS[index], MARKERS[index], LINES[index % len(LINES)], True)
        else:
            given[name] = Look(GREY, "o", "-", False)
    return given


def best_first(values: pd.DataFrame) -> list[str]:
    """Labels by their mean rank over problems; without a finite value somewhere: last there.

    Args:
        values: problem, label, value (to be maximised; one row an entry).
    """
    table = values.pivot_table(index="label", columns="problem", values="value", aggfunc="mean", sort=False)
    table = table.reindex(index=values["label"].unique(), columns=values["problem"].unique())
    ranks = table.where(table.abs() < float("inf")).rank(ascending=False, na_option="bottom")
    return list(ranks.mean(axis=1).sort_values(kind="stable").index)


def ordered(present: Sequence[str], first: Sequence[str]) -> list[str]:
    """The labels that are present, those of `first` in its order and then the others in their own."""
    there = dict.fromkeys(present)
    return list(dict.fromkeys([name for name in first if name in there] + list(there)))


def handle(look: Look, lines: bool = True) -> Line2D:
    """The legend handle of an entry."""
    line = look.of_line() if lines else {"linestyle": "none"}
    return Line2D([], [], **{**line, **look.of_marker()})
