"""The command `export`: what it prints and where, exit codes, and what it loads."""

import subprocess
import sys

import pytest

from regbench.cli import main
from regbench.store.folder import Folder
from regbench.tuning import draws


@pytest.fixture
def workspace(tmp_path, monkeypatch, make_task, make_result):
    """A working directory with a tree: three trials, and the winner again."""
    task = make_task("digits_mlp", "sgd")
    settings = draws.points(task.candidate, 42, 3)
    for number, (setting, seed) in enumerate([*((setting, 42) for setting in settings), (settings[2], 43)]):
        run = make_result(task.spec(setting, seed), train_losses=1.0, valid_accuracies=number / 4, test_accuracies=0.5)
        Folder(tmp_path / "tree").write(run)
    monkeypatch.chdir(tmp_path)
    for name in ("FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_command_says_what_it_wrote(workspace, capsys):
    assert main(["export", "tree", "--optuna", "s.journal", "--tensorboard", "tb", "--parquet", "r.parquet"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].split() == ["study", "trials", "diverged", "unfinished", "seeds", "of", "the", "winner"]
    assert lines[1].split() == ["digits_mlp/sgd", "3", "0", "0", "2"]
    assert lines[2].startswith("1 run is no trial: further seeds of a winner")
    assert lines[3:] == ["written: s.journal", "written: tb", "written: r.parquet", "written: r.curves.parquet"]
    assert err == ""
    assert all((workspace / line.removeprefix("written: ")).exists() for line in lines[3:])


def test_problems_and_candidates_can_be_chosen(workspace, capsys):
    options = ["--problem", "digits_mlp", "--candidate", "sgd"]
    assert main(["export", "tree", *options, "--parquet", "r.parquet"]) == 0
    assert "study" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["tree"], "--optuna, --tensorboard or --parquet must be given"),
        ([], "Missing argument 'DIR'"),
        (["nowhere", "--optuna", "new"], "nowhere: it cannot be read as results"),
        (["tree", "--optuna", "tree"], "must not lie in the results tree"),
        (["tree", "--problem", "digits", "--optuna", "new"], "no problem `digits`. Did you mean `digits_mlp`"),
        (["tree", "--candidate", "sdg", "--optuna", "new"], "no candidate `sdg`. Did you mean `sgd`"),
        (["tree", "--optuna", "/proc/new"], "/proc/new: it cannot be written here"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, fragment, workspace, capsys):
    assert main(["export", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("regbench: error: ")
    assert len(err.splitlines()) == 1
    assert fragment in err


def test_second_export_to_the_same_file_is_refused(workspace, capsys):
    assert main(["export", "tree", "--optuna", "s.journal"]) == 0
    before = (workspace / "s.journal").read_bytes()
    assert main(["export", "tree", "--optuna", "s.journal"]) == 2
    assert "s.journal: it exists already, and nothing is overwritten" in capsys.readouterr().err
    assert (workspace / "s.journal").read_bytes() == before


def test_export_loads_neither_tensorflow_nor_what_it_does_not_write(workspace):
    code = """
import sys
from regbench.cli import main
code = main(["export", "tree", "--optuna", "s.journal"])
print(code, sorted({"tensorflow", "keras", "tensorboardX", "matplotlib"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"
