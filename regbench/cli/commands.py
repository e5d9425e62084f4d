"""The commands, most of them from modules of their own. Each returns its exit code."""

import contextlib
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from regbench import __version__, catalog, datasets
from regbench.cli import inventory, options, pace, progress, summaries, terminal, values
from regbench.cli.check import check
from regbench.cli.codes import BAD_INPUT, DONE, SOME_FAILED
from regbench.cli.compare import compare
from regbench.cli.data import data
from regbench.cli.export import export
from regbench.cli.figures import figures
from regbench.cli.new import new, own_data, problem_of
from regbench.cli.plan import plan
from regbench.cli.power import power
from regbench.cli.searches import searches
from regbench.cli.trees import convert, lint
from regbench.errors import DefinitionError, UnknownNameError
from regbench.records import Outcome, OwnData

if TYPE_CHECKING:
    from regbench.benchmark.events import Event


@click.group(
    cls=options.Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done; 1 some runs failed or timed out, a cluster is gone, disk, memory or descriptors are "
    "lacking, data are damaged or missing, or a clause does not hold; 2 bad input, which includes data that cannot be "
    "read or fetched; 130 interrupted, 143 terminated: the same command goes on from there.",
)
@click.version_option(__version__, prog_name="regbench", message="%(prog)s %(version)s")
@click.pass_context
def command_line(context: click.Context) -> None:
    """Is this optimizer or weight regularizer better, once everyone gets the same tuning budget?"""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@command_line.command("list")
@click.argument("kind", required=False, metavar=f"[{'|'.join(inventory.KINDS)}]")
@options.formats("table", "json", "csv")
def list_names(kind: str | None, form: str) -> int:
    """List what exists.

    Files in ./testproblems and ./search_spaces are read beside the bundled ones.
    """
    if kind is not None and kind not in inventory.KINDS:
        raise UnknownNameError("list of", kind, inventory.KINDS)
    listed: dict[str, list[dict[str, str]]] = {}
    errors = []
    for plural in [kind] if kind else inventory.KINDS:
        listed[plural] = []
        for name in inventory.KINDS[plural].names():
            try:
                listed[plural].append({"name": name, "summary": inventory.KINDS[plural].describe(name)["summary"]})
            except DefinitionError as error:
                errors.append(error)
    if form == "json":
        terminal.show_json(listed)
    elif form == "csv":
        kinds = {plural: inventory.KINDS[plural].singular for plural in listed}
        rows = [{"kind": kinds[plural]} | entry for plural, entries in listed.items() for entry in entries]
        terminal.show_csv(["kind", "name", "summary"], rows)
    else:
        for plural, entries in listed.items():
            terminal.show_table([plural, ""], [*(tuple(entry.values()) for entry in entries), ("", "")])
    for wrong in errors:
        terminal.message(f"error: {wrong}")
    return BAD_INPUT if errors else DONE


@command_line.command()
@click.argument("name", metavar="NAME")
@click.option("--weights", is_flag=True, help="Of a problem: the weights of its network, and which decay.")
@click.option(
    "--decay",
    metavar="COUPLING=STRENGTH",
    help="Of a problem: what a decay leaves of a weight, and the same as a setting of other couplings; needs "
    "--learning-rate. The options below say of which run.",
)
@click.option("--learning-rate", type=float, metavar="RATE", help="At the start, before any schedule.")
@click.option("--momentum", type=float, default=0.0, show_default=True, metavar="MU", help="Of the optimizer.")
@pace.options
@options.formats("toml", "json")
def show(
    name: str, weights: bool, decay: str | None, learning_rate: float | None, momentum: float, form: str, **others: Any
) -> int:
    """Show every key of a problem, candidate, data set, budget or protocol."""
    if weights:
        return _show_weights(name, form)
    if decay is not None:
        from regbench.cli.decay import show_decay

        show_decay(name, decay, learning_rate, momentum, pace.take_schedule(others), form=form, **others)
        return DONE
    found = inventory.find(name)
    told = _judge(name, found)
    if form == "json":
        terminal.show_json(found | ({"data": list(told)} if told else {}))
    else:
        texts = [inventory.to_text(kind, entry) for kind, entry in found.items()]
        terminal.show_text("\n\n".join([*texts, *(["\n".join(f"# data: {line}" for line in told)] if told else [])]))
    return DONE


def _judge(name: str, found: Iterable[str]) -> tuple[str, ...]:
    """Refuse what a search would, whatever its options; returns what can be told of the user's own data."""
    told: tuple[str, ...] = ()
    if "problem" in found:
        from regbench.benchmark.problems import check_problem, with_data
        from regbench.datasets.own_findings import described

        with contextlib.redirect_stdout(sys.stderr):
            problem = with_data(catalog.problem(name))
        if isinstance(problem.dataset, OwnData):
            told = *described(datasets.get(problem.dataset)), problem.dataset.content
        check_problem(problem, problem.batch_size)
    if "problem" in found and not catalog.is_bundled(catalog.problem(name)):
        from regbench.benchmark.trying import check_network

        _try(check_network, name)
    if "candidate" in found and not catalog.is_bundled(catalog.candidate(name)):
        from regbench.benchmark.trying import check_candidate

        _try(check_candidate, name)
    return told


