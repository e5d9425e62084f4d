"""Clean trees: the runs that count, in DeepOBS 1.2, one folder a setting."""

import hashlib
import json
import os
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from regbench.errors import ResultsError, printable
from regbench.records import MINIBATCH, Coupling
from regbench.store import deepobs, paths
from regbench.store.targets import is_empty_folder, new_folder
from regbench.trees import dialects
from regbench.trees.content import read_bytes
from regbench.trees.irregularities import NoRunError
from regbench.trees.run_curves import CURVE_KEYS, read_curves
from regbench.trees.settings import UNKNOWN
from regbench.trees.tree import TreeRun, read_tree

_NO_MOMENT = datetime(1970, 1, 1)
_LEFT_OUT = ("repeated_seed", "cut_short", "missing_curve")
"""Kinds of runs that DeepOBS's analyzer counts wrongly or cannot read."""


class Conversion(NamedTuple):
    """How many runs were written, and how many files were left out, by the kind of irregularity."""

    written: int
    left_out: dict[str, int]


def convert(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> Conversion:
    """Write a clean DeepOBS 1.2 tree of the runs that count.

    Left out: superseded runs, runs that were cut short, and those without a training or test loss. What remains keeps
    its curves and hyperparameters; a setting that was spelled in several ways is spelled in one. The L2 factor is
    written out where it is known, and `..._nodecay` is left off the names of problems. Files of regbench stay as they
    are.

    Args:
        source: a tree of any dialect; it is not touched.
        target: a folder that does not exist or is empty. It appears whole or not at all.

    Raises:
        ResultsError: the source cannot be read, or the target is not such a folder, lies in the source or cannot be
            written.
        DefinitionError: the file of one of the source's problems does not hold together.
    """
    folder = Path(os.path.abspath(target))  # noqa: PTH100  links stay
    _check_target(Path(os.path.realpath(source)), folder)
    tree = read_tree(source)
    left_out = Counter(irregularity.kind for _, irregularity in tree.others)
    written = 0
    with new_folder(folder) as temporary:
        for one in tree.runs:
            reason = _reason_to_leave_out(one)
            if reason is None:
                _write(one, temporary)
                written += 1
            else:
                left_out[reason] += 1
    return Conversion(written, dict(left_out))


def _check_target(source: Path, target: Path) -> None:
    shown = printable(str(target))
    real = Path(os.path.realpath(target))
    if real.is_relative_to(source):
        raise ResultsError(f"{shown}: the new tree must not lie in the old one, which is not touched")
    try:
        is_free = not os.path.lexists(target) or is_empty_folder(target)
    except (OSError, ValueError) as error:
        raise ResultsError(f"{shown}: it cannot be looked at: {error}") from error
    if not is_free:
        raise ResultsError(f"{shown}: the new tree must be a folder that does not exist or is empty")


def _reason_to_leave_out(one: TreeRun) -> str | None:
    kinds = {irregularity.kind for irregularity in one.run.irregular}
    if one.run.outcome in ("cut_short", "timed_out"):
        kinds.add("cut_short")
    return next((kind for kind in _LEFT_OUT if kind in kinds), None)


def _write(one: TreeRun, target: Path) -> None:
    try:
        data = read_bytes(one.path)
        folder, data = _ours(data) if one.run.dialect == "regbench" else _foreign(one, data)
    except (NoRunError, ResultsError) as error:
        raise ResultsError(f"{one.file}: it changed while it was read, or is damaged: {error}") from error
    path = target / folder / paths.run_name(one.run.seed, one.moment or _NO_MOMENT, ".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.write(data)


def _ours(data: bytes) -> tuple[Path, bytes]:
    return Path(paths.run_folder(deepobs.read(data, minibatch=False).spec)), data


def _foreign(one: TreeRun, data: bytes) -> tuple[Path, bytes]:
    """The folder of a run below the tree, and the new content of its file."""
    run = one.run
    table = deepobs.load(data)
    hyperparameters = _unified(dialects.original_hyperparameters(table), json.loads(run.setting))
    l2 = _l2_factor(one, table)
    new = {
        "testproblem": run.problem,
        "batch_size": run.batch_size,
        "num_epochs": run.epochs,
        "random_seed": run.seed,
        "weight_decay": l2,
        "optimizer_name": run.optimizer,
        "optimizer_hyperparams": hyperparameters,
        "training_params": dialects.training_parameters(table),
        dialects.CONVERTED_FROM: table.get(dialects.CONVERTED_FROM, run.dialect),
    }
    curves = read_curves(table, run.epochs, {}).values
    new |= {key: curves[metric] for key, metric in CURVE_KEYS.items() if metric in curves}
    if isinstance(table.get(MINIBATCH), list):
        new[MINIBATCH] = table[MINIBATCH]
    values: dict[str, Any] = {"num_epochs": run.epochs, "batch_size": run.batch_size}
    values |= {} if l2 is None else {"weight_decay": l2}
    values |= dict(sorted(hyperparameters.items()))
    entry = (run.problem, run.optimizer, run.coupling, run.protocol, run.schedule, run.epochs, run.batch_size)
    apart = [text for text in (run.release, run.instance) if text]
    digest = hashlib.sha256(json.dumps([*entry, run.setting, *apart]).encode()).hexdigest()
    folder = Path(
        paths.folder_name(run.problem), paths.folder_name(run.optimizer), paths.name_of_values(values, digest)
    )
    return folder, json.dumps(new).encode()


def _unified(own: dict[str, Any], setting: dict[str, Any]) -> dict[str, Any]:
    """Hyperparameters of a run with the numbers of its setting, which may differ beyond the 11th digit."""

    def number(key: str, value: Any) -> Any:
        of_setting = setting.get(key)
        differs = isinstance(value, float) and isinstance(of_setting, int | float) and of_setting != value
        return of_setting if differs else value

    return {key: number(key, value) for key, value in own.items()}


def _l2_factor(one: TreeRun, table: dict[str, Any]) -> float | None:
    if one.run.coupling == UNKNOWN:
        return dialects.l2_factor(table)
    return one.run.decay if one.run.coupling == Coupling.L2 and not dialects.decays_by_itself(table) else 0.0
