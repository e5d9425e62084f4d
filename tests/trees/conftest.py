"""Files of others, made by hand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture
def foreign_table() -> Callable[..., dict[str, Any]]:
    """The object in a file of DeepOBS 1.2, of 4 epochs; a key whose change is `...` is left out."""

    def make(**changes: Any) -> dict[str, Any]:
        table: dict[str, Any] = {
            "testproblem": "fmnist_2c2d",
            "batch_size": 128,
            "num_epochs": 4,
            "random_seed": 42,
            "weight_decay": None,
            "optimizer_name": "MomentumOptimizer",
            "optimizer_hyperparams": {"learning_rate": 0.1, "momentum": 0.99, "use_nesterov": False},
            "training_params": {},
            "train_losses": [2.3, 1.0, 0.5, 0.3, 0.2],
            "valid_losses": [2.4, 1.1, 0.6, 0.4, 0.5],
            "test_losses": [2.5, 1.2, 0.7, 0.6, 0.8],
            "train_accuracies": [0.1, 0.6, 0.8, 0.9, 0.95],
            "valid_accuracies": [0.1, 0.5, 0.7, 0.92, 0.9],
            "test_accuracies": [0.1, 0.5, 0.7, 0.93, 0.91],
            "minibatch_train_losses": [2.3, 1.5, 1.25, 1.0],
        } | changes
        return {key: value for key, value in table.items() if value is not ...}

    return make


@pytest.fixture
def deepobs_1_1() -> dict[str, Any]:
    """The changes that make it one of DeepOBS 1.1."""
    return {
        "optimizer_name": ...,
        "optimizer": "AdamOptimizer",
        "optimizer_hyperparams": ...,
        "hyperparams": {"beta1": 0.9},
        "learning_rate": 0.25,
        "training_params": ...,
        "lr_sched_epochs": [2],
        "lr_sched_factors": [0.5],
    }


@pytest.fixture
def write_foreign(tmp_path: Path, foreign_table: Callable[..., dict[str, Any]]) -> Callable[..., Path]:
    """Writes such a file into the tree `tmp_path / "tree"`; folder and moment may be given."""

    def write(folder: str = "setting", moment: str = "2020-01-02-03-04-05", **changes: Any) -> Path:
        table = foreign_table(**changes)
        path = tmp_path / "tree" / folder / f"random_seed__{table.get('random_seed')}__{moment}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(table))
        return path

    return write


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The tree of `write_foreign`."""
    folder = tmp_path / "tree"
    folder.mkdir(exist_ok=True)
    return folder
