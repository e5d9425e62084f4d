"""The bundled baselines: what is written is read again, and what comes with regbench is what its README says."""

import numpy as np
import pandas as pd
import pytest

from regbench.analysis import curves, ranking
from regbench.analysis.entries import reported, with_labels
from regbench.errors import ResultsError
from regbench.store import bundled, frames


@pytest.mark.parametrize("source", bundled.SOURCES)
def test_bundled_runs_have_the_columns_and_types_of_any_other(source):
    runs = bundled.load(source).runs
    assert set(runs.columns) == set(frames.RUNS)
    assert (runs["run"] < 0).all()
    assert runs["run"].is_unique
    assert (runs["source"] == source).all()
    for name in ("final_test_loss", "decay", "step_seconds"):
        assert runs[name].dtype == np.float64
    for name in ("superseded", "loss_has_penalty", "outcome_inferred"):
        assert runs[name].dtype == bool
    assert not runs["superseded"].any()


def test_runs_of_two_sources_have_different_numbers():
    numbers = [set(bundled.load(source).runs["run"]) for source in bundled.SOURCES]
    assert not numbers[0] & numbers[1]


@pytest.mark.parametrize("source", bundled.SOURCES)
def test_every_reported_winner_has_curves_that_end_in_its_mean(source):
    found = bundled.load(source)
    runs = with_labels(found.runs)
    table = ranking.table(runs)
    shown = reported(runs)
    keys = [*curves.ENTRY, "setting"]
    winners = found.curves.merge(shown[[*keys, "label"]].drop_duplicates(), on=keys)
    last = winners[winners["epoch"] == winners["epochs"]]
    for row in table[table["n_seeds"] > 0].itertuples():
        curve = last[(last["problem"] == row.problem) & (last["label"] == row.label)].set_index("metric")["mean"]
        # Curves are kept with six digits.
        assert curve[f"test_{row.metric}"] == pytest.approx(row.mean, rel=1e-5)


def test_written_tables_are_read_as_they_were(tmp_path):
    before = bundled.load("published")
    bundled.write(tmp_path / "published", before.runs, before.curves)
    after = bundled.load("published", tmp_path)
    keys = ["problem", "candidate", "coupling", "protocol", "setting", "seed"]
    left, right = (one.runs.sort_values(keys, ignore_index=True).drop(columns="run") for one in (before, after))
    pd.testing.assert_frame_equal(left, right)
    order = [*before.curves.columns[:1], "problem", "candidate", "setting", "metric", "epoch"]
    pd.testing.assert_frame_equal(
        before.curves.sort_values(order, ignore_index=True),
        after.curves.sort_values(order, ignore_index=True),
        check_like=True,
    )


def test_damaged_table_is_one_clear_line(tmp_path):
    (tmp_path / "ours").mkdir()
    for name in ("runs.csv", "winners.csv", "curves.csv"):
        (tmp_path / "ours" / name).write_text("nonsense\n1,2\n")
    with pytest.raises(ResultsError, match="the bundled baselines cannot be read") as raised:
        bundled.load("ours", tmp_path)
    assert "\n" not in str(raised.value)
