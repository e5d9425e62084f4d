"""Bundled baselines: figures of results that come with regbench, as compact text tables.

In `results/bundled/<source>/`: `runs.csv` has a row a run, with the columns of `frames` that a comparison needs;
`winners.csv` the setting of each winner, with a number; `curves.csv` mean, standard deviation and quartiles of its
curves.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from regbench import catalog
from regbench.errors import ResultsError

SOURCES = ("ours", "published")
DIGITS = "%.9g"  # as many as tell all float32 numbers apart

_TEXTS = (
    *("dialect", "problem", "optimizer", "candidate", "coupling", "setting", "protocol", "schedule"),
    *("outcome", "metric", "goal", "irregular"),
)
_NUMBERS = (
    *("decay", "diverged_epoch"),
    *(
        f"{when}_{split}_{metric}"
        for when in ("final", "best")
        for split in ("train", "valid", "test")
        for metric in ("loss", "accuracy")
    ),
    *("epochs_to_convergence", "step_seconds"),
)
_WHOLE = ("epochs", "batch_size", "seed")
_TRUTHS = ("outcome_inferred", "loss_has_penalty", "superseded")
RUN_COLUMNS = [*_TEXTS, *_WHOLE, *_TRUTHS, *_NUMBERS]
_WINNER = ["problem", "candidate", "coupling", "protocol", "schedule", "epochs", "batch_size", "setting"]


@dataclass(frozen=True)
class Bundled:
    """Baselines of one source.

    Attributes:
        runs: the columns of `frames`; those that the bundle does not keep (file, moment, digest, ...) are empty. `run`
            is negative, so that no run of a tree has the same.
        curves: `analysis.curves.COLUMNS` without `label`, for the winners.
    """

    runs: pd.DataFrame
    curves: pd.DataFrame


def load(source: str, folder: Path | None = None) -> Bundled:
    """Read the bundled tables of a source, from the bundled folder unless another is given.

    Raises:
        ResultsError: a table is missing or damaged.
    """
    place = (folder or catalog.data_folder("results/bundled")) / source
    texts = dict.fromkeys([*_TEXTS, *_WINNER], "str") | dict.fromkeys(["epochs", "batch_size"], "int64")
    try:
        missing = {name: [""] for name in _NUMBERS}
        runs = pd.read_csv(place / "runs.csv", dtype=texts, keep_default_na=False, na_values=missing)
        winners = pd.read_csv(place / "winners.csv", dtype=texts, keep_default_na=False)
        curves = pd.read_csv(place / "curves.csv", dtype={"metric": "str"}).merge(winners, on="winner")
    except (OSError, ValueError, KeyError) as error:
        raise ResultsError(f"{place}: the bundled baselines cannot be read: {' '.join(str(error).split())}") from error
    order = {"ours": 0, "published": 1}.get(source, len(SOURCES))
    first = -1 - order * 1_000_000
    runs = runs.assign(
        run=range(first, first - len(runs), -1),
        source=source,
        file="",
        digest="",
        moment=pd.NaT,
        training_seconds=float("nan"),
    )
    return Bundled(runs, curves.drop(columns="winner").assign(source=source))


def write(folder: Path, runs: pd.DataFrame, curves: pd.DataFrame) -> None:
    """Write the tables of a source, superseded runs left out."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = runs.loc[~runs["superseded"].astype(bool), RUN_COLUMNS]
    kept = kept.sort_values(["problem", "candidate", "coupling", "protocol", "setting", "seed"], kind="stable")
    kept.to_csv(folder / "runs.csv", index=False, float_format=DIGITS, lineterminator="\n")
    winners = curves[_WINNER].drop_duplicates(ignore_index=True).rename_axis("winner").reset_index()
    winners.to_csv(folder / "winners.csv", index=False, lineterminator="\n")
    numbered = curves.merge(winners, on=_WINNER)
    columns = ["winner", *(name for name in curves.columns if name not in (*_WINNER, "label", "source"))]
    numbered[columns].to_csv(folder / "curves.csv", index=False, float_format="%.6g", lineterminator="\n")
