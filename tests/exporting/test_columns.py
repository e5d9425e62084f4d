"""Trees as Parquet: the two frames come back as they are documented."""

import pandas as pd
import pyarrow.parquet as pq
import pytest

from regbench.exporting import columns, export
from regbench.trees import frames


@pytest.fixture
def read_back(tree, tmp_path):
    """Exports the tree; gives the two frames as pandas reads them."""

    def read(**options):
        export(tree, parquet=tmp_path / "mine.parquet", **options)
        return pd.read_parquet(tmp_path / "mine.parquet"), pd.read_parquet(tmp_path / "mine.curves.parquet")

    return read


def in_parquet(runs):
    """Parquet has no seconds: moments come back as milliseconds."""
    return runs.astype({"moment": "datetime64[ms]"})


@pytest.mark.parametrize("at_once", [1, 4, 1000])
def test_frames_come_back_as_they_were(at_once, search, foreign, tree, read_back, monkeypatch):
    monkeypatch.setattr(columns, "RUNS_AT_ONCE", at_once)
    search()
    foreign((0.1, 0.8, 42), (0.1, 0.7, 42))
    runs, curves = read_back()
    expected = frames.load(tree)
    pd.testing.assert_frame_equal(runs, in_parquet(expected.runs))
    pd.testing.assert_frame_equal(curves, expected.curves())
    assert {name: str(dtype) for name, dtype in runs.dtypes.items()} == {
        name: dtype for name, (dtype, _) in frames.RUNS.items()
    } | {"moment": "datetime64[ms]"}


def test_runs_without_a_moment_or_curves_to_read_are_kept(foreign, tree, read_back):
    foreign((0.1, 0.8, 42))
    (path,) = tree.rglob("*.json")
    path.rename(path.with_name("some.json"))
    runs, curves = read_back()
    assert runs["moment"].isna().all()
    assert len(curves) == 6 * 3


def test_chosen_runs_alone_are_written_with_their_curves(search, read_back):
    search()
    search(candidate="momentum")
    runs, curves = read_back(candidates=["momentum"])
    assert set(runs["candidate"]) == {"momentum"}
    assert set(curves["run"]) == set(runs["run"])


def test_curves_are_read_for_some_runs_at_a_time(search, tree, tmp_path, read_back, monkeypatch):
    monkeypatch.setattr(columns, "RUNS_AT_ONCE", 4)
    search(endings={})  # 12 trials and 3 re-runs
    read_back()
    assert pq.ParquetFile(tmp_path / "mine.curves.parquet").num_row_groups == 4


def test_columns_need_no_pandas_to_be_understood(search, tmp_path, read_back):
    search()
    read_back()
    schema = pq.read_schema(tmp_path / "mine.parquet")
    assert schema.names == list(frames.RUNS)
