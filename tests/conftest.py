"""Specs as a search would make them, and results as the engine would."""

from collections.abc import Callable
from typing import Any

import pytest

from regbench import catalog
from regbench.benchmark import Task
from regbench.records import Candidate, Decay, Outcome, Part, Problem, RunResult, RunSpec, Schedule, Timings


@pytest.fixture(scope="session")
def make_task() -> Callable[..., Task]:
    """A problem and a candidate, each by name or as a record, with few epochs."""

    def make(
        problem: Problem | str = "quadratic_deep",
        candidate: Candidate | str = "sgd",
        protocol: str = "deepobs",
        schedule: Schedule | str = "none",
        epochs: int = 3,
        batch_size: int | None = None,
    ) -> Task:
        problem = catalog.problem(problem) if isinstance(problem, str) else problem
        return Task(
            problem=problem,
            candidate=catalog.candidate(candidate) if isinstance(candidate, str) else candidate,
            protocol=catalog.protocol(protocol),
            schedule=catalog.schedule(schedule) if isinstance(schedule, str) else schedule,
            epochs=epochs,
            batch_size=batch_size or problem.batch_size,
        )

    return make


@pytest.fixture(scope="session")
def make_candidate() -> Callable[..., Candidate]:
    """A candidate named `mine`, from the name and the arguments of its optimizer."""

    def make(
        optimizer: str, /, decay: Decay | None = None, regularizer: Part | None = None, **arguments: Any
    ) -> Candidate:
        return Candidate(
            name="mine",
            summary="",
            source="",
            optimizer=Part(name=optimizer, arguments=arguments),
            regularizer=regularizer,
            decay=decay or Decay(),
        )

    return make


@pytest.fixture(scope="session")
def make_result() -> Callable[..., RunResult]:
    """A completed run, from its final values by name of the curve (`valid_accuracies=0.9`)."""

    def make(spec: RunSpec, outcome: Outcome = Outcome.COMPLETED, seconds: float = 1.0, **final: float) -> RunResult:
        curves = {name: [0.0] * spec.epochs + [value] for name, value in final.items()}
        return RunResult(
            spec=spec,
            outcome=outcome,
            curves=curves | {"minibatch_train_losses": [1.0]},
            losses_without_penalty={},
            timings=Timings(compile_seconds=0, training_seconds=0, evaluation_seconds=0, total_seconds=seconds),
            environment={},
        )

    return make
