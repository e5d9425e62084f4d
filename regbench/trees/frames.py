"""Results as two data frames, `runs` and `curves`, and a third of what is irregular; their columns stand here.

`load` reads a tree at whatever level it is given (a folder of several trees, a results folder, one problem, one
setting, one file): every `*.json` file whose content is a result counts, whatever the depth; see `scan` for what is not
read. No value is ever taken from the name of a folder; the name of a file gives only the moment of the run.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from regbench.catalog import current_name
from regbench.errors import ResultsError, printable
from regbench.records import SPLITS
from regbench.trees.content import parse, read_bytes
from regbench.trees.irregularities import NoRunError
from regbench.trees.run_curves import CURVE_KEYS, FURTHER
from regbench.trees.run_record import read_metric_curves
from regbench.trees.searches import SEARCH_COLUMNS, with_searches
from regbench.trees.tree import Tree, TreeRun, read_tree

VALUES = {
    f"{when}_{metric}": f"{meaning} {metric.replace('_', ' ')}"
    for when, meaning in (("final", "the last"), ("best", "at the best validation epoch, the"))
    for metric in (*CURVE_KEYS.values(), *(f"{split}_{FURTHER}" for split in SPLITS))
}
"""`..._metric`: what decides on the problem, where it is neither loss nor accuracy."""

RUNS = {
    "run": ("int64", "number of the run, unique here; joins `curves`"),
    "file": ("str", "path below the root of its tree"),
    "source": ("str", "the tree, as the user named it"),
    "dialect": ("str", "of the file: regbench, 1.2, 1.1, crowded_valley or nonlinear; see `dialects`"),
    "problem": ("str", "DeepOBS name; without `_nodecay`, which shows in `coupling`"),
    "optimizer": ("str", "the optimizer's name as in the file"),
    "candidate": ("str", "our candidate's name where the optimizer is a published one that we know, else `optimizer`"),
    "coupling": ("str", "of the decay: a word of `records.Coupling` (none where its strength is 0), or unknown"),
    "decay": ("float64", "strength of the decay, epochs for coupling timescale; 0 for coupling none, NaN for unknown"),
    "setting": ("str", "hyperparameters and `decay` as canonical JSON; equal texts are one setting"),
    "protocol": ("str", "regbench's own word, else deepobs-1.1 for dialect 1.1, and deepobs"),
    "schedule": ("str", "of the learning rate; a step schedule with its epochs and factors"),
    "release": (
        "str",
        "release of Crowded Valley, 2020 or 2021, in whose space it was drawn; empty where none is told",
    ),
    "instance": ("str", "of quadratic_deep, by number: its Hessian is another than the problem's; empty where not"),
    "epochs": ("int64", "as promised by the file"),
    "batch_size": ("int64", "samples in a step"),
    "seed": ("int64", "seed of the run"),
    "moment": ("datetime64[s]", "time of the run, from the file's name; NaT where it has none"),
    "outcome": ("str", "completed, diverged, cut_short or timed_out"),
    "outcome_inferred": ("bool", "the file does not say how the run ended; see `run_curves.infer_ending`"),
    "diverged_epoch": ("float64", "first evaluation after the divergence (0 = before training), NaN where not known"),
    "metric": ("str", "what decides on the problem: one of `records.METRICS`, or module:function"),
    "goal": ("str", "its direction: maximize or minimize"),
    **{name: ("float64", f"{meaning}; NaN where there is none") for name, meaning in VALUES.items()},
    "loss_has_penalty": ("bool", "the losses contain a penalty term that cannot be taken out; else they have none"),
    "epochs_to_convergence": (
        "float64",
        "first evaluation (0 = before training) whose test metric reaches the problem's convergence performance; "
        "epochs + 1 where none does; NaN where it is not known, or the run was cut short before",
    ),
    "training_seconds": ("float64", "wall seconds of training; NaN where not known"),
    "step_seconds": ("float64", "of them, for one step"),
    "digest": ("str", "of regbench's spec, empty for runs of others"),
    "problem_digest": ("str", "of the problem's definition, empty for runs of others"),
    "data_digest": ("str", "of the data set as it was read, empty for runs of others"),
    "code": ("str", "8 digits on the source of own code that took part; empty where there is none, or none on record"),
    "network": ("str", "8 digits on the source of own code that built the network; empty as for `code`"),
    **SEARCH_COLUMNS,
    "superseded": ("bool", "another run of the same setting and seed counts instead: the newest complete one"),
    "irregular": ("str", "kinds of irregularities, divided by commas; see `irregularities.KINDS`"),
}
"""Columns of `runs`, a row a run, superseded ones too: type and meaning.

