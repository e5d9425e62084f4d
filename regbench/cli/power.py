"""The command `power`: what would have to be run for a difference between two candidates to be seen."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from regbench.cli import options, progress, terminal, values
from regbench.cli.codes import DONE
from regbench.errors import DefinitionError

if TYPE_CHECKING:
    from regbench.analysis.power import Power, Sight

COLUMNS = ["question", "what", "needed", "interval", "runs"]
SHOWN = ["question", "what", "number", "difference seen", "interval", "runs"]
NAMES = {"searches": "searches of each", "trials": "trials of one search", "seeds": "fresh seeds of each winner"}


@click.command()
@options.problem
@click.argument("one", metavar="A")
@click.argument("other", metavar="B")
@click.option("--difference", type=float, metavar="D", help="That is to be seen, in units of the metric.")
@options.several_results(" that has a search of each.  [default: results, if there are any]")
@options.baselines
@options.formats("table", "json")
def power(
    problem: str,
    one: str,
    other: str,
    difference: float | None,
    results: Sequence[str],
    baselines: str,
    form: str,
) -> int:
    """Show how many searches, trials and seeds of A and B would see a difference on PROBLEM.

    In 80 of 100 cases, at 5 %, for these two alone, from the spread in their searches on record; the intervals tell how
    uncertain that spread is. Without --difference, shows what so many would see. A and B are labels, as `compare` has
    them.
    """
    if difference is not None and not 0 < difference < math.inf:
        raise DefinitionError(f"`--difference` must be positive. Received: {difference!r}")
    from regbench.comparison import power as power_of

    with progress.Waiting("reading"):
        found = power_of(problem, one, other, results=values.trees_of(results), baselines=baselines)
        rows = _seen(found) if difference is None else _needed(found, difference)
    if form == "json":
        terminal.show_json(rows)
    else:
        _show(rows, difference)
    return DONE


def _needed(found: "Power", difference: float) -> list[dict[str, Any]]:
    from regbench.analysis.power import QUESTIONS

    rows = []
    for what in filter(found.counts, NAMES):  # of a candidate of which nothing is searched there is one trial
        needed, low, high = found.needed(what, difference)
        rows.append(
            {
                "question": QUESTIONS[what],
                "what": what,
                "needed": _count(needed),
                "low": _count(low),
                "high": _count(high),
                "most": found.counts(what)[-1],
                "runs": None if needed is None else needed.runs,
            }
        )
    return rows


def _count(sight: "Sight | None") -> int | None:
    return None if sight is None else sight.number


def _seen(found: "Power") -> list[dict[str, Any]]:
    from regbench.analysis.power import SHOWN as COUNTS

    return [found.of(what, count)._asdict() for what in NAMES for count in COUNTS[what] if count in found.counts(what)]


def _show(rows: list[dict[str, Any]], difference: float | None) -> None:
    numbers = [_numbers_seen(row) if difference is None else _numbers_needed(row) for row in rows]
    cells = [
        (row["question"], NAMES[row["what"]], *texts, row["runs"]) for row, texts in zip(rows, numbers, strict=True)
    ]
    columns = SHOWN if difference is None else COLUMNS
    terminal.show_table(columns, cells, right=columns[2:])


def _numbers_seen(row: dict[str, Any]) -> list[str]:
    return [str(row["number"]), f"{row['visible']:.3g}", f"[{row['low']:.3g}, {row['high']:.3g}]"]


def _numbers_needed(row: dict[str, Any]) -> list[str]:
    needed, low, high = (_told(row[name], row["most"]) for name in ("needed", "low", "high"))
    return [needed, f"[{low}, {high}]"]


def _told(count: int | None, most: int) -> str:
    return f"over {most}" if count is None else str(count)
