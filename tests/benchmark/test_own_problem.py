"""A problem of arrays and a function."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import regbench
from regbench.benchmark.tasks import Task
from regbench.errors import DataError, DefinitionError

X = np.random.default_rng(0).normal(size=(90, 3))
Y = np.where(X[:, 0] > 0, "up", "down")
DATA = {"x_train": X[:60], "y_train": Y[:60], "x_test": X[60:], "y_test": Y[60:]}
NETWORK = """
def build(input_shape, classes, width=4):
    import keras

    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(width), keras.layers.Dense(classes)])
"""


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "own_nets.py").write_text(NETWORK)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    import own_nets  # type: ignore[import-not-found]

    yield own_nets.build
    sys.modules.pop("own_nets", None)


def digest(problem: Any) -> str:
    return Task.of(problem, "sgd").spec({"optimizer.learning_rate": 0.1}, 1).digest()


def test_problem_is_what_its_data_and_its_function_are(build: Any) -> None:
    problem = regbench.problem_on("mine", DATA, build, batch_size=8, epochs=2, arguments={"width": 3})
    assert (problem.model.name, problem.metric, problem.epochs) == ("own_nets:build", "accuracy", 2)
    assert set(Task.of(problem, "sgd").sources) == {"own_nets:build"}
    same = regbench.problem_on("mine", SimpleNamespace(**DATA), build, batch_size=8, arguments={"width": 3})
    assert digest(same.model_copy(update={"epochs": 2})) == digest(problem)
    others = DATA | {"x_test": X[60:] + 1e-3}
    assert digest(regbench.problem_on("mine", others, build, batch_size=8, epochs=2, arguments={"width": 3})) != digest(
        problem
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": {"x_train": X}}, "data: must hold x_train, y_train, x_test, y_test"),
        ({"model": lambda shape, classes: None}, "`model` must be a name, or a function at the top of a module"),
        ({"model": 3}, "`model` must be a name, or a function at the top of a module"),
        ({"loss": "mse"}, "`loss` must be one of"),
        ({"metric": "r2"}, "`metric` must be"),
        ({"batch_size": 0}, "batch_size"),
        ({"valid_fraction": 2.0}, "valid_fraction"),
        ({"loss": "mean_squared_error"}, "y_train: must hold numbers"),
        ({"epoch": 3}, "epoch: there is no such key. Did you mean `epochs`"),
    ],
)
def test_what_does_not_hold_together_is_refused_in_one_line(changes: dict[str, Any], message: str) -> None:
    arguments = {"data": DATA, "model": "mlp"} | changes
    with pytest.raises((DefinitionError, DataError)) as refusal:
        regbench.problem_on("mine", **arguments)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.slow
def test_problem_goes_into_run_and_search_and_compare(build: Any) -> None:
    problem = regbench.problem_on("mine", DATA, build, batch_size=8, epochs=1)
    assert regbench.run(problem, "sgd").outcome == "completed"
    standings = regbench.search(problem, ["sgd", "adam"], budget=1, reruns=0)
    assert len(standings) == 2
    assert set(regbench.compare(results=["results"], baselines="none").table["problem"]) == {"mine"}
