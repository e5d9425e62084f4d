"""Trees made to do harm: nothing crashes, nothing is written outside, nothing is opened that is no regular file."""

import json
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from regbench.store import files
from regbench.trees import content, frames
from regbench.trees.convert import convert
from regbench.trees.irregularities import KINDS
from regbench.trees.lint import lint

Write = Callable[..., Path]
MakeTable = Callable[..., dict[str, Any]]


def kinds(tree: Path) -> dict[str, str]:
    """The kind of irregularity by file, of a tree in which no file has two."""
    found = frames.load(tree).irregularities
    assert found["file"].is_unique
    assert set(found["kind"]) <= set(KINDS)
    return dict(zip(found["file"], found["kind"], strict=True))


def detail(tree: Path) -> str:
    return frames.load(tree).irregularities["detail"].item()


NAMES = [
    "<script>alert(1)</script>",
    "..",
    "../../../outside",
    "a/b",
    "a\x1b[31m\x00\x07\r\nb",
    "\u202egnp.\u200b",
    "\ud800",
    "x" * 250,
    "é" * 120,
    "$(touch outside)",
    "{{ 7 * 7 }}",
    "\\input{outside}",
    "-rf",
    " ",
    ".hidden",
    "CON",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("key", ["testproblem", "optimizer_name"])
def test_names_in_files_are_only_names(
    tree: Path, tmp_path: Path, foreign_table: MakeTable, key: str, name: str
) -> None:
    (tree / "run.json").write_text(json.dumps(foreign_table(**{key: name})))
    run = frames.load(tree).runs.iloc[0]
    shown = run["problem" if key == "testproblem" else "optimizer"]
    assert shown.isprintable()
    assert name.isprintable() == (shown == name)
    target = tmp_path / "clean" / "tree"
    assert convert(tree, target).written == 1
    assert {path.name for path in tmp_path.iterdir()} == {"tree", "clean"}
    assert [path.name for path in target.parent.iterdir()] == ["tree"]
    (written,) = target.rglob("*.json")
    assert len(written.relative_to(target).parts) == 4
    assert frames.load(target).runs["setting"].item() == run["setting"]


FILE_NAMES = [
    b"<script>alert(1)<script>",
    b"a\x1b[31m\x07\r\nb",
    "\u202egnp.\u200b".encode(),
    b"x" * 250,
    "é".encode() * 120,
    b"$(touch outside)",
    b"\\input{outside}",
    b"-rf",
    b" ",
    b"\xff\xfe\x80",
    b"\xc3",
]


@pytest.mark.parametrize("name", FILE_NAMES)
def test_names_of_files_and_folders_are_shown_fit_for_printing(
    tree: Path, foreign_table: MakeTable, name: bytes
) -> None:
    folder = tree / os.fsdecode(name)
    folder.mkdir()
    (folder / os.fsdecode(name[:240] + b".json")).write_text(json.dumps(foreign_table()))
    (folder / "stray").touch()
    for level in (tree, folder):
        results = frames.load(level)
        assert len(results.runs) == 1
        assert len(results.curves()) == 30
        assert results.runs["source"].item().isprintable()
        for shown in (*results.runs["file"], *results.irregularities["file"]):
            assert shown.isprintable()
            assert shown.count("/") == (1 if level == tree else 0)


def test_a_tree_deeper_than_a_path_may_be_long_is_read_as_far_as_that(tree: Path, foreign_table: MakeTable) -> None:
    folder = os.open(tree, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("x" * 250, dir_fd=folder)
        inner = os.open("x" * 250, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)
    (tree / "run.json").write_text(json.dumps(foreign_table()))
    results = frames.load(tree)
    assert len(results.runs) == 1
    assert list(results.irregularities["kind"]) == ["unreadable"]
    assert results.irregularities["detail"].item() == "File name too long"


CONTENTS = {
    "empty": (b"", "not_json"),
    "zeros": (b"\x00" * 1000, "not_json"),
    "binary": (bytes(range(256)) * 10, "not_json"),
    "half a run": (b'{"testproblem": "quadratic_deep", "test_losses": [1.0, 2', "not_json"),
    "a number": (b"3", "not_a_result"),
    "a list": (b"[1, 2]", "not_a_result"),
    "null": (b"null", "not_a_result"),
    "an object": (b"{}", "not_a_result"),
    "a notebook": (b'{"cells": [], "metadata": {}}', "not_a_result"),
    "deep lists": (b"[" * 100_000 + b"]" * 100_000, "not_json"),
    "deep objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "not_json"),
    "a deep list of losses": (
        b'{"a": 1, "minibatch_train_losses": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "not_a_result",
    ),
    "a digit too many": (b'{"num_epochs": ' + b"1" * 5000 + b"}", "not_json"),
    "another encoding": ('{"testproblem": "quadratic_deep"}'.encode("utf-16"), "not_a_result"),
    "two objects": (b"{}{}", "not_json"),
    "a pickle": (b"cos\nsystem\n(S'touch outside'\ntR.", "not_json"),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_content_that_is_no_run_is_said_to_be_none(tree: Path, name: str) -> None:
    data, kind = CONTENTS[name]
    (tree / "file.json").write_bytes(data)
    assert kinds(tree) == {"file.json": kind}
    assert len(frames.load(tree).runs) == 0


VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1.5, 10**300, 10**4000, -(10**4000), 2**63, -(2**63), float("nan"), float("inf")),
    *("", "x", "1", "\ud800", "x" * 300, [], [1], ["x"], [None], [[]], [True], [10**400], {}, {"a": 1}, {"": {"": []}}),
    *([float("nan")] * 5, [1e308] * 5, [{}] * 5, [1] * 1000, {"learning_rate": None}, {"learning_rate": 10**4000}),
    *({"\x00": "\x1b"}, {"weight_decay_opt": "x"}, {"weight_decay_opt": True}, {"use_nesterov": "yes"}),
    *({"clip": float("inf"), "z": float("nan")}, {"a": [{"b": float("nan")}]}),
    *({"lr_sched_epochs": "x", "lr_sched_factors": 3}, {"lr_sched_epochs": [1], "lr_sched_factors": [10**400]}),
    *({"lr_sched_epochs": [True], "lr_sched_factors": [1]}, {"lr_sched_epochs": [-5], "lr_sched_factors": [1]}),
    *({"lr_sched_epochs": [10**400], "lr_sched_factors": [0.5]}, {"lr_sched_epochs": 1}),
    json.loads('{"a":' * 900 + "1" + "}" * 900),
]
KEYS = [
    *("testproblem", "batch_size", "num_epochs", "random_seed", "weight_decay", "optimizer_name", "optimizer"),
    *("optimizer_hyperparams", "hyperparams", "learning_rate", "training_params", "lr_sched_epochs", "l2_reg"),
    *("train_losses", "valid_losses", "test_losses", "train_accuracies", "test_accuracies", "minibatch_train_losses"),
    *("regbench", "converted_from"),
]


@pytest.mark.parametrize("key", KEYS)
def test_any_value_under_any_key_is_a_run_or_said_to_be_none(
    tree: Path, tmp_path: Path, foreign_table: MakeTable, key: str
) -> None:
    for number, value in enumerate(VALUES):
        (tree / f"{number}.json").write_text(json.dumps(foreign_table(**{key: value})))
    results = frames.load(tree)
    none = results.irregularities[results.irregularities["kind"].isin(["not_a_result", "not_json", "impossible_value"])]
    assert len(results.runs) + len(none) == len(VALUES)
    assert set(results.curves()["run"]) == set(results.runs["run"])
    for setting in results.runs["setting"]:
        json.loads(setting)
    assert len(lint(tree).found) == len(results.irregularities)
    written = convert(tree, tmp_path / "clean").written
    clean = frames.load(tmp_path / "clean")
    assert len(clean.runs) == written
    assert not set(clean.irregularities["kind"]) & {"not_a_result", "not_json", "repeated_seed", "split_setting"}


@pytest.mark.parametrize("key", ["format_version", "digest", "spec", "decay", "outcome", "timings", "diverged_epoch"])
def test_any_value_in_our_own_object_is_a_run_or_said_to_be_none(
    tree: Path, make_stored_result: Callable[..., Any], key: str
) -> None:
    from regbench.store import deepobs

    table = json.loads(deepobs.write_json(make_stored_result()))
    for number, value in enumerate(VALUES):
        changed = table | {"regbench": table["regbench"] | {key: value}}
        (tree / f"{number}.json").write_text(json.dumps(changed))
    results = frames.load(tree)
    assert len(results.runs) + len(results.irregularities) >= len(VALUES)


@pytest.mark.parametrize("levels", [10, 30, 335, 900])
@pytest.mark.parametrize("kind", ["objects", "lists"])
def test_hyperparameters_that_are_nested_deeply_are_no_run(
    tree: Path, tmp_path: Path, foreign_table: MakeTable, levels: int, kind: str
) -> None:
    text = '{"a":' * levels + "1" + "}" * levels if kind == "objects" else "[" * levels + "1" + "]" * levels
    table = json.dumps(foreign_table(optimizer_hyperparams={"x": "HERE"}))
    (tree / "run.json").write_text(table.replace('"HERE"', text))
    is_run = levels == 10
    assert convert(tree, tmp_path / "clean").written == is_run
    if not is_run:
        assert kinds(tree) == {"run.json": "not_a_result"}
        assert detail(tree) == "its hyperparameters must be nested at most 20 deep"


def test_numbers_beyond_all_floats_are_infinite_and_mean_diverged(tree: Path, foreign_table: MakeTable) -> None:
    text = json.dumps(foreign_table(test_losses="HERE"))
    for name, losses in {"a": "[2, 1e999, 1, 1, 1]", "b": f"[2, {'9' * 400}, 1, 1, 1]"}.items():
        (tree / f"{name}.json").write_text(text.replace('"HERE"', losses))
    assert list(frames.load(tree).runs["outcome"]) == ["diverged", "diverged"]


def test_a_file_of_nonsense_that_is_too_large_is_not_read(tree: Path) -> None:
    """The file takes no room on the disk."""
    with (tree / "nonsense.json").open("wb") as file:
        file.truncate(files.LARGEST_FILE + 1)
    assert kinds(tree) == {"nonsense.json": "too_large"}
    assert detail(tree) == f"{files.LARGEST_FILE + 1} bytes; at most {files.LARGEST_FILE} are read"


def test_what_remains_of_a_file_without_its_minibatch_losses_may_not_be_too_large(
    tree: Path, foreign_table: MakeTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "LARGEST_REST", 2000)
    (tree / "a.json").write_text(json.dumps(foreign_table(minibatch_train_losses=[1.0] * 10_000)))
    (tree / "b.json").write_text(json.dumps(foreign_table(anything=[1.0] * 10_000)))
    (tree / "c.json").write_text(json.dumps(foreign_table(minibatch_train_losses=[[1.0]] * 10_000, z="after")))
    assert kinds(tree) == {"b.json": "too_large", "c.json": "too_large"}


def test_links_to_folders_are_not_followed_and_links_to_files_are(
    tree: Path, tmp_path: Path, foreign_table: MakeTable
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "run.json").write_text(json.dumps(foreign_table()))
    (tree / "loop").symlink_to(tree)
    (tree / "up").symlink_to("..")
    (tree / "itself").symlink_to("itself")
    (tree / "itself.json").symlink_to("itself.json")
    (tree / "nowhere.json").symlink_to("nowhere")
    (tree / "elsewhere").symlink_to(elsewhere)
    (tree / "linked.json").symlink_to(elsewhere / "run.json")
    assert list(frames.load(tree).runs["file"]) == ["linked.json"]
    assert kinds(tree) == {
        "elsewhere/": "linked_folder",
        "itself": "stray_file",
        "itself.json": "unreadable",
        "loop/": "linked_folder",
        "nowhere.json": "unreadable",
        "up/": "linked_folder",
    }


def test_a_tree_that_is_itself_a_link_is_followed(tree: Path, tmp_path: Path, write_foreign: Write) -> None:
    write_foreign()
    (tmp_path / "link").symlink_to(tree)
    assert len(frames.load(tmp_path / "link").runs) == 1


def test_what_is_no_regular_file_is_never_opened(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tree / "fifo.json")
    (tree / "device.json").symlink_to("/dev/zero")
    (tree / "terminal.json").symlink_to("/dev/tty")
    (tree / "folder.json").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(tree)
        listening.bind("socket.json")
        monkeypatch.setattr(os, "open", None)
        assert kinds(tree) == dict.fromkeys(["device.json", "fifo.json", "socket.json", "terminal.json"], "stray_file")


def test_a_fifo_that_takes_a_file_s_place_does_not_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.json")
    with pytest.raises(content.NoRunError, match="no regular file"):
        content.read_bytes(tmp_path / "fifo.json")


def test_hidden_files_and_folders_are_not_read(tree: Path, foreign_table: MakeTable) -> None:
    (tree / ".git").mkdir()
    for name in (".git/run.json", ".DS_Store", "._run.json", "notes.txt", "run.json.gz", "RUN.JSON"):
        (tree / name).write_text(json.dumps(foreign_table()))
    assert kinds(tree) == dict.fromkeys(
        [".DS_Store", "._run.json", ".git", "RUN.JSON", "notes.txt", "run.json.gz"], "stray_file"
    )


def test_files_and_folders_that_permissions_close_are_said_to_be_unreadable(
    unprivileged_folder: Path, foreign_table: MakeTable
) -> None:
    (unprivileged_folder / "run.json").write_text(json.dumps(foreign_table()))
    (unprivileged_folder / "closed.json").write_text(json.dumps(foreign_table()))
    (unprivileged_folder / "closed.json").chmod(0)
    (unprivileged_folder / "closed").mkdir()
    (unprivileged_folder / "closed").chmod(0)
    assert kinds(unprivileged_folder) == {"closed.json": "unreadable", "closed/": "unreadable"}
    assert len(frames.load(unprivileged_folder).runs) == 1


def test_a_file_that_fails_while_it_is_read_is_unreadable_and_read_again_the_next_time(
    write_foreign: Write, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_foreign()
    os.utime(path, ns=(10**18, 10**18))

    def fail(path: Any, flags: int) -> int:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", fail)
        assert list(kinds(tree).values()) == ["unreadable"]
    assert len(frames.load(tree).runs) == 1


def test_a_file_that_vanishes_in_between_is_unreadable(
    write_foreign: Write, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from regbench.trees import tree as reader

    path = write_foreign()
    found = reader.scan(tree)
    path.unlink()
    monkeypatch.setattr(reader, "scan", lambda path: found)
    assert list(kinds(tree).values()) == ["unreadable"]


def test_reading_leaves_permissions_and_times_alone(write_foreign: Write, tree: Path) -> None:
    path = write_foreign()
    path.chmod(0o444)
    before = path.stat()
    frames.load(tree)
    after = path.stat()
    assert stat.S_IMODE(after.st_mode) == 0o444
    assert before.st_mtime_ns == after.st_mtime_ns


@pytest.mark.parametrize("key", ["chance", "name", "model"])
def test_number_that_is_none_in_a_problem_makes_no_run(
    tree: Path, make_stored_result: Callable[..., Any], key: str
) -> None:
    from regbench.store import deepobs

    table = json.loads(deepobs.write_json(make_stored_result()))
    table["regbench"]["spec"]["problem"][key] = float("nan")
    del table["regbench"]["checksum"]  # which would tell that it was altered
    (tree / "run.json").write_text(json.dumps(table))
    assert kinds(tree) == {"run.json": "not_a_result"}
