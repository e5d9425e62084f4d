"""What a search is: its trials and its re-runs, stated once for all who compute, list, draw or compare them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from regbench import catalog
from regbench.benchmark.tasks import Task, checked_seed
from regbench.errors import DefinitionError
from regbench.records import (
    TUNING_SEED,
    Candidate,
    Manifest,
    Origin,
    Problem,
    Protocol,
    Role,
    RunSpec,
    Scalar,
    Schedule,
    digest_of,
    problem_definition,
)
from regbench.tuning import tune
from regbench.tuning.narrowing import FIRST, Ranges

SEED_STEP = 1000
"""How far apart the study seeds of searches are that are declared as one."""


@dataclass(frozen=True)
class Search:
    """One candidate tuned on one problem: trials with the tuning seed, then the winner with further seeds.

    Args:
        task: problem, candidate, protocol, schedule, epochs and batch size of every run.
        sampler: "random" (the published points), "narrowed" (those of the budget large), "tpe", "qmc" or "grid".
        seed: of the study, and of every trial's training.
        budget: number of trials that is asked for. There are fewer where a grid has fewer points, and one where nothing
            is searched.
        further_seeds: how many seeds, `seed + 1`, `seed + 2`, ..., the winner is run with.
        ranges: given for a narrowed search, from which its trials after the 50th are drawn; else its first 50 say.
        together, searches: of those that are declared as one (`declared_as_one`).
        data: digest of its data where these tell it from another search in the same tree (`changes.apart_by_data`).

    Raises:
        DefinitionError: a number is out of its range, or the budget does not suit the candidate or the sampler.
    """

    task: Task
    sampler: str = "random"
    seed: int = TUNING_SEED
    budget: int = catalog.BUDGETS["medium"]
    further_seeds: int = 9
    data: str = ""
    together: str = ""
    searches: int = 1
    ranges: Ranges | None = None

    def __post_init__(self) -> None:
        """Find out all bad input before anything is run."""
        if self.further_seeds < 0:
            raise DefinitionError(f"`reruns` must not be negative. Received: reruns={self.further_seeds!r}")
        if self.ranges is not None and (self.sampler != catalog.NARROWED or self.budget <= FIRST):
            came = f"{self.budget} trials of the sampler {self.sampler}"
            raise DefinitionError(f"`ranges` must be given with the budget large. Received: {came}")
        checked_seed(self.seed, self.further_seeds)
        self.trial(self.study().ask(0))

    @classmethod
    def of(
        cls,
        problem: str | Problem,
        candidate: str | Candidate,
        *,
        budget: str | int = "medium",
        sampler: str = "random",
        ranges: str | Path | None = None,
        seed: int = TUNING_SEED,
        reruns: int | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        schedule: Schedule | str = "none",
        protocol: str | Protocol = "deepobs",
    ) -> Self:
        """The search of a problem and a candidate, each by name or as a record; arguments as for `benchmark.search`."""
        task = Task.of(problem, candidate, protocol, schedule, epochs, batch_size)
        further_seeds = task.protocol.reruns if reruns is None else reruns
        if budget == "large" and sampler == "random":
            sampler = catalog.NARROWED
        search = cls(task, sampler, seed, catalog.budget_trials(budget), further_seeds)
        if ranges is None:
            return search
        named = task.problem.name, task.schedule.title
        return replace(search, ranges=catalog.read_ranges(ranges, task.candidate, *named))

    def study(self) -> tune.Study:
        """What says which setting comes next; a new one at each call."""
        task = self.task
        return tune.Study(task.candidate, task.problem.goal, self.sampler, self.seed, self.budget, self.ranges)

    def trial(self, setting: Mapping[str, Scalar]) -> RunSpec:
        """The run of a setting as a trial."""
        return self.task.spec(setting, self.seed)

    @cached_property
    def trials(self) -> tuple[RunSpec, ...]:
        """All trials, in their order.

        Raises:
            DefinitionError: they are not known in advance, because the sampler learns from results.
        """
        study = self.study()
        if not study.is_known_in_advance:
            must = "must be one whose trials do not depend on the results of earlier ones"
            raise DefinitionError(f"`sampler` {must}. Received: sampler={self.sampler!r}")
        return tuple(self.trial(study.ask(number)) for number in range(study.trials))

    def reruns(self, ranked: Sequence[RunSpec]) -> list[RunSpec]:
        """The runs with further seeds.

        Args:
            ranked: the trials that can win, the best first; none where all diverged or failed.
        """
        seeds = range(self.seed + 1, self.seed + 1 + self.further_seeds)
        return [self.task.spec(winner.setting, seed) for winner in ranked[:1] for seed in seeds]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that determines which runs are made and which of them wins."""
        return digest_of(
            {
                "problem": problem_definition(self.task.problem),
                "candidate": _definition(self.task.candidate),
                "protocol": _definition(self.task.protocol, "fills_diverged"),
                "schedule": _definition(self.task.schedule),
                "epochs": self.task.epochs,
                "batch_size": self.task.batch_size,
                "sampler": self.sampler,
                "seed": self.seed,
                "budget": self.budget,
                "further_seeds": self.further_seeds,
                "sources": self.sources,
            }
            | ({"data": self.data} if self.data else {})
            | ({"together": self.together} if self.together else {})
            | ({"ranges": self.ranges} if self.ranges else {})
        )

    @cached_property
    def sources(self) -> dict[str, str]:
        """The digests of the user's own code that takes part."""
        return self.task.sources

    def origin(self, role: Role, number: int) -> Origin:
        """What is on record with a run that this search makes."""
        return Origin(
            role=role,
            number=number,
            search=self.digest,
            sampler=self.sampler,
            seed=self.seed,
            budget=self.budget,
            sources=self.sources,
        )

    def manifest(self) -> Manifest:
        """What is on record of the search before anything is known of its runs."""
        task = self.task
        return Manifest(
            digest=self.digest,
            problem=task.problem.name,
            candidate=task.candidate.name,
            sampler=self.sampler,
            budget=self.budget,
            seed=self.seed,
            reruns=self.further_seeds,
            epochs=task.epochs,
            batch_size=task.batch_size,
            schedule=task.schedule.name,
            protocol=task.protocol.name,
            problem_digest=digest_of(problem_definition(task.problem)),
            space_digest=digest_of(_definition(task.candidate)),
            sources=self.sources,
            together=self.together or None,
            searches=self.searches,
        )

    def declared_as_one(self, searches: int) -> "list[Search]":
        """So many searches that differ in the study seed alone: this one's, `SEED_STEP` more, twice as much more, ...

        No re-run of one has the tuning seed of another. Together they are one entry of a comparison.

        Raises:
            DefinitionError: the number is not positive, or there are more re-runs than the seeds are apart.
        """
        if searches < 1:
            raise DefinitionError(f"`searches` must be positive. Received: searches={searches!r}")
        if searches == 1:
            return [self]
        if self.further_seeds >= SEED_STEP:
            must = f"must be fewer than {SEED_STEP} with several searches"
            raise DefinitionError(f"`reruns` {must}. Received: reruns={self.further_seeds!r}")
        seeds = [self.seed + SEED_STEP * number for number in range(searches)]
        together = digest_of([self.digest, seeds])
        return [replace(self, seed=seed, together=together, searches=searches) for seed in seeds]


def searches_of(candidates: str | Candidate | Sequence[str | Candidate], **others: Any) -> Iterator[Search]:
    """The search of each candidate, each once.

    Args:
        candidates: one or several.
        others: the arguments of `Search.of`.

    Raises:
        DefinitionError: there is no candidate.
        RegbenchError: as `Search.of`.
    """
    named = [candidates] if isinstance(candidates, str | Candidate) else list(candidates)
    if not named:
        raise DefinitionError("A search needs at least one candidate. Received: none")
    once = {one if isinstance(one, str) else one.name: one for one in named}
    for candidate in once.values():
        yield Search.of(candidate=candidate, **others)


def _definition(record: Problem | Candidate | Protocol | Schedule, *without: str) -> dict[str, Any]:
    """A record less what is only told, and less keys at their default: later versions may add some."""
    return record.model_dump(mode="json", exclude={"summary", "source", *without}, exclude_defaults=True)
