"""The runs of the problems and candidates that were asked for."""

from collections.abc import Sequence

import pandas as pd

from regbench.analysis.entries import winners
from regbench.analysis.labels import with_labels
from regbench.catalog import current_name
from regbench.errors import ResultsError, UnknownNameError


def select(
    runs: pd.DataFrame, problems: Sequence[str], candidates: Sequence[str], budget: int | None = None
) -> pd.DataFrame:
    """The runs of these problems and candidates, with `label` (`labels.with_labels` of all runs of the problems).

    Args:
        runs: `store.frames`.
        problems: names; all unless given.
        candidates: names of candidates, of optimizers as their files have them, or labels; all unless given.
        budget: only entries with so many trials asked for, or so many trials where the search is inferred.

    Raises:
        UnknownNameError: no run has such a name.
        ResultsError: no entry has such a budget.
    """
    labelled = with_labels(_having(runs, ["problem"], "problem", problems))
    chosen = _having(labelled, ["candidate", "optimizer", "label"], "candidate", candidates)
    return chosen if budget is None else _of_budget(chosen, budget)


def _of_budget(runs: pd.DataFrame, budget: int) -> pd.DataFrame:
    entries = winners(runs)
    kept = entries.loc[entries["budget"] == budget, ["problem", "label"]]
    if kept.empty:
        there = ", ".join(f"{number:.0f}" for number in sorted(entries["budget"].unique()))
        raise ResultsError(f"`budget` must be that of a search in the results: {there}. Received: budget={budget!r}")
    return runs.merge(kept, on=["problem", "label"])


def _having(runs: pd.DataFrame, columns: list[str], kind: str, names: Sequence[str]) -> pd.DataFrame:
    if not names:
        return runs
    names = [current_name(name) if kind == "candidate" else name for name in names]
    there = {str(name) for column in columns for name in runs[column].unique()}
    for name in names:
        if name not in there:
            raise UnknownNameError(kind, name, sorted(there), where="the results")
    return runs[runs[columns].isin(list(names)).any(axis="columns")].reset_index(drop=True)
