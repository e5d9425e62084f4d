"""What `export` refuses, and that it leaves nothing half-written."""

from pathlib import Path

import pytest

import regbench.exporting
from regbench.errors import DefinitionError, ResultsError, UnknownNameError
from regbench.exporting import export


@pytest.fixture
def workspace(search, tmp_path, monkeypatch):
    search()
    monkeypatch.chdir(tmp_path)
    Path("full").mkdir()
    Path("full/file").touch()
    Path("empty").mkdir()
    return tmp_path


def contents(folder):
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("tree", "options", "error", "message"),
    [
        ("tree", {}, DefinitionError, "Nothing would be written: --optuna, --tensorboard or --parquet must be given."),
        ("nowhere", {"optuna": "new"}, ResultsError, "nowhere: it cannot be read as results: No such file"),
        ("empty", {"optuna": "new"}, ResultsError, "empty: there are no runs to export"),
        ("full", {"parquet": "new"}, ResultsError, "full: there are no runs to export"),
        ("tree", {"optuna": "new", "problems": ["digit_mlp"]}, UnknownNameError, "Did you mean `digits_mlp`"),
        ("tree", {"optuna": "new", "candidates": ["sdg"]}, UnknownNameError, "Did you mean `sgd`"),
        ("tree", {"optuna": "full/file"}, ResultsError, "full/file: it exists already, and nothing is overwritten"),
        ("tree", {"optuna": "empty"}, ResultsError, "empty: it exists already, and nothing is overwritten"),
        ("tree", {"parquet": "full/file"}, ResultsError, "full/file: it exists already"),
        ("tree", {"tensorboard": "full"}, ResultsError, "full: it exists already"),
        ("tree", {"tensorboard": "full/file"}, ResultsError, "full/file: it exists already"),
        ("tree", {"optuna": "full/file/new"}, ResultsError, "full/file/new: it cannot be written here: "),
        ("tree", {"optuna": "/proc/new"}, ResultsError, "/proc/new: it cannot be written here: "),
        ("tree", {"tensorboard": "/proc/new/er"}, ResultsError, "/proc/new/er: it cannot be written here: "),
        ("tree", {"optuna": "x" * 300}, ResultsError, "it cannot be written here: File name too long"),
        ("tree", {"optuna": "tree/new"}, ResultsError, "tree/new: it must not lie in the results tree"),
        ("tree", {"tensorboard": "tree"}, ResultsError, "tree: it must not lie in the results tree"),
        ("tree", {"optuna": "new", "parquet": "./new"}, ResultsError, "new: it is to be written twice"),
        ("tree", {"optuna": "new", "tensorboard": "new"}, ResultsError, "new: it is to be written twice"),
        ("tree", {"optuna": "a/new", "tensorboard": "a"}, ResultsError, "a/new: it must not lie in a, which is to be"),
        ("tree", {"parquet": "."}, ResultsError, ".: it exists already"),
        ("tree", {"optuna": "new", "parquet": "full/file"}, ResultsError, "full/file: it exists already"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(tree, options, error, message, workspace):
    before = contents(workspace)
    with pytest.raises(error) as refusal:
        export(tree, **options)
    assert message in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1
    assert contents(workspace) == before


def test_curves_that_exist_are_not_overwritten(workspace):
    Path("new.curves.parquet").write_text("mine")
    with pytest.raises(ResultsError, match=r"new\.curves\.parquet: it exists already"):
        export("tree", parquet="new.parquet")
    assert Path("new.curves.parquet").read_text() == "mine"
    assert not Path("new.parquet").exists()


def test_missing_package_is_named_with_its_extra(workspace, monkeypatch):
    monkeypatch.setattr(regbench.exporting, "find_spec", lambda name: None)
    must = r"^--tensorboard needs the package tensorboardX.*regbench\[tensorboard\]'$"
    with pytest.raises(DefinitionError, match=must):
        export("tree", tensorboard="new")
    assert not Path("new").exists()
    export("tree", optuna="new")  # needs nothing beside regbench


def test_everything_can_be_written_at_once_and_folders_are_made(workspace):
    exported = export("tree", optuna="a/b/studies", tensorboard="empty", parquet="c/runs.pq")
    assert exported.paths == [Path("a/b/studies"), Path("empty"), Path("c/runs.pq"), Path("c/runs.curves.parquet")]
    assert all(path.exists() for path in exported.paths)
    assert exported.runs == 14
    assert not list(workspace.rglob(".*"))  # no temporary file is left
