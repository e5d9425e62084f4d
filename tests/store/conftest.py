"""Specs and results made by hand, as the catalogue and the engine would make them."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from regbench.records import Decay, Outcome, Part, Problem, Protocol, RunResult, RunSpec, Timings

NOBODY = 65534


@pytest.fixture
def make_spec() -> Callable[..., RunSpec]:
    def make(**changes: Any) -> RunSpec:
        problem = Problem(
            name="fmnist_2c2d",
            summary="Two convolutional and two dense layers on Fashion-MNIST",
            source="Schneider et al. 2019",
            dataset="fmnist",
            model=Part(name="conv_2c2d"),
            loss="sparse_categorical_crossentropy",
            metric="accuracy",
            goal="maximize",
            chance=0.1,
            batch_size=128,
            epochs=100,
            l2=0.002,
        )
        protocol = Protocol(
            name="deepobs",
            summary="DeepOBS 1.2",
            validation=True,
            reshuffle=False,
            every_sample=False,
            augmented_train_evaluation=True,
            reruns=9,
            tuning_seed_counts=True,
        )
        inner = Part(name="sgd", arguments={"momentum": 0.9, "learning_rate": 0.005342937261279})
        values: dict[str, Any] = {
            "problem": problem,
            "candidate": "power_momentum",
            "setting": {"optimizer.inner.learning_rate": 0.005342937261279, "optimizer.power": 0.7},
            "optimizer": Part(name="signed_power", arguments={"inner": inner, "power": 0.7}),
            "regularizer": None,
            "decay": Decay(),
            "seed": 42,
            "protocol": protocol,
            "epochs": 100,
            "batch_size": 128,
        }
        return RunSpec(**(values | changes))

    return make


@pytest.fixture
def make_result(make_spec: Callable[..., RunSpec]) -> Callable[..., RunResult]:
    def make(spec: RunSpec | None = None, **changes: Any) -> RunResult:
        spec = spec or make_spec()
        splits = ("train", "valid", "test") if spec.protocol.validation else ("train", "test")
        names = [f"{split}_losses" for split in splits]
        names += [f"{split}_accuracies" for split in splits] if spec.problem.has_accuracy else []
        curve = [2.3389398837700868 / (epoch + 1) for epoch in range(spec.epochs + 1)]
        values: dict[str, Any] = {
            "spec": spec,
            "outcome": Outcome.COMPLETED,
            "curves": dict.fromkeys(names, curve) | {"minibatch_train_losses": [0.1 + 0.2, 1e-300, -0.0]},
            "losses_without_penalty": {f"{split}_losses": curve for split in splits},
            "final_weight_norm": 12.000000000000002,
            "data_digest": "0123abcd",
            "timings": Timings(compile_seconds=1.5, training_seconds=20.0, evaluation_seconds=3.25, total_seconds=25.0),
            "environment": {"keras": "3.15.1", "threads": 2, "peak_memory_mebibytes": 811.5, "gpu": False},
        }
        return RunResult(**(values | changes))

    return make


@pytest.fixture
def unprivileged_folder() -> Iterator[Path]:
    """A folder of a user who, unlike root, is stopped by permissions."""
    folder = Path(tempfile.mkdtemp())
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o700)
        shutil.rmtree(folder)


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
