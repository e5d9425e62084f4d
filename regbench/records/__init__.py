"""The plain data that travel between the parts of regbench: TOML -> Problem, Candidate -> RunSpec -> RunResult.

All records are frozen and hold only what JSON can hold, so that a run can be sent to another machine, written down and
told apart from every other run by a digest.
"""

from regbench.records.definitions import (
    ABSURD_LOSS_FACTOR,
    SPLITS,
    TUNING_SEED,
    Argument,
    Candidate,
    Choices,
    Coupling,
    Decay,
    Part,
    Protocol,
    Range,
    Scalar,
    Searched,
    settled,
)
from regbench.records.guests import Guest, Kind
from regbench.records.metrics import DEEPOBS_METRICS, LOSSES, METRICS, facts_of, goal_of, is_share
from regbench.records.own_data import FORMS, Arrays, Book, Function, Images, OwnData, Table
from regbench.records.problems import Augmentation, Preprocessing, Problem
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
from regbench.records.schedules import (
    EACH_STEP,
    OLD_RAMP,
    WARMUP,
    Schedule,
    learning_rate_factor,
    learning_rate_factors,
    peak_factor,
)
from regbench.records.searches import Digest, Manifest, Origin, Role, problem_definition
from regbench.records.selection import Selection

__all__ = [
    "ABSURD_LOSS_FACTOR",
    "BUNDLED",
    "DEEPOBS_METRICS",
    "EACH_STEP",
    "FORMS",
    "LOSSES",
    "METRICS",
    "MINIBATCH",
    "OLD_RAMP",
    "SPLITS",
    "TUNING_SEED",
    "WARMUP",
    "Argument",
    "Arrays",
    "Augmentation",
    "Book",
    "Candidate",
    "Choices",
    "Coupling",
    "Decay",
    "Digest",
    "Function",
    "Guest",
    "Images",
    "Kernel",
    "Kind",
    "Manifest",
    "Measured",
    "Origin",
    "Outcome",
    "OwnData",
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
    "Table",
    "Timings",
    "code_of",
    "digest_of",
    "facts_of",
    "goal_of",
    "is_share",
    "learning_rate_factor",
    "learning_rate_factors",
    "peak_factor",
    "problem_definition",
    "settled",
]
