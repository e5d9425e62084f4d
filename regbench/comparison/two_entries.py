"""The power of a comparison of two entries."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from regbench import catalog
from regbench.analysis.power import Power
from regbench.analysis.searched import Searched, SeveralSearches
from regbench.comparison.comparison import compare
from regbench.errors import ResultsError, UnknownNameError


def power(
    problem: str,
    one: str,
    other: str,
    *,
    results: Sequence[str | Path] = (),
    baselines: str | Path = "bundled",
) -> Power:
    """What would have to be run for a difference between two candidates to be seen.

    Args:
        problem: its name.
        one: label of an entry, as `compare` has it, or a candidate of which one entry is ranked; of an entry of several
            searches the first one tells.
        other: of another, or the same one: tuned apart.
        results: results trees.
        baselines: "bundled", "none" or a results tree.

    Raises:
        UnknownNameError: there is no such entry.
        ResultsError: a tree cannot be read, or an entry has no winner with several fresh seeds.
    """
    comparison = compare([problem], results=results, baselines=baselines)
    found: list[Searched] = []
    labels = [_label(name, comparison.table) for name in (one, other)]
    for label in labels:
        search = comparison.searched[problem, label]
        search = search.each[0] if isinstance(search, SeveralSearches) else search
        if not search.can_win or not search.spread_freedom:
            raise ResultsError(
                f"{label} on {problem}: must have a winner with 2 fresh seeds or more. "
                f"Received: fresh_seeds={search.fresh_seeds!r}"
            )
        found.append(search)
    entries = comparison.table.set_index("label")
    protocol = catalog.PROTOCOLS.get(str(entries.loc[labels[0], "protocol"]))
    reruns = catalog.protocol("deepobs").reruns if protocol is None else protocol.reruns
    return Power(*found, reruns=reruns, few=catalog.FEW_RERUNS)


def _label(name: str, table: pd.DataFrame) -> str:
    """Of the entry that is called so."""
    ranked = table[table["comparable"].astype(bool)]
    alone = ranked.loc[ranked["candidate"] == name, "label"]
    if name in set(table["label"]):
        return name
    if len(alone) == 1:
        return str(alone.iloc[0])
    raise UnknownNameError("entry", name, sorted(table["label"]), where=f"the results of {table['problem'].iloc[0]}")
