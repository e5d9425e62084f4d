"""Checks of the results: fairness, strength of the baselines, tuning budgets, ridges, irregular files."""

import contextlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from regbench import catalog
from regbench.catalog import frameworks
from regbench.errors import DefinitionError
from regbench.report.cells import Cell, Row, Table, figure, interval, name, share, spoken, table_of
from regbench.trees.irregularities import KINDS

if TYPE_CHECKING:
    from regbench.comparison import Comparison


class Tuning(NamedTuple):
    """Budgets at which the order changes: those that the trials support, and a sentence on the others."""

    flips: Table
    others: str


class Ridges(NamedTuple):
    """The ridges whose slope has an interval, and why the others cannot: sentence and problem -> entries."""

    told: Table
    others: Mapping[tuple[str, str], Sequence[str]]


def cards(comparison: "Comparison") -> Table:
    """The fairness card of each entry."""
    headings = [
        *["problem", "entry", "tuned", "trials", "diverged", "best at an edge", "gain over defaults"],
        *["within 1 % of the best", "seconds a step", "quartiles", "largest stable rate", "ends of the space"],
    ]
    rows = [
        [
            name(card["problem"]),
            name(card["label"]),
            name(", ".join(map(spoken, card["tuned"])) or "nothing"),
            figure(card["trials"]),
            share(card["divergence_rate"]),
            name(_edge(card)),
            _gain(card),
            share(card["near_best"]),
            figure(card["step_seconds"], 2),
            interval(card["step_seconds_low"], card["step_seconds_high"], 2),
            _stable(card),
            Cell(card["space"]),
        ]
        for card in comparison.cards.to_dict("records")
    ]
    return table_of(headings, rows)


def on_seconds(comparison: "Comparison") -> str:
    """What is to be said where steps of optimizers of several frameworks stand side by side; else empty."""
    timed = comparison.cards.loc[comparison.cards["step_seconds"].notna(), "candidate"].unique()
    optimizers = {}
    for candidate in map(str, timed):
        with contextlib.suppress(DefinitionError):  # one of others, or whose file is not here
            optimizers[candidate] = catalog.candidate(candidate).optimizer
    return frameworks.on_seconds(optimizers)


def _edge(card: dict[Any, Any]) -> str:
    if card["at_edge"] is None:
        return ""
    return spoken(card["edges"]) if card["at_edge"] else "no"


def _gain(card: dict[Any, Any]) -> Cell:
    known = math.isfinite(card["default_gain"])
    return figure(card["default_gain"], 3) if known else Cell(card["default_note"], math.nan, is_name=True)


def _stable(card: dict[Any, Any]) -> Cell:
    rate = figure(card["largest_stable_learning_rate"], 3)
    return rate if card["is_bounded"] or not rate.text else rate._replace(text=f"≥ {rate.text}")


def strength(comparison: "Comparison") -> Table:
    """Baselines beside the published figures."""
    headings = [
        *["problem", "candidate", "entry", "mean", "published mean", "difference", "standard errors", "p"],
        *["verdict", "protocol", "published protocol"],
    ]
    rows = [
        [
            name(row["problem"]),
            name(row["candidate"]),
            name(row["label"]),
            *(figure(row[column]) for column in ("mean", "published_mean")),
            *(figure(row[column], 3) for column in ("difference", "standard_errors")),
            figure(row["p"], 2),
            Cell(row["verdict"]),
            name(row["protocol"]),
            name(row["published_protocol"]),
        ]
        for row in comparison.strength.to_dict("records")
    ]
    return table_of(headings, rows)


def tuning(comparison: "Comparison") -> Tuning:
    """The numbers of trials at which the order of two entries changes."""
    flips = comparison.flips
    supported = flips["supported"].astype(bool)
    rows = [
        [name(row["problem"]), figure(row["k"]), name(row["first"]), name(row["second"])]
        for row in flips[supported].to_dict("records")
    ]
    counts = flips.loc[~supported, "problem"].value_counts().sort_index()
    listed = ", ".join(f"{problem} {count}" for problem, count in counts.items())
    others = f"Further changes of order that may be chance: {listed}." if listed else ""
    return Tuning(table_of(["problem", "from trials", "instead of", "leads"], rows), others)


def ridges(comparison: "Comparison") -> Ridges:
    """How the best decay depends on the learning rate, for each entry that searched both."""
    couplings = comparison.table.set_index(["problem", "label"])["coupling"]
    rows, others = [], defaultdict(list)
    for (problem, label), ridge in comparison.ridges.items():
        if not math.isfinite(ridge.slope):
            others[ridge.sentence, problem].append(label)
            continue
        rows.append(
            [
                name(problem),
                name(label),
                Cell(spoken(couplings.get((problem, label), ""))),
                figure(ridge.slope, 3),
                interval(ridge.low, ridge.high, 3),
                figure(ridge.n_good),
                name(ridge.sentence),
            ]
        )
    headings = ["problem", "entry", "coupling", "slope", "95 % interval", "good trials", "what it says"]
    return Ridges(table_of(headings, rows), dict(others))


def irregular(comparison: "Comparison") -> Table:
    """A table of irregularities: a row a source and kind, with the rule of treatment and an example."""
    irregularities = pd.concat([comparison.irregularities, _of_bundled(comparison)], ignore_index=True)
    rows = []
    for (source, kind), files in irregularities.groupby(["source", "kind"], sort=True):
        example = files.sort_values(["file", "detail"]).iloc[0]
        text = f"{example['file']}: {example['detail']}" if example["detail"] else str(example["file"])
        rows.append(Row([name(source), Cell(spoken(kind)), figure(len(files), 9), name(KINDS[kind]), name(text)]))
    return Table(["source", "kind", "files", "what it is and how it was treated", "for example"], rows)


def _of_bundled(comparison: "Comparison") -> pd.DataFrame:
    """The irregularities that are noted with the runs of bundled sources, whose files are not read."""
    runs = comparison.runs
    runs = runs[~runs["source"].isin(comparison.irregularities["source"]) & (runs["irregular"] != "")]
    marked = runs[["file", "source"]].assign(kind=runs["irregular"].str.split(","), detail="").explode("kind")
    return marked[["file", "kind", "detail", "source"]]
