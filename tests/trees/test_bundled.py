"""The bundled baselines: what is written is read again, and what comes with regbench is what its README says."""

import numpy as np
import pandas as pd
import pytest

from regbench.analysis import curves, ranking
from regbench.analysis.entries import reported, with_labels
from regbench.errors import ResultsError
from regbench.plots import learning_curves
from regbench.trees import bundled, frames


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


@pytest.mark.parametrize("source", bundled.SOURCES)
def test_bundled_curves_are_those_that_a_comparison_draws(source):
    found = bundled.load(source).curves
    assert {"label", *found.columns} == set(curves.COLUMNS)
    assert set(found["metric"]) == set(learning_curves.CURVE_LABELS)


def test_runs_of_two_sources_have_different_numbers():
    numbers = [set(bundled.load(source).runs["run"]) for source in bundled.SOURCES]
    assert not numbers[0] & numbers[1]


@pytest.mark.parametrize("source", bundled.SOURCES)
def test_every_reported_winner_has_curves_that_end_in_its_mean(source):
    found = bundled.load(source)
    runs = with_labels(found.runs)
    table = ranking.ranked_entries(runs)
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


@pytest.fixture
def tables(tmp_path):
    """The tables of a few runs, to be damaged."""
    whole = bundled.load("published")
    problem = whole.runs["problem"].iloc[0]
    runs, curves = (one[one["problem"] == problem].head(5) for one in (whole.runs, whole.curves))
    bundled.write(tmp_path / "published", runs, curves)
    assert len(bundled.load("published", tmp_path).runs) == 5
    return tmp_path / "published"


@pytest.mark.parametrize("name", ["runs", "studies", "settings", "winners", "curves"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: "nonsense\n1,2\n", "cannot be read"),
        (lambda text: "", "cannot be read"),
        (lambda text: text.replace("\n0", "\ninf", 1), "cannot be read"),
        (lambda text: text.replace("\n0", "\n1e30", 1), "cannot be read"),
        (lambda text: text.replace("\n", "\n0,0,", 2), "cannot be read"),
        (lambda text: text.replace("\n0", "\n77777", 1), "must stand in"),
    ],
)
def test_damaged_table_is_one_clear_line_that_names_it(tables, name, damage, message):
    path = tables / f"{name}.csv"
    path.write_text(damage(path.read_text()))
    with pytest.raises(ResultsError, match=rf"{name}\.csv.*{message}|{message}.*{name}\.csv") as raised:
        bundled.load("published", tables.parent)
    assert str(raised.value).isprintable()
