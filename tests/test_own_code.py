"""The working directory: own modules in it are found, and nothing else in it is run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from regbench.catalog import own_code
from regbench.errors import DefinitionError
from regbench.records import Part
from regbench.store.folder import Folder

HIJACKERS = ("colorama", "pyarrow", "brotli", "brotlicffi", "snappy", "pydot", "ipywidgets", "lz4")
OWN = """
import keras

def make(learning_rate):
    return keras.optimizers.SGD(learning_rate)
"""
CANDIDATE = 'summary = "s"\nsource = "s"\n[optimizer]\nname = "planted_own:make"\nlearning_rate = 0.1\n'


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """A working directory with modules that say that they were run, and one that is asked for."""
    monkeypatch.chdir(tmp_path)
    for name in HIJACKERS:
        Path(f"{name}.py").write_text(f"open('run_{name}', 'w').close()\nraise ImportError('planted')\n")
    Path("planted_own.py").write_text(OWN)
    Path("search_spaces").mkdir()
    Path("search_spaces/mine.toml").write_text(CANDIDATE)
    return tmp_path


def regbench(as_module, *arguments):
    script = "import sys; from regbench.__main__ import main; sys.exit(main())"
    start = ["-m", "regbench"] if as_module else ["-P", "-c", script]
    return subprocess.run(
        [sys.executable, *start, *arguments], env=dict(os.environ), capture_output=True, text=True, check=False
    )


SEARCH = ["search", "digits_mlp", "mine", "--budget", "1", "--reruns", "0", "--epochs", "1"]


@pytest.mark.parametrize(
    ("as_module", "arguments"),
    [
        (True, ["compare", "quadratic_deep", "--format", "csv"]),
        (True, ["export", "results", "--tensorboard", "board", "--parquet", "runs.parquet"]),
        (True, SEARCH),
        (False, SEARCH),  # a console script starts without the working directory on its path
    ],
    ids=["compare", "export", "search", "search of the console script"],
)
def test_modules_in_the_working_directory_that_nobody_named_are_not_run(
    arguments, as_module, planted, make_task, make_result
):
    spec = make_task("digits_mlp", "sgd").spec({"optimizer.learning_rate": 0.1}, 42)
    Folder("results").write(make_result(spec, valid_accuracies=0.5, test_accuracies=0.5, test_losses=1.0))
    done = regbench(as_module, *arguments)
    assert done.returncode == 0, done.stderr
    assert not list(Path().glob("run_*"))


def test_own_module_is_found_by_processes_of_a_search(planted):
    command = "search digits_mlp mine --budget 1 --reruns 0 --epochs 1 --workers 1"
    done = regbench(False, *command.split())
    assert done.returncode == 0, done.stderr
    assert not list(Path().glob("run_*"))


def test_working_directory_is_on_the_path_only_inside_the_block_and_last(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    with own_code.findable():
        assert sys.path == [*before, str(tmp_path)]
        with own_code.findable():
            pass
        assert sys.path == [*before, str(tmp_path)]
    assert sys.path == before


def test_own_names_of_parts_and_those_in_them():
    inner = Part(name="a:b", arguments={"x": 1})
    assert own_code.names_in(Part(name="sgd", arguments={"inner": inner}), None, Part(name="c:d")) == {"a:b", "c:d"}


def test_own_module_that_raises_is_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("planted_raises.py").write_text("raise RuntimeError('first\\nsecond')")
    with pytest.raises(DefinitionError, match=r"^planted_raises:x cannot be imported: first second$"):
        own_code.load({"planted_raises:x"})
