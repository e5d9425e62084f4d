"""New files and folders appear whole or not at all."""

import os
from contextlib import contextmanager

import pytest

from regbench.errors import ResultsError
from regbench.store import targets


@contextmanager
def new_file(path):
    with targets.new_files(path) as (file,):
        yield file


@pytest.mark.parametrize("new", [new_file, targets.new_folder])
def test_what_fails_while_it_is_written_leaves_nothing(new, tmp_path):
    def write(error):
        with new(tmp_path / "new") as path:
            (path / "file" if path.is_dir() else path).write_text("half")
            raise error

    with pytest.raises(ResultsError, match="new: it cannot be written here: No space left"):
        write(OSError(28, "No space left on device"))
    with pytest.raises(KeyboardInterrupt):
        write(KeyboardInterrupt)
    assert list(tmp_path.iterdir()) == []


def test_file_that_was_not_written_leaves_no_empty_one(tmp_path):
    with pytest.raises(ResultsError, match="new: it cannot be written here"), new_file(tmp_path / "new"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("new", [new_file, targets.new_folder])
def test_what_appears_meanwhile_is_not_overwritten(new, tmp_path):
    def write():
        with new(tmp_path / "new") as path:
            (path / "file" if path.is_dir() else path).write_text("ours")
            (tmp_path / "new").write_text("theirs")

    with pytest.raises(ResultsError, match="new: it cannot be written here"):
        write()
    assert (tmp_path / "new").read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


@pytest.mark.parametrize("new", [new_file, targets.new_folder])
def test_what_has_its_name_and_cannot_be_synced_is_taken_back(new, tmp_path, monkeypatch):
    def fail(folder):
        if (folder / "new").exists():
            raise OSError(5, os.strerror(5))

    monkeypatch.setattr(targets, "sync_folder", fail)
    with (
        pytest.raises(ResultsError, match="new: it cannot be written here: Input/output"),
        new(tmp_path / "new") as path,
    ):
        (path / "file" if path.is_dir() else path).write_text("whole")
    assert list(tmp_path.iterdir()) == []


def test_of_several_files_all_appear_or_none(tmp_path):
    (tmp_path / "second").write_text("theirs")
    paths = [tmp_path / name for name in ("first", "second")]

    def write():
        with targets.new_files(*paths) as files:
            for file in files:
                file.write_text("ours")

    with pytest.raises(ResultsError, match="second: it cannot be written here: File exists"):
        write()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("second", "theirs")]
