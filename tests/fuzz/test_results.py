"""Results trees: an odd file is read or said to hold no run, and the others are read all the same."""

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regbench.records import Decay, Kernel, Outcome, Part, RunSpec, Schedule
from regbench.store import deepobs
from regbench.store.folder import Folder
from regbench.trees import cache, frames
from regbench.trees.convert import convert
from regbench.trees.irregularities import NO_RUN
from regbench.trees.lint import lint
from regbench.trees.tree import read_tree

from .inputs import (
    DEEP,
    ODD_VALUES,
    byte_changes,
    change_bytes,
    change_table,
    count,
    fuzz,
    odd_values,
    read_or_refuse,
    table_changes,
)

CURVE = [2.5, 1.25, 0.5]
SHARES = [0.125, 0.5, 0.75]
FOREIGN: dict[str, Any] = {
    "testproblem": "fmnist_2c2d",
    "batch_size": 128,
    "num_epochs": 2,
    "random_seed": 42,
    "weight_decay": None,
    "optimizer_name": "MomentumOptimizer",
    "optimizer_hyperparams": {"learning_rate": 0.1, "momentum": 0.99, "use_nesterov": False},
    "training_params": {"lr_sched_epochs": [1], "lr_sched_factors": [0.5]},
    **{f"{split}_losses": CURVE for split in ("train", "valid", "test")},
    **{f"{split}_accuracies": SHARES for split in ("train", "valid", "test")},
    "minibatch_train_losses": [2.3, 1.5, 1.25, 1.0],
}
DIALECTS: dict[str, dict[str, Any]] = {
    "1.2": FOREIGN,
    "1.1": {key: FOREIGN[key] for key in FOREIGN if not key.startswith(("optimizer", "training"))}
    | {"optimizer": "AdamOptimizer", "hyperparams": {"beta1": 0.9}, "learning_rate": 0.01, "lr_sched_epochs": None},
    "crowded_valley": {key: FOREIGN[key] for key in FOREIGN if key != "weight_decay"} | {"l2_reg": 0.002},
    "nonlinear": FOREIGN
    | {
        "testproblem": "cifar10_3c3d_nodecay",
        "optimizer_name": "PowKernelMomentumOptimizerW_scaled",
        "optimizer_hyperparams": {"learning_rate": 0.1, "momentum": 0.9, "power": 0.5, "weight_decay_opt": 0.01},
    },
    "converted": FOREIGN | {"converted_from": "1.1"},
}
CONTENTS = [
    *(b"", b"{}", b"null", b"[" * DEEP, b'{"a":' * DEEP, b"\xff\xfe", b'{"regbench": {}}', b'{"regbench": 3}'),
    *(b'{"minibatch_train_losses": ' + b"[" * DEEP, b"-" + b"9" * 5000, b'{"a": 1e999999}', b"\x00" * 1000),
]


@pytest.fixture(scope="module")
def tables(make_task, make_result) -> list[dict[str, Any]]:
    """One object of each dialect, and three of ours."""
    task = make_task()
    spec = RunSpec(
        problem=task.problem,
        candidate="mine",
        setting={"optimizer.learning_rate": 0.1},
        optimizer=Part(name="sgd", arguments={"learning_rate": 0.1, "inner": Part(name="sgd"), "shape": [[1.0, 2.0]]}),
        regularizer=Part(name="l2", arguments={"l2": 0.1}),
        decay=Decay(),
        seed=42,
        protocol=task.protocol,
        epochs=2,
        batch_size=32,
        schedule=Schedule(name="step", epochs=(1,), factors=(0.1,)),
    )
    whole = make_result(spec, train_losses=0.5, valid_losses=0.6, test_losses=0.7, penalty=0.1)
    kernels = {"conv": Kernel(shape=(1, 2), float32="AAAAAAAAAAA=")}
    ours = [
        whole.model_copy(update={"kernels": kernels, "final_weight_norm": 3.5}),
        whole.model_copy(update={"outcome": Outcome.DIVERGED, "diverged_epoch": 1, "reason": "not finite"}),
        whole.model_copy(update={"outcome": Outcome.TIMED_OUT}),
    ]
    return [*DIALECTS.values(), *(json.loads(deepobs.write_json(result)) for result in ours)]


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """A tree of one good file; the odd one comes to lie beside it."""
    folder = tmp_path_factory.mktemp("tree") / "tree"
    folder.mkdir()
    (folder / "good.json").write_text(json.dumps(FOREIGN | {"random_seed": 7}))
    return folder


def spell(table: dict[str, Any], is_indented: bool, repeated: Any) -> bytes:
    """A table as JSON; `repeated` stands in front of it all under the key of the first entry."""
    text = json.dumps(table, indent=2 if is_indented else None)
    if repeated is not None and table:
        text = f"{{{json.dumps(next(iter(table)))}: {json.dumps(repeated)}, {text[1:]}"
    return text.encode()