Losses are those without the penalty term where the file has them.
"""

CURVES = {
    "run": ("int64", "as in `runs`"),
    "metric": ("category", "split and metric: train_loss, valid_loss, test_loss, train_accuracy, valid_f1, ..."),
    "epoch": ("int64", "evaluation: 0 = before training"),
    "value": ("float64", "losses as in `runs`"),
}
"""Columns of `curves`, a row an evaluation of a metric."""

IRREGULARITIES = {
    "file": ("str", "path below the root of its tree; of a folder with a slash at the end"),
    "kind": ("str", "one of `irregularities.KINDS`"),
    "detail": ("str", "what exactly"),
    "source": ("str", "the tree, as the user named it"),
}
"""Columns of `irregularities`, a row a file and kind."""


Curve = Sequence[float] | np.ndarray
CurveReader = Callable[[], Mapping[str, Curve]]
"""Reads the curves of one run, by metric."""


@dataclass(frozen=True)
class Results:
    """Runs of one tree or several.

    Attributes:
        runs: see `RUNS`.
        irregularities: see `IRREGULARITIES`.
        paths: where the file of a run lies, by its number.
        readers: what reads the curves of a run that has no file of its own, by its number; the others have no curves.
    """

    runs: pd.DataFrame
    irregularities: pd.DataFrame
    paths: Mapping[int, str] = field(default_factory=dict, repr=False)
    readers: Mapping[int, CurveReader] = field(default_factory=dict, repr=False)

    def curves(self, runs: Iterable[int] | None = None) -> pd.DataFrame:
        """Read the curves of some runs, by their numbers, or of all; see `CURVES` for the columns.

        Raises:
            ResultsError: a file cannot be read any more.
        """
        numbers = self.runs["run"] if runs is None else runs
        return _curve_frame([(int(number), self._read_curves(int(number))) for number in numbers])

    def _read_curves(self, number: int) -> Mapping[str, Curve]:
        if number in self.readers:
            return self.readers[number]()
        return _read_curves(self.paths[number]) if number in self.paths else {}


def load(path: str | os.PathLike[str], *, cache: bool = True, source: str | None = None) -> Results:
    """Read a results tree of any dialect, ours or of others, without touching it.

    Args:
        path: the tree, at whatever level.
        cache: use what is known of files that did not change since they were last read; see `cache`.
        source: what stands in the column `source`; else the path.

    Raises:
        ResultsError: there is no such folder or file, or it cannot be listed.
        DefinitionError: the file of one of its problems does not hold together.
    """
    tree = read_tree(path, cache=cache)
    source = printable(os.fspath(path)) if source is None else source
    runs = with_searches(_run_frame(tree.runs, source), tree.searches)
    paths = {number: tree.runs[file].path for number, file in enumerate(runs["run"])}
    return Results(runs.assign(run=range(len(runs))), _irregularity_frame(tree, source), paths)


def merge(results: Sequence[Results]) -> Results:
    """Put the runs of several sources together under new numbers; they stay apart by `source`."""
    if not results:
        return Results(frame(RUNS, {}), frame(IRREGULARITIES, {}))
    paths: dict[int, str] = {}
    readers: dict[int, CurveReader] = {}
    frames = []
    start = 0
    for one in results:
        numbers = dict(zip(one.runs["run"], range(start, start + len(one.runs)), strict=True))
        frames.append(one.runs.assign(run=list(numbers.values())))
        paths |= {numbers[number]: path for number, path in one.paths.items()}
        readers |= {numbers[number]: reader for number, reader in one.readers.items()}
        start += len(one.runs)
    runs = pd.concat(frames, ignore_index=True)
    # Of an unknown problem each source alone may have thought otherwise about what decides.
    undecided = runs.groupby("problem")["metric"].transform("nunique") > 1
    runs.loc[undecided, ["metric", "goal"]] = ["accuracy", "maximize"]
    return Results(runs, pd.concat([one.irregularities for one in results], ignore_index=True), paths, readers)


def _run_frame(runs: Sequence[TreeRun], source: str) -> pd.DataFrame:
    own = (
        "run",
        "file",
        "source",
        "moment",
        "superseded",
        "irregular",
        "further_seeds",
        "searches",
        "planned",
        "definition",
        "won",
        *VALUES,
    )
    columns: dict[str, Any] = {name: [getattr(one.run, name) for one in runs] for name in RUNS if name not in own}
    columns["candidate"] = [current_name(one.run.candidate) for one in runs]
    columns |= {name: [one.run.values.get(name, np.nan) for one in runs] for name in VALUES}
    columns["run"] = range(len(runs))
    columns["file"] = [one.file for one in runs]
    columns["source"] = [source] * len(runs)
    columns["moment"] = np.array([one.moment for one in runs], dtype="datetime64[s]")
    columns["definition"], columns["planned"] = [""] * len(runs), [np.nan] * len(runs)
    columns["searches"] = [1.0 if one.run.search else np.nan for one in runs]
    columns["further_seeds"], columns["won"] = [np.nan] * len(runs), [False] * len(runs)
    columns["superseded"] = [one.superseded for one in runs]
    columns["irregular"] = [",".join(dict.fromkeys(kind for kind, _ in one.run.irregular)) for one in runs]
    return frame(RUNS, columns)


def _irregularity_frame(tree: Tree, source: str) -> pd.DataFrame:
    irregularities = [
        *tree.others,
        *((one.file, irregularity) for one in tree.runs for irregularity in one.run.irregular),
    ]
    irregularities.sort()
    columns = {
        "file": [file for file, _ in irregularities],
        "kind": [irregularity.kind for _, irregularity in irregularities],
        "detail": [irregularity.detail for _, irregularity in irregularities],
        "source": [source] * len(irregularities),
    }
    return frame(IRREGULARITIES, columns)


def _read_curves(path: str) -> dict[str, list[float]]:
    try:
        return read_metric_curves(parse(read_bytes(path)))
    except NoRunError as error:
        reason = error.irregularity.detail
        raise ResultsError(f"{printable(path)}: its curves cannot be read any more: {reason}") from error


def _curve_frame(read: Sequence[tuple[int, Mapping[str, Curve]]]) -> pd.DataFrame:
    pieces = [(run, metric, values) for run, curves in read for metric, values in curves.items()]
    known = dict.fromkeys([*CURVE_KEYS.values(), *(metric for _, metric, _ in pieces)])
    lengths = [len(values) for _, _, values in pieces]
    metrics = np.repeat([metric for _, metric, _ in pieces], lengths)
    columns = {
        "run": np.repeat(np.array([run for run, _, _ in pieces], dtype=np.int64), lengths),
        "metric": pd.Categorical(metrics, categories=list(known)),
        "epoch": np.concatenate([np.arange(length) for length in lengths]) if lengths else [],
        "value": np.concatenate([np.array(values) for _, _, values in pieces]) if pieces else [],
    }
    return frame(CURVES, columns)


def frame(documented: Mapping[str, tuple[str, str]], columns: Mapping[str, Any]) -> pd.DataFrame:
    """A frame of the documented columns and types; columns that are not given are empty."""
    return pd.DataFrame(
        {name: pd.Series(columns.get(name, []), dtype=dtype) for name, (dtype, _) in documented.items()}
    )
