"""The arguments and options that several commands share; `values` reads what is given to them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from regbench import catalog
from regbench.cli import pace, values
from regbench.errors import UnknownNameError
from regbench.execution import RETRIES, Workers
from regbench.records import Coupling

AnyCommand = Callable[..., Any]
Decorator = Callable[[AnyCommand], AnyCommand]


class Commands(click.Group):
    """Commands, of which an unknown one is answered with the closest that exist."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments begin with."""
        if not args[0].startswith("-") and args[0] not in self.commands:
            raise UnknownNameError("command", args[0], self.commands)
        return super().resolve_command(ctx, args)


class Option(click.Option):
    """An option that still answers to names it had before; no help tells of them.

    Args:
        declarations: as `click.Option` has them, and so are the other options.
        old_names: former names of the option.
        old_flags: names that stood for one of its values, with the value.
    """

    def __init__(
        self,
        declarations: Sequence[str] | None = None,
        old_names: Sequence[str] = (),
        old_flags: Mapping[str, str] | None = None,
        **others: Any,
    ) -> None:
        """Take the names that are shown."""
        super().__init__(declarations, **others)
        self._old_names = list(old_names)
        self._old_flags = dict(old_flags or {})

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Tell the parser all names."""
        super().add_to_parser(parser, ctx)
        if self._old_names:
            action = "append" if self.multiple else "store"
            parser.add_option(obj=self, opts=self._old_names, dest=self.name, action=action, nargs=self.nargs)
        for name, value in self._old_flags.items():
            parser.add_option(obj=self, opts=[name], dest=self.name, action="store_const", const=value)


def names(name: str, metavar: str, required: bool = False) -> Decorator:
    """The positional argument for several names."""
    return click.argument(name, nargs=-1, required=required, metavar=metavar, callback=values.names)


problem = click.argument("problem", metavar="PROBLEM")
problems = names("problems", "[PROBLEM...]")
candidate = click.argument("candidate", metavar="CANDIDATE")
candidates = names("candidates", "CANDIDATE...", required=True)

only_problems = click.option(
    "--problem",
    "problems",
    multiple=True,
    callback=values.names,
    metavar="NAME",
    help="Only this problem; repeatable, or A,B.",
)
only_candidates = click.option(
    "--candidate",
    "candidates",
    cls=Option,
    old_names=["--candidates"],
    multiple=True,
    callback=values.names,
    metavar="NAME",
    help="Only this candidate, or the entry with this label; repeatable, or A,B.",
)


def assignments(what: str) -> Decorator:
    """`--set`, with what it sets."""
    return click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help=f"{what}; repeatable.")


def formats(*known: str) -> Decorator:
    """`--format`, with the formats that a command has; the first is the default."""

    def read(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
        if value not in known:
            raise UnknownNameError("format", value, known)
        return value

    return click.option(
        "--format",
        "form",
        cls=Option,
        old_flags={"--json": "json"},
        default=known[0],
        show_default=True,
        callback=read,
        metavar="|".join(known),
        help="How results are printed on stdout.",
    )


def results(what: str, *old_names: str) -> Decorator:
    """`--results` for one results tree, with what it is to the command."""
    return click.option(
        "--results",
        cls=Option,
        old_names=old_names,
        default="results",
        show_default=True,
        metavar="DIR",
        help=f"Results tree{what}.",
    )


def several_results(what: str) -> Decorator:
    """`--results` for several results trees, with what they are to the command."""
    return click.option("--results", multiple=True, callback=values.trees, metavar="DIR", help=f"Results tree{what}")


baselines = click.option(
    "--baselines", default="bundled", show_default=True, metavar="bundled|none|DIR", help="Bundled, none or a tree."
)

data_dir = click.option(
    "--data-dir",
    metavar="DIR",
    help="Data folder.  [default: $REGBENCH_DATA, ./data_deepobs, the user's cache]",
)

_TRAINING = (
    click.option(
        "--seed", default=42, show_default=True, metavar="N", help="Of the run; of a search: its draws and trials."
    ),
    *pace.OPTIONS,
    click.option(
        "--protocol",
        default="deepobs",
        show_default=True,
        metavar="NAME",
        help=f"Rules of evaluation: {', '.join(catalog.PROTOCOLS)}.",
    ),
    data_dir,
    click.option(
        "--max-seconds", type=float, callback=values.positive, metavar="S", help="Give up runs that take longer."
    ),
    results(": runs are written here, and those that are here are not run again", "--output"),
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
        "--sampler",
        default="random",
        show_default=True,
        metavar="NAME",
        help="How settings are drawn: random (the budget large: narrowed after 50), narrowed, tpe, qmc, grid.",
    ),
    click.option(
        "--ranges",
        metavar="FILE|published",
        help="Of the trials of the budget large after the 50th.  [default: between the ten best of the first 50]",
    ),
    click.option(
        "--equal",
        default="epochs",
        show_default=True,
        metavar="epochs|gradients",
        help="What all candidates get the same of; an optimizer with two gradients a step gets half the epochs.",
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

fresh = click.option(
    "--fresh", is_flag=True, help="Search also where code, definition or space changed, beside what is there."
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
        help="Runs after which a process is replaced.",
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
    """The name of the candidate or the combination as it is shown: `momentum+orthogonal+decoupled`.

    Raises:
        UnknownNameError: a part of it does not exist.
        DefinitionError: its file does not hold together, or its parts do not go together.
    """
    return catalog.candidate("+".join(part for part in (candidate, regularizer, decay) if part is not None)).name


def training(command: AnyCommand) -> AnyCommand:
    """The options that `run` and `search` share."""
    for option in reversed(_TRAINING):
        command = option(command)
    return command
