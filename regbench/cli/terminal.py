"""Where output goes: results to stdout; messages and warnings, a line each, to stderr."""

import csv
import io
import json
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

_UNLIMITED_WIDTH = 10_000
_GAP = 2


def console(stderr: bool = False) -> Console:
    """Stdout or stderr, as wide as the terminal; text is shown as it is, whatever brackets are in it."""
    found = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not found.is_terminal:
        found.width = _UNLIMITED_WIDTH  # a file or another program wants whole lines
    return found


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[str] = ()) -> None:
    """Print a table; where the terminal is narrow, cells go on in the next line.

    Args:
        columns: their headings.
        rows: one cell a column; None is an empty cell.
        right: the columns that are aligned to the right.
    """
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    for column, width in zip(columns, _widths([list(columns), *cells], console().width), strict=True):
        table.add_column(column, justify="right" if column in right else "left", width=width, overflow="fold")
    for row in cells:
        table.add_row(*row)
    console().print(table)


def _widths(lines: Sequence[Sequence[str]], room: int) -> list[int]:
    """As wide as the cells; where there is no room, columns are broken between words, and the widest within words."""
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    words = [max(len(word) for cell in column for word in cell.split() or [""]) for column in zip(*lines, strict=True)]
    excess = sum(widths) + _GAP * (len(widths) - 1) - room
    for position in sorted(range(len(widths)), key=lambda position: words[position] - widths[position]):
        cut = min(max(excess, 0), widths[position] - words[position])
        widths[position] -= cut
        excess -= cut
    while excess > 0 and max(widths) > 1:
        widths[widths.index(max(widths))] -= 1
        excess -= 1
    return widths


def show_text(text: str) -> None:
    """Print text as it is; long lines are left to the terminal."""
    console().print(text, soft_wrap=True)


def show_json(data: object) -> None:
    """Print plain data, with finite numbers only, as JSON."""
    show_text(json.dumps(data, indent=2, allow_nan=False))


def show_csv(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> None:
    """Print plain data as CSV with a heading; lists and objects as JSON."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _csv_cell(value) for name, value in row.items()})
    show_text(text.getvalue().removesuffix("\n"))


def _csv_cell(value: object) -> object:
    return json.dumps(value) if isinstance(value, Mapping | list | tuple) else value


def show_rows(rows: Sequence[Mapping[str, object]], form: str) -> None:
    """Print plain data of which there is at least one row, all with the same keys, as "json" or "csv"."""
    if form == "json":
        show_json(rows)
    else:
        show_csv(list(rows[0]), rows)


def message(text: str) -> None:
    """Print one line on stderr, named after the program."""
    console(stderr=True).print(f"regbench: {' '.join(text.split())}", soft_wrap=True)


def number(value: float | None) -> str:
    """A number for people; nothing for None."""
    return "" if value is None else f"{value:.4g}"
