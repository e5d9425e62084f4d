"""One file of runs that come with regbench: the runs of one problem as Parquet, a row a run.

Curves are lists of doubles, split into streams of bytes before they are compressed: most are float32 numbers, of
which three bytes say nothing. A damaged file is noticed: every page has a checksum. The searches that the runs
belong to stand in the metadata of the file, as JSON; they name their runs by the number of the row.
"""

import contextlib
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from regbench.errors import ResultsError, printable
from regbench.records import (
    METRICS,
    SPLITS,
    Manifest,
    Origin,
    Role,
    RunResult,
    RunSpec,
    Timings,
    digest_of,
    problem_definition,
)
from regbench.store import targets

FORMAT_VERSION = 1
METADATA_KEY = "regbench"
ROWS_AT_ONCE = 512
"""A row group: what is read to get at one run."""

_PLURALS = {"loss": "losses", "accuracy": "accuracies"}
CURVE_COLUMNS = {f"{split}_{metric}": f"{split}_{plural}" for metric, plural in _PLURALS.items() for split in SPLITS}
"""Column of a curve -> its key in a result file: `train_loss` -> `train_losses`. Losses as `trees.frames` has them."""

_PENALIZED = {f"{split}_loss_with_penalty": f"{split}_losses" for split in SPLITS}
_LISTS = (*CURVE_COLUMNS, *_PENALIZED)

_VALUES = tuple(f"{when}_{split}_{metric}" for when in ("final", "best") for split in SPLITS for metric in METRICS)
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
    **dict.fromkeys(("environment", "sources"), pa.string()),
}
"""What a run of ours has besides; all null for runs of others. `spec`, `environment` and `sources` are JSON."""

_CURVE = pa.list_(pa.field("element", pa.float64()))
SCHEMA = pa.schema({**SUMMARY_COLUMNS, **_RUN_COLUMNS, **dict.fromkeys(_LISTS, _CURVE)})

_REBUILT_FROM = [
    *("digest", "data_digest", "outcome", "diverged_epoch", "training_seconds"),
    *("role", "number", "search", "sampler", "study_seed", "budget"),
    *_RUN_COLUMNS,
    *_LISTS,
]


