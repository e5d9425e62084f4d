"""Summaries of learning curves: closed forms by hand, and NumPy over the files' values one by one."""

import numpy as np
import pandas as pd
import pytest

from regbench.analysis import curves
from regbench.analysis.entries import reported
from regbench.analysis.labels import ENTRY, with_labels


@pytest.fixture
def make_reported(make_study, join):
    """Reported runs of candidates with so many seeds each; a row a run."""

    def make(**seeds):
        studies = [make_study(name, {0.1: 0.5}, again=[0.5] * (n - 1)) for name, n in seeds.items()]
        return reported(with_labels(join(*studies)))

    return make


def long(values):
    """Curves from (run, metric) -> values by epoch."""
    rows = [
        {"run": run, "metric": metric, "epoch": epoch, "value": value}
        for (run, metric), curve in values.items()
        for epoch, value in enumerate(curve)
    ]
    frame = pd.DataFrame(rows, columns=["run", "metric", "epoch", "value"])
    return frame.astype({"metric": "category"})


def at(found, label, metric, epoch):
    (row,) = found[(found["label"] == label) & (found["metric"] == metric) & (found["epoch"] == epoch)].to_dict(
        "records"
    )
    return row


def test_three_seeds_have_the_mean_deviation_and_quartiles_of_a_sample(make_reported):
    runs = make_reported(sgd=3)
    found = curves.summaries(
        long(dict(zip(((run, "test_loss") for run in runs["run"]), ([8.0, 1.0], [8.0, 2.0], [8.0, 4.0]), strict=True))),
        runs,
    )
    assert list(found.columns) == curves.COLUMNS
    row = at(found, "sgd", "test_loss", 1)
    assert (row["n"], row["q25"], row["q50"], row["q75"]) == (3, 1.5, 2.0, 3.0)
    # Of 1, 2, 4: mean 7/3; squares of the distances to it 16/9 + 1/9 + 25/9 = 42/9, of which the half is 7/3.
    assert row["mean"] == pytest.approx(7 / 3, rel=1e-15)
    assert row["sd"] == pytest.approx(np.sqrt(7 / 3), rel=1e-15)
    assert at(found, "sgd", "test_loss", 0)["sd"] == 0


def test_every_entry_metric_and_epoch_is_summarised_for_itself(make_reported):
    runs = make_reported(sgd=5, adam=4)
    generator = np.random.default_rng(0)
    metrics = ("train_loss", "test_accuracy")
    values = {(run, metric): generator.normal(size=4) for run in runs["run"] for metric in metrics}
    found = curves.summaries(long(values), runs)
    assert len(found) == 2 * 2 * 4
    for label, entry in runs.groupby("label"):
        for metric in metrics:
            table = np.array([values[run, metric] for run in entry["run"]])
            for epoch in range(4):
                row, column = at(found, label, metric, epoch), np.sort(table[:, epoch])
                n = len(column)
                deviation = np.sqrt(((column - column.mean()) ** 2).sum() / (n - 1))
                # 1e-12 is thousands of times the rounding of sums of five numbers near 1.
                assert (row["n"], row["mean"], row["sd"]) == pytest.approx((n, column.mean(), deviation), rel=1e-12)
                between = np.interp(np.array([0.25, 0.5, 0.75]) * (n - 1), np.arange(n), column)
                assert [row["q25"], row["q50"], row["q75"]] == pytest.approx(between, rel=1e-12)


def test_one_seed_has_a_mean_and_no_deviation(make_reported):
    runs = make_reported(sgd=1)
    row = at(curves.summaries(long({(runs["run"].iloc[0], "test_loss"): [3.0]}), runs), "sgd", "test_loss", 0)
    assert (row["n"], row["mean"], row["q25"], row["q75"]) == (1, 3.0, 3.0, 3.0)
    assert np.isnan(row["sd"])


