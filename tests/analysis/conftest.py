"""Synthetic `runs` frames (the columns of `regbench.trees.frames`) with known truth."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

SPLITS = ("train", "valid", "test")
TUNING_SEED = 42

PLAIN = {
    "source": "ours",
    "dialect": "regbench",
    "problem": "fmnist_2c2d",
    "candidate": "sgd",
    "coupling": "none",
    "decay": 0.0,
    "setting": {},
    "protocol": "deepobs",
    "schedule": "none",
    "release": "",
    "instance": "",
    "epochs": 100,
    "batch_size": 128,
    "seed": TUNING_SEED,
    "moment": pd.Timestamp("2024-01-01"),
    "outcome": "completed",
    "outcome_inferred": False,
    "diverged_epoch": np.nan,
    "metric": "accuracy",
    "goal": "maximize",
    **{f"{when}_{s}_{m}": np.nan for when in ("final", "best") for s in SPLITS for m in ("loss", "accuracy", "metric")},
    "loss_has_penalty": False,
    "epochs_to_convergence": np.nan,
    "training_seconds": np.nan,
    "step_seconds": np.nan,
    "digest": "",
    "problem_digest": "",
    "data_digest": "",
    "code": "",
    "network": "",
    "search": "",
    "role": "",
    "trial": np.nan,
    "sampler": "",
    "budget": np.nan,
    "study_seed": np.nan,
    "further_seeds": np.nan,
    "searches": np.nan,
    "planned": np.nan,
    "definition": "",
    "won": False,
    "superseded": False,
    "irregular": "",
}
COLUMNS = ["run", "file", "optimizer", *PLAIN]


def _row(number: int, given: Mapping[str, Any]) -> dict[str, Any]:
    unknown = set(given) - {*COLUMNS, *SPLITS}
    if unknown:
        raise KeyError(f"no columns of `runs`: {sorted(unknown)}")
    row = {"run": number, "file": f"run_{number}.json", **PLAIN, **given}
    row.setdefault("optimizer", row["candidate"])
    for split in SPLITS:
        if split in row:
            value = row.pop(split)
            for when in ("final", "best"):
                name = f"{when}_{split}_{row['metric']}"
                row[name] = given.get(name, value)
    if not isinstance(row["setting"], str):
        row["setting"] = json.dumps(row["setting"], sort_keys=True)
    return row


@pytest.fixture(scope="session")
def make_runs() -> Callable[..., pd.DataFrame]:
    """A `runs` frame from rows of the columns that matter; the others are those of a plain completed run.

    A row may give `setting` as a dict, and `train`, `valid`, `test`: the final and the best value of the deciding
    metric on that split. Keywords hold for all rows that do not say otherwise.
    """

    def make(rows: Iterable[Mapping[str, Any]], **common: Any) -> pd.DataFrame:
        return pd.DataFrame([_row(number, {**common, **row}) for number, row in enumerate(rows)], columns=COLUMNS)

    return make


@pytest.fixture(scope="session")
def make_study(make_runs: Callable[..., pd.DataFrame]) -> Callable[..., pd.DataFrame]:
    """The runs of one entry: trials with seed 42 and re-runs of their winner, of which the truth is known.

    Args:
        candidate: its name.
        trials: learning rate (or setting as JSON) -> final value of the deciding metric, validation and test alike;
            None for a trial that diverged (its value is then `chance`).
        again: the re-runs of the winner (the best trial), seed -> final value; a sequence stands for seeds 43, 44, ...
        chance: what a diverged run shows.
        common: columns of all runs, for instance `metric="loss", goal="minimize"`.
    """

    def make(
        candidate: str,
        trials: Mapping[float | str, float | None],
        again: Mapping[int, float] | Iterable[float] = (),
        chance: float = 0.1,
        **common: Any,
    ) -> pd.DataFrame:
        def run(key: float | str, seed: int, value: float | None) -> dict[str, Any]:
            shown = chance if value is None else value
            outcome = {"outcome": "diverged"} if value is None else {}
            setting = key if isinstance(key, str) else {"learning_rate": key}
            return {"setting": setting, "seed": seed, "valid": shown, "test": shown, **outcome}

        completed = {key: value for key, value in trials.items() if value is not None}
        choose = min if common.get("goal") == "minimize" else max
        winner = choose(completed, key=lambda key: completed[key]) if completed else None
        if not isinstance(again, Mapping):
            again = dict(enumerate(again, start=TUNING_SEED + 1))
        rows = [run(key, TUNING_SEED, value) for key, value in trials.items()]
        rows += [run(winner, seed, value) for seed, value in again.items()]
        return make_runs(rows, candidate=candidate, **common)

    return make


@pytest.fixture(scope="session")
def join() -> Callable[..., pd.DataFrame]:
    """Several `runs` frames as one, with runs numbered anew."""

    def join(*frames: pd.DataFrame) -> pd.DataFrame:
        joined = pd.concat(frames, ignore_index=True)
        joined["run"] = np.arange(len(joined))
        return joined

    return join
