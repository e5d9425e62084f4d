"""Options that several commands share, and how what is given to them is read."""

import re
import tomllib
from collections.abc import Callable, Sequence
from typing import Any

import click

from regbench import catalog
from regbench.errors import DefinitionError, UnknownNameError
from regbench.execution import RETRIES, Workers
from regbench.records import Coupling, Scalar, Schedule

_BARE_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]*")
AnyCommand = Callable[..., Any]


class Commands(click.Group):
    """Commands, of which an unknown one is answered with the closest that exist."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments begin with."""
        if not args[0].startswith("-") and args[0] not in self.commands:
            raise UnknownNameError("command", args[0], self.commands)
        return super().resolve_command(ctx, args)


def read_setting(assignments: Sequence[str]) -> dict[str, Scalar]:
    """The values of `--set key=value`, by key.

    A value is what TOML has for numbers, truth values and strings; a word needs no quotes, a number no leading 0.

    Raises:
        DefinitionError: an assignment is none, or a key stands twice.
    """
    setting: dict[str, Scalar] = {}
    for assignment in assignments:
        key, equals, text = (part.strip() for part in assignment.partition("="))
        if not (key and equals and text):
            raise DefinitionError(f"--set: must be key=value. Received: {assignment!r}")
        if key in setting:
            raise DefinitionError(f"--set: `{key}` must be given once. Received: {setting[key]!r} and {text!r}")
        setting[key] = _read_value(key, text)
    return setting


def _read_value(key: str, text: str) -> Scalar:
    try:
        value = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        value = {"value": _read_word(text)}
    found = value["value"]
    if value.keys() == {"value"} and isinstance(found, Scalar) and catalog.is_representable(found):
        return found
    raise DefinitionError(f"--set: `{key}` must be a number, true, false or a string. Received: {text!r}")


def _read_word(text: str) -> Scalar | None:
    if _BARE_WORD.fullmatch(text):
        return text
    try:
        return float(text)
    except ValueError:
        return None


def _numbers(kind: type[int] | type[float]) -> Callable[..., tuple[float, ...]]:
    """What reads numbers of a kind that are divided by commas."""

    def read(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[float, ...]:
        try:
            return () if value is None else tuple(kind(part) for part in value.split(","))
        except ValueError as error:
            numbers = "whole numbers" if kind is int else "numbers"
            must = f"must be {numbers} divided by commas. Received: {value!r}"
            raise click.BadParameter(must, context, parameter) from error

    return read


def _positive(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    if value is not None and not value > 0:
        raise click.BadParameter(f"must be positive. Received: {value:g}", context, parameter)
    return value


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout, and nothing else.")

data_dir = click.option(
    "--data-dir",
    metavar="DIR",
    help="Data folder.  [default: $REGBENCH_DATA, ./data_deepobs, the user's cache]",
)

_TRAINING = (
    click.option("--seed", default=42, show_default=True, metavar="N", help="Seed of the run; of a search: its seed."),
    click.option("--epochs", type=int, metavar="N", help="Epochs.  [default: the problem's]"),
    click.option("--batch-size", type=int, metavar="N", help="Samples in a step.  [default: the problem's]"),
    click.option(
        "--schedule",
        default="none",
        show_default=True,
        metavar="NAME",
        help=f"Of the learning rate: {', '.join(catalog.SCHEDULES)}.",
    ),
    click.option(
        "--lr-epochs",
        callback=_numbers(int),
        metavar="N,...",
        help="Epochs (from 0) in which the schedule step takes its next factor.",
    ),
    click.option("--lr-factors", callback=_numbers(float), metavar="X,...", help="These factors."),
    click.option(
        "--protocol",
        default="deepobs",
        show_default=True,
        metavar="NAME",
        help=f"Rules of evaluation: {', '.join(catalog.PROTOCOLS)}.",
    ),
    data_dir,
    click.option("--max-seconds", type=float, callback=_positive, metavar="S", help="Give up runs that take longer."),
    click.option(
        "--results",
        "--output",
        "results",
        default="results",
        show_default=True,
        metavar="DIR",
        help="Results tree. What is in it is not run again.",
    ),
    as_json,
)


_SEARCHING = (
    click.option(
        "--budget",
        default="medium",
        show_default=True,
        metavar="NAME|N",
        help=f"Trials of each candidate: {', '.join(catalog.BUDGETS)}, or their number.",
    ),
    click.option(
        "--sampler", default="random", show_default=True, metavar="NAME", help="Of settings: random, tpe, qmc, grid."
    ),
    click.option("--reruns", type=int, metavar="N", help="Further seeds of each winner.  [default: the protocol's]"),
    click.option(
        "--baselines",
        default="bundled",
        show_default=True,
        metavar="bundled|none",
        help="Take runs that come with regbench, or train all here.",
    ),
)


def searching(command: AnyCommand) -> AnyCommand:
    """The options that say what is searched."""
    for option in reversed(_SEARCHING):
        command = option(command)
    return command


_WORKERS = (
    click.option(
        "--workers", default=0, show_default=True, metavar="N", help="Processes that share the work; 0: only this one."
    ),
    click.option(
        "--cluster", metavar="ADDRESS", help="Workers of a Dask scheduler, tcp://host:port, or slurm:FILE.toml."
    ),
    click.option(
        "--worker-threads",
        type=int,
        metavar="N",
        help="Threads of each run.  [default: the cores, shared evenly by --workers]",
    ),
    click.option(
        "--worker-memory", type=float, metavar="GIB", help="What a process may hold; it is replaced in good time."
    ),
    click.option(
        "--worker-runs",
        default=Workers.runs,
        show_default=True,
        metavar="N",
        help="After so many a process is replaced.",
    ),
    click.option(
        "--retries",
        default=RETRIES,
        show_default=True,
        metavar="N",
        help="How often a run is tried again that the machine lost (not one that fails by itself).",
    ),
)


def workers(command: AnyCommand) -> AnyCommand:
    """The options that say where runs are computed."""
    for option in reversed(_WORKERS):
        command = option(command)
    return command


def take_workers(options: dict[str, Any]) -> Workers:
    """Take the options of the workers out of the others.

    Raises:
        DefinitionError: they do not hold together.
    """
    return Workers(
        count=options.pop("workers"),
        cluster=options.pop("cluster"),
        threads=options.pop("worker_threads"),
        memory_gib=options.pop("worker_memory"),
        runs=options.pop("worker_runs"),
    )


def combination(command: AnyCommand) -> AnyCommand:
    """The options that put a regularizer or a decay in place of the candidates' own."""
    known = ", ".join(catalog.REGULARIZERS)
    command = click.option("--decay", metavar="COUPLING", help=f"Decay, searched: {', '.join(Coupling)}.")(command)
    return click.option("--regularizer", metavar="NAME", help=f"Regularizer, its factor searched: {known}.")(command)


def combined(candidate: str, regularizer: str | None, decay: str | None) -> str:
    """The name of the combination: `momentum+orthogonal+decoupled`."""
    return "+".join(part for part in (candidate, regularizer, decay) if part is not None)


def take_schedule(options: dict[str, Any]) -> Schedule:
    """Take the three options of the schedule out of the others."""
    return catalog.schedule(options.pop("schedule"), options.pop("lr_epochs"), options.pop("lr_factors"))


def training(command: AnyCommand) -> AnyCommand:
    """The options that `run` and `search` share."""
    for option in reversed(_TRAINING):
        command = option(command)
    return command
