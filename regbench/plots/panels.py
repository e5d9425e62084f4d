"""Layout that figures of several panels share: positions, titles, the legend below."""

import math
from collections.abc import Iterable, Mapping, Sequence

from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from regbench.plots.looks import GREY, Look, handle
from regbench.plots.text import plain, shortened
from regbench.records import Coupling
from regbench.trees.settings import UNKNOWN

WIDEST = 4  # panels side by side: what can be read across a page

COUPLINGS = (*map(str, Coupling), UNKNOWN)
"""All decay couplings in the order in which figures and tables show them."""

Entries = Sequence[tuple[Artist, str]]


def places(sizes: Sequence[int], widest: int = WIDEST, flow: bool = False) -> list[tuple[int, int]]:
    """Row and column of each panel, for groups of so many panels.

    Each group begins a row, and a large group's rows are about as full; with `flow`, a group that fits beside the one
    before it does not begin a row.
    """
    positions: list[tuple[int, int]] = []
    row, used = 0, 0
    for size in sizes:
        if flow and used > 0 and used + size <= widest:
            row -= 1
        else:
            used = 0
        rows = math.ceil(size / widest)
        width = math.ceil(size / rows)
        positions += [(row + index // width, used + index % width) for index in range(size)]
        row += rows
        used = used + width if rows == 1 else widest
    return positions


def extent(cells: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """How many rows and columns panels at these places take."""
    rows, columns = zip(*cells, strict=True)
    return 1 + max(rows), 1 + max(columns)


def title(problem: str, limit: int = 30) -> str:
    """A problem's name above a panel."""
    return shortened(plain(problem), limit)


def coupled(coupling: str) -> str:
    """A decay coupling above a panel."""
    return f"decay: {shortened(plain(coupling.replace('_', ' ')), 22)}"


def in_order(couplings: Iterable[str]) -> list[str]:
    """The couplings in the order of `COUPLINGS`; words that are none of them follow by the alphabet."""
    there = dict.fromkeys(couplings)
    return [name for name in COUPLINGS if name in there] + sorted(name for name in there if name not in COUPLINGS)


def handles(looks: Mapping[str, Look], texts: Mapping[str, str], lines: bool = True) -> list[tuple[Artist, str]]:
    """Legend entries: one for each look that stands out, and one for all that are grey."""
    listed: list[tuple[Artist, str]] = [
        (handle(look, lines), texts[name]) for name, look in looks.items() if look.stands_out
    ]
    grey = sum(not look.stands_out for look in looks.values())
    if grey:
        sign = Line2D([], [], color=GREY) if lines else handle(Look(GREY, "o", "-", False), lines)
        listed.append((sign, f"grey: {grey} that rank lower"))
    return listed


def legend_below(figure: Figure, entries: Entries) -> None:
    """Put a legend below all panels, in as many columns as fit the width; the figure grows by its height."""
    for columns in range(len(entries), 0, -1):
        legend = _legend(figure, entries, columns)
        extent = legend.get_window_extent()
        if columns == 1 or extent.width <= figure.bbox.width:
            break
        legend.remove()
    width, height = figure.get_size_inches()
    figure.set_size_inches(max(width, extent.width / figure.dpi + 0.1), height + extent.height / figure.dpi)


def _legend(figure: Figure, entries: Entries, columns: int) -> Legend:
    signs, labels = zip(*entries, strict=True)
    # Matplotlib leaves out labels that begin with an underscore, so they come afterwards.
    legend = figure.legend(signs, ["·"] * len(labels), loc="outside lower center", ncols=columns, handlelength=2.6)
    for text, label in zip(legend.get_texts(), labels, strict=True):
        text.set_text(label)
    return legend


SPLIT_WORDS = {"train": "training", "valid": "validation", "test": "test"}


def spoken(name: str) -> str:
    """A column's or a hyperparameter's name as an axis says it: `valid_accuracy` is validation accuracy."""
    first, _, rest = name.partition("_")
    return shortened(plain(f"{SPLIT_WORDS.get(first, first)} {rest}".strip().replace("_", " ")), 34)
