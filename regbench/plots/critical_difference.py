"""Diagram of average ranks over problems, and of which entries cannot be told apart."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from regbench.analysis.across import AverageRanks
from regbench.plots.looks import COLOURS
from regbench.plots.scales import Scale
from regbench.plots.style import NothingToDrawError, style
from regbench.plots.text import inches, shown

ROW_INCHES = 0.2
BAR_INCHES = 0.14
MOST_BARS = 30

Bar = tuple[int, ...]
"""A set of entries of which no two can be told apart, by their rows, counted from the best."""


def bars_of(average: AverageRanks) -> list[Bar]:
    """The bars beside the rows, from left to right."""
    row = {label: index for index, label in enumerate(average.ranks.index)}
    return sorted(tuple(sorted(row[label] for label in group)) for group in average.groups)


def critical_difference(average: AverageRanks) -> Figure:
    """Draw average ranks as rows, the best on top, with a bar beside all that cannot be told apart.

    It shows what the diagram of Demsar 2006 shows, turned by a right angle: so many entries keep their labels. A bar
    has a dot at each row that belongs to it; rows between that have none do not. There is no critical difference of
    ranks: pairs are told apart by their own values.

    Args:
        average: `across.average_ranks`.

    Raises:
        NothingToDrawError: there are no two entries with ranks on a common problem.
    """
    if len(average.ranks) < 2 or not average.n_problems:
        raise NothingToDrawError("There is no critical-difference diagram: no problem has results of two entries.")
    texts = [
        f"{text}   {rank:.2f}" for text, rank in zip(shown(average.ranks.index).values(), average.ranks, strict=True)
    ]
    bars = bars_of(average)
    largest = sorted(sorted(bars, key=len, reverse=True)[:MOST_BARS])
    beside = max(BAR_INCHES * len(largest), 1.0)
    rows = len(texts) + 1.6
    with style():
        label = max(inches(text, 8) for text in texts)
        figure = Figure(figsize=(label + 3.4 + beside, ROW_INCHES * rows + 0.9))
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3.2, beside])
        _draw_ranks(left, average)
        left.set_yticks(range(len(texts)), texts, fontsize=8)
        left.set_ylim(len(texts) - 0.4, -2.0)
        _draw_bars(right, largest, len(bars) - len(largest))
    return figure


def _draw_ranks(axes: Axes, average: AverageRanks) -> None:
    ranks = average.ranks.to_numpy()
    room = 0.04 * float(ranks[-1] - ranks[0]) or 0.5
    Scale(False, float(ranks[0]) - room, float(ranks[-1]) + room).apply(axes, "x")
    axes.plot(ranks, range(len(ranks)), linestyle="none", marker="o", color=COLOURS[0], markersize=5.5)
    problems = f"{average.n_problems} problem{'s' * (average.n_problems != 1)}"
    axes.set_xlabel(f"average rank over {problems} (1 = best)")


def _draw_bars(axes: Axes, bars: list[Bar], left_out: int) -> None:
    axes.set_axis_off()
    axes.set_xlim(-0.7, max(len(bars), 1.0 / BAR_INCHES) - 0.3)
    axes.text(-0.5, -1.35, "bar: cannot be" if bars else "all differ", ha="left", va="bottom", fontsize=8)
    if bars:
        told = f"told apart ({left_out} more)" if left_out else "told apart"
        axes.text(-0.5, -0.45, told, ha="left", va="bottom", fontsize=8)
    for place, rows in enumerate(bars):
        axes.plot([place, place], [rows[0], rows[-1]], color="0.2", linewidth=1.6, solid_capstyle="butt")
        axes.plot([place] * len(rows), rows, color="0.2", linestyle="none", marker="o", markersize=3.6)
