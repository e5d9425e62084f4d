"""`regbench new`: files of problems and candidates of the user's own, to begin with."""

import contextlib
import os
import re
import sys
from pathlib import Path

import click

from regbench import catalog
from regbench.catalog import own_code
from regbench.cli import options, progress, terminal
from regbench.cli.codes import DONE
from regbench.errors import DefinitionError, RegbenchError
from regbench.records import OwnData, Table

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def own_data(required: bool) -> options.Decorator:
    """`--data` and `--target`: data of the user's own."""

    def decorate(command: options.AnyCommand) -> options.AnyCommand:
        told = "Data of your own: a CSV or Parquet file, an .npz, a folder of .npy or of images, a text, or a function."
        more = "" if required else " Then no PROBLEM is named: its file is written as by `regbench new problem`."
        target = click.option("--target", metavar="COLUMN", help="Of a table: what is learnt.  [default: the last]")
        data = click.option("--data", "own", required=required, metavar="FILE|MODULE:FUNCTION", help=told + more)
        return data(target(command))

    return decorate


@click.group(cls=options.Commands, no_args_is_help=False)
def new() -> None:
    """Write the file of a problem or a candidate of your own; it can be searched as it is."""


@new.command("problem")
@click.argument("name", metavar="NAME")
@own_data(required=True)
def new_problem(name: str, own: str, target: str | None) -> int:
    """Look at data and write ./testproblems/NAME.toml: what was found, and a loss, a metric and a network for it."""
    path = _place("testproblems", name, catalog.problem_names())
    _write(path, _problem_text(name, own, target))
    terminal.show_text(f"Wrote {path}. Look at it, then: regbench search {name} sgd adam --budget small")
    return DONE


@new.command("candidate")
@click.argument("name", metavar="NAME")
@click.option("--optimizer", required=True, metavar="MODULE:CLASS", help="A Keras optimizer of your own.")
def new_candidate(name: str, optimizer: str) -> int:
    """Look at an optimizer and write ./search_spaces/NAME.toml, in which its learning rate is searched."""
    path = _place("search_spaces", name, catalog.candidate_names())
    with progress.Waiting(f"building {optimizer}"), contextlib.redirect_stdout(sys.stderr):
        from regbench.benchmark.proposing import propose_candidate

        text = propose_candidate(name, optimizer)
    _write(path, text)
    terminal.show_text(f"Wrote {path}. Look at it, then: regbench search modular_addition {name} adam --budget small")
    return DONE


def problem_of(own: str, target: str | None) -> str:
    """The name of the problem on own data, which is called like these; its file is written where there is none.

    Raises:
        DefinitionError: the name is that of a problem on other data, or with another target.
        RegbenchError: as for `new problem`.
    """
    stem = own.rpartition(":")[2] if ":" in own and not Path(own).exists() else Path(own).name.partition(".")[0]
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", stem).strip("_.-") or "own"
    path = Path("testproblems") / f"{name}.toml"
    if name in catalog.problem_names():
        data = catalog.problem(name).dataset
        is_same = isinstance(data, OwnData) and (data.path or data.name) in (
            own,
            os.path.abspath(Path(own).expanduser()),  # noqa: PTH100  which goes up where a path says ".."
        )
        if not is_same or (target is not None and isinstance(data, Table) and data.target != target):
            raise DefinitionError(
                f"`data`: the problem `{name}` is one on other data, or has another target: write one of another name "
                f"(`regbench new problem NAME --data {own}`)"
            )
        terminal.message(f"{path} is there, and is used as it is")
        return name
    _write(path, _problem_text(name, own, target))
    terminal.message(f"wrote {path}")
    return name


def _problem_text(name: str, own: str, target: str | None) -> str:
    with progress.Waiting(f"reading {own}"), contextlib.redirect_stdout(sys.stderr):
        from regbench.datasets.own import proposal

        if ":" in own and not Path(own).exists():
            own_code.load([own])
        return proposal.to_toml(proposal.propose(own, target), name, Path("testproblems"))


def _place(folder: str, name: str, known: list[str]) -> Path:
    if not _NAME.fullmatch(name):
        raise DefinitionError(f"A name must be of letters, digits, `_`, `-` and `.`. Received: {name!r}")
    path = Path(folder) / f"{name}.toml"
    if path.exists() or name in known:
        raise DefinitionError(
            f"{path}: must be a new name. Received: one that exists ({catalog.find_files(folder)[name]})"
        )
    return path


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise RegbenchError(f"{path}: cannot be written: {error.strerror}") from error
