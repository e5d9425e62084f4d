"""What is on record of a search: with each of its runs, and beside them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from regbench.records.problems import Problem
from regbench.records.record import Record

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 in hexadecimal."""


_SAYS_NOTHING = ("summary", "source", "convergence", "optimum", "metrics", "epochs", "batch_size")
"""Keys of a problem that are told only, are stated with each run, or count as converged."""


def problem_definition(problem: Problem | Mapping[str, Any]) -> dict[str, Any]:
    """What a problem is, as JSON has it: two problems of one name are the same where this is equal.

    Keys at their default are left out, because later versions may add some.

    Args:
        problem: the record, or the object in a result file.
    """
    table = dict(problem.model_dump(mode="json") if isinstance(problem, Problem) else problem)
    if isinstance(own := table.get("dataset"), Mapping):  # which data they are is on record beside the definition
        table["dataset"] = {key: value for key, value in own.items() if key != "content"}
    defaults = {name: field.default for name, field in Problem.model_fields.items() if not field.is_required()}
    return {
        key: value
        for key, value in table.items()
        if key not in _SAYS_NOTHING and not (key in defaults and value == defaults[key])
    }


class Role(StrEnum):
    """What a run is to the search that made it; a run by hand belongs to none."""

    TRIAL = "trial"
    RERUN = "re-run"
    BY_HAND = "by hand"


class Origin(Record):
    """What made a run. It stands beside the spec and changes no digest of it.

    Args:
        role: trial or re-run of a search, or by hand; then the next five are None.
        number: of the trial in the search, or of the re-run, counting from 0.
        search: digest of the search (`Manifest.digest`).
        sampler: of the search; `seed`: its study seed; `budget`: the number of trials that was asked for.
        sources: SHA-256 of the source file of each class or function of the user's own that took part, by its name
            `module:attribute`; "unknown" for one without a source file.
    """

    role: Annotated[Role, Field(strict=False)]
    number: Annotated[int, Field(ge=0)] | None = None
    search: Digest | None = None
    sampler: str | None = None
    seed: int | None = None
    budget: int | None = None
    sources: dict[str, str] = Field(default={})


class Manifest(Record):
    """One search in a results tree: which runs are its trials and re-runs, whoever made them.

    A run may belong to several searches, so runs cannot tell this by themselves.

    Args:
        digest: SHA-256 of everything that determines the search; the same search has one manifest.
        problem: name, as are `candidate`, `schedule` and `protocol`.
        budget: number of trials that was asked for.
        seed: of the study, which is the seed of its trials' training.
        reruns: how many further seeds its winner is to be run with.
        problem_digest: of the problem's definition; `space_digest`: of the candidate's, its search space included;
            likewise of records as they are, without summary and source.
        data_digests: of the data that its runs were made on; one, unless the data changed in between.
        sources: as in `Origin`.
        trials: digests of the specs of its trials, in their order, as far as they are known. A setting that was drawn
            twice stands twice.
        winner: number of the winning trial; None while it is not known, and where no trial can win.
        again: digests of the specs of its re-runs, in their order.
        is_complete: every trial and re-run has ended: none is missing and none crashed.
        together: what it shares with the searches that were declared as one with it, which differ in the study seed
            alone; None for a search by itself. `searches`: how many these are.
        ranges: of a narrowed search, the ends between which it draws its later trials; None for others, and as long as
            they are not known.
    """

    format_version: Literal[1] = 1
    digest: Digest
    problem: str
    candidate: str
    sampler: str
    budget: Annotated[int, Field(gt=0)]
    seed: int
    reruns: Annotated[int, Field(ge=0)]
    epochs: Annotated[int, Field(ge=0)]
    batch_size: Annotated[int, Field(gt=0)]
    schedule: str
    protocol: str
    problem_digest: Digest
    space_digest: Digest
    data_digests: tuple[str, ...] = ()
    sources: dict[str, str] = Field(default={})
    trials: tuple[Digest, ...] = ()
    winner: int | None = None
    again: tuple[Digest, ...] = ()
    is_complete: bool = False
    together: Digest | None = None
    searches: Annotated[int, Field(gt=0)] = 1
    ranges: dict[str, Annotated[tuple[float, float], Field(strict=False)]] | None = None

    @model_serializer(mode="wrap")
    def _without_unknown_ranges(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As files had it before there were ranges: their checksum is one of all keys."""
        table: dict[str, Any] = plain(self)
        return table if self.ranges is not None else {key: value for key, value in table.items() if key != "ranges"}

    def progress(self) -> tuple[bool, bool, int, int]:
        """How far the search is: greater is further."""
        return self.is_complete, self.winner is not None, len(self.again), len(self.trials)
