"""A table as a picture."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from regbench.plots.style import NothingToDrawError, style
from regbench.plots.text import inches, plain, shortened

POINTS = 8.0
ROW_INCHES = 0.22
BETWEEN = 0.25
"""Inches between two columns."""

WIDEST = 60
"""Characters of a cell."""


def text_table(rows: pd.DataFrame) -> Figure:
    """Draw a table of texts, with a rule below the head and above each new value of the first column.

    Raises:
        NothingToDrawError: there are no rows.
    """
    if rows.empty:
        raise NothingToDrawError("The table has no rows.")
    texts = [[str(name) for name in rows.columns], *rows.astype(str).to_numpy().tolist()]
    cells = [[shortened(plain(text), WIDEST) for text in row] for row in texts]
    with style():
        widths = [BETWEEN + max(inches(row[column], POINTS) for row in cells) for column in range(len(cells[0]))]
        width, height = sum(widths), ROW_INCHES * (len(cells) + 0.5)
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.add_subplot()
        axes.set_axis_off()
        axes.set(xlim=(0, width), ylim=(height, 0))
        for number, row in enumerate(cells):
            y = ROW_INCHES * (number + 0.75)
            if number == 1 or (number > 1 and row[0] != cells[number - 1][0]):
                axes.add_line(Line2D([0, width], [y - ROW_INCHES / 2] * 2, color="0.3", linewidth=0.8))
            for column, text in enumerate(row):
                repeated = column == 0 and number > 1 and text == cells[number - 1][0]
                weight = "bold" if number == 0 else "normal"
                x = sum(widths[:column])
                axes.text(x, y, "" if repeated else text, fontsize=POINTS, weight=weight, va="center")
    return figure
