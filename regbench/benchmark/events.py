"""What a caller is told while runs are made."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from regbench.benchmark.completion import Report
from regbench.records import RunResult


@dataclass(frozen=True)
class Event:
    """One more run is there.

    Attributes:
        candidate: its name.
        phase: "trials" or "re-runs"; "run" where it is a single one.
        done: how many runs of the phase are there.
        total: how many there will be.
        result: the run.
        was_found: it was there already, and was not made now.
    """

    candidate: str
    phase: str
    done: int
    total: int
    result: RunResult
    was_found: bool


Progress = Callable[[Event], None]
Warn = Callable[[str], None]


def numbered(progress: Progress | None, candidate: str, phase: str, total: int) -> Report:
    """Reports each run of a phase as an event, with its number."""
    if progress is None:
        return lambda *_: None
    counter = itertools.count(1)
    return lambda result, was_found: progress(Event(candidate, phase, next(counter), total, result, was_found))
