"""The command `check`: an optimizer, a regularizer or a network of one's own against the contract."""

import contextlib
import importlib
import inspect
import os
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from regbench import catalog, guests
from regbench.catalog import frameworks, libraries, own_code
from regbench.cli import options, progress, terminal, values
from regbench.errors import DefinitionError, UnknownNameError
from regbench.records import Part, Problem

if TYPE_CHECKING:
    from regbench.contracts import Verdict

ALL_HOLD, SOME_FAIL = 0, 1


@click.command()
@click.argument("target", metavar="MODULE:NAME")
@options.assignments("An argument of the constructor; `inner_optimizer` takes the name of one of Keras's")
@click.option("--problem", metavar="PROBLEM", help="Check a function that builds networks, with the data of a problem.")
@click.option("--against", metavar="NAME", help="Compare with another framework's: keras:Adam --against torch:Adam.")
@options.data_dir
@options.formats("table", "json", "csv")
def check(
    target: str,
    assignments: Sequence[str],
    problem: str | None,
    against: str | None,
    data_dir: str | None,
    form: str,
) -> int:
    """Check that an optimizer, a regularizer or a network does what all of them must do.

    Every clause of the contract is examined on small trainings. Arguments keep their defaults, but `factor` gets 0.01
    and `inner_optimizer` heavy-ball momentum; a network keeps the arguments that the problem gives it. The exit code is
    1 where a clause fails. Clauses on style (the docstring, the source) only warn.

    Optimizers of PyTorch and optax are named as in a candidate (torch:AdamW). With --against two optimizers step on the
    same gradients; --set then sets an argument of both, or of one as keras:Adam.epsilon=1e-8.
    """
    arguments = _read_arguments(assignments)
    if against is not None:
        if problem is not None:
            raise DefinitionError("--against and --problem exclude each other")
        return _compare(target, against, arguments, form)
    with progress.Waiting(f"checking {target}") as waiting, contextlib.redirect_stdout(sys.stderr):
        if problem is None:
            verdicts = _check_class(target, arguments, waiting.warn)
        else:
            verdicts = _check_network(target, catalog.problem(problem), arguments, data_dir)
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
        name, _, value = assignment.partition("=")
        try:
            arguments |= {name.strip(): tomllib.loads(f"list = {value}")["list"]}
        except (ValueError, RecursionError) as error:
            raise DefinitionError(f"--set: a list must be as in TOML: {error}. Received: {assignment!r}") from error
    return arguments


def _compare(one: str, other: str, arguments: dict[str, Any], form: str) -> int:
    """Set two optimizers side by side; `--set` of both, or of one of them as `NAME.argument`."""
    with progress.Waiting(f"comparing {one} with {other}"), contextlib.redirect_stdout(sys.stderr):
        for framework in sorted({frameworks.framework_of(Part(name=name)) for name in (one, other)}, reverse=True):
            guests.prepare(framework)
        from regbench.engine import environment

        environment.prepare()
        from regbench.contracts import against

        given: dict[str, dict[str, Any]] = {one: {}, other: {}}
        for key, value in arguments.items():
            sides = [name for name in given if key.startswith(f"{name}.")]
            for name in sides or list(given):
                given[name][key.removeprefix(f"{name}.")] = value
        difference = against.compare(one, other, given)
    if form == "table":
        terminal.show_text(f"{one} against {other}")
        for sentence in difference.sentences():
            terminal.show_text(sentence)
    else:
        row = {"one": one, "other": other, "constant": difference.constant, "scheduled": difference.scheduled}
        terminal.show_rows([row | {"causes": "; ".join(cause.what for cause in difference.causes)}], form)
    return ALL_HOLD


def _check_class(target: str, arguments: dict[str, Any], warn: Callable[[str], None]) -> "list[Verdict]":
    framework = frameworks.framework_of(Part(name=target))
    guests.prepare(framework)
    if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow":
        from regbench.engine import environment

        environment.prepare()
    from regbench import contracts

    if libraries.library_of(target):
        guests.check_installed(Part(name=target))
        return contracts.check_guest(target, arguments, warn=warn)
    found = _find(target)
    if framework and not contracts.is_of_keras(found):
        return contracts.check_guest(target, arguments, warn=warn)
    if not inspect.isclass(found):
        raise DefinitionError(
            f"{target} must be a class; a function that builds networks needs a problem (`--problem`). "
            f"Received: {found!r}"
        )
    return contracts.check(found, arguments)


def _check_network(target: str, problem: Problem, arguments: dict[str, Any], data_dir: str | None) -> "list[Verdict]":
    from regbench.engine import environment
    from regbench.execution import Child

    environment.prepare()
    from regbench import contracts

    if ":" in target:
        _find(target)
    given = problem.model.arguments if problem.model.name == target else {}
    model = Part(name=target, arguments={**given, **arguments})
    child = Child()
    try:
        return contracts.check_network(
            problem.model_copy(update={"model": model}),
            elsewhere=child.call,
            data_dir=None if data_dir is None else Path(data_dir).absolute(),
        )
    finally:
        child.end()


def _find(target: str) -> Any:
    module_name, colon, name = target.partition(":")
    if not (module_name and colon and name):
        raise DefinitionError(f"What is checked must be named as MODULE:NAME. Received: {target!r}")
    try:
        with own_code.findable():
            module = importlib.import_module(module_name)
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise DefinitionError(f"{module_name} cannot be imported: {reason}") from error
    if not hasattr(module, name):
        known = [one for one, value in vars(module).items() if callable(value) and not one.startswith("_")]
        raise UnknownNameError("class or function", name, known, where=module_name)
    return getattr(module, name)


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