def columns_of(result: RunResult) -> dict[str, Any]:
    """A run of ours by the columns from which `BundleFile.find` rebuilds it; minibatch losses and kernels are left out.

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
        **{
            column: result.losses_without_penalty.get(key, result.curves.get(key))
            for column, key in CURVE_COLUMNS.items()
        },
        **{
            column: None if _are_same(losses.get(key), result.losses_without_penalty.get(key)) else losses[key]
            for column, key in _PENALIZED.items()
        },
    }


def write(path: Path, rows: Sequence[Mapping[str, Any]], manifests: Sequence[Manifest] = ()) -> None:
    """Write the runs of a problem in the place of what is there.

    Args:
        path: of the file.
        rows: the runs, by the names in `SCHEMA`; what is not there is null.
        manifests: the searches that they belong to.

    Raises:
        ResultsError: it cannot be written; what was there is still there.
    """
    numbers = {row["digest"]: number for number, row in enumerate(rows) if row["digest"]}
    about = {"format_version": FORMAT_VERSION, "searches": [_numbered(one, numbers) for one in manifests]}
    table = pa.table({name: [row.get(name) for row in rows] for name in SCHEMA.names}, SCHEMA)
    floats = [field.name for field in SCHEMA if field.type == pa.float64()]
    content = io.BytesIO()
    with pq.ParquetWriter(
        content,
        SCHEMA,
        compression="zstd",
        compression_level=19,
        use_dictionary=[name for name in SUMMARY_COLUMNS if SCHEMA.field(name).type == pa.string()],
        use_byte_stream_split=[*floats, *(f"{name}.list.element" for name in _LISTS)],
        write_statistics=False,
        write_page_checksum=True,
        store_schema=False,
    ) as writer:
        writer.write_table(table, ROWS_AT_ONCE)
        writer.add_key_value_metadata({METADATA_KEY: json.dumps(about, separators=(",", ":"))})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        targets.replace(path, content.getvalue())
    except OSError as error:
        raise ResultsError(f"{path}: it cannot be written here: {error.strerror or error}") from error


class BundleFile:
    """The runs in one file; rows are counted from 0.

    Args:
        path: of the file.

    Raises:
        ResultsError: the file is missing or damaged; so may everything that reads from it later.
    """

    def __init__(self, path: Path) -> None:
        """Read what the file says of itself."""
        self._path = path
        self._group: tuple[int, tuple[str, ...], pa.Table] | None = None
        with self._reading():
            self._file = pq.ParquetFile(path, page_checksum_verification=True)
            if not self._file.schema_arrow.equals(SCHEMA, check_metadata=False):
                raise ValueError("its columns are not those of this version of regbench")
            about = json.loads((self._file.metadata.metadata or {}).get(METADATA_KEY.encode(), b"{}"))
            if about.get("format_version") != FORMAT_VERSION:
                came = about.get("format_version")
                raise ValueError(f"`format_version` must be {FORMAT_VERSION}. Received: {came!r}")
            self._searches = about["searches"]
            groups = self._file.metadata
            self._group_sizes = [groups.row_group(number).num_rows for number in range(groups.num_row_groups)]

    def summaries(self) -> pa.Table:
        """`SUMMARY_COLUMNS` of all runs."""
        with self._reading():
            return self._file.read(columns=list(SUMMARY_COLUMNS))

    def manifests(self) -> list[Manifest]:
        """The searches that the runs belong to."""
        with self._reading():
            return [_with_digests(one, self._digests) for one in self._searches]

    def find(self, spec: RunSpec) -> RunResult | None:
        """The run of exactly this spec, as `columns_of` took it in; None where there is none."""
        with self._reading():
            number = self._numbers.get(spec.digest())
            return None if number is None else _rebuilt(self._row(number, _REBUILT_FROM).to_pylist()[0])

    def curves(self, number: int) -> dict[str, np.ndarray]:
        """The curves in a row by `CURVE_COLUMNS`, as far as they are there."""
        with self._reading():
            row = self._row(number, CURVE_COLUMNS)
            curves = {name: row.column(name)[0].values for name in CURVE_COLUMNS}
            return {name: values.to_numpy() for name, values in curves.items() if values is not None}

    @cached_property
    def _digests(self) -> list[str]:
        """The digest of the spec in each row, empty for runs of others."""
        return list(self._file.read(columns=["digest"]).column("digest").to_pylist())

    @cached_property
    def _numbers(self) -> dict[str, int]:
        """The number of the row by digest."""
        return {digest: number for number, digest in enumerate(self._digests) if digest}

    def _row(self, number: int, columns: Sequence[str] | Mapping[str, Any]) -> pa.Table:
        group, place = 0, number
        while place >= self._group_sizes[group]:
            place -= self._group_sizes[group]
            group += 1
        key = group, tuple(columns)
        # Neighbours are asked for one after the other.
        if self._group is None or self._group[:2] != key:
            table = self._file.read_row_group(group, columns=list(columns)).combine_chunks()
            self._group = *key, table
        return self._group[2].slice(place, 1)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except ResultsError:
            raise
        # What a damaged file does to Parquet's reader has many names.
        except (pa.ArrowException, OSError, ValueError, LookupError, TypeError, ArithmeticError, MemoryError) as error:
            detail = " ".join(str(error).split()) or type(error).__name__
            must = "the runs that come with regbench cannot be read"
            raise ResultsError(printable(f"{self._path}: {must}: {detail}")) from error


def _rebuilt(row: Mapping[str, Any]) -> RunResult:
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


def _numbered(manifest: Manifest, numbers: Mapping[str, int]) -> dict[str, Any]:
    """A manifest as JSON has it, with the numbers of rows in place of the digests of runs that are in the file."""
    about = manifest.model_dump(mode="json")
    return about | {name: [numbers.get(digest, digest) for digest in about[name]] for name in ("trials", "again")}


def _with_digests(about: Mapping[str, Any], digests: Sequence[str]) -> Manifest:
    named = {
        name: [digests[one] if isinstance(one, int) else one for one in about[name]] for name in ("trials", "again")
    }
    try:
        return Manifest.model_validate_json(json.dumps({**about, **named}))
    except ValidationError as invalid:
        first = invalid.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"no record of a search: {first['msg']}") from invalid


def _are_same(one: Sequence[float] | None, other: Sequence[float] | None) -> bool:
    """Whether two curves are the same to the last bit, NaN included."""
    return one is other or (
        one is not None and other is not None and np.array(one).tobytes() == np.array(other).tobytes()
    )
