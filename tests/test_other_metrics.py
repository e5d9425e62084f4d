"""A regression that is judged by R2 goes through every command as a classification does."""

import json
import subprocess
import sys

import optuna
import pytest

from regbench import catalog

PROBLEM = """\
summary    = "Judged by the share of the variance that is explained"
source     = "ours"
dataset    = "diabetes"
model      = { name = "mlp", units = [8] }
loss       = "huber"
metric     = "r2"
metrics    = ["mean_absolute_error"]
batch_size = 32
epochs     = 2
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the problem and a search on it."""
    folder = tmp_path_factory.mktemp("regression")
    (folder / "testproblems").mkdir()
    (folder / "testproblems" / "progress.toml").write_text(PROBLEM)
    command(folder, "search", "progress", "sgd,adam", "--budget", "2", "--reruns", "5", "--protocol", "strict")
    return folder


def command(folder, *words):
    done = subprocess.run([sys.executable, "-m", "regbench", *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def runs(folder):
    return [json.loads(path.read_text()) for path in sorted(folder.glob("results/**/*.json"))]


def test_runs_record_every_metric_beside_the_keys_of_deepobs(folder):
    for run in runs(folder):
        told = run["regbench"]["metrics"]
        assert told.keys() == {
            f"{split}_{name}" for split in ("train", "valid", "test") for name in ("r2", "mean_absolute_error")
        }
        assert {len(curve) for curve in told.values()} == {3} == {len(run["test_losses"])}
        assert not [name for name in run if name.endswith("accuracies")]


def test_comparison_ranks_by_it_the_larger_the_better(folder):
    table = json.loads(command(folder, "compare", "progress", "--format", "json"))
    (rows,) = [table["entries"] if isinstance(table, dict) else table]
    assert [(row["metric"], row["goal"], row["rank"]) for row in rows] == [("r2", "maximize", 1), ("r2", "maximize", 2)]
    assert rows[0]["score"] >= rows[1]["score"]
    # The mean of the fresh seeds of each, from the files.
    for row in rows:
        again = [
            run["regbench"]["metrics"]["test_r2"][-1]
            for run in runs(folder)
            if run["optimizer_name"] == row["candidate"] and run["regbench"]["origin"]["role"] == "re-run"
        ]
        assert row["mean"] == pytest.approx(sum(again) / len(again), rel=1e-9)


def test_page_pictures_plan_lint_and_export_know_it(folder):
    command(folder, "compare", "progress", "--report", "page.html", "--plots", "plots")
    assert "test r2" in (folder / "page.html").read_text()
    assert "test r2" in (folder / "plots" / "learning_curves.svg").read_text()
    assert "progress" in command(folder, "plan", "progress", "sgd", "--budget", "2", "--format", "json")
    assert "runs: 14" in command(folder, "lint", "results")
    command(folder, "export", "results", "--optuna", "studies.log", "--parquet", "runs", "--tensorboard", "board")
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(folder / "studies.log")))
    studies = [optuna.load_study(study_name=name, storage=storage) for name in optuna.get_all_study_names(storage)]
    assert {study.direction for study in studies} == {optuna.study.StudyDirection.MAXIMIZE}
    assert all("test_r2" in trial.user_attrs for study in studies for trial in study.trials)


def test_bundled_problem_of_this_kind_has_what_the_others_have():
    problem = catalog.problem("diabetes_mlp")
    assert (problem.metric, problem.goal, problem.metrics) == ("loss", "minimize", ("r2", "rmse"))
