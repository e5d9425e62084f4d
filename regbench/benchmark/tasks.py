"""What all runs of a candidate on a problem have in common."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Self

from regbench import catalog
from regbench.benchmark.problems import check_problem, with_data
from regbench.catalog import own_code
from regbench.conventions import refusal
from regbench.errors import DefinitionError
from regbench.records import EACH_STEP, OLD_RAMP, Candidate, Problem, Protocol, RunSpec, Scalar, Schedule
from regbench.store import paths
from regbench.tuning import space


@dataclass(frozen=True)
class Task:
    """What all runs of one candidate on one problem have in common."""

    problem: Problem
    candidate: Candidate
    protocol: Protocol
    schedule: Schedule
    epochs: int
    batch_size: int

    @cached_property
    def sources(self) -> dict[str, str]:
        """The digests of the user's own code that takes part."""
        of_candidate = self.candidate.optimizer, self.candidate.regularizer
        return own_code.source_digests(*own_code.parts_of(self.problem), *of_candidate)

    def spec(self, setting: Mapping[str, Scalar], seed: int) -> RunSpec:
        """The run of a setting with a seed.

        Raises:
            DefinitionError: the setting is not one of the candidate's, or its decay means nothing with its optimizer.
        """
        optimizer, regularizer, decay = space.resolve(self.candidate, setting, self.problem)
        if decay.strength and (refused := refusal(optimizer, decay.coupling)):
            raise DefinitionError(f"{self.candidate.name}: {refused}")
        return RunSpec(
            problem=self.problem,
            candidate=self.candidate.name,
            setting=dict(setting),
            optimizer=optimizer,
            regularizer=regularizer,
            decay=decay,
            seed=seed,
            protocol=self.protocol,
            epochs=self.epochs,
            batch_size=self.batch_size,
            schedule=self._schedule(setting),
        )

    def _schedule(self, setting: Mapping[str, Scalar]) -> Schedule:
        """The schedule, with the warm-up of the candidate where that has one."""
        warmup = space.warmup(self.candidate, setting)
        if warmup is None:
            return self.schedule
        if not self.schedule.is_of_steps:
            raise DefinitionError(
                f"{self.candidate.name}: warmup: needs one of the schedules {', '.join(EACH_STEP)}. "
                f"Received: {self.schedule.name!r}"
            )
        return self.schedule.model_copy(update={"warmup": warmup})

    @classmethod
    def of(
        cls,
        problem: str | Problem,
        candidate: str | Candidate,
        protocol: str | Protocol = "deepobs",
        schedule: Schedule | str = "none",
        epochs: int | None = None,
        batch_size: int | None = None,
    ) -> Self:
        """The task of a problem and a candidate, each by name or as a record.

        Args:
            problem: a test problem; likewise `candidate`, `protocol`, `schedule`.
            epochs: the problem's own number unless given; likewise `batch_size`.

        Raises:
            DefinitionError: a name is unknown, or a number out of its range.
        """
        chosen = with_data(problem if isinstance(problem, Problem) else catalog.problem(problem))
        compared = candidate if isinstance(candidate, Candidate) else catalog.candidate(candidate)
        for definition in (chosen, compared):
            catalog.check_definition(definition)
        for name, number in (("epochs", epochs), ("batch_size", batch_size)):
            if number is not None and number < 1:
                raise DefinitionError(f"`{name}` must be at least 1. Received: {name}={number!r}")
        rules = protocol if isinstance(protocol, Protocol) else catalog.protocol(protocol)
        check_problem(chosen, batch_size or chosen.batch_size)
        chosen_schedule = schedule if isinstance(schedule, Schedule) else catalog.schedule(schedule)
        if chosen_schedule.title == OLD_RAMP:
            must = '"ltr" or a `Schedule` of version 2: version 1, which is not as published, is there to be read'
            raise DefinitionError(f"`schedule` must be {must}. Received: {schedule!r}")
        return cls(
            problem=chosen,
            candidate=compared,
            protocol=rules,
            schedule=chosen_schedule,
            epochs=chosen.epochs if epochs is None else epochs,
            batch_size=batch_size or chosen.batch_size,
        )


def as_in_tree(task: Task, results: Path) -> Task:
    """The task under the name that its candidate has in a results tree: what began under a former name goes on there.

    Args:
        task: of a combination, or of anything else, which stays as it is.
        results: the tree; it need not exist.
    """
    name, of_problem = task.candidate.name, results / paths.folder_name(task.problem.name)
    former = catalog.former_name(name)
    is_former = former is not None and (of_problem / former).is_dir() and not (of_problem / name).is_dir()
    if not is_former or not catalog.is_bundled(task.candidate):
        return task
    return replace(task, candidate=task.candidate.model_copy(update={"name": former}))


def checked_seed(seed: int, reruns: int = 0) -> int:
    """The seed of a run, or of a search whose re-runs have the next ones.

    Raises:
        DefinitionError: one of them is out of its range.
    """
    if not 0 <= seed <= seed + reruns < 2**31:
        last = f", and so must be the last of {reruns} re-runs" if reruns else ""
        raise DefinitionError(f"`seed` must be from 0 to 2**31 - 1{last}. Received: seed={seed!r}")
    return seed
