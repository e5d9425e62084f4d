"""The command `plan`: the runs of a search, for those who compute them by other means, and how long they take."""

import contextlib
import json
import math
import shlex
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from regbench.cli import options, pace, progress, summaries, terminal
from regbench.cli.codes import DONE
from regbench.errors import DefinitionError
from regbench.records import WARMUP, RunSpec, Scalar

if TYPE_CHECKING:
    from regbench.benchmark.estimate import Cost
    from regbench.benchmark.planning import PlannedRun, PlannedSearch

COLUMNS = (
    *("number", "phase", "problem", "candidate", "setting", "seed", "epochs", "batch_size", "schedule", "protocol"),
    *("digest", "found", "seconds"),
)


@click.command()
@options.problem
@options.candidates
@options.searching
@options.fresh
@click.option("--workers", default=1, show_default=True, metavar="N", help="Runs at a time, for the estimate.")
@click.option("--commands", "as_commands", is_flag=True, help="Print a command `regbench run ...` for each run.")
@click.option("--missing", "only_missing", is_flag=True, help="Print only the runs that are not in the results tree.")
@options.combination
@options.training
@options.formats("table", "json", "csv")
def plan(
    problem: str,
    candidates: Sequence[str],
    regularizer: str | None,
    decay: str | None,
    workers: int,
    as_commands: bool,
    only_missing: bool,
    form: str,
    data_dir: str | None,
    **others: Any,
) -> int:
    """Print the runs of a search without making them, as data or as commands, and how long they may take.

    The arguments are those of `search`, which finds all that these runs leave in the results tree. Runs of a winner
    with further seeds are known, and printed, when all trials are there, and the trials of the budget large after the
    50th when the first 50 are. A sampler that learns (tpe) is refused: its trials are not known before.
    """
    if as_commands and form != "table":
        raise DefinitionError("`--commands` and `--format` exclude each other")
    if workers < 0:
        raise DefinitionError(f"`workers` must not be negative. Received: workers={workers!r}")
    schedule = pace.take_schedule(others)
    names = [options.combined(name, regularizer, decay) for name in candidates]
    with progress.Waiting("planning") as waiting, contextlib.redirect_stdout(sys.stderr):
        from regbench.benchmark import planning

        searches = planning.plan(problem, names, schedule=schedule, data_dir=data_dir, warn=waiting.warn, **others)
    results, max_seconds = others["results"], others["max_seconds"]
    if form == "json":
        terminal.show_json(_plain(searches, only_missing, max(1, workers)))
        return DONE
    runs = [run for search in searches for run in (search.missing() if only_missing else search.runs)]
    if as_commands:
        for run in runs:
            click.echo(_command(run.spec, results, data_dir, max_seconds))
    elif form == "csv":
        terminal.show_csv(COLUMNS, [_plain_run(run) for run in runs])
    elif runs:
        _show(runs)
    for line in _summary(searches, results, max(1, workers)):
        terminal.message(line)
    if as_commands:
        terminal.message(_start_of_a_command(searches))
    return DONE


def _command(spec: RunSpec, results: str, data_dir: str | None, max_seconds: float | None) -> str:
    """The command that makes exactly this run: numbers stand in it with all their digits."""
    words = ["regbench", "run", spec.problem.name, spec.candidate]
    for key, value in spec.setting.items():
        words += ["--set", f"{key}={_as_toml(value)}"]
    given: dict[str, str | float | None] = {
        "seed": spec.seed,
        "epochs": spec.epochs,
        "batch-size": spec.batch_size,
        "schedule": None if spec.schedule.name == "none" else spec.schedule.name,
        "lr-epochs": ",".join(map(str, spec.schedule.epochs)) or None,
        "lr-factors": ",".join(map(repr, spec.schedule.factors)) or None,
        "warmup": None if spec.schedule.warmup == WARMUP else spec.schedule.warmup,
        "protocol": spec.protocol.name,
        "results": results,
        "data-dir": data_dir,
        "max-seconds": max_seconds,
    }
    for option, argument in given.items():
        if argument is not None:
            words += [f"--{option}", str(argument)]
    return shlex.join(words)


