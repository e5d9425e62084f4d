"""The content of a result file: DeepOBS 1.2's keys, and one object `regbench` with all that DeepOBS has no word for.

`load` takes the bytes of any result file, `read` goes on from there with a file of ours.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from regbench.errors import ResultsError
from regbench.records import MINIBATCH, Argument, Coupling, Outcome, Part, RunResult, RunSpec

FORMAT_VERSION = 1
CHECKSUM = "checksum"
CURVES_CHECKSUM = "curves_checksum"
"""Of the curves alone: in files that were written before the checksum of the whole."""
WARMUP_SETTING = "warmup"
"""What a warm-up is called in a setting, where a candidate searches it."""
CUT = "regbench: this list was cut out"
CURVES = (
    "train_losses",
    "valid_losses",
    "test_losses",
    "train_accuracies",
    "valid_accuracies",
    "test_accuracies",
    MINIBATCH,
)
RESULT_FIELDS = tuple(name for name in RunResult.model_fields if name not in ("spec", "curves"))

_MINIBATCH_KEY = json.dumps(MINIBATCH).encode()
_LIST_BEGINS = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*\[")
_CUT_AS_JSON = json.dumps(CUT).encode()


def hyperparameters(spec: RunSpec) -> dict[str, Any]:
    """The chosen values of a run as one flat table, as DeepOBS has them.

    The optimizer's own and those of the optimizers it wraps go by their last name (`learning_rate`, whatever wraps the
    optimizer that has it); where two share it, the inner one keeps its full name (`inner.momentum`). A regularizer's
    begin with `regularizer.`; a decay outside the loss is `decay.strength`, a searched warm-up `schedule.warmup`.
    """
    flat: dict[str, Any] = {}
    for path, value in sorted(_leaves((), spec.optimizer), key=lambda leaf: len(leaf[0])):
        flat[path[-1] if path[-1] not in flat else ".".join(path)] = value
    if spec.regularizer is not None:
        flat |= {".".join(path): value for path, value in _leaves(("regularizer",), spec.regularizer)}
    if spec.decay.coupling not in (Coupling.NONE, Coupling.L2):
        flat["decay.strength"] = spec.decay_strength
    if WARMUP_SETTING in spec.setting:
        flat["schedule.warmup"] = spec.schedule.warmup
    return flat


def l2_factor(spec: RunSpec) -> float | None:
    """The factor of the L2 term in the loss (DeepOBS's convention), None where decay acts elsewhere or not at all."""
    return spec.decay_strength if spec.decay.coupling == Coupling.L2 else None


def write_json(result: RunResult) -> bytes:
    """A run as the bytes of its result file; NaN and Infinity stand as Python writes them.

    Raises:
        ResultsError: a curve has a name that DeepOBS does not know.
    """
    unknown = sorted(set(result.curves) - set(CURVES))
    if unknown:
        raise ResultsError(f"A curve must be one of {', '.join(CURVES)}. Received: {', '.join(map(repr, unknown))}")
    spec = result.spec
    ours = _about(spec) | result.model_dump(include=set(RESULT_FIELDS))
    table = {
        "testproblem": spec.problem.name,
        "batch_size": spec.batch_size,
        "num_epochs": spec.epochs,
        "random_seed": spec.seed,
        "weight_decay": l2_factor(spec),
        "optimizer_name": spec.candidate,
        "optimizer_hyperparams": hyperparameters(spec),
        "training_params": _training_parameters(spec),
        **{name: result.curves[name] for name in CURVES if name in result.curves},
        "regbench": ours,
    }
    ours[CHECKSUM] = _checksum(table)
    return json.dumps(table).encode()


def _checksum(table: Mapping[str, Any]) -> str:
    """SHA-256 over what a file says, whatever its text; without the losses of steps, which are not compared."""
    ours = {name: value for name, value in table["regbench"].items() if name != CHECKSUM}
    return _sha256({name: value for name, value in table.items() if name != MINIBATCH} | {"regbench": ours})


def _curves_checksum(table: Mapping[str, Any]) -> str:
    evaluated = {name: table[name] for name in CURVES if name in table and name != MINIBATCH}
    return _sha256([evaluated, table["regbench"].get("losses_without_penalty", {})])


def _sha256(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def is_altered(table: Mapping[str, Any]) -> bool:
    """Whether a file of ours does not say what was written; the oldest do not tell, older ones of curves alone."""
    ours = table["regbench"]
    if CHECKSUM in ours:
        return bool(ours[CHECKSUM] != _checksum(table))
    return CURVES_CHECKSUM in ours and bool(ours[CURVES_CHECKSUM] != _curves_checksum(table))


def write_failure(spec: RunSpec, reason: str) -> bytes:
    """What is known of a run that crashed, as JSON."""
    return json.dumps({"regbench": _about(spec) | {"outcome": Outcome.FAILED, "reason": reason}}).encode()


def load(data: bytes, *, minibatch: bool = True) -> dict[str, Any]:
    """The object in a result file of any dialect.

    Args:
        data: the bytes of the file.
        minibatch: also read `minibatch_train_losses`, which is most of a file; without it reading is many times faster.

    Raises:
        ResultsError: the bytes are no JSON object.
    """
    try:
        table = json.loads(data) if minibatch else _load_without_minibatch(data)
    except (ValueError, RecursionError) as error:
        raise ResultsError(f"not valid JSON: {error}") from error
    if not isinstance(table, dict):
        raise ResultsError(f"a result file must hold a JSON object. Received: {type(table).__name__}")
    return table


def read(data: bytes, *, minibatch: bool = True) -> RunResult:
    """The run in a file that `write_json` wrote; arguments as for `load`.

    Raises:
        ResultsError: the bytes are not such a file.
    """
    table = load(data, minibatch=minibatch)
    ours = table.get("regbench")
    if not isinstance(ours, dict):
        raise ResultsError("there is no object `regbench`: regbench did not write this file")
    if ours.get("format_version") != FORMAT_VERSION:
        raise ResultsError(f"`format_version` must be {FORMAT_VERSION}. Received: {ours.get('format_version')!r}")
    try:
        # As JSON, because only there may lists stand for tuples.
        spec = RunSpec.model_validate_json(json.dumps(ours.get("spec")))
        fields = {name: ours[name] for name in RESULT_FIELDS if name in ours}
        curves = {name: table[name] for name in CURVES if name in table}
        result = RunResult(spec=spec, curves=curves, **fields)
    except ValidationError as invalid:
        error = invalid.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in error["loc"]) or "spec"
        raise ResultsError(f"`{where}` does not fit: {error['msg']}") from invalid
    if is_altered(table):
        raise ResultsError(
            "it is not what was written (its checksum differs): the file was changed after the run, or is damaged"
        )
    if ours.get("digest") != spec.digest():
        raise ResultsError("`digest` must be the digest of `spec`: the file was changed after the run")
    _check_curves(result)
    return result


def _check_curves(result: RunResult) -> None:
    """Make sure that a run that counts has what searches look at and what is reported."""
    splits = ("valid", "test") if result.spec.protocol.validation else ("test",)
    metric = result.spec.problem.metric
    curves, end = {
        "accuracy": (result.curves, "accuracies"),
        "loss": (result.losses_without_penalty, "losses"),
    }.get(metric, (result.metrics, metric))
    names = [f"{split}_{end}" for split in splits]
    missing = [name for name in names if not curves.get(name)]
    if missing and result.outcome in (Outcome.COMPLETED, Outcome.DIVERGED):
        raise ResultsError(f"{', '.join(f'`{name}`' for name in names)} must hold values. Received: no {missing[0]}")


def _about(spec: RunSpec) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "digest": spec.digest(),
        "setting_digest": spec.setting_digest(),
        "spec": spec.model_dump(mode="json"),
        "decay": {
            "coupling": spec.decay.coupling,
            "strength": spec.decay_strength,
            "mask": spec.problem.l2_on if spec.decay.mask == "kernels" else spec.decay.mask,
        },
    }


