"""Bundled baselines: results that come with regbench, as the same frames as a tree.

In `results/bundled/<source>/` lies a file a problem; `store.bundle_file` knows its columns.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from regbench.catalog import current_name
from regbench.errors import ResultsError
from regbench.records import Manifest, Role
from regbench.store import bundle_file, bundle_rows, deepobs
from regbench.store.bundle import SUFFIX, file_of, source_folder
from regbench.store.bundle_file import BundleFile
from regbench.store.bundle_rows import SUMMARY_COLUMNS
from regbench.store.files import read_bytes
from regbench.trees.frames import IRREGULARITIES, RUNS, Results, frame, merge
from regbench.trees.searches import INFERRED, with_searches

SOURCES = ("ours", "published")

_ORDER = ["candidate", "coupling", "protocol", "schedule", "epochs", "batch_size", "search", "role", "trial"]


def load(source: str, folder: Path | None = None, problems: Collection[str] = ()) -> Results:
    """Read the bundled runs of a source, from the bundled folder unless another is given.

    Files have their irregularities in the column `irregular` only.

    Args:
        source: one of `SOURCES`.
        folder: which has a folder for each source.
        problems: names; all unless given, and all where one of them has no file in any source.

    Raises:
        ResultsError: a file is damaged, or there is none.
    """
    place = source_folder(source) if folder is None else folder / source
    files = sorted(place.glob(f"*{SUFFIX}"))
    if not files:
        raise ResultsError(f"{place}: the runs that come with regbench are missing")
    wanted = {file_of(place, problem).name for problem in problems}
    there = {path.name for one in SOURCES for path in (place.parent / one).glob(f"*{SUFFIX}")}
    if wanted and wanted <= there:
        files = [path for path in files if path.name in wanted]
    return merge([_load_file(BundleFile(path), source) for path in files])


def _load_file(file: BundleFile, source: str) -> Results:
    table = file.summaries()
    columns: dict[str, Any] = {name: table.column(name).to_pandas() for name in SUMMARY_COLUMNS}
    columns["candidate"] = columns["candidate"].map(current_name)
    columns["run"] = range(len(table))
    columns["file"], columns["source"] = [""] * len(table), [source] * len(table)
    columns["moment"] = np.full(len(table), np.datetime64("NaT"), dtype="datetime64[s]")
    columns["trial"] = columns["number"].where(columns["role"] == Role.TRIAL.value)
    columns["definition"] = [""] * len(table)
    columns["code"] = columns["network"] = columns["release"] = columns["instance"] = [""] * len(table)
    columns["planned"] = np.full(len(table), np.nan)
    columns["searches"] = np.where(columns["search"] == INFERRED, np.nan, 1.0)
    columns["further_seeds"] = np.full(len(table), np.nan)
    columns["won"] = columns["superseded"] = np.zeros(len(table), bool)
    runs = with_searches(frame(RUNS, columns), file.manifests())
    readers = {number: partial(file.curves, row) for number, row in enumerate(runs["run"])}
    return Results(runs.assign(run=range(len(runs))), frame(IRREGULARITIES, {}), readers=readers)


def write(
    folder: Path, results: Results, *, manifests: Sequence[Manifest] = (), with_curves: Collection[int] = ()
) -> list[Path]:
    """Write the runs of a source, superseded ones left out; returns the files, one a problem.

    Args:
        folder: of the source; files of other problems in it stay.
        results: from trees. Runs of ours are kept as they are, but for minibatch losses and kernels.
        manifests: of these trees.
        with_curves: numbers of those runs of others whose curves are kept.

    Raises:
        ResultsError: a run cannot be read, or a file cannot be written.
    """
    runs = results.runs[~results.runs["superseded"].astype(bool)]
    # A run stands there once for each of its searches.
    runs = runs[(runs["digest"] == "") | ~runs.duplicated("digest")]
    runs = runs.sort_values([*_ORDER, "setting", "seed"], kind="stable")
    written = []
    for problem, members in runs.groupby("problem", sort=True):
        curves = _curves(results, [run for run in members["run"] if run in with_curves])
        rows = [_row(row, results, curves.get(row["run"], {})) for row in members.to_dict("records")]
        path = file_of(folder, str(problem))
        bundle_file.write(path, rows, [manifest for manifest in manifests if manifest.problem == problem])
        written.append(path)
    return written


def _row(row: Mapping[Any, Any], results: Results, curves: Mapping[str, Any]) -> dict[str, Any]:
    """A run by the columns of a file."""
    known = {str(name): _plain(value) for name, value in row.items() if name in SUMMARY_COLUMNS}
    if not row["digest"]:
        return {**known, "number": _plain(row["trial"]), **curves}
    own = deepobs.read(read_bytes(results.paths[row["run"]]), minibatch=False)
    return known | bundle_rows.columns_of(own)


def _curves(results: Results, numbers: Iterable[int]) -> dict[int, dict[str, list[float]]]:
    found: dict[int, dict[str, list[float]]] = {}
    for (number, metric), values in results.curves(numbers).groupby(["run", "metric"], observed=True)["value"]:
        found.setdefault(int(number), {})[str(metric)] = values.tolist()
    return found


def _plain(value: Any) -> Any:
    """The value as Parquet has it: what is not there is null."""
    return None if isinstance(value, float) and np.isnan(value) else value