def _as_toml(value: Scalar) -> str:
    """As `--set` reads it: what JSON has for these types is the same in TOML, but for one character in a string."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _show(runs: Sequence["PlannedRun"]) -> None:
    columns = ["candidate", "phase", "number", "setting", "seed", "there", "seconds"]
    rows = [
        (
            run.spec.candidate,
            run.phase,
            run.number,
            summaries.short_setting(run.spec.setting),
            run.spec.seed,
            "yes" if run.is_found else "no",
            None if run.seconds is None else f"{run.seconds:.1f}",
        )
        for run in runs
    ]
    terminal.show_table(columns, rows, right=["number", "seed", "seconds"])


def _plain_run(run: "PlannedRun") -> dict[str, Any]:
    return {
        "number": run.number,
        "phase": run.phase,
        "problem": run.spec.problem.name,
        "candidate": run.spec.candidate,
        "setting": run.spec.setting,
        "seed": run.spec.seed,
        "epochs": run.spec.epochs,
        "batch_size": run.spec.batch_size,
        "schedule": run.spec.schedule.model_dump(mode="json"),
        "protocol": run.spec.protocol.name,
        "digest": run.spec.digest(),
        "found": run.is_found,
        "seconds": run.seconds,
    }


def _plain(searches: Sequence["PlannedSearch"], only_missing: bool, workers: int) -> dict[str, Any]:
    return {
        "searches": [
            {
                "candidate": search.candidate,
                "missing": len(search.missing()),
                "trials_to_come": search.trials_to_come,
                "reruns_to_come": search.reruns_to_come,
                "seconds": _seconds([search], 1),
                "estimate": None if search.whole_run is None else _plain_estimate(search.whole_run),
                "runs": [_plain_run(run) for run in (search.missing() if only_missing else search.runs)],
            }
            for search in searches
        ],
        "workers": workers,
        "seconds": _seconds(searches, workers),
    }


def _plain_estimate(cost: "Cost") -> dict[str, Any]:
    pace = cost.pace
    return {
        "source": pace.source,
        "runs": pace.runs,
        "of_candidate": pace.of_candidate,
        "this_machine": pace.this_machine,
        "compile_seconds": pace.speed.compile_seconds,
        "run_seconds": pace.speed.run_seconds,
        "epoch_seconds": cost.epoch_seconds,
        "trained_share": pace.trained_share,
    }


def _seconds(searches: Sequence["PlannedSearch"], workers: int) -> float | None:
    from regbench.benchmark import planning

    return planning.total_seconds(searches, workers)


def _summary(searches: Sequence["PlannedSearch"], results: str, workers: int) -> list[str]:
    """A line a candidate, and one on all."""
    lines = []
    for search in searches:
        bundled = sum(run.is_bundled for run in search.runs)
        found = sum(run.is_found for run in search.runs) - bundled
        known = f"{found} of them in {results}" + (f", {bundled} came with regbench" if bundled else "")
        counts = {"trials": search.trials_to_come, "re-runs": search.reruns_to_come}
        later = "".join(f", then {count} {what}" for what, count in counts.items() if count)
        lines.append(f"{search.candidate}: {len(search.runs)} runs, {known}{later}; {_source(search)}")
    missing = sum(len(search.missing()) for search in searches)
    to_come = sum(search.to_come for search in searches)
    trials = " of narrowed ranges and" if any(search.trials_to_come for search in searches) else " re-runs"
    later = f" and {to_come}{trials} of winners that are not known yet" if to_come else ""
    lines.append(f"to do: {missing} runs{later}, {_time(searches, workers)}")
    return lines


def _time(searches: Sequence["PlannedSearch"], workers: int) -> str:
    known = [search for search in searches if not search.is_unknown]
    seconds = _seconds(known, workers)
    if seconds is None or (searches and not known):
        return "unknown time"
    unknown = [search.candidate for search in searches if search.is_unknown]
    rest = f", and what {', '.join(unknown)} takes" if unknown else ""
    return f"about {timedelta(seconds=math.ceil(seconds))} with {workers} at a time{rest}"


def _source(search: "PlannedSearch") -> str:
    if search.whole_run is None:
        return "time unknown: nothing was measured of its network with this batch size"
    pace = search.whole_run.pace
    if pace.source == "runs":
        whose = "it" if pace.of_candidate else "other candidates"
        return f"time by {pace.runs} runs of {whose}, made on {'this' if pace.this_machine else 'another'} machine"
    if pace.source == "record":
        return "time by what this machine took for its network before"
    return "time by a table of another machine, scaled by a quick look at the speed of this one"


def _start_of_a_command(searches: Sequence["PlannedSearch"]) -> str:
    """What each command takes besides its run."""
    costs = [cost for search in searches for cost in search.costs()]
    if not costs:
        return "each command also takes some seconds to load TensorFlow and to compile"
    from regbench.benchmark import estimate

    longest = max(estimate.wall_seconds([cost]) - cost.seconds for cost in costs)
    return f"each command also takes about {round(longest)} s to load TensorFlow and to compile"
