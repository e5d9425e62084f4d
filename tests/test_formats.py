"""What is printed as CSV, as JSON and as a table."""

import csv
import io
import json
import shlex

import pytest

from regbench.cli import main, terminal


@pytest.fixture
def regbench(tmp_path, monkeypatch, capfd):
    """Runs a command in an empty working directory; gives exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    for name in ("REGBENCH_DATA", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(command):
        capfd.readouterr()
        code = main(shlex.split(command))
        return code, *capfd.readouterr()

    return run


@pytest.fixture
def rows(regbench):
    """What a command that succeeds prints as CSV."""

    def read(command):
        code, output, _ = regbench(f"{command} --format csv")
        assert code == 0
        return list(csv.DictReader(io.StringIO(output)))

    return read


def test_csv_has_lists_and_objects_as_json_and_quotes_what_must_be(capsys):
    row = {"text": 'a,"b"\nc', "none": None, "list": [1, 2.5], "object": {"a": None}, "number": 1e-300, "yes": True}
    terminal.show_csv(list(row), [row, row])
    output = capsys.readouterr().out
    assert output.endswith("\n")
    first, second = csv.DictReader(io.StringIO(output))
    assert first == second
    assert first == {
        "text": 'a,"b"\nc',
        "none": "",
        "list": "[1, 2.5]",
        "object": '{"a": null}',
        "number": "1e-300",
        "yes": "True",
    }


def test_list_as_csv_has_the_kind_of_each_name(regbench, rows):
    whole = json.loads(regbench("list --format json")[1])
    listed = rows("list")
    assert list(listed[0]) == ["kind", "name", "summary"]
    assert len(listed) == sum(map(len, whole.values()))
    assert {"kind": "budget", "name": "medium", "summary": "50 trials"} in listed
    assert {row["kind"] for row in rows("list candidates")} == {"candidate"}


def test_data_sets_as_csv_are_those_of_json(regbench, rows):
    (plain,) = json.loads(regbench("data status mnist --format json")[1])
    (row,) = rows("data status mnist")
    assert list(row) == list(plain)
    assert json.loads(row["details"]) == plain["details"]


def test_plan_is_a_table_unless_told_otherwise(regbench, rows):
    arguments = "plan digits_mlp sgd,adam --budget 2 --reruns 0"
    code, output, errors = regbench(arguments)
    heading, *lines = output.splitlines()
    assert code == 0
    assert heading.split() == ["candidate", "phase", "number", "setting", "seed", "there", "seconds"]
    assert [line.split()[:4] for line in lines] == [
        [candidate, "trials", number, "learning_rate"] for candidate in ("sgd", "adam") for number in ("0", "1")
    ]
    assert all(" no " in line for line in lines)
    assert errors.splitlines()[-1].startswith("regbench: to do: 4 runs")

    table = json.loads(regbench(f"{arguments} --format json")[1])
    plain = [run for search in table["searches"] for run in search["runs"]]
    planned = rows(arguments)
    assert list(planned[0]) == list(plain[0])
    assert [row["digest"] for row in planned] == [run["digest"] for run in plain]
    assert [json.loads(row["setting"]) for row in planned] == [run["setting"] for run in plain]


def test_lint_as_csv_has_a_line_for_each_irregularity_and_a_heading_without_any(regbench, rows, tmp_path):
    (tmp_path / "tree").mkdir()
    assert regbench("lint tree --format csv")[1] == "file,kind,detail\n"
    (tmp_path / "tree" / "a,b").touch()
    assert rows("lint tree") == [{"file": "a,b", "kind": "stray_file", "detail": ""}]
