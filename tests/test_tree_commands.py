"""The commands `lint` and `convert`: what they print and where, exit codes, and what they load."""

import json
import subprocess
import sys

import pytest

from regbench.cli import main

TABLE = {
    "testproblem": "fmnist_2c2d",
    "batch_size": 128,
    "num_epochs": 1,
    "random_seed": 42,
    "weight_decay": None,
    "optimizer_name": "AdamOptimizer",
    "optimizer_hyperparams": {"learning_rate": 0.1},
    "training_params": {},
    "train_losses": [2.0, 1.0],
    "valid_losses": [2.0, 1.0],
    "test_losses": [2.0, 1.0],
    "train_accuracies": [0.1, 0.5],
    "valid_accuracies": [0.1, 0.5],
    "test_accuracies": [0.1, 0.5],
    "minibatch_train_losses": [2.0, 1.5],
}
NAME = "random_seed__42__2020-01-01-00-00-00.json"


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def tree(tmp_path):
    for name, content in {"a": TABLE, "b": TABLE | {"random_seed": 43, "train_losses": [2.0]}, "c": {}}.items():
        (tmp_path / "tree" / name).mkdir(parents=True)
        (tmp_path / "tree" / name / NAME).write_text(json.dumps(content))
    (tmp_path / "tree" / "\x1b[31m<b>").touch()
    return tmp_path / "tree"


def test_lint_names_files_and_counts_kinds(tree, capsys):
    assert main(["lint", str(tree)]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[:7] == [
        r"\x1b[31m<b>: stray_file",
        f"a/{NAME}: split_setting: in 2 folders",
        f"b/{NAME}: cut_short: 1 of 2 evaluations",
        f"b/{NAME}: split_setting: in 2 folders",
        f"b/{NAME}: uneven_curves: 1, 2 evaluations where 2 were promised",
        f"c/{NAME}: not_a_result: `testproblem` must be a name. Received: no such key",
        "",
    ]
    counts = [line.split()[:2] for line in out.splitlines()[8:-2]]
    assert counts == [
        ["1", "stray_file"],
        ["1", "not_a_result"],
        ["2", "split_setting"],
        ["1", "cut_short"],
        ["1", "uneven_curves"],
    ]
    assert out.splitlines()[-1] == "files: 4; runs: 2, of which 0 are superseded"
    assert err == ""


def test_lint_prints_json_and_nothing_else(tree, capsys):
    assert main(["lint", str(tree), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["files"], found["runs"], found["superseded"]) == (4, 2, 0)
    assert found["counts"] == {
        "stray_file": 1,
        "not_a_result": 1,
        "split_setting": 2,
        "cut_short": 1,
        "uneven_curves": 1,
    }
    assert {"file": r"\x1b[31m<b>", "kind": "stray_file", "detail": ""} in found["irregularities"]


def test_lint_of_a_clean_tree_says_so(tree, capsys):
    assert main(["lint", str(tree / "a")]) == 0
    assert capsys.readouterr().out == "files: 1; runs: 1, of which 0 are superseded\n"


def test_convert_says_what_it_wrote_and_left_out(tree, tmp_path, capsys):
    assert main(["convert", str(tree), str(tmp_path / "clean")]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0][:3] == ["1", "runs", "written"]
    assert sorted(line for line in lines[2:] if line) == [
        ["1", "cut_short"],
        ["1", "not_a_result"],
        ["1", "stray_file"],
    ]
    assert main(["lint", str(tmp_path / "clean")]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lint", "nowhere"], "nowhere: it cannot be read as results: No such file or directory"),
        (["lint"], "Missing argument 'DIR'"),
        (["lint", "a", "b"], "Got unexpected extra argument"),
        (["convert", "nowhere", "clean"], "nowhere: it cannot be read as results: No such file or directory"),
        (["convert", "tree", "tree/clean"], "the new tree must not lie in the old one"),
        (["convert", "tree", "tree/a"], "the new tree must not lie in the old one"),
        (["convert", "tree", "full"], "the new tree must be a folder that does not exist or is empty"),
        (["convert", "tree"], "Missing argument 'DST'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tree, tmp_path, monkeypatch, capsys, arguments, message):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("regbench: error: ")
    assert message in err
    assert len(err.splitlines()) == 1


def test_lint_and_convert_load_nothing_heavy(tree, tmp_path):
    code = f"""
import sys
from regbench.cli import main
main(["lint", {str(tree)!r}, "--format", "json"])
main(["convert", {str(tree)!r}, {str(tmp_path / "clean")!r}])
print(sorted({{"tensorflow", "keras", "optuna", "pandas", "matplotlib", "numpy"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
