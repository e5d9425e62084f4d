"""Bundled baselines: figures of results that come with regbench, as compact text tables.

In `results/bundled/<source>/`: `runs.csv` has a row a run, `studies.csv` and `settings.csv` what many runs share, each
with a number; together they have the columns of `frames` that a comparison needs. `winners.csv` has the setting of each
winner, with a number; `curves.csv` mean, standard deviation and quartiles of those of its curves that are drawn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from regbench import catalog
from regbench.errors import ResultsError
from regbench.records import METRICS, SPLITS

SOURCES = ("ours", "published")
DIGITS = "%.9g"  # as many as tell all float32 numbers apart
DRAWN = ("train_loss", "test_loss", "test_accuracy")

_STUDY = [
    *("dialect", "problem", "optimizer", "candidate", "coupling", "protocol", "schedule", "epochs", "batch_size"),
    *("metric", "goal", "outcome_inferred", "loss_has_penalty"),
]
_NUMBERS = [
    *("decay", "diverged_epoch"),
    *(f"{when}_{split}_{metric}" for when in ("final", "best") for split in SPLITS for metric in METRICS),
    *("epochs_to_convergence", "step_seconds"),
]
_RUN = ["study_number", "setting_number", "seed", "outcome", "irregular", *_NUMBERS]
_SUMMARY = ["mean", "sd", "q25", "q50", "q75"]
_WINNER = ["problem", "candidate", "coupling", "protocol", "schedule", "epochs", "batch_size", "setting"]
# Names may look like numbers, and be empty.
_TEXTS = ["dialect", *_WINNER[:5], "optimizer", "metric", "goal", "setting", "outcome", "irregular"]
_TRUTHS = ["outcome_inferred", "loss_has_penalty"]
_TABLES = {
    "runs": _RUN,
    "studies": ["study_number", *_STUDY],
    "settings": ["setting_number", "setting"],
    "winners": ["winner", *_WINNER],
    "curves": ["winner", "metric", "epoch", "n", *_SUMMARY],
}
_TYPES = {"str": _TEXTS, "bool": _TRUTHS, "float64": [*_NUMBERS, *_SUMMARY]}
_TYPE = {name: kind for kind, names in _TYPES.items() for name in names}


@dataclass(frozen=True)
class Bundled:
    """Baselines of one source.

    Attributes:
        runs: the columns of `frames`; those that the bundle does not keep (file, moment, digest, ...) are empty. `run`
            is negative, so that no run of a tree has the same.
        curves: `analysis.curves.COLUMNS` without `label`, for the winners; of the metrics only `DRAWN`.
    """

    runs: pd.DataFrame
    curves: pd.DataFrame


def load(source: str, folder: Path | None = None) -> Bundled:
    """Read the bundled tables of a source, from the bundled folder unless another is given.

    Raises:
        ResultsError: a table is missing or damaged.
    """
    place = (folder or catalog.data_folder("results/bundled")) / source
    tables = {name: _read(place / f"{name}.csv", columns) for name, columns in _TABLES.items()}
    tables["runs"] = _joined(place, tables, "runs", "studies", "study_number")
    runs = _joined(place, tables, "runs", "settings", "setting_number")
    curves = _joined(place, tables, "curves", "winners", "winner")
    first = -1 - SOURCES.index(source) * 1_000_000
    runs = runs.assign(
        run=range(first, first - len(runs), -1),
        source=source,
        file="",
        digest="",
        moment=pd.NaT,
        training_seconds=float("nan"),
        superseded=False,
        search="",
        role="",
        trial=float("nan"),
        sampler="",
        budget=float("nan"),
        study_seed=float("nan"),
        further_seeds=float("nan"),
        won=False,
    )
    return Bundled(runs, curves.assign(source=source, search=""))


def _read(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    try:
        with np.errstate(invalid="ignore"):  # a cast of an infinite number is refused all the same
            table = pd.read_csv(
                path,
                dtype={name: _TYPE.get(name, "int64") for name in columns},
                keep_default_na=False,
                na_values={name: [""] for name in (*_NUMBERS, "sd")},
            )
    except (OSError, ValueError, OverflowError, TypeError) as error:
        raise ResultsError(f"{path}: the bundled baselines cannot be read: {' '.join(str(error).split())}") from error
    # Where lines have more fields than the first one, pandas takes the first fields as names of the rows.
    if list(table.columns) != list(columns) or not isinstance(table.index, pd.RangeIndex):
        raise ResultsError(f"{path}: the bundled baselines cannot be read: its columns must be {', '.join(columns)}")
    return table


def _joined(place: Path, tables: Mapping[str, pd.DataFrame], name: str, other: str, number: str) -> pd.DataFrame:
    """The rows of a table with what another one has in place of a number."""
    rows, table = tables[name], tables[other]
    if not (table[number].is_unique and rows[number].isin(table[number]).all()):
        must = f"every `{number}` of {name}.csv must stand in {other}.csv, once"
        raise ResultsError(f"{place}: the bundled baselines cannot be read: {must}")
    return rows.merge(table, on=number).drop(columns=number)


def write(folder: Path, runs: pd.DataFrame, curves: pd.DataFrame) -> None:
    """Write the tables of a source, superseded runs left out."""
    kept = runs[~runs["superseded"].astype(bool)]
    kept = kept.sort_values(["problem", "candidate", "coupling", "protocol", "setting", "seed"], kind="stable")
    kept, studies = _numbered(kept, _STUDY, "study_number")
    kept, settings = _numbered(kept, ["setting"], "setting_number")
    drawn = curves[curves["metric"].isin(DRAWN)].drop(columns=["label", "source"], errors="ignore")
    drawn, winners = _numbered(drawn, _WINNER, "winner")
    folder.mkdir(parents=True, exist_ok=True)
    for name, table, digits in (
        ("runs", kept[_RUN], DIGITS),
        ("studies", studies, DIGITS),
        ("settings", settings, DIGITS),
        ("winners", winners, DIGITS),
        ("curves", drawn, "%.6g"),
    ):
        table.to_csv(folder / f"{name}.csv", index=False, float_format=digits, lineterminator="\n")


def _numbered(rows: pd.DataFrame, columns: Sequence[str], number: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows with a number in place of these columns, and the table of what each number stands for."""
    names = list(columns)
    table = rows[names].drop_duplicates(ignore_index=True).rename_axis(number).reset_index()
    numbered = rows.merge(table, on=names).drop(columns=names)
    return numbered[[number, *numbered.columns.drop(number)]], table
