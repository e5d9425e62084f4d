"""The declaration of a figure: the runs that it needs, as data, and how it is drawn from them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from regbench.benchmark.tasks import Task
from regbench.records import (
    Candidate,
    Origin,
    Part,
    Problem,
    Protocol,
    Role,
    RunResult,
    RunSpec,
    Scalar,
    Schedule,
    Selection,
)

if TYPE_CHECKING:
    import matplotlib.figure


class Size(StrEnum):
    """How much is trained for a figure."""

    QUICK = "quick"
    DEFAULT = "default"
    FULL = "full"


CONSTANT = Schedule()
BY_HAND = Origin(role=Role.BY_HAND)
KERAS_FIT = Protocol(
    name="keras-fit",
    summary="as Keras's fit: no validation split, reshuffled every epoch with the last batch, every sample evaluated",
    validation=False,
    reshuffle=True,
    every_sample=True,
    augmented_train_evaluation=False,
    reruns=9,
    tuning_seed_counts=True,
    whole_batches=False,
)
"""How the sources evaluate, whose validation curves are those of the test set."""


@dataclass(frozen=True)
class Run:
    """One training that a figure needs.

    Args:
        setting: values of the candidate by dotted name; a candidate without ranges needs none.
        keep_kernels: the trained kernels are needed too.
        with_steps: the losses of the steps are needed too.
        origin: what goes on record of what made it; by hand unless given.
        is_settled: False where something in it depends on runs that are not there yet; it is then only counted.
    """

    problem: Problem
    candidate: Candidate
    seed: int
    epochs: int
    batch_size: int | None = None
    schedule: Schedule = CONSTANT
    protocol: Protocol = KERAS_FIT
    setting: dict[str, Scalar] = field(default_factory=dict)
    keep_kernels: bool = False
    with_steps: bool = False
    is_settled: bool = True
    origin: Origin = BY_HAND

    @cached_property
    def spec(self) -> RunSpec:
        """The spec of the run in a results tree."""
        batch_size = self.batch_size or self.problem.batch_size
        task = Task(self.problem, self.candidate, self.protocol, self.schedule, self.epochs, batch_size)
        return task.spec(self.setting, self.seed)

    @cached_property
    def digest(self) -> str:
        """The digest of the spec."""
        return self.spec.digest()


Find = Callable[[Run], RunResult | None]
"""Looks a run up in the results; None where it is not there."""


@dataclass(frozen=True)
class Drawing:
    """A figure that was drawn.

    Args:
        figure: the picture.
        numbers: what it shows, a row a point.
        findings: sentences on the results.
        runs: what it shows where that are not just the figure's own runs: rows of `store.frames.RUNS`.
    """

    figure: "matplotlib.figure.Figure"
    numbers: pd.DataFrame
    findings: Sequence[str] = ()
    runs: pd.DataFrame | None = None


@dataclass(frozen=True)
class PaperFigure:
    """One figure of a paper.

    Args:
        name: of its files.
        title: what it shows, for the caption.
        shows: what lines, points and bands are, and over what.
        source: the experiment in the paper, with its numbers.
        departures: what is done otherwise than in the source.
        runs: all runs that it needs, given those that are there. Which runs a later stage needs may depend on the
            results of an earlier one: as long as these are not there, its runs are not settled.
        draw: draws it once all runs are there.
    """

    name: str
    title: str
    shows: str
    source: str
    departures: Sequence[str]
    runs: Callable[[Find], Sequence[Run]]
    draw: Callable[[Find], Drawing]


def candidate(name: str, source: str, optimizer: Part, regularizer: Part | None = None, **others: object) -> Candidate:
    """A candidate that searches nothing."""
    return Candidate.model_validate(
        {"name": name, "summary": name, "source": source, "optimizer": optimizer, "regularizer": regularizer, **others}
    )


def part(name: str, **arguments: object) -> Part:
    """A part, from its name and its arguments."""
    return Part.model_validate({"name": name, "arguments": arguments})


def reduced(problem: Problem, train_per_class: int, test_per_class: int | None = None) -> Problem:
    """The problem with fewer samples, under a name of its own, so that nobody takes its results for those of all."""
    name = f"{problem.name}_{train_per_class}_{test_per_class or 'all'}_per_class"
    changes = {"train_per_class": train_per_class, "test_per_class": test_per_class}
    selection = (problem.selection or Selection()).model_copy(update=changes)
    return problem.model_copy(update={"name": name, "selection": selection})


def limited(problem: Problem, **changes: Scalar | None) -> Problem:
    """The problem with another selection of samples, under a name of its own that tells what was changed."""
    told = [f"{'' if name == 'draw' else name.split('_')[0]}{value}" for name, value in changes.items() if value]
    selection = (problem.selection or Selection()).model_copy(update=changes)
    return problem.model_copy(update={"name": "_".join([problem.name, *told]), "selection": selection})


def available_results(runs: Iterable[Run], find: Find) -> list[RunResult]:
    """The results of those of the runs that are there."""
    return [result for run in runs if (result := find(run)) is not None]
