"""The command `check`: an optimizer or a regularizer of one's own against the contract."""

import contextlib
import importlib
import inspect
import os
import sys
import tomllib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from regbench.catalog import own_code
from regbench.cli import options, progress, terminal, values
from regbench.errors import DefinitionError, UnknownNameError

if TYPE_CHECKING:
    from regbench.contracts import Verdict

ALL_HOLD, SOME_FAIL = 0, 1


@click.command()
@click.argument("target", metavar="MODULE:CLASS")
@options.assignments("An argument of the constructor; `inner_optimizer` takes the name of one of Keras's")
@options.formats("table", "json", "csv")
def check(target: str, assignments: Sequence[str], form: str) -> int:
    """Check that an optimizer or regularizer does what all of them must do.

    Every clause of the contract is examined on small trainings. Arguments keep their defaults, but `factor` gets 0.01
    and `inner_optimizer` heavy-ball momentum. The exit code is 1 where a clause fails. Clauses on style (the docstring,
    the source) only warn.
    """
    arguments = _read_arguments(assignments)
    with progress.Waiting(f"checking {target}"), contextlib.redirect_stdout(sys.stderr):
        if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow":
            from regbench.engine import environment

            environment.prepare()
        from regbench import contracts

        verdicts = contracts.check(_find_class(target), arguments)
    if form == "table":
        _show(verdicts)
    else:
        terminal.show_rows([_plain(verdict) for verdict in verdicts], form)
    return SOME_FAIL if any(verdict.ruling == "fails" for verdict in verdicts) else ALL_HOLD


def _read_arguments(assignments: Sequence[str]) -> dict[str, Any]:
    """As `values.read_setting`, and lists."""
    lists = [assignment for assignment in assignments if assignment.partition("=")[2].lstrip().startswith("[")]
    arguments: dict[str, Any] = values.read_setting([one for one in assignments if one not in lists])
    for assignment in lists:
        try:
            arguments |= tomllib.loads(assignment)
        except (ValueError, RecursionError) as error:
            raise DefinitionError(f"--set: a list must be as in TOML: {error}. Received: {assignment!r}") from error
    return arguments


def _find_class(target: str) -> type:
    module_name, colon, name = target.partition(":")
    if not (module_name and colon and name):
        raise DefinitionError(f"What is checked must be named as MODULE:CLASS. Received: {target!r}")
    try:
        with own_code.findable():
            module = importlib.import_module(module_name)
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise DefinitionError(f"{module_name} cannot be imported: {reason}") from error
    classes = dict(inspect.getmembers(module, inspect.isclass))
    if name not in classes:
        raise UnknownNameError("class", name, classes, where=module_name)
    return classes[name]


def _plain(verdict: "Verdict") -> dict[str, str]:
    return {
        "clause": verdict.clause,
        "must_hold": verdict.must_hold,
        "ruling": verdict.ruling,
        "message": verdict.message,
    }


def _show(verdicts: "Sequence[Verdict]") -> None:
    rows = [(one.ruling, one.clause, one.must_hold) for one in verdicts]
    terminal.show_table(["", "clause", "what must hold"], rows)
    held = sum(verdict.ruling == "holds" for verdict in verdicts)
    terminal.show_text(f"\n{held} of {len(verdicts)} clauses hold.")
    for verdict in verdicts:
        if verdict.message:
            terminal.show_text(f"{verdict.clause} {_SAID.get(verdict.ruling, verdict.ruling)}: {verdict.message}")


_SAID = {"not applicable": "is not applicable", "excepted": "is excepted"}
