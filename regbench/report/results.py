"""The results of a page: ranked table and claims of each problem, and average ranks across problems."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from regbench.analysis.sentences import OVERSTATED
from regbench.comparison import tables
from regbench.report.cells import Cell, Row, Table, counts, figure, interval, name, setting, share, spoken, table_of
from regbench.report.overview import rules, title

if TYPE_CHECKING:
    from regbench.comparison import Comparison

RANKED = [
    *["#", "entry and winning setting", "coupling", "decay", "score", "95 % interval", "winner, mean ± sd"],
    *["without tuning seed", "seeds", "speed", "trials", "diverged trials", "note and irregular files"],
]
_ORDERED_BY = {
    **{"#": "rank", "score": "score", "95 % interval": "score_low", "winner": "mean", "clean mean": "clean_mean"},
    **{"speed": "speed", "trials": "trials_counted"},
}
ACROSS = ["entry", "average rank", "better than"]


class ProblemSection(NamedTuple):
    """One problem: what decides on it, how its entries ranked, and which stand apart."""

    anchor: str
    name: str
    title: str
    rules: str
    ranked: Table
    apart: Sequence[tuple[str, Sequence[str]]]


class ClaimList(NamedTuple):
    """Claims as sentences, supported (`claimed`) and not (`open`), a table of all pairs, and what to bear in mind."""

    claimed: Sequence[str]
    open: Sequence[str]
    pairs: Sequence[tuple[str, Table]]
    overstated: str


class Across(NamedTuple):
    """Average ranks over all problems, a sentence on what they support, and the level of all that it says."""

    sentence: str
    level: str
    ranks: Table


def problems(comparison: "Comparison") -> list[ProblemSection]:
    """Each problem with its ranked table."""
    return [
        ProblemSection(
            f"problem-{index}", str(problem), title(entries), rules(entries[entries["comparable"]]), _ranked(entries),
            _apart(entries),
        )
        for index, (problem, entries) in enumerate(comparison.table.groupby("problem", sort=True), 1)
    ]  # fmt: skip


def _ranked(entries: pd.DataFrame) -> Table:
    rows = []
    for row, shown in zip(entries.to_dict("records"), tables.cells(entries), strict=True):
        known = dict(zip(tables.COLUMNS, shown, strict=True))
        cells = [
            _known("#", known, row),
            name(row["label"], more=setting(row["setting"])),
            Cell(known["coupling"]),
            figure(row["decay"], 4),
            *(_known(column, known, row) for column in ("score", "95 % interval", "winner", "clean mean")),
            Cell(_seeds(row), float(row["n_seeds"])),
            _known("speed", known, row),
            _known("trials", known, row),
            Cell(_diverged(row), row["diverged"] / max(row["trials"], 1)),
            name(row["note"], more=counts(row["irregular"])),
        ]
        rows.append(Row(cells, pale=not row["comparable"]))
    return Table(RANKED, rows)


def _known(column: str, known: dict[str, str], row: dict[Any, Any]) -> Cell:
    return Cell(known[column].replace("+-", "±"), float(row[_ORDERED_BY[column]]))


def _seeds(row: dict[Any, Any]) -> str:
    diverged = f" ({row['diverged_seeds']} diverged)" if row["diverged_seeds"] else ""
    return f"{row['n_seeds']}{diverged}"


def _diverged(row: dict[Any, Any]) -> str:
    unfinished = f" ({row['unfinished']} unfinished)" if row["unfinished"] else ""
    return f"{row['diverged']} of {row['trials']}{unfinished}"


def _apart(entries: pd.DataFrame) -> list[tuple[str, list[str]]]:
    """The entries without a rank, grouped by the reason: (reason, labels)."""
    left = entries[~entries["comparable"]]
    return [(str(note), list(rows["label"])) for note, rows in left.groupby("note", sort=True)]


def claims(comparison: "Comparison") -> ClaimList:
    """Build the claims of a comparison."""
    of_the_best = comparison.claims
    claimed = of_the_best["claimed"].astype(bool)
    pairs = comparison.claims_of("all")
    return ClaimList(
        list(of_the_best.loc[claimed, "sentence"]),
        list(of_the_best.loc[~claimed, "sentence"]),
        [(str(problem), _pairs(rows)) for problem, rows in pairs.groupby("problem", sort=True)],
        OVERSTATED,
    )


def _pairs(rows: pd.DataFrame) -> Table:
    headings = ["better", "worse", "difference", "interval", "its confidence", "adjusted p", "visible difference"]
    headings += ["probability that a run of the winner beats one", "its 95 % interval", "seeds", "claimed"]
    return table_of(
        headings,
        [
            [
                name(row["better"]),
                name(row["worse"]),
                figure(row["difference"], 3),
                interval(row["low"], row["high"], 3),
                share(row["level"]),
                figure(row["p"], 2),
                figure(row["detectable"], 3),
                figure(row["probability"], 2),
                interval(row["probability_low"], row["probability_high"], 2),
                Cell(f"{row['n_better']}, {row['n_worse']}", float(row["n_better"])),
                Cell("yes" if row["claimed"] else row["reason"] or "no", is_name=True),
            ]
            for row in rows.to_dict("records")
        ],
    )


def across(comparison: "Comparison") -> Across:
    """Average ranks, and what they support."""
    ranks = comparison.ranks
    told = ranks.pairs[ranks.pairs["is_told"]].groupby("better")["worse"].agg(", ".join)
    rows = [
        [name(label), figure(rank, 3), name(told.get(label, ""))]
        for label, rank in ranks.ranks.items()
        if ranks.n_problems > 1
    ]
    return Across(ranks.sentence, f"{100 * ranks.level:g} %", table_of(ACROSS, rows))


def by_coupling(comparison: "Comparison") -> Table:
    """The best ranked entry of each decay coupling, problem by problem."""
    rows = []
    ranked = comparison.table[comparison.table["comparable"]]
    for (problem, coupling), entries in ranked.groupby(["problem", "coupling"], sort=True):
        best = entries.iloc[0]
        shown = dict(zip(tables.COLUMNS, tables.cells(entries)[0], strict=True))
        rows.append(
            [
                name(problem),
                Cell(spoken(coupling)),
                figure(len(entries)),
                name(best["label"]),
                figure(best["decay"], 4),
                Cell(shown["score"], float(best["score"])),
                Cell(shown["95 % interval"], float(best["score_low"])),
                Cell(shown["#"], float(best["rank"])),
            ]
        )
    return table_of(["problem", "coupling", "entries", "best entry", "decay", "score", "95 % interval", "rank"], rows)
