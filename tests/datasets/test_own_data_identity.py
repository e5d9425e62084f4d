"""What tells data of one's own apart, and what is kept of them."""

import os
from collections.abc import Callable
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest

from regbench import catalog, datasets
from regbench.benchmark.data import tell_memory
from regbench.benchmark.problems import with_data
from regbench.benchmark.tasks import Task
from regbench.datasets import RawData, own
from regbench.datasets.own import cache
from regbench.errors import DataError
from regbench.records import Problem, RunSpec, Table, problem_definition

PROBLEM = """summary = "s"
source = "s"
dataset = { name = "table", path = "../data/trees.csv", target = "sold", drop = ["day"] }
model = { name = "mlp", units = [4] }
loss = "sparse_categorical_crossentropy"
metric = "accuracy"
goal = "maximize"
chance = 0.5
batch_size = 8
epochs = 1
"""


@pytest.fixture
def home(tmp_path: Path, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    for folder in ("data", "testproblems"):
        (home / folder).mkdir(parents=True)
    frame.to_csv(home / "data" / "trees.csv", index=False)
    (home / "testproblems" / "mine.toml").write_text(PROBLEM)
    monkeypatch.chdir(home)
    return home


def spec(problem: str | Problem = "mine") -> RunSpec:
    return Task.of(problem, "sgd").spec({"optimizer.learning_rate": 0.1}, 42)


def test_digest_depends_on_content_and_arguments_but_not_on_place_or_time(home: Path, monkeypatch: Any) -> None:
    before = spec()
    assert before.problem.dataset.content == datasets.load(before.problem.dataset).digest  # type: ignore[union-attr]
    assert str(home) not in before.model_dump_json()
    os.utime(home / "data" / "trees.csv", (1, 1))
    assert spec().digest() == before.digest()
    home.rename(home.with_name("moved"))
    monkeypatch.chdir(home.with_name("moved"))
    assert spec().digest() == before.digest()
    Path("data/trees.csv").write_text(Path("data/trees.csv").read_text().replace("oak", "elm", 1))
    changed = spec()
    assert changed.digest() != before.digest()
    assert problem_definition(changed.problem) == problem_definition(before.problem)
    Path("testproblems/mine.toml").write_text(PROBLEM.replace('"day"', '"day", "size"'))
    assert problem_definition(spec().problem) != problem_definition(before.problem)


def test_record_comes_back_from_json_without_its_path(home: Path) -> None:
    before = spec()
    after = RunSpec.model_validate_json(before.model_dump_json())
    assert after.digest() == before.digest()
    assert isinstance(after.problem.dataset, Table)
    assert after.problem.dataset.path == ""


def test_data_that_change_while_a_command_runs_are_refused(home: Path) -> None:
    mine = spec().problem.dataset
    path = home / "data" / "trees.csv"
    path.write_text(path.read_text().replace("oak", "elm", 1))
    with pytest.raises(DataError, match=r"trees\.csv: must hold the data with which the command began"):
        datasets.load(mine)


def test_loss_says_what_is_learnt(home: Path) -> None:
    assert catalog.problem("mine").dataset.targets == "classes"  # type: ignore[union-attr]


def test_large_data_are_copied_and_an_altered_copy_is_noticed(
    table: Callable[..., Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "LEAST_BYTES", 1)
    mine = table(drop=("day",))
    first = datasets.load(mine)
    (copy,) = cache.folder().glob("*.npz")
    read = []
    monkeypatch.setattr("regbench.datasets.own.table.read", lambda own: read.append(own) or pytest.fail("read again"))
    own._read.cache_clear()
    again = datasets.load(mine)
    assert again.digest == first.digest
    assert datasets.get(mine).class_names == ("no", "yes")
    monkeypatch.undo()
    monkeypatch.setattr(cache, "LEAST_BYTES", 1)
    with np.load(copy) as stored:
        altered = dict(stored)
    altered["train_inputs"][0, 0] += 1
    np.savez(copy, **altered)
    own._read.cache_clear()
    assert datasets.load(mine).digest == first.digest
    with np.load(copy) as stored:
        assert stored["train_inputs"][0, 0] == first.train_inputs[0, 0]


def test_copy_whose_record_was_altered_is_noticed(
    table: Callable[..., Table], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "LEAST_BYTES", 1)
    monkeypatch.setattr(cache, "folder", lambda: tmp_path / "copies")
    mine = table(drop=("day",))
    datasets.load(mine)
    (copy,) = cache.folder().glob("*.npz")
    with np.load(copy) as stored:
        altered = dict(stored)
    altered["told"] = np.array(str(altered["told"]).replace('"no", "yes"', '"yes", "no"'))
    np.savez(copy, **altered)
    own._read.cache_clear()
    assert datasets.get(mine).class_names == ("no", "yes")


@pytest.mark.parametrize("changed", ["readers", "pyarrow"])
def test_copy_of_other_readers_is_not_taken(
    table: Callable[..., Table], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    monkeypatch.setattr(cache, "LEAST_BYTES", 1)
    monkeypatch.setattr(cache, "folder", lambda: tmp_path / "copies")
    mine = table(drop=("day",))
    datasets.load(mine)
    if changed == "readers":
        monkeypatch.setattr(cache, "_readers", lambda: "others")
    else:
        monkeypatch.setattr(cache, "version", lambda name: "0" if name == changed else version(name))
    own._read.cache_clear()
    datasets.load(mine)
    assert len(list(cache.folder().glob("*.npz"))) == 2


@pytest.mark.parametrize(("free", "told"), [(10**9, 0), (10**3, 1)])
def test_data_that_hardly_fit_are_told(home: Path, monkeypatch: pytest.MonkeyPatch, free: int, told: int) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free))
    lines: list[str] = []
    tell_memory(with_data(catalog.problem("mine")).dataset, lines.append)
    assert len(lines) == told
    assert all("trees.csv: training on these data needs about" in line for line in lines)


def test_memory_of_imagenet_is_told_by_its_reader_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=10**3))
    lines: list[str] = []
    for name in ("imagenet", "mnist"):
        tell_memory(name, lines.append)
    assert [line.partition(":")[0] for line in lines] == ["mnist"]


def test_every_array_of_a_data_set_is_in_its_digest() -> None:
    x, y, w = np.zeros((2, 2), "f4"), np.zeros(2, "i4"), np.ones(2, "f4")
    whole = {field.name: {"i": x, "t": y, "w": w}[field.name.split("_")[1][0]] for field in fields(RawData)}
    digests = {RawData(**whole | {name: array + 1}).digest for name, array in whole.items()}
    assert len(digests) == len(whole)


def test_run_on_record_has_no_path_and_tells_of_the_data_that_are_here_alone(home: Path) -> None:
    before = spec()
    on_record = RunSpec.model_validate_json(before.model_dump_json()).problem.dataset
    assert datasets.get(on_record) == datasets.get(before.problem.dataset)
    others = on_record.model_copy(update={"content": "sha256:0"})  # type: ignore[union-attr]
    for call in (datasets.get, datasets.load, datasets.stamp):
        with pytest.raises(DataError, match="on record"):
            call(others)
