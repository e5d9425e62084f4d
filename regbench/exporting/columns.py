"""The two frames of `store.frames` as Parquet files."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from regbench.trees.frames import Results

RUNS_AT_ONCE = 1000
"""Whose curves are in memory at the same time; they are a row group of the file."""


def write(results: Results, runs: Path, curves: Path) -> None:
    """Write the runs, and the curves of all of them, into two new files.

    `pandas.read_parquet` gives back the columns and types of `frames.RUNS` and `frames.CURVES`, but for moments, which
    are whole milliseconds: Parquet has no seconds.
    """
    results.runs.to_parquet(runs, index=False)
    numbers = results.runs["run"].tolist()
    writer = None
    try:
        for first in range(0, max(len(numbers), 1), RUNS_AT_ONCE):
            table = _table(results.curves(numbers[first : first + RUNS_AT_ONCE]))
            writer = writer or pq.ParquetWriter(curves, table.schema)
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()


def _table(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False)
