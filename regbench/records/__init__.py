"""The plain data that travel between the parts of regbench: TOML -> Problem, Candidate -> RunSpec -> RunResult.

All records are frozen and hold only what JSON can hold, so that a run can be sent to another machine, written down and
told apart from every other run by a digest.
"""

from regbench.records.definitions import (
    Argument,
    Candidate,
    Choices,
    Coupling,
    Decay,
    Part,
    Problem,
    Protocol,
    Range,
    Record,
    Scalar,
    Schedule,
    Searched,
    Selection,
)
from regbench.records.runs import ABSURD, MINIBATCH, Kernel, Measured, Outcome, RunResult, RunSpec, Timings
from regbench.records.schedules import learning_rate_factor

__all__ = [
    "ABSURD",
    "MINIBATCH",
    "Argument",
    "Candidate",
    "Choices",
    "Coupling",
    "Decay",
    "Kernel",
    "Measured",
    "Outcome",
    "Part",
    "Problem",
    "Protocol",
    "Range",
    "Record",
    "RunResult",
    "RunSpec",
    "Scalar",
    "Schedule",
    "Searched",
    "Selection",
    "Timings",
    "learning_rate_factor",
]
