"""The notes of the ranked table: what a reader must know of an entry besides its numbers."""

from typing import Any

import pandas as pd

from regbench.catalog import BUDGETS
from regbench.trees.irregularities import LEAK


def notes(rows: pd.DataFrame) -> list[str]:
    """The note on each row of `ranking.ranked_entries`; "" for none."""
    ranked = rows[rows["comparable"]]
    both = {"deepobs", "deepobs-1.1"}
    mixed = ranked.groupby("problem")["protocol"].agg(lambda protocols: both <= set(protocols))
    mixed_problems = set(mixed.index[mixed.astype(bool)])
    return [_note(row, row["problem"] in mixed_problems) for row in rows.to_dict("records")]


def _note(row: dict[Any, Any], beside_deepobs: bool) -> str:
    parts = []
    if row["apart"]:
        parts.append(f"not ranked: {row['apart']}")
    elif beside_deepobs and row["protocol"] == "deepobs-1.1":
        parts.append("deepobs-1.1 trains on the validation samples too")
    if row["reason"]:
        parts.append(row["reason"])
    elif row["missing"] == row["n_seeds"] > 0 and not row["failed"]:
        parts.append(f"no {row['split']} {row['metric']}")
    elif row["missing"]:
        parts.append(f"{row['missing']} of {row['n_seeds']} seeds have no finite value")
    if str(row["decided_by"]).startswith(("test", "train")):
        why = "there is no validation curve" if row["mode"] == "final" else f"mode {row['mode']}"
        parts.append(f"winner chosen by the {row['decided_by'].replace('_', ' ')}, {why}")
    if LEAK in row["irregular"] and str(row["decided_by"]).startswith("valid"):
        parts.append("winner chosen by validation that overlaps training")
    if row["sampler"] == "random" and row["budget"] == BUDGETS["large"]:
        parts.append(f"{row['budget']} trials of the full space, not the published budget large")
    if row["trials_counted"] < row["budget"] and row["comparable"] and row["trials_counted"] > 1:
        parts.append(f"cut to its first {row['trials_counted']} trials")
    if row["is_stale"]:
        parts.append("no seed but that of the search")
    elif row["n_seeds"] == 1:
        parts.append("one seed")
    if row["missing_trials"]:
        parts.append(f"{row['missing_trials']} of {row['trials']} trials have no run")
    if row["aside"]:
        aside = "1 setting" if row["aside"] == 1 else f"{row['aside']} settings"
        parts.append(f"{aside} with another decay than the trials' left out")
    if row["most_seeds"] > row["winner_seeds"]:
        parts.append(f"another setting was run with more seeds ({row['most_seeds']:.0f})")
    return "; ".join(parts)