def _training_parameters(spec: RunSpec) -> dict[str, Any]:
    schedule = spec.schedule
    if schedule.name == "step":
        return {"lr_sched_epochs": list(schedule.epochs), "lr_sched_factors": list(schedule.factors)}
    title = schedule.name if WARMUP_SETTING in spec.setting else schedule.title
    named = {} if schedule.name == "none" else {"lr_schedule": title}
    return {"lr_sched_epochs": None, "lr_sched_factors": None, **named}


def _leaves(prefix: tuple[str, ...], part: Part) -> Iterator[tuple[tuple[str, ...], Argument]]:
    for key, argument in part.arguments.items():
        if isinstance(argument, Part):
            yield from _leaves((*prefix, key), argument)
        else:
            yield (*prefix, key), argument


def cut_minibatch(data: bytes) -> tuple[bytes, slice] | None:
    """The bytes with the string `CUT` in place of the list of minibatch losses, and where that list stands.

    None where there is no plain list of numbers. What is cut may belong to a nested object, or the key may stand twice:
    only where the object that is read has `CUT` under the key is nothing else missing from it.
    """
    key = data.find(_MINIBATCH_KEY)
    begin = _LIST_BEGINS.match(data, key + len(_MINIBATCH_KEY)) if key >= 0 else None
    if begin is None:
        return None
    start = begin.end()
    if data.rfind(b'"') < start:  # nothing but numbers and brackets follows
        end = data.rfind(b"]")
    else:
        end = data.find(b"]", start)
        # A flat list of numbers has neither brackets nor strings before its closing bracket.
        if data.find(b"[", start, end) >= 0 or data.find(b'"', start, end) >= 0:
            return None
    return None if end < start else (data[: start - 1] + _CUT_AS_JSON + data[end + 1 :], slice(start, end))


def _load_without_minibatch(data: bytes) -> Any:
    """Like `json.loads`, less the list of minibatch losses at the top level; whatever looks unusual is read in full."""
    cut = cut_minibatch(data)
    table = None if cut is None else _load_if_any(cut[0])
    if not (isinstance(table, dict) and table.get(MINIBATCH) == CUT):
        table = json.loads(data)
    if isinstance(table, dict):
        table.pop(MINIBATCH, None)
    return table


def _load_if_any(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None
