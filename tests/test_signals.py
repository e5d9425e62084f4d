"""Ctrl-C and SIGTERM, from the first moment of a command to its last."""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from regbench.cli import main
from regbench.execution import Interruptions
from regbench.store.folder import Folder

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
BEGINS = "import sys; from regbench.__main__ import main; sys.exit(main())"
"""As the console script does."""


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("number", EXIT_CODES, ids=lambda number: number.name)
@pytest.mark.parametrize("seconds", [0.05, 0.3, 1.0])
@pytest.mark.parametrize(
    "command",
    [
        "search digits_mlp sgd --epochs 500",
        "compare --report page.html",
        "convert results out",
    ],
    ids=lambda command: command.split()[0],
)
def test_signal_at_the_beginning_ends_with_its_code_and_one_line(
    command, seconds, number, workspace, make_task, make_result
):
    for seed in (42, 43):
        spec = make_task("quadratic_deep", "sgd").spec({"optimizer.learning_rate": 0.1}, seed)
        Folder("results").write(make_result(spec, train_losses=1.0, valid_losses=1.0, test_losses=1.0))
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", BEGINS, *shlex.split(command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ),
        text=True,
    )
    while not answers_signals(process):
        time.sleep(0.001)
    time.sleep(seconds)
    process.send_signal(number)
    output, errors = process.communicate()
    if process.returncode == 0:  # it was done before
        assert (command.split()[0], output, errors) == ("convert", "2 runs written to out.\n", "")
        assert len(list(Folder("out").runs())) == 2
        return
    assert process.returncode == EXIT_CODES[number], errors
    lines = [line for line in errors.splitlines() if line and "what runs is finished first" not in line]
    assert len(lines) == 1, errors
    assert lines[0].startswith("regbench: interrupted: ")
    assert lines[0].endswith(f": regbench {command}")
    assert not list(Path().rglob("*.tmp"))


def answers_signals(process):
    """Whether the command has begun: before that Python itself does, which knows nothing of SIGTERM."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:")).split()[1]
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def test_interruption_that_something_swallows_is_not_lost(workspace, monkeypatch, capfd):
    from regbench.comparison import tables

    def swallow(table):
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        return "table"

    monkeypatch.setattr(tables, "to_csv", swallow)
    assert main(["compare", "quadratic_deep", "--format", "csv"]) == 130
    assert "interrupted: " in capfd.readouterr().err


def test_interruption_that_became_another_error_is_told_as_what_it_was(workspace, monkeypatch, capfd):
    from regbench.comparison import tables

    def spoil(table):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except KeyboardInterrupt:
            raise ImportError("cannot be loaded") from None

    monkeypatch.setattr(tables, "to_csv", spoil)
    assert main(["compare", "quadratic_deep", "--format", "csv"]) == 143
    errors = capfd.readouterr().err
    assert errors.endswith(": regbench compare quadratic_deep --format csv\n")


def test_interrupted_search_says_how_much_is_done(workspace, capfd, use_machine, make_result):
    def compute(spec):
        if len(list(Path("results").rglob("*.json"))) >= 3:
            raise KeyboardInterrupt
        return make_result(spec, valid_losses=1.0, test_losses=1.0)

    use_machine(compute)
    assert main(shlex.split("search quadratic_deep sgd --budget 4 --reruns 2")) == 130
    errors = capfd.readouterr().err
    assert "interrupted: 3 of at most 6 runs are there; what was finished is kept" in errors
    assert errors.endswith("goes on from there: regbench search quadratic_deep sgd --budget 4 --reruns 2\n")


def test_signals_are_as_they_were_after_a_command(workspace, capfd):
    before = [signal.getsignal(number) for number in EXIT_CODES]
    assert main(["list"]) == 0
    assert [signal.getsignal(number) for number in EXIT_CODES] == before


def test_what_comes_while_the_end_is_told_is_ignored():
    with Interruptions() as interruptions:
        interruptions.heed_no_more()
        os.kill(os.getpid(), signal.SIGINT)
