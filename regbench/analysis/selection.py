"""The runs of the problems and candidates that were asked for."""

from collections.abc import Sequence

import pandas as pd

from regbench.analysis.entries import with_labels
from regbench.errors import UnknownNameError


def select(runs: pd.DataFrame, problems: Sequence[str], candidates: Sequence[str]) -> pd.DataFrame:
    """The runs of these problems and candidates, with `label` (`entries.with_labels` of all runs of the problems).

    Args:
        runs: `store.frames`.
        problems: names; all unless given.
        candidates: names of candidates, of optimizers as their files have them, or labels; all unless given.

    Raises:
        UnknownNameError: no run has such a name.
    """
    labelled = with_labels(_having(runs, ["problem"], "problem", problems))
    return _having(labelled, ["candidate", "optimizer", "label"], "candidate", candidates)


def _having(runs: pd.DataFrame, columns: list[str], kind: str, names: Sequence[str]) -> pd.DataFrame:
    if not names:
        return runs
    there = {str(name) for column in columns for name in runs[column].unique()}
    for name in names:
        if name not in there:
            raise UnknownNameError(kind, name, sorted(there), where="the results")
    return runs[runs[columns].isin(list(names)).any(axis="columns")].reset_index(drop=True)
