"""Losses and metrics of the user's own that are not what they must be: one line, exit 2, nothing written."""

import pytest

from regbench.cli import main

OWN = """
import keras

def one_number(targets, outputs):
    return keras.ops.mean((targets - outputs) ** 2)

def a_row_each(targets, outputs):
    return (targets - outputs) ** 2

def raises(targets, outputs):
    raise RuntimeError("no such\\nthing")

def text(targets, outputs):
    return "a"
"""
PROBLEM = """
summary = "Mine"
source = "a test"
dataset = "diabetes"
model = "mlp"
loss = "{loss}"
batch_size = 32
epochs = 1
{metric}
"""
SHAPES = "must give the loss of each sample, float32 (n,), for targets (3,) and outputs (3, 1). Received: "


@pytest.mark.parametrize(
    ("loss", "metric", "message"),
    [
        ("own_losses:one_number", "", f"mine: loss `own_losses:one_number`: {SHAPES}float32 ()\n"),
        ("own_losses:a_row_each", "", f"mine: loss `own_losses:a_row_each`: {SHAPES}float32 (3, 3)\n"),
        ("own_losses:raises", "", f"mine: loss `own_losses:raises`: {SHAPES}RuntimeError: no such thing\n"),
        ("own_losses:text", "", f"mine: loss `own_losses:text`: {SHAPES}'a'\n"),
        ("own_losses:absent", "", "loss: own_losses:absent cannot be imported"),
        (
            "mean_squared_error",
            'metric = "own_losses:text"\ngoal = "minimize"',
            "metric `own_losses:text`: must give a number for targets",
        ),
        ("mean_squared_error", 'metric = "accuracy"', "`metric` must be loss or mean_absolute_error or rmse or r2"),
        ("sparse_categorical_crossentropy", "", "`loss` must fit the data set `diabetes`, which has numbers"),
    ],
)
def test_search_says_what_is_wrong_with_a_loss_or_a_metric(tmp_path, monkeypatch, capfd, loss, metric, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_losses.py").write_text(OWN)
    (tmp_path / "testproblems").mkdir()
    (tmp_path / "testproblems/mine.toml").write_text(PROBLEM.format(loss=loss, metric=metric))
    assert main(["search", "mine", "sgd", "--budget", "1", "--reruns", "0"]) == 2
    errors = capfd.readouterr().err
    assert message in errors
    assert errors.count("error:") == 1
    assert "Traceback" not in errors
    assert not list(tmp_path.glob("results/**/*.json"))