def _try(check: Callable[[str], list[str] | None], name: str) -> None:
    """Build what is to be shown; what own code prints does not go among it."""
    with progress.Waiting(f"building {name}") as waiting, contextlib.redirect_stdout(sys.stderr):
        for line in check(name) or ():
            waiting.warn(line)


def _show_weights(name: str, form: str) -> int:
    problem = catalog.problem(name)
    with progress.Waiting("building the network"):
        from regbench.engine import environment

        environment.prepare()
        from regbench.engine import network

        weights = network.describe(problem)
    if form == "json":
        terminal.show_json(weights)
    else:
        rows = [(*list(weight.values())[:-1], "decays" if weight["decays"] else "") for weight in weights]
        terminal.show_table(["weight", "shape", "size", "role", ""], rows, right=["size"])
    return DONE


@command_line.command()
@options.problem
@options.candidate
@options.assignments("A value instead of its default, e.g. optimizer.learning_rate=0.01")
@options.training
@options.formats("table", "json")
def run(problem: str, candidate: str, assignments: Sequence[str], results: str, form: str, **training: Any) -> int:
    """Train a CANDIDATE on a PROBLEM once."""
    setting, schedule = values.read_setting(assignments), pace.take_schedule(training)
    events: list[Event] = []
    with progress.Waiting(f"{problem} with {candidate}") as waiting, contextlib.redirect_stdout(sys.stderr):
        from regbench import benchmark
        from regbench.store.folder import Folder

        result = benchmark.run(
            problem,
            candidate,
            setting=setting,
            schedule=schedule,
            results=results,
            progress=events.append,
            warn=waiting.warn,
            **training,
        )
    path = Folder(results).path_of(result.spec)
    summaries.show_run(result, path, any(event.was_found for event in events), form)
    return SOME_FAILED if result.outcome in (Outcome.FAILED, Outcome.TIMED_OUT) else DONE


@command_line.command()
@options.problem
@options.names("candidates", "CANDIDATE...")
@own_data(required=False)
@options.searching
@click.option(
    "--searches",
    default=1,
    show_default=True,
    metavar="S",
    help="Independent searches of each candidate, as one entry, with 2 re-runs each unless --reruns says more: costs S "
    "times as much, and tells the luck of the search. Three to five let `compare` claim far smaller differences.",
)
@options.fresh
@options.workers
@options.combination
@options.training
@options.formats("table", "json", "csv")
def search(
    problem: str,
    candidates: Sequence[str],
    own: str | None,
    target: str | None,
    regularizer: str | None,
    decay: str | None,
    budget: str,
    reruns: int | None,
    searches: int,
    form: str,
    **others: Any,
) -> int:
    """Tune each CANDIDATE on a PROBLEM with the same budget, and rank the winners over further seeds.

    Candidates may also be divided by commas.
    """
    if own is not None:
        candidates = [*problem.split(","), *candidates]
    elif target is not None:
        raise DefinitionError(f"`target` must be given with `data` only. Received: target={target!r}")
    elif not candidates:
        context = click.get_current_context()
        raise click.MissingParameter(param_hint="'CANDIDATE...'", param_type="argument", ctx=context)
    candidates = [options.combined(name, regularizer, decay) for name in candidates]
    schedule, workers = pace.take_schedule(others), options.take_workers(others)
    usual = catalog.protocol(others["protocol"]).reruns if searches == 1 else catalog.FEW_RERUNS
    runs_again = usual if reruns is None else reruns
    asked = max(searches, 1) * catalog.budget_trials(budget), max(searches, 1) * runs_again
    if own is not None:  # last of all, because it writes a file
        problem = problem_of(own, target)
    watching = progress.SearchBars(list(dict.fromkeys(candidates)), *asked)
    with watching, contextlib.redirect_stdout(sys.stderr):
        from regbench import benchmark

        standings = benchmark.search(
            problem,
            candidates,
            budget=budget,
            reruns=reruns,
            searches=searches,
            schedule=schedule,
            workers=workers,
            progress=watching,
            warn=watching.warn,
            **others,
        )
        watching.tell_bundled()
    summaries.show_standings(standings, form)
    return SOME_FAILED if any(standing.unfinished for standing in standings) else DONE


command_line.add_command(data)
command_line.add_command(new)
command_line.add_command(plan)
command_line.add_command(searches)
command_line.add_command(check)
command_line.add_command(compare)
command_line.add_command(power)
command_line.add_command(lint)
command_line.add_command(convert)
command_line.add_command(export)
command_line.add_command(figures)
