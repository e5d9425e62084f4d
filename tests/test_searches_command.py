"""The command `searches`: what it prints and where, exit codes, and what it loads."""

import csv
import io
import json
import subprocess
import sys

import pytest

from regbench import benchmark
from regbench.cli import main
from regbench.store import manifests


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A working directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def tree(workspace, use_machine, by_score):
    """Two searches, of which one lacks a trial and a re-run, and a run by hand; the largest learning rate is best."""
    use_machine(by_score(lambda spec: spec.setting["optimizer.learning_rate"]))
    benchmark.search("digits_mlp", ["sgd", "momentum"], budget=3, reruns=2, epochs=1)
    benchmark.run("digits_mlp", "sgd", setting={"optimizer.learning_rate": 0.7}, epochs=1)
    scores = {}
    for path in (workspace / "results/digits_mlp/momentum").rglob("random_seed__42__*.json"):
        scores[path] = json.loads(path.read_text())["valid_accuracies"][-1]
    min(scores, key=scores.get).unlink()
    next((workspace / "results/digits_mlp/momentum").rglob("random_seed__43__*.json")).unlink()
    return workspace / "results"


@pytest.fixture
def command(capsys):
    """Runs `regbench searches`; gives exit code, stdout and stderr."""

    def run(*arguments):
        code = main(["searches", *arguments])
        return code, *capsys.readouterr()

    return run


def test_table_tells_how_far_each_search_is_and_who_won(tree, command):
    code, output, errors = command()
    assert (code, errors) == (0, "")
    heading, momentum, sgd, empty, note = output.splitlines()
    columns = "problem candidate sampler budget seed epochs protocol trials re-runs state winner score digest"
    assert heading.split() == columns.split()
    assert " ".join(momentum.split()[:11]) == "digits_mlp momentum random 3 42 1 deepobs 2/3 1/2 in progress"
    assert " ".join(sgd.split()[:11]) == "digits_mlp sgd random 3 42 1 deepobs 3/3 2/2 complete learning_rate"
    rate, score, digest = sgd.split()[11:]
    assert rate == score
    assert len(digest) == 8
    assert (empty, note) == ("", "Runs of no search: 1, 1 of them by hand.")


def test_json_and_csv_hold_the_same_with_all_digits(tree, command):
    table = json.loads(command("--results", str(tree), "--format", "json")[1])
    assert (table["runs_of_no_search"], table["by_hand"]) == (1, 1)
    momentum, sgd = table["searches"]
    assert (momentum["trials_there"], momentum["trials"], momentum["complete"]) == (2, 3, False)
    assert (sgd["reruns_there"], sgd["reruns"], sgd["complete"]) == (2, 2, True)
    assert (sgd["metric"], sgd["score"]) == ("accuracy", sgd["winner"]["optimizer.learning_rate"])
    assert {path.name[-15:-7] for path in manifests.find(tree)} == {momentum["digest"][:8], sgd["digest"][:8]}
    rows = list(csv.DictReader(io.StringIO(command("--format", "csv")[1])))
    assert [row["digest"] for row in rows] == [momentum["digest"], sgd["digest"]]
    assert json.loads(rows[1]["winner"]) == sgd["winner"]
    assert float(rows[1]["score"]) == sgd["score"]
    assert list(rows[0]) == list(sgd)


def test_winner_whose_run_is_gone_is_told_as_such(tree, command):
    for path in tree.rglob("random_seed__42__*.json"):
        path.unlink()
    lines = command()[1].splitlines()[1:3]
    assert all("  0/3 " in line and ", which is not there  " in line for line in lines)


def test_damaged_manifest_is_a_warning_and_the_others_are_shown(tree, command):
    damaged, _ = manifests.find(tree)
    damaged.write_text('{"format_version": 7}')
    code, output, errors = command()
    assert code == 0
    assert errors.startswith("regbench: warning: results/digits_mlp/momentum/random__3__seed__42__")
    assert "no record of a search: `format_version`" in errors
    assert errors.count("\n") == 1
    assert [line.split()[1] for line in output.splitlines()[1:-2]] == ["sgd"]
    assert output.splitlines()[-1] == "Runs of no search: 4, 1 of them by hand."


def test_tree_without_a_manifest_says_so_in_one_line(tree, command):
    for path in list(manifests.find(tree)):
        path.unlink()
    none = "results: no search is on record here. Runs of no search: 9, 1 of them by hand.\n"
    assert command() == (0, none, "")
    assert json.loads(command("--format", "json")[1])["searches"] == []
    assert command("--format", "csv")[1].count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "results: it cannot be read as results: No such file or directory"),
        (["--results", "file"], "file: it cannot be read as results: Not a directory"),
        (["--format", "latex"], "There is no format `latex`"),
        (["digits_mlp"], "unexpected extra argument"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, message, workspace, command):
    (workspace / "file").touch()
    code, output, errors = command(*arguments)
    assert (code, output, errors.count("\n")) == (2, "", 1)
    assert message in errors


def test_command_loads_nothing_heavy(tree):
    program = """
import sys
from regbench.cli import main
code = main(["searches"])
heavy = {"tensorflow", "keras", "optuna", "pandas", "matplotlib", "numpy", "dask", "sklearn"}
print(code, sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"
