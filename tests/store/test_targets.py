"""New files and folders appear whole or not at all."""

import pytest

from regbench.errors import ResultsError
from regbench.store import targets


@pytest.mark.parametrize("new", [targets.new_file, targets.new_folder])
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
    with pytest.raises(ResultsError, match="new: it cannot be written here"), targets.new_file(tmp_path / "new"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("new", [targets.new_file, targets.new_folder])
def test_what_appears_meanwhile_is_not_overwritten(new, tmp_path):
    def write():
        with new(tmp_path / "new") as path:
            (path / "file" if path.is_dir() else path).write_text("ours")
            (tmp_path / "new").write_text("theirs")

    with pytest.raises(ResultsError, match="new: it cannot be written here"):
        write()
    assert (tmp_path / "new").read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