def test_only_values_that_are_there_are_counted(make_reported):
    """A seed that was cut short, and one whose loss is no number from some epoch on."""
    runs = make_reported(sgd=3)
    one, other, third = runs["run"]
    found = curves.summaries(
        long({(one, "test_loss"): [4.0, 1.0], (other, "test_loss"): [6.0], (third, "test_loss"): [8.0, np.nan]}), runs
    )
    first, last = (at(found, "sgd", "test_loss", epoch) for epoch in (0, 1))
    assert (first["n"], first["mean"], first["sd"]) == (3, 6.0, 2.0)
    assert (last["n"], last["mean"]) == (1, 1.0)
    assert np.isnan(last["sd"])


def test_curves_of_runs_that_are_not_reported_do_not_count(make_reported):
    runs = make_reported(sgd=2)
    values = {(run, "test_loss"): [1.0] for run in runs["run"]}
    found = curves.summaries(long(values | {(999, "test_loss"): [100.0]}), runs)
    assert list(found["mean"]) == [1.0]
    assert curves.summaries(long({(999, "test_loss"): [100.0]}), runs).empty
    assert list(curves.summaries(long({}), runs).columns) == curves.COLUMNS


def test_the_setting_and_the_entry_of_each_curve_are_told(make_reported):
    runs = make_reported(sgd=2)
    found = curves.summaries(long({(run, "test_loss"): [1.0, 2.0] for run in runs["run"]}), runs)
    assert set(found["setting"]) == {'{"learning_rate": 0.1}'}
    pd.testing.assert_frame_equal(found[ENTRY].drop_duplicates(), runs[ENTRY].drop_duplicates(), check_dtype=False)


@pytest.mark.parametrize(
    "with_penalty, kept",
    [
        ((), {"a loss", "b loss", "a accuracy", "b accuracy"}),
        (("a", "b"), {"a loss", "b loss", "a accuracy", "b accuracy"}),
        (("a",), {"b loss", "a accuracy", "b accuracy"}),
    ],
)
def test_losses_with_a_penalty_are_left_out_beside_losses_without(make_reported, with_penalty, kept):
    runs = make_reported(a=1, b=1)
    runs["loss_has_penalty"] = runs["label"].isin(with_penalty)
    values = {(run, f"test_{metric}"): [1.0] for run in runs["run"] for metric in ("loss", "accuracy")}
    found = curves.comparable(curves.summaries(long(values), runs), runs)
    assert set(found["label"] + " " + found["metric"].str.removeprefix("test_")) == kept


def test_a_penalty_on_one_problem_leaves_the_losses_of_others(make_study, join):
    studies = [
        make_study(name, {0.1: 0.5}, problem=problem, loss_has_penalty=has_penalty)
        for problem, name, has_penalty in (("p", "a", True), ("p", "b", False), ("q", "a", True))
    ]
    runs = reported(with_labels(join(*studies)))
    found = curves.summaries(long({(run, "train_loss"): [1.0] for run in runs["run"]}), runs)
    kept = curves.comparable(found, runs)
    assert list(zip(kept["problem"], kept["label"], strict=True)) == [("p", "b"), ("q", "a")]


def test_of_the_test_metrics_that_which_decides_is_kept(make_study, join):
    judged_by_loss = make_study("loss", {0.1: 0.5}, problem="judged_by_loss", metric="loss", goal="minimize")
    studies = join(make_study("accuracy", {0.1: 0.5}), judged_by_loss)
    members = reported(with_labels(studies))
    metrics = ("train_loss", "test_loss", "test_accuracy")
    found = curves.summaries(long({(run, metric): [0.5] for run in members["run"] for metric in metrics}), members)
    kept = curves.deciding(found, members).groupby("problem")["metric"].agg(set).to_dict()
    assert kept == {
        "judged_by_loss": {"train_loss", "test_loss"},
        members.loc[members["problem"] != "judged_by_loss", "problem"].iloc[0]: {"train_loss", "test_accuracy"},
    }
    others = found[found["metric"] != "test_accuracy"]
    assert set(curves.deciding(others, members)["metric"]) == {"train_loss", "test_loss"}
