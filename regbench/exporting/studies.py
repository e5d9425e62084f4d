"""Runs as Optuna studies: one for each entry of `analysis.entries`, named `<problem>/<label>`.

The trials of a study are the entry's trials: the runs of its tuning seed. Runs with further seeds are none, since the
search did not look at them: the winner's trial has their mean and standard deviation as user attributes. A trial has
the score by which `entries.trials` judges it, and the curve of that metric. A diverged one has the score of guessing,
as the search was told; one that failed, timed out or was cut short is a failed trial of Optuna's.

Parameters are what was searched, by the names that `--set` takes. Files of others do not say what was: there they are
the hyperparameters that differ between the trials.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from regbench import catalog
from regbench.analysis.entries import reported, trials, winners
from regbench.analysis.labels import ENTRY
from regbench.errors import DefinitionError
from regbench.records import Candidate, Outcome, Scalar
from regbench.trees import fields
from regbench.trees.content import parse, read_bytes
from regbench.trees.frames import Results
from regbench.trees.irregularities import NoRunError
from regbench.trees.run_curves import column_of
from regbench.trees.run_record import read_metric_curves
from regbench.tuning import draws, journal
from regbench.tuning.journal import StoredStudy, StoredTrial

_KEY = ["problem", "label"]
_LARGEST_EXACT = 2**53
_LARGEST_SEED = 2**32 - 1

Setting = dict[str, Scalar]
Row = Mapping[str, Any]


class StudySummary(NamedTuple):
    """A study in numbers.

    `diverged` of its trials have the score of guessing; `unfinished` ones have none: they failed, timed out or were cut
    short. `seeds`: how many runs stand behind the mean on the winner's trial, 0 where nothing won.
    """

    name: str
    trials: int
    diverged: int
    unfinished: int
    seeds: int


class _Trial(NamedTuple):
    """A row of `entries.trials` and what its file says besides.

    `setting`: the parameters. `seconds`: NaN where they are not known. `chance`: the score of guessing, None where that
    is not known. `reason`: why a run was not completed, "" where nothing says so.
    """

    row: Row
    curves: Mapping[str, Sequence[float]]
    setting: Setting
    seconds: float = math.nan
    chance: float | None = None
    reason: str = ""


def write(results: Results, path: Path, warn: Callable[[str], None]) -> tuple[list[StudySummary], dict[str, int]]:
    """Write all studies into a new journal file.

    Args:
        results: the chosen runs, with `label`; crashed ones as `failures.with_failures` gives them.
        path: of the file.
        warn: called with a line on every file that cannot be read any more.

    Returns:
        The studies in numbers, and how many runs are no trials, by the reason.
    """
    tried, found, again = trials(results.runs), winners(results.runs), reported(results.runs)
    of_winners = dict(iter(again.groupby(_KEY)))
    entries = {(row["problem"], row["label"]): row for row in found.to_dict("records")}
    studies, summaries = [], []
    for key, rows in tried.groupby(_KEY, sort=True):
        read = _read(rows.to_dict("records"), results.paths, warn)
        if not read:
            continue
        study = _study(entries[key], read, of_winners.get(key))
        studies.append(study)
        diverged = sum(trial.row["outcome"] == Outcome.DIVERGED for trial in read)
        unfinished = sum(trial.value is None for trial in study.trials)
        seeds = len(of_winners.get(key, ()))
        summaries.append(StudySummary(study.name, len(read), diverged, unfinished, seeds))
    journal.write(studies, path)
    return summaries, _no_trials(results.runs, tried, again)


def _no_trials(runs: pd.DataFrame, tried: pd.DataFrame, again: pd.DataFrame) -> dict[str, int]:
    measured = runs[runs["run"] >= 0]
    is_superseded = measured["superseded"].astype(bool)
    rest = measured[~is_superseded & ~measured["run"].isin(tried["run"])]
    is_again = rest["run"].isin(again["run"])
    counts = {
        "further seeds of a winner: their mean and standard deviation stand on its trial": is_again.sum(),
        "other seeds or settings that were run beside the search": (~is_again).sum(),
        "superseded by a newer run of the same setting and seed": is_superseded.sum(),
    }
    return {reason: int(count) for reason, count in counts.items() if count}


def _read(rows: Sequence[Row], paths: Mapping[int, str], warn: Callable[[str], None]) -> list[_Trial]:
    """What the files say; where settings as they were searched do not tell trials apart, by the values that vary."""
    read = []
    for row in rows:
        try:
            read.append(_read_file(row, paths[row["run"]]))
        except NoRunError as error:
            warn(f"{row['file']}: skipped: {error.irregularity.detail}")
    if len({_text(trial.setting) for trial in read}) == len(read):
        return read
    settings = _varying([json.loads(trial.row["setting"]) for trial in read])
    return [trial._replace(setting=setting) for trial, setting in zip(read, settings, strict=True)]


def _read_file(row: Row, path: str) -> _Trial:
    content = parse(read_bytes(path))
    curves = {} if row["outcome"] == Outcome.FAILED else read_metric_curves(content)
    if not _is_ours(row):
        return _Trial(row, curves, {})
    ours = fields.read_table(content.table, "regbench")
    spec = fields.read_table(ours, "spec")
    seconds = fields.read_number_if_any(fields.read_table_if_any(ours, "timings"), "total_seconds")
    return _Trial(
        row=row,
        curves=curves,
        setting={name: _scalar(value) for name, value in fields.read_table(spec, "setting").items()},
        seconds=math.nan if seconds is None else seconds,
        chance=fields.read_number_if_any(fields.read_table(spec, "problem"), "chance"),
        reason=str(ours.get("reason", "")),
    )


def _is_ours(row: Row) -> bool:
    return row["dialect"] == "regbench"


def _text(setting: Setting) -> str:
    return json.dumps(setting, sort_keys=True)


def _varying(settings: Sequence[Mapping[str, Any]]) -> list[Setting]:
    """Of each setting the values by names under which not all settings have the same."""
    names = dict.fromkeys(name for setting in settings for name in setting)
    texts = {name: {json.dumps(setting.get(name, ...), default=str) for setting in settings} for name in names}
    return [{name: _scalar(value) for name, value in setting.items() if len(texts[name]) > 1} for setting in settings]


def _scalar(value: Any) -> Scalar:
    """A value that Optuna can hold: lists, tables, null and whole numbers that are no exact floats as JSON."""
    is_huge = isinstance(value, int) and abs(value) > _LARGEST_EXACT
    return value if isinstance(value, bool | int | float | str) and not is_huge else json.dumps(value)


def _study(entry: Row, read: Sequence[_Trial], of_winner: pd.DataFrame | None) -> StoredStudy:
    metric = read[0].row["decided_by"] or _deciding(read)
    candidate = _candidate(entry["candidate"]) if all(_is_ours(trial.row) for trial in read) else None
    stored = [_trial(trial, metric, _about_winner(trial, entry, of_winner)) for trial in _in_order(read, candidate)]
    return StoredStudy(
        name=f"{entry['problem']}/{entry['label']}",
        goal=read[0].row["score_goal"],
        metric=metric,
        searched=candidate.searched() if candidate else {},
        trials=stored,
        attributes={name: entry[name] for name in ENTRY} | {"tuning_seed": int(entry["tuning_seed"])},
    )


def _deciding(read: Sequence[_Trial]) -> str:
    """What would decide if a trial had been completed."""
    row = read[0].row
    has_validation = any(f"valid_{row['metric']}" in trial.curves for trial in read)
    return f"{'valid' if has_validation else 'test'}_{row['metric']}"


def _candidate(name: str) -> Candidate | None:
    """The candidate of a file of ours, None where it is not known here."""
    try:
        return catalog.candidate(name)
    except DefinitionError:
        return None


def _in_order(read: Sequence[_Trial], candidate: Candidate | None) -> list[_Trial]:
    """In the order of the search: points of a budget as they are drawn, then others by the time of their files."""
    drawn: dict[str, int] = {}
    seed = read[0].row["seed"]
    if candidate is not None and 0 <= seed <= _LARGEST_SEED:
        points = draws.points(candidate, seed, len(read) + max(catalog.BUDGETS.values()))
        drawn = {_text(point): number for number, point in enumerate(points)}

    def place(trial: _Trial) -> tuple[float, bool, Any, str]:
        moment, number = trial.row["moment"], drawn.get(_text(trial.setting), math.inf)
        return number, pd.isna(moment), 0 if pd.isna(moment) else moment, trial.row["file"]

    return sorted(read, key=place)


def _trial(trial: _Trial, metric: str, about_winner: Mapping[str, Any]) -> StoredTrial:
    row = trial.row
    attributes = {
        "outcome": row["outcome"],
        "reason": trial.reason,
        "diverged_epoch": row["diverged_epoch"],
        "problem": row["problem"],
        "candidate": row["candidate"],
        "decay_coupling": row["coupling"],
        "decay_strength": row["decay"],
        "seed": row["seed"],
        "wall_seconds": trial.seconds,
        f"test_{row['metric']}": row[f"final_test_{column_of(row['metric'])}"],
        **about_winner,
        "setting": row["setting"],
        "file": row["file"],
    }
    return StoredTrial(
        setting=trial.setting,
        value=_value(trial, metric),
        curve=trial.curves.get(metric, []),
        ended=None if pd.isna(row["moment"]) else row["moment"].to_pydatetime(),
        seconds=trial.seconds,
        attributes={name: value for name, value in attributes.items() if _is_known(value)},
    )


def _is_known(value: Any) -> bool:
    return value != "" and not (isinstance(value, float) and not math.isfinite(value))


def _value(trial: _Trial, metric: str) -> float | None:
    """What the search was told: of a diverged run the score of guessing, in files of others that before training."""
    value = None
    if trial.row["outcome"] == Outcome.COMPLETED:
        value = trial.row["score"]
    elif trial.row["outcome"] == Outcome.DIVERGED:
        is_score_of_problem = metric.endswith(trial.row["metric"])
        value = (
            trial.chance if is_score_of_problem and trial.chance is not None else trial.curves.get(metric, [None])[0]
        )
    return value if value is not None and math.isfinite(value) else None


def _about_winner(trial: _Trial, entry: Row, of_winner: pd.DataFrame | None) -> dict[str, Any]:
    """What the further seeds of the winner say, by the rules of `regbench compare`."""
    if of_winner is None or trial.row["setting"] != entry["setting"]:
        return {}
    name, values = f"test_{of_winner['metric'].iloc[0]}", of_winner["value"]
    found = {f"{name}_mean": float(values.mean()), f"{name}_sd": float(values.std())}
    seeds = ", ".join(map(str, sorted(of_winner["seed"])))
    return {"winner": True, **found, "seeds": seeds}
