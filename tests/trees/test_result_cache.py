"""The cache of what was read: right after every change, and never in the way."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from regbench.trees import cache, frames, tree

Write = Callable[..., Path]
LONG_AGO_NS = 10**18


@pytest.fixture
def old_file(write_foreign: Write) -> Path:
    """A run that has not changed for years."""
    path = write_foreign()
    os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))
    return path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are opened."""
    opened: list[str] = []
    real = tree.read_bytes

    def read(path: str) -> bytes:
        opened.append(path)
        return real(path)

    monkeypatch.setattr(tree, "read_bytes", read)
    return opened


def rate(folder: Path) -> str:
    return frames.load(folder).runs["setting"].item()


def rewrite(path: Path, old: str, new: str, moment: int) -> None:
    path.write_text(path.read_text().replace(old, new))
    os.utime(path, ns=(moment, moment))


def test_a_file_is_read_once(old_file: Path, tree: Path, reads: list[str]) -> None:
    first = frames.load(tree).runs
    second = frames.load(tree).runs
    assert reads == [str(old_file)]
    assert first.equals(second)


def test_what_is_no_run_is_read_once_too(tree: Path, reads: list[str]) -> None:
    path = tree / "nonsense.json"
    path.write_text("nonsense")
    os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))
    assert [list(frames.load(tree).irregularities["kind"]) for _ in range(2)] == [["not_json"], ["not_json"]]
    assert len(reads) == 1


def test_a_file_of_another_size_is_read_again(old_file: Path, tree: Path) -> None:
    before = rate(tree)
    rewrite(old_file, '"learning_rate": 0.1', '"learning_rate": 0.125', LONG_AGO_NS)
    assert rate(tree) != before


def test_a_file_of_another_time_is_read_again(old_file: Path, tree: Path) -> None:
    before = rate(tree)
    rewrite(old_file, '"learning_rate": 0.1', '"learning_rate": 0.2', LONG_AGO_NS + 1)
    assert rate(tree) != before


def test_a_file_that_changed_just_now_is_not_kept(write_foreign: Write, tree: Path, reads: list[str]) -> None:
    """It may change again with the same size within one tick of the clock of its file system."""
    write_foreign()
    frames.load(tree)
    frames.load(tree)
    assert len(reads) == 2


def test_a_file_that_is_gone_is_forgotten(old_file: Path, tree: Path) -> None:
    frames.load(tree)
    old_file.unlink()
    assert len(frames.load(tree).runs) == 0
    database = sqlite3.connect(cache.cache_file())
    assert database.execute("SELECT count(*) FROM files").fetchone() == (0,)
    database.close()


def test_another_tree_whose_name_begins_alike_is_not_forgotten(tmp_path: Path, write_foreign: Write) -> None:
    for name in ("a", "a2", "a.b"):
        os.utime(write_foreign(folder=name), ns=(LONG_AGO_NS, LONG_AGO_NS))
        frames.load(tmp_path / "tree" / name)
    database = sqlite3.connect(cache.cache_file())
    assert database.execute("SELECT count(*) FROM files").fetchone() == (3,)
    database.close()


def test_what_is_known_of_a_problem_by_now_counts(
    old_file: Path, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite(old_file, '"fmnist_2c2d"', '"mine"', LONG_AGO_NS)
    monkeypatch.chdir(tmp_path)
    assert frames.load(tree).runs["coupling"].item() == "unknown"
    problems = tmp_path / "testproblems"
    problems.mkdir()
    (problems / "mine.toml").write_text(
        'summary = "s"\nsource = "s"\ndataset = "fmnist"\nmodel = "conv_2c2d"\n'
        'loss = "sparse_categorical_crossentropy"\nmetric = "loss"\ngoal = "minimize"\nchance = 2.3\n'
        "batch_size = 128\nepochs = 4\nl2 = 0.25\nconvergence = 0.65\n"
    )
    run = frames.load(tree).runs.iloc[0]
    assert (run["coupling"], run["decay"], run["metric"], run["epochs_to_convergence"]) == ("l2", 0.25, "loss", 3)


def test_the_cache_lies_in_the_user_s_folder_and_can_be_left_out(
    old_file: Path, tree: Path, own_cache: Path, reads: list[str]
) -> None:
    frames.load(tree, cache=False)
    assert not cache.cache_file().exists()
    frames.load(tree)
    assert cache.cache_file() == own_cache / "regbench" / "results.sqlite"
    assert cache.cache_file().exists()
    frames.load(tree, cache=False)
    assert len(reads) == 3


def _nonsense(path: Path) -> None:
    path.write_bytes(b"nonsense" * 1000)


def _torn(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + b"\xff" * 100)


def _other_columns(path: Path) -> None:
    path.unlink()
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE files (a TEXT)")
    database.commit()
    database.close()


def _changed_content(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("UPDATE files SET content = replace(content, 'momentum', 'adam')")
    database.commit()
    database.close()


def _blob(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("UPDATE files SET content = x'ff00'")
    database.commit()
    database.close()


@pytest.mark.parametrize("damage", [_nonsense, _torn, _other_columns, _changed_content, _blob, Path.unlink])
def test_a_damaged_cache_is_no_error_and_works_again(
    old_file: Path, tree: Path, reads: list[str], damage: Callable[[Path], None]
) -> None:
    expected = frames.load(tree).runs
    damage(cache.cache_file())
    for _ in range(4):
        assert frames.load(tree).runs.equals(expected)
    assert 2 <= len(reads) <= 4, "after at most two further readings the cache holds again"


def test_a_cache_that_cannot_be_written_is_no_error(
    old_file: Path, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    not_a_folder = tmp_path / "file"
    not_a_folder.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(not_a_folder))
    assert len(frames.load(tree).runs) == 1


def test_a_locked_cache_is_no_error_and_is_not_thrown_away(
    old_file: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames.load(tree)
    monkeypatch.setattr(cache, "_PATIENCE_SECONDS", 0.01)
    other = sqlite3.connect(cache.cache_file())
    other.execute("BEGIN EXCLUSIVE")
    assert len(frames.load(tree).runs) == 1
    other.rollback()
    assert other.execute("SELECT count(*) FROM files").fetchone() == (1,)
    other.close()


def test_a_cache_that_grew_too_large_is_begun_anew(old_file: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames.load(tree)
    monkeypatch.setattr(cache, "_LARGEST", 10)
    assert len(frames.load(tree).runs) == 1