def changed(first: int, last: int) -> st.SearchStrategy[Any]:
    """How the tables of these numbers are changed."""
    return st.tuples(
        st.integers(first, last),
        table_changes(),
        st.booleans(),
        st.none() | st.sampled_from(ODD_VALUES[:8]),
        st.just([]) | st.just([]) | byte_changes,
    )


def odd_content(tables: list[dict[str, Any]], how: Any) -> bytes:
    if isinstance(how, bytes):
        return how
    if isinstance(how, int):
        return CONTENTS[how]
    number, changes, is_indented, repeated, bytes_changed = how
    return change_bytes(spell(change_table(tables[number], changes), is_indented, repeated), bytes_changed)


contents = changed(0, 7) | changed(0, 7) | changed(0, 7) | st.integers(0, len(CONTENTS) - 1) | st.binary(max_size=200)


@fuzz(0.25)
@given(contents)
def test_tree_with_an_odd_file_is_read(tree, tables, how):
    (tree / "odd.json").write_bytes(odd_content(tables, how))
    found = read_tree(tree, cache=False)
    files = [one.file for one in found.runs]
    assert "good.json" in files
    count("results trees", "odd.json" in files)
    if "odd.json" not in files:
        ((file, irregularity),) = found.others
        assert file == "odd.json"
        assert irregularity.kind in NO_RUN
    for one in found.runs:
        json.loads(one.run.setting)
        for text in (one.run.problem, one.run.optimizer, one.run.schedule, one.run.setting, one.run.digest):
            assert text.isprintable()
    for _, irregularity in [*found.others, *((one.file, why) for one in found.runs for why in one.run.irregular)]:
        assert irregularity.detail.isprintable()


@fuzz(0.02)
@given(contents)
def test_tree_with_an_odd_file_is_loaded_linted_and_converted(tree, tables, tmp_path_factory, how):
    (tree / "odd.json").write_bytes(odd_content(tables, how))
    results = frames.load(tree, cache=False)
    assert "good.json" in set(results.runs["file"])
    assert set(results.curves()["run"]) == set(results.runs["run"])
    count("frames, lint", len(results.runs) == 2)
    assert len(lint(tree, cache=False).found) == len(results.irregularities)
    target = tmp_path_factory.mktemp("clean") / "tree"
    # A file of ours that was changed afterwards may be read for figures, and is not passed on.
    conversion = read_or_refuse("convert", lambda: convert(tree, target), tree / "odd.json")
    if conversion is None:
        return
    clean = frames.load(target, cache=False)
    assert len(clean.runs) == conversion.written
    assert not set(clean.irregularities["kind"]) & {"not_a_result", "not_json", "repeated_seed", "split_setting"}


@fuzz(0.1)
@given(changed(5, 7) | contents, st.booleans())
def test_file_of_ours_is_read_or_refused(tables, how, minibatch):
    data = odd_content(tables, how)
    result = read_or_refuse("our files", lambda: deepobs.read(data, minibatch=minibatch))
    if result is not None:
        again = deepobs.read(deepobs.write_json(result), minibatch=minibatch)
        assert again.spec == result.spec
        if result.outcome in (Outcome.COMPLETED, Outcome.DIVERGED):
            assert result.score() is not None
        for kernel in result.kernels.values():
            assert kernel.array().shape == kernel.shape


@fuzz(0.02)
@given(contents)
def test_folder_with_an_odd_file_gives_the_other_runs_and_a_warning(tmp_path_factory, tables, how):
    folder = Folder(tmp_path_factory.mktemp("results"))
    result = deepobs.read(json.dumps(tables[5]).encode())
    good = folder.write(result)
    odd = good.with_name("random_seed__42__2999-01-01-00-00-00.json")
    odd.write_bytes(odd_content(tables, how))
    runs = list(folder.runs())
    assert result.spec.digest() in [run.spec.digest() for run in runs]
    assert folder.find(result.spec) is not None
    count("results folders", len(runs) == 2)
    for warning in folder.warnings:
        assert odd.name in warning
        assert warning.isprintable()


@pytest.fixture(scope="module")
def cached(tmp_path_factory) -> Iterator[tuple[Path, str, bytes]]:
    """A tree that is in the cache, what was read from it, and the cache."""
    tree = tmp_path_factory.mktemp("tree")
    (tree / "good.json").write_text(json.dumps(FOREIGN))
    os.utime(tree / "good.json", (0, 0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        runs = repr(read_tree(tree).runs)
        yield tree, runs, cache.cache_file().read_bytes()


@fuzz(0.03)
@given(byte_changes, st.none() | st.tuples(st.sampled_from(["path", "stamp", "content", "checksum"]), odd_values))
def test_tree_is_read_whatever_is_in_the_cache(cached, changes, entry):
    tree, runs, database = cached
    cache.cache_file().write_bytes(change_bytes(database, [] if entry else changes))
    if entry:
        column, value = entry
        with contextlib.closing(sqlite3.connect(cache.cache_file())) as connection, connection:
            connection.execute(f"UPDATE files SET {column} = ?", (json.dumps(value),))  # noqa: S608
    assert repr(read_tree(tree).runs) == runs
    count("cache of results", True)
