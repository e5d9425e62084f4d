"""Runs that crashed, of which a tree has only a note: as rows of the frame of all runs."""

import os
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from regbench.errors import printable
from regbench.records import Outcome, RunSpec
from regbench.store import deepobs
from regbench.store.folder import FAILURE_SUFFIX
from regbench.trees import dialects, fields
from regbench.trees.content import parse, read_bytes
from regbench.trees.frames import RUNS, Results
from regbench.trees.irregularities import NoRunError
from regbench.trees.settings import setting_text

_MOMENT = re.compile(rf"__(\d{{4}}-\d\d-\d\d-\d\d-\d\d-\d\d){re.escape(FAILURE_SUFFIX)}$", re.ASCII)


def with_failures(results: Results, tree: str | Path, warn: Callable[[str], None]) -> Results:
    """The runs of a tree and those that crashed and have not been finished since.

    Args:
        results: what `frames.load` gives for the tree.
        tree: the tree.
        warn: called with a line on every note that cannot be read.

    Returns:
        The same, with a row for each crashed run: the outcome is failed, the number negative, and what was not measured
        NaN. Its path is that of the last note.
    """
    is_note = results.irregularities["kind"] == "failed_run"
    root, finished = Path(os.path.realpath(tree)), set(results.runs["digest"])
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(results.irregularities.loc[is_note, "file"]):
        try:
            row = _row(parse(read_bytes(root / file)).table)
        except NoRunError as error:
            warn(f"{file}: skipped: {error.irregularity.detail}")
            continue
        if row["digest"] not in finished:
            found[row["digest"]] = row | {"file": file, "moment": _moment(file)}
    if not found:
        return results
    source = results.runs["source"].iloc[0] if len(results.runs) else os.fspath(tree)
    rows = [row | {"run": -1 - position, "source": source} for position, row in enumerate(found.values())]
    runs = pd.concat([results.runs, _frame(rows)], ignore_index=True)
    paths = {row["run"]: str(root / row["file"]) for row in rows}
    return Results(runs, results.irregularities, {**results.paths, **paths})


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    missing: dict[str, Any] = {"str": "", "bool": False, "float64": np.nan}
    return pd.DataFrame(
        {
            name: pd.Series([row.get(name, missing.get(kind)) for row in rows], dtype=kind)
            for name, (kind, _) in RUNS.items()
        }
    )


def _row(table: Mapping[str, Any]) -> dict[str, Any]:
    """What a note says, by the columns of `frames.RUNS`.

    Raises:
        NoRunError: it is no note of ours.
    """
    ours = fields.read_table(table, "regbench")
    try:
        spec = RunSpec.model_validate(fields.read_table(ours, "spec"), strict=False)
    except ValidationError as error:
        raise NoRunError("not_a_result", "`spec` does not hold together") from error
    definition = dialects.our_definition(
        {"optimizer_name": spec.candidate, "optimizer_hyperparams": deepobs.hyperparameters(spec)}, ours
    )
    return {
        **{name: value for name, value in definition._asdict().items() if name in RUNS},
        "problem": printable(spec.problem.name),
        "setting": setting_text(definition.hyperparameters, definition.coupling, definition.decay)[0],
        "epochs": spec.epochs,
        "batch_size": spec.batch_size,
        "seed": spec.seed,
        "outcome": Outcome.FAILED.value,
        "metric": spec.problem.metric,
        "goal": spec.problem.goal,
        "digest": spec.digest(),
    }


def _moment(file: str) -> np.datetime64:
    match = _MOMENT.search(file)
    try:
        return np.datetime64(datetime.strptime(match[1], "%Y-%m-%d-%H-%M-%S") if match else "NaT", "s")
    except ValueError:
        return np.datetime64("NaT", "s")
