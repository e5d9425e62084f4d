"""Tables of a page: cells with what is shown and what they are sorted by."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from regbench.comparison.tables import number

COUPLING_RULES = {
    "none": "no weight decay",
    "l2": "the loss gains λ/2 · Σw², the gradient λw",
    "decoupled": "w loses learning rate · λ · w before each step",
    "decoupled_momentum": "w loses learning rate / (1 \N{MINUS SIGN} momentum) · λ · w before each step",
    "decoupled_constant": "w loses λ · w before each step, whatever the learning rate",
    "cautious": "w loses learning rate · λ · w after each step where the step moves it towards zero",
    "lr_squared": "w loses learning rate² / its peak · λ · w before each step",
    "timescale": "decoupled, told as a time in epochs over which weights forget: λ = 1 / (peak rate · time · steps)",
    "unknown": "the files do not say how the weights decay",
}


class Cell(NamedTuple):
    """One cell of a table.

    Args:
        text: what is shown.
        order: what it is sorted by, if that is a number; NaN sorts last.
        is_name: it may be long; lines break where they must.
        link: where it leads, on the same page.
        more: what is shown below it, smaller.
    """

    text: str
    order: float | None = None
    is_name: bool = False
    link: str = ""
    more: str = ""


class Row(NamedTuple):
    """One row of a table; what is `pale` stands apart from the others."""

    cells: Sequence[Cell]
    pale: bool = False


class Table(NamedTuple):
    """A table: headings and rows."""

    headings: Sequence[str]
    rows: Sequence[Row]


def table_of(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Table:
    """A table of which no row stands apart."""
    return Table(headings, [Row(row) for row in rows])


def name(value: object, link: str = "", more: str = "") -> Cell:
    """A name from a file, or other text of any length."""
    return Cell(str(value), is_name=True, link=link, more=more)


def figure(value: float, digits: int = 5) -> Cell:
    """A number; nothing where there is none."""
    return Cell(number(value, digits), float(value))


def share(value: float) -> Cell:
    """A share as a percentage."""
    return Cell(f"{100 * value:.3g} %" if math.isfinite(value) else "", float(value))


def interval(low: float, high: float, digits: int = 5) -> Cell:
    """An interval; nothing where an end is missing."""
    known = math.isfinite(low) and math.isfinite(high)
    return Cell(f"[{number(low, digits)}, {number(high, digits)}]" if known else "", float(low))


def spoken(word: object) -> str:
    """A word of ours with spaces; what comes from a file goes through unchanged otherwise."""
    return str(word).replace("_", " ")


def setting(values: Mapping[str, Any] | None) -> str:
    """A setting as people read it, numbers with five digits; without the decay, which has a column of its own."""
    pairs = (values or {}).items()
    return ", ".join(f"{spoken(key).replace('.', ' ')} {_value(value)}" for key, value in pairs if key != "decay")


def counts(kinds: Mapping[str, int]) -> str:
    """Counts by kind, in words."""
    return ", ".join(f"{spoken(kind)} {count}" for kind, count in sorted(kinds.items()))


def _value(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, float):
        return number(value) or str(value)
    return str(value)
