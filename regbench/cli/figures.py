"""The command `figures`: the figures of the papers, from runs that are there or are trained for them."""

import contextlib
import shlex
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from regbench.cli import options, progress, terminal
from regbench.cli.codes import DONE, SOME_FAILED
from regbench.errors import DefinitionError, RegbenchError, ResultsError
from regbench.store.targets import make_folder

if TYPE_CHECKING:
    from regbench.figures.make import Job
    from regbench.figures.plan import Size
    from regbench.figures.runs import FigureRuns


@click.command()
@click.argument("paper", metavar="PAPER|all")
@click.option("--quick", is_flag=True, help="Small data and few seeds: about a minute a figure on two cores.")
@click.option("--full", is_flag=True, help="As large as in the paper: for a GPU, or for days.")
@click.option("--dry-run", is_flag=True, help="Say what would be trained and how long it would take, and end.")
@options.several_results(
    ": runs are written here, and those that are here are not trained again; repeatable, or A,B: further ones are only "
    "read.  [default: results]"
)
@options.data_dir
@click.option("--output", default="figures", show_default=True, metavar="DIR", help="Folder for the figures.")
def figures(
    paper: str, quick: bool, full: bool, dry_run: bool, results: Sequence[str], data_dir: str | None, output: str
) -> int:
    """Make the figures of a PAPER, or of all: nonlinear, normalized, eigenvalue, orthogonal, skreg, deepobs.

    nonlinear and deepobs are drawn from result files of others where a tree holds some: nothing is trained then.

    Each is written as PNG, SVG and PDF, with its numbers (CSV) and a caption that tells source, departures, seeds and
    outcomes. Figures whose data are not there are left out. The exit code is 1 where a figure could not be made for
    another reason.
    """
    if quick and full:
        raise DefinitionError("--quick and --full exclude each other")
    with progress.Waiting("planning") as waiting, contextlib.redirect_stdout(sys.stderr):
        import regbench.figures as papers
        from regbench.figures import make
        from regbench.figures.plan import Size
        from regbench.figures.runs import FigureRuns

        size = Size.QUICK if quick else Size.FULL if full else Size.DEFAULT
        folder = None if data_dir is None else Path(data_dir)
        runs = FigureRuns([Path(tree) for tree in results or ["results"]], folder, waiting.warn)
        jobs = make.jobs_for(list(papers.PAPERS) if paper == "all" else [paper], size, runs, folder)
    _announce(jobs)
    if dry_run:
        return DONE
    command = shlex.join(
        [
            *["regbench", "figures", paper, *([f"--{size}"] if size != Size.DEFAULT else [])],
            *(word for tree in results for word in ("--results", tree)),
        ]
    )
    drawn = Path(output) / size
    try:
        make_folder(drawn)
    except OSError as error:
        raise ResultsError(f"{drawn}: the figures cannot be written here: {error.strerror}") from error
    return _make_all(jobs, size, runs, command, drawn)


def _announce(jobs: "Sequence[Job]") -> None:
    rows = [(job.paper, job.figure.name, job.missing, job.present, job.time, "") for job in jobs if not job.obstacle]
    terminal.show_table(
        ["paper", "figure", "to train", "there", "time"], [row[:5] for row in rows], right=["to train", "there", "time"]
    )
    possible = [job for job in jobs if not job.obstacle]
    total = sum((job.time for job in possible), timedelta())
    terminal.show_text(f"\n{sum(job.missing for job in possible)} runs to train, about {total} on two cores.")
    for obstacle in dict.fromkeys(job.obstacle for job in jobs if job.obstacle):
        names = ", ".join(f"{job.paper}/{job.figure.name}" for job in jobs if job.obstacle == obstacle)
        terminal.show_text(f"skipped: {names}: {obstacle}")


def _make_all(jobs: "Sequence[Job]", size: "Size", results: "FigureRuns", command: str, folder: Path) -> int:
    from regbench.figures import make

    failed = 0
    for job in jobs:
        if job.obstacle:
            continue
        try:
            with contextlib.redirect_stdout(sys.stderr):
                paths = make.make(job, size, results, command, folder / job.paper, terminal.message)
        except RegbenchError as error:
            failed += 1
            terminal.message(f"error: {job.paper}/{job.figure.name}: {error}")
        else:
            terminal.show_text(str(paths[0]))
    return SOME_FAILED if failed else DONE
