"""What the documents tell a user to do can be done."""

import contextlib
import re
import shlex
import sys
import tomllib
from pathlib import Path

import click
import pytest

from regbench.cli import main
from regbench.cli.commands import command_line
from regbench.errors import UnknownNameError

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.M | re.S)
# A block that begins a file has the file's name before it: "... `search_spaces/mine.toml`:".
FILE = re.compile(r"`([\w./]+)`:\n\n```\w+\n(.*?)^```", re.M | re.S)


def commands_in(text):
    """The calls of regbench in the sh blocks, as lists of words."""
    scripts = [block.replace("\\\n", " ") for language, block in BLOCK.findall(text) if language == "sh"]
    lines = [shlex.split(line, comments=True) for script in scripts for line in script.splitlines()]
    return [line[1:] for line in lines if line[:1] == ["regbench"]]


def parse(words):
    """Reads a command as the command line would, and runs nothing."""
    command, context = command_line, None
    with contextlib.suppress(click.exceptions.Exit):  # that of --help
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            context = click.Context(command, parent=context)
            _, command, words = command.resolve_command(context, words)
        command.make_context(command.name, list(words), parent=context)


COMMANDS = [(path.name, words) for path in DOCUMENTS for words in commands_in(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("document, words", COMMANDS, ids=[f"{name}-{shlex.join(words)}" for name, words in COMMANDS])
def test_command_in_a_document_can_be_parsed(document, words):
    parse(words)


@pytest.mark.parametrize(
    "line", ["regbench serch digits_mlp sgd", "regbench search digits_mlp sgd --trials 3", "regbench data status --all"]
)
def test_command_that_cannot_be_parsed_is_noticed(line):
    (words,) = commands_in(f"```sh\n{line}  # a comment\n```\n")
    with pytest.raises((click.ClickException, UnknownNameError)):
        parse(words)


def test_commands_of_every_kind_are_found():
    assert {words[0] for _, words in COMMANDS} >= {"list", "show", "run", "search", "data", "check"}


@pytest.mark.parametrize("path", DOCUMENTS, ids=[path.name for path in DOCUMENTS])
def test_toml_in_a_document_is_toml(path):
    for language, block in BLOCK.findall(path.read_text(encoding="utf-8")):
        if language == "toml":
            assert tomllib.loads(block)


@pytest.mark.slow
# Keras 3.15 reads and saves variables in a way of which NumPy 2 disapproves, whatever the class.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
def test_page_on_adding_an_optimizer_does_what_it_says(tmp_path, monkeypatch, capfd):
    monkeypatch.undo()  # the runs that come with regbench are taken, as by a user
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    page = (ROOT / "docs" / "add-an-optimizer.md").read_text(encoding="utf-8")
    page = page.partition("## An optimizer of PyTorch")[0]  # `tests/guests` does what comes then
    files = dict(FILE.findall(page))
    assert set(files) == {"my_optimizers.py", "search_spaces/qhm.toml"}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    outputs = {}
    for words in commands_in(page):
        command, *rest = shlex.join(words).replace("--budget small", "--budget 2 --reruns 1 --epochs 1").split()
        code = main([command, *rest])
        outputs[command], errors = capfd.readouterr()
        assert code == 0, outputs[command] + errors
    assert list(outputs) == ["check", "show", "search", "compare"]
    assert "11 of 11 clauses hold." in outputs["check"]
    assert 'name = "my_optimizers:QuasiHyperbolicMomentum"' in outputs["show"]
    heading = outputs["search"].splitlines()[0].split()
    assert heading in [line.split() for line in page.splitlines()]
    assert all(f" {candidate} " in outputs["search"] for candidate in ("qhm", "sgd", "adam"))
    assert " qhm " in outputs["compare"]
    assert "qhm" in (tmp_path / "qhm.html").read_text(encoding="utf-8")
