"""A run as a row of the files that come with regbench: the columns, and from a run of ours to its row and back."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from regbench.errors import ResultsError
from regbench.records import (
    DEEPOBS_METRICS,
    SPLITS,
    Origin,
    Role,
    RunResult,
    RunSpec,
    Timings,
    digest_of,
    problem_definition,
)

_PLURALS = {"loss": "losses", "accuracy": "accuracies"}
CURVE_COLUMNS = {f"{split}_{metric}": f"{split}_{plural}" for metric, plural in _PLURALS.items() for split in SPLITS}
"""Column of a curve -> its key in a result file: `train_loss` -> `train_losses`. Losses as `trees.frames` has them."""

_PENALIZED = {f"{split}_loss_with_penalty": f"{split}_losses" for split in SPLITS}
LISTS = (*CURVE_COLUMNS, *_PENALIZED)

_VALUES = tuple(
    f"{when}_{split}_{metric}" for when in ("final", "best") for split in SPLITS for metric in DEEPOBS_METRICS
)
SUMMARY_COLUMNS: dict[str, pa.DataType] = {
    **dict.fromkeys(("dialect", "problem", "optimizer", "candidate", "coupling"), pa.string()),
    "decay": pa.float64(),
    **dict.fromkeys(("setting", "protocol", "schedule"), pa.string()),
    **dict.fromkeys(("epochs", "batch_size", "seed"), pa.int64()),
    "outcome": pa.string(),
    "outcome_inferred": pa.bool_(),
    "diverged_epoch": pa.float64(),
    **dict.fromkeys(("metric", "goal"), pa.string()),
    **dict.fromkeys(_VALUES, pa.float64()),
    "loss_has_penalty": pa.bool_(),
    **dict.fromkeys(("epochs_to_convergence", "training_seconds", "step_seconds"), pa.float64()),
    **dict.fromkeys(("irregular", "digest", "problem_digest", "data_digest", "search", "role"), pa.string()),
    "number": pa.int64(),
    "sampler": pa.string(),
    **dict.fromkeys(("budget", "study_seed"), pa.int64()),
}
"""What a comparison needs of every run. `number` is that of the trial or re-run; the others as in `trees.frames.RUNS`.

Numbers that are not there are null, texts empty.
"""

_RUN_COLUMNS: dict[str, pa.DataType] = {
    "spec": pa.string(),
    "reason": pa.string(),
    **dict.fromkeys(
        ("shrinkage", "final_weight_norm", "compile_seconds", "evaluation_seconds", "total_seconds"), pa.float64()
    ),
    **dict.fromkeys(("environment", "sources", "metrics"), pa.string()),
}
"""What a run of ours has besides; all null for runs of others. `spec`, `environment`, `sources` and `metrics` are JSON.

`metrics` is null where a run has no further ones.
"""

_CURVE = pa.list_(pa.field("element", pa.float64()))
SCHEMA = pa.schema({**SUMMARY_COLUMNS, **_RUN_COLUMNS, **dict.fromkeys(LISTS, _CURVE)})

REBUILT_FROM = [
    *("digest", "data_digest", "outcome", "diverged_epoch", "training_seconds"),
    *("role", "number", "search", "sampler", "study_seed", "budget"),
    *_RUN_COLUMNS,
    *LISTS,
]


def columns_of(result: RunResult) -> dict[str, Any]:
    """A run of ours by the columns from which `rebuilt` makes it again; minibatch losses and kernels are left out.

    Raises:
        ResultsError: it has losses only with or only without the penalty term.
    """
    losses = {name: curve for name, curve in result.curves.items() if name in _PENALIZED.values()}
    if losses.keys() != result.losses_without_penalty.keys():
        raise ResultsError("losses must be there with and without the penalty term, or the run cannot be bundled")
    origin = result.origin
    by_hand = origin is not None and origin.role == Role.BY_HAND
    return {
        "digest": result.spec.digest(),
        "problem_digest": digest_of(problem_definition(result.spec.problem)),
        "outcome": result.outcome.value,
        "diverged_epoch": result.diverged_epoch,
        "training_seconds": result.timings.training_seconds,
        "role": "" if origin is None else origin.role.value,
        "number": None if origin is None else origin.number,
        "search": "" if origin is None else origin.role.value if by_hand else origin.search,
        "sampler": (origin and origin.sampler) or "",
        "study_seed": None if origin is None else origin.seed,
        "budget": None if origin is None else origin.budget,
        "spec": result.spec.model_dump_json(),
        "reason": result.reason,
        "shrinkage": result.shrinkage,
        "final_weight_norm": result.final_weight_norm,
        "compile_seconds": result.timings.compile_seconds,
        "evaluation_seconds": result.timings.evaluation_seconds,
        "total_seconds": result.timings.total_seconds,
        "data_digest": result.data_digest,
        "environment": json.dumps(result.environment),
        "sources": json.dumps({} if origin is None else origin.sources),
        "metrics": json.dumps(result.metrics) if result.metrics else None,
        **{
            column: result.losses_without_penalty.get(key, result.curves.get(key))
            for column, key in CURVE_COLUMNS.items()
        },
        **{
            column: None if _are_same(losses.get(key), result.losses_without_penalty.get(key)) else losses[key]
            for column, key in _PENALIZED.items()
        },
    }


def rebuilt(row: Mapping[str, Any]) -> RunResult:
    """The run that `columns_of` took in, from `REBUILT_FROM` of its row.

    Raises:
        ValueError, TypeError, LookupError: the row is damaged.
    """
    without = {key: row[column] for column, key in CURVE_COLUMNS.items() if row[column] is not None}
    penalized = {key: row[column] for column, key in _PENALIZED.items() if row[column] is not None}
    epoch = row["diverged_epoch"]
    result = RunResult(
        spec=RunSpec.model_validate_json(row["spec"]),
        outcome=row["outcome"],
        reason=row["reason"],
        diverged_epoch=None if epoch is None or math.isnan(epoch) else int(epoch),
        curves=without | penalized,
        losses_without_penalty={key: without[key] for key in _PENALIZED.values() if key in without},
        metrics=json.loads(row["metrics"] or "{}"),
        shrinkage=row["shrinkage"],
        final_weight_norm=row["final_weight_norm"],
        data_digest=row["data_digest"],
        timings=Timings(
            compile_seconds=row["compile_seconds"],
            training_seconds=row["training_seconds"],
            evaluation_seconds=row["evaluation_seconds"],
            total_seconds=row["total_seconds"],
        ),
        environment=json.loads(row["environment"]),
        origin=_origin(row),
    )
    if result.spec.digest() != row["digest"]:
        raise ValueError("`digest` must be the digest of `spec`")
    return result


def _origin(row: Mapping[str, Any]) -> Origin | None:
    if not row["role"]:
        return None
    return Origin(
        role=row["role"],
        number=row["number"],
        search=None if row["role"] == Role.BY_HAND else row["search"],
        sampler=row["sampler"] or None,
        seed=row["study_seed"],
        budget=row["budget"],
        sources=json.loads(row["sources"]),
    )


def _are_same(one: Sequence[float] | None, other: Sequence[float] | None) -> bool:
    """Whether two curves are the same to the last bit, NaN included."""
    return one is other or (
        one is not None and other is not None and np.array(one).tobytes() == np.array(other).tobytes()
    )
