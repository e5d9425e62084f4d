"""Making figures: what is missing is trained, and what was trained is drawn."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from regbench import datasets, figures
from regbench.benchmark.estimate import Estimator, Programs, programs_of
from regbench.errors import DataError, ResultsError
from regbench.figures import output
from regbench.figures.plan import PaperFigure, Run, Size, available_results
from regbench.figures.runs import FigureRuns
from regbench.records import RunResult


@dataclass(frozen=True)
class Job:
    """A figure that is to be made.

    Args:
        paper: its paper.
        figure: its declaration.
        missing: how many runs have to be trained.
        present: how many are there.
        time: what training the missing ones will take, about.
        obstacle: why it cannot be made; empty where it can.
    """

    paper: str
    figure: PaperFigure
    missing: int
    present: int
    time: timedelta
    obstacle: str = ""


def jobs_for(papers: Sequence[str], size: Size, results: FigureRuns, data_dir: Path | None = None) -> list[Job]:
    """The figures of papers as jobs. Runs that several figures need count with the first of them."""
    jobs = []
    counted: set[str] = set()
    compiled: set[Programs] = set()
    for paper in papers:
        for figure in figures.of_paper(paper, size, results.trees):
            runs = results.runs(figure)
            new = [run for run in runs if run.digest not in counted]
            counted |= {run.digest for run in new}
            missing = [run for run in new if results.find(run) is None]
            estimator = Estimator(available_results(runs, results.find))
            seconds = estimator.seconds([run.spec for run in missing], after=compiled)
            compiled |= {programs_of(run.spec) for run in missing}
            obstacle = _obstacle({name for run in runs if isinstance(name := run.problem.dataset, str)}, data_dir)
            jobs.append(Job(paper, figure, len(missing), len(new) - len(missing), _rounded(seconds), obstacle))
    return jobs


def make(
    job: Job, size: Size, results: FigureRuns, command: str, folder: Path, report: Callable[[str], None]
) -> list[Path]:
    """Train what a figure lacks, draw it, write it.

    Args:
        job: the figure.
        size: its size.
        results: the runs that are there.
        command: by which it was asked for, for the caption.
        folder: for its files.
        report: called with a line after each run.

    Returns:
        The files.

    Raises:
        RegbenchError: a run crashed, or the input is at fault.
    """
    # What a later stage needs may only be known when the earlier one is there.
    while missing := _missing(job.figure, results):
        ready = [run for run in missing if run.is_settled]
        if not ready:
            raise ResultsError(f"{job.figure.name}: {len(missing)} runs wait for others, and none of these is missing")
        results.train(ready, _Progress(job.figure, missing, results, report))
    drawing = job.figure.draw(results.find)
    return output.write(
        job.figure, drawing, available_results(results.runs(job.figure), results.find), size, command, folder
    )


def _missing(figure: PaperFigure, results: FigureRuns) -> list[Run]:
    return [run for run in results.runs(figure) if results.find(run) is None]


class _Progress:
    """Says after each run how many of those that were missing are there, and how long the others will take."""

    def __init__(
        self, figure: PaperFigure, missing: Sequence[Run], results: FigureRuns, report: Callable[[str], None]
    ) -> None:
        self._figure, self._left, self._total, self._report = figure, list(missing), len(missing), report
        self._estimator = Estimator(available_results(results.runs(figure), results.find))
        self._compiled: set[Programs] = set()

    def __call__(self, result: RunResult) -> None:
        self._estimator.learn(result)
        self._compiled.add(programs_of(result.spec))
        digest = result.spec.digest()
        self._left = [run for run in self._left if run.digest != digest]
        spec, done = result.spec, self._total - len(self._left)
        seconds = self._estimator.seconds([run.spec for run in self._left], after=self._compiled)
        self._report(
            f"{self._figure.name}: {done} of {self._total} runs ({spec.candidate} on {spec.problem.name}, "
            f"seed {spec.seed}), about {_rounded(seconds)} left"
        )


def _rounded(seconds: float) -> timedelta:
    return timedelta(seconds=math.ceil(seconds))


def _obstacle(names: set[str], data_dir: Path | None) -> str:
    """The message on data files that are missing; empty where none is."""
    for name in sorted(names):
        if datasets.get(name).files:
            try:
                datasets.locate(name, data_dir)
            except DataError as error:
                return str(error)
    return ""
