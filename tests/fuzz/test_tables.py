"""The files of bundled baselines: frames of the documented columns and types, or a refusal that names the file.

What is damaged is never read as something else: every page has a checksum.
"""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given

from regbench.trees import bundled, frames

from .inputs import byte_changes, change_bytes, fuzz, read_or_refuse


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes, frames.Results]:
    """A file with a few runs and curves, its bytes, and what is in it."""
    folder = tmp_path_factory.mktemp("bundled")
    whole = bundled.load("published")
    curves = set(whole.curves()["run"].head(500))
    some = whole.runs[whole.runs["run"].isin([*curves, *range(8)])]
    some = some[some["problem"] == some["problem"].iloc[0]]
    (path,) = bundled.write(
        folder / "published", frames.Results(some, whole.irregularities, readers=whole.readers), with_curves=curves
    )
    return path, path.read_bytes(), bundled.load("published", folder)


def read(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    found = bundled.load("published", folder)
    return found.runs, found.curves()


@fuzz(0.01)
@given(byte_changes)
def test_bundled_files_are_read_or_refused(file, changes):
    path, content, whole = file
    path.write_bytes(change_bytes(content, changes))
    found = read_or_refuse("bundled files", lambda: read(path.parent.parent), path)
    if found is not None:
        pd.testing.assert_frame_equal(found[0], whole.runs)
        pd.testing.assert_frame_equal(found[1], whole.curves())
