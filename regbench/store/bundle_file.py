"""One file of runs that come with regbench: the runs of one problem as Parquet, a row a run.

Curves are lists of doubles, split into streams of bytes before they are compressed: most are float32 numbers, of
which three bytes say nothing. A damaged file is noticed: every page has a checksum. The searches that the runs
belong to stand in the metadata of the file, as JSON; they name their runs by the number of the row.
"""

import contextlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from regbench.errors import ResultsError, printable
from regbench.records import Manifest, RunResult, RunSpec
from regbench.store import targets
from regbench.store.bundle_rows import CURVE_COLUMNS, LISTS, REBUILT_FROM, SCHEMA, SUMMARY_COLUMNS, rebuilt

FORMAT_VERSION = 1
METADATA_KEY = "regbench"
ROWS_AT_ONCE = 512
"""A row group: what is read to get at one run."""


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
        use_byte_stream_split=[*floats, *(f"{name}.list.element" for name in LISTS)],
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
        """The run of exactly this spec, as `bundle_rows.columns_of` took it in; None where there is none."""
        with self._reading():
            number = self._numbers.get(spec.digest())
            return None if number is None else rebuilt(self._row(number, REBUILT_FROM).to_pylist()[0])

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
