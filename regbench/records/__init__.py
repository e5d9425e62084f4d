"""The plain data that travel between the parts of regbench: TOML -> Problem, Candidate -> RunSpec -> RunResult.

All records are frozen and hold only what JSON can hold, so that a run can be sent to another machine, written down and
told apart from every other run by a digest.
"""

from regbench.records.definitions import (
    ABSURD_LOSS_FACTOR,
    METRICS,
    SPLITS,
    TUNING_SEED,
    Argument,
    Augmentation,
    Candidate,
    Choices,
    Coupling,
    Decay,
    Metric,
    Part,
    Preprocessing,
    Problem,
    Protocol,
    Range,
    Scalar,
    Searched,
    settled,
)
from regbench.records.guests import Guest, Kind
from regbench.records.record import Record
from regbench.records.runs import (
    BUNDLED,
    MINIBATCH,
    Kernel,
    Measured,
    Outcome,
    RunResult,
    RunSpec,
    Timings,
    code_of,
    digest_of,
)
from regbench.records.schedules import OLD_RAMP, Schedule, learning_rate_factor
from regbench.records.searches import Digest, Manifest, Origin, Role, problem_definition
from regbench.records.selection import Selection

__all__ = [
    "ABSURD_LOSS_FACTOR",
    "BUNDLED",
    "METRICS",
    "MINIBATCH",
    "OLD_RAMP",
    "SPLITS",
    "TUNING_SEED",
    "Argument",
    "Augmentation",
    "Candidate",
    "Choices",
    "Coupling",
    "Decay",
    "Digest",
    "Guest",
    "Kernel",
    "Kind",
    "Manifest",
    "Measured",
    "Metric",
    "Origin",
    "Outcome",
    "Part",
    "Preprocessing",
    "Problem",
    "Protocol",
    "Range",
    "Record",
    "Role",
    "RunResult",
    "RunSpec",
    "Scalar",
    "Schedule",
    "Searched",
    "Selection",
    "Timings",
    "code_of",
    "digest_of",
    "learning_rate_factor",
    "problem_definition",
    "settled",
]
