"""Warnings of a comparison about what is wrong with the studies that made the runs (docs/errata.md)."""

from collections.abc import Iterator

import pandas as pd

from regbench.trees.irregularities import LEAK

_TOLD = {"valid": "validation", "test": "test", "train": "train-evaluation"}


def warnings(runs: pd.DataFrame, table: pd.DataFrame) -> Iterator[str]:
    """A line for each problem with runs on other instances of it, and for each tree whose validation overlaps training.

    Args:
        runs: `trees.frames`.
        table: `ranking.ranked_entries`.
    """
    for problem, rows in runs[runs["instance"] != ""].groupby("problem", sort=True):
        counts = rows["instance"].value_counts().sort_index(key=lambda names: names.str.zfill(9))
        each = ", ".join(f"instance {name}: {_runs(count)}" for name, count in counts.items())
        yield f"{problem}: {_runs(len(rows))} on another Hessian than the problem's ({each}); apart, nothing is claimed"
    leaking = runs[runs["irregular"].str.split(",").map(lambda kinds: LEAK in kinds)]
    for (source, problem), rows in leaking.groupby(["source", "problem"], sort=True):
        completed = rows[rows["outcome"] == "completed"]
        medians = {word: completed[f"final_{split}_accuracy"].median() for split, word in _TOLD.items()}
        shown = ", ".join(f"{word} {median:.3f}" for word, median in medians.items() if median == median)
        numbers = f" (median final accuracy of {len(completed)} completed: {shown})" if shown else ""
        chosen = table[(table["source"] == source) & (table["problem"] == problem)]
        chosen = chosen[
            chosen["decided_by"].str.startswith("valid") & chosen["irregular"].map(lambda kinds: LEAK in kinds)
        ]
        winners = f", and chose the winners of {', '.join(chosen['label'])}" if len(chosen) else ""
        yield (
            f"{source}: {problem}: validation overlaps training in {_runs(len(rows))}{numbers}{winners}; "
            "`--mode test` or `train` shows what that changes"
        )


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"
