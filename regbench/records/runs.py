"""What a run is before and after it was computed: its spec, which identifies it, and its result."""

import base64
import hashlib
import json
import math
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Self, cast

from pydantic import Field, model_validator

from regbench.records.definitions import Decay, Part, Protocol, Scalar, searched_in
from regbench.records.problems import Problem
from regbench.records.record import Record
from regbench.records.schedules import Schedule
from regbench.records.searches import Origin

if TYPE_CHECKING:
    import numpy as np

Measured = Annotated[float, Field(allow_inf_nan=True)]  # a loss may overflow; a definition may not

ALWAYS_TOLD = {
    "problem": ("l2_on",),
    "decay": ("coupling", "strength"),
    "schedule": ("name", "epochs", "factors"),
}
"""Keys with a default that were in the identity of runs before defaults were left out of it; none is ever added."""

MINIBATCH = "minibatch_train_losses"
"""The curve with a value a step, most of a file: it is read only where it is wanted."""

BUNDLED = "bundled"
"""Key in the environment of a run that was not made for the results tree that it lies in: it came with regbench."""


class Outcome(StrEnum):
    """How a run ended."""

    COMPLETED = "completed"
    DIVERGED = "diverged"
    TIMED_OUT = "timed_out"
    FAILED = "failed"


class RunSpec(Record):
    """Everything that determines one training: problem x setting x seed x protocol.

    Args:
        setting: the chosen values of what the candidate searches, by dotted name.
        optimizer: the optimizer with every value chosen (no ranges left); likewise `regularizer` and `decay`.
    """

    problem: Problem
    candidate: str
    setting: dict[str, Scalar]
    optimizer: Part
    regularizer: Part | None
    decay: Decay
    seed: int
    protocol: Protocol
    epochs: int = Field(ge=0)
    batch_size: int = Field(gt=0)
    schedule: Schedule = Schedule()

    @model_validator(mode="after")
    def _everything_is_chosen(self) -> Self:
        if not isinstance(self.decay.strength, float):
            raise ValueError(f"`decay.strength` must be a number in a run. Received: strength={self.decay.strength!r}")
        parts = [("optimizer", self.optimizer)] + ([("regularizer", self.regularizer)] if self.regularizer else [])
        for prefix, part in parts:
            for name, _ in searched_in(prefix, part):
                raise ValueError(f"`{name}` must have one value in a run. Received: a range")
        return self

    @property
    def decay_strength(self) -> float:
        """The factor of L2 or decay; a number in every run."""
        return cast(float, self.decay.strength)

    def identity(self) -> dict[str, Any]:
        """What tells this run from others, as plain JSON data: nothing that cannot change a curve."""
        identity = self.model_dump(
            mode="json",
            exclude={
                "setting": True,
                "problem": {
                    "summary",
                    "source",
                    "batch_size",
                    "epochs",
                    "l2",
                    "convergence",
                    "optimum",
                    "chance",
                    "metric",
                    "metrics",
                    "goal",
                },
                "protocol": {"summary", "reruns", "tuning_seed_counts", "fills_diverged"},
            },
        )
        # A key at its default is left out, so that keys that records get later change no digest of older results.
        for name in ("problem", "protocol", "decay", "schedule"):
            identity[name] = without_defaults(identity[name], getattr(self, name), ALWAYS_TOLD.get(name, ()))
        return identity

    def digest(self) -> str:
        """SHA-256 of the canonical JSON of `identity()`, in hexadecimal."""
        return digest_of(self.identity())

    def setting_digest(self) -> str:
        """The same without the seed: equal for runs of one setting."""
        identity = self.identity()
        del identity["seed"]
        return digest_of(identity)


def without_defaults(identity: dict[str, Any], record: Record, told: Collection[str]) -> dict[str, Any]:
    """The keys of a record's plain form less those at their default, but for those that are always told."""
    fields = type(record).model_fields
    return {
        key: value
        for key, value in identity.items()
        if key in told or fields[key].is_required() or getattr(record, key) != fields[key].default
    }


def digest_of(data: Any) -> str:
    """SHA-256 of canonical JSON, in hexadecimal."""
    canonical = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def code_of(sources: Mapping[str, str]) -> str:
    """In 8 digits, the source of the user's own code (`Origin.sources`); empty where there is none."""
    return digest_of(dict(sources))[:8] if sources else ""


class Timings(Record):
    """Wall seconds of one run; compiling counts neither as training nor as evaluation."""

    compile_seconds: float
    training_seconds: float
    evaluation_seconds: float
    total_seconds: float


class Kernel(Record):
    """A kernel after training.

    Args:
        shape: of the array.
        float32: its entries in C order, little-endian, as base64: text, so that a run stays one JSON file.
    """

    shape: Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(strict=False, max_length=8)]
    float32: str

    @model_validator(mode="after")
    def _entries_fill_the_shape(self) -> Self:
        size = len(base64.b64decode(self.float32, validate=True))
        if size != 4 * math.prod(self.shape):
            raise ValueError(f"`float32` must hold {4 * math.prod(self.shape)} bytes. Received: {size!r}")
        return self

    @classmethod
    def from_array(cls, array: "np.ndarray") -> Self:
        """The record of an array."""
        return cls(shape=array.shape, float32=base64.b64encode(array.astype("<f4").tobytes()).decode())

    def array(self) -> "np.ndarray":
        """The array, float32."""
        import numpy as np

        return np.frombuffer(base64.b64decode(self.float32), "<f4").reshape(self.shape)


class RunResult(Record):
    """What came of a run.

    Args:
        curves: by DeepOBS's names (`train_losses`, `valid_losses`, `test_losses`, `*_accuracies`), each with a value
            before training and one after each epoch; losses with the penalty term. `minibatch_train_losses`: one value
            a step.
        losses_without_penalty: `train_losses`, `valid_losses`, `test_losses` without the penalty term.
        metrics: the curves of the problem's further metrics, by split and name (`valid_f1`), over the same evaluations.
        diverged_epoch: the epoch (counting from 1) in which the run diverged. From there on the curves hold the values
            before training, as DeepOBS 1.2 fills them, unless the protocol says otherwise (`Protocol.fills_diverged`).
        reason: one line on why the outcome is not `completed`.
        shrinkage: the product over all steps of what a decay outside the gradient leaves of a weight, as planned; for
            `cautious`, which leaves entries out, of what it leaves of the norm of the weights that decay, by every
            eighth step. None for `none`, `l2` and `decoupled_momentum`.
        decay_share: the sum over every eighth step, the first among them, of the norm of what the decay changes in the
            weights, after rounding, over the sum of the norms of their whole change; for `l2` of the penalty's
            gradient, over that of the whole gradient. It may exceed 1 where decay and step nearly cancel, and is 0
            where an optimizer of the user's own undoes the decay. None without decay and in files of earlier versions.
        gradient_evaluations: how many gradients of a batch were computed; None in files of earlier versions.
        data_digest: of the data set, as read; `samples_digest`: of the positions of the samples that the run's seed
            drew from it, empty where the problem draws none.
        final_weight_norm: Euclidean norm over all trainable variables after training; None where it is not finite.
        kernels: by layer, after training; empty unless the run was asked to keep them; then there are also:
        singular_values: the largest one of each kernel, by layer, convolutions as matrices (height * width * in, out).
        margins: the output of the right class less the largest of the others, mean of each split's evaluated samples.
        environment: versions, device, threads, peak memory.
        origin: the search that made it, or that it was made by hand; None in files of earlier versions.
    """

    spec: RunSpec
    outcome: Annotated[Outcome, Field(strict=False)]
    curves: dict[str, list[Measured]]
    losses_without_penalty: dict[str, list[Measured]]
    metrics: dict[str, list[Measured]] = Field(default={})
    diverged_epoch: int | None = None
    reason: str = ""
    shrinkage: float | None = None
    decay_share: float | None = None
    gradient_evaluations: Annotated[int, Field(ge=0)] | None = None
    final_weight_norm: float | None = None
    kernels: dict[str, Kernel] = Field(default={}, repr=False)
    singular_values: dict[str, float] = Field(default={}, repr=False)
    margins: dict[str, float] = Field(default={}, repr=False)
    data_digest: str = ""
    samples_digest: str = ""
    timings: Timings
    environment: dict[str, Scalar]
    origin: Origin | None = None

    @property
    def is_bundled(self) -> bool:
        """Whether it came with regbench: then it has no minibatch losses and no kernels."""
        return self.environment.get(BUNDLED) is True

    def brief(self) -> Self:
        """The run with the ends of each curve only: enough to rank it, and small enough for thousands."""
        return self.model_copy(
            update={
                "curves": _ends({name: curve for name, curve in self.curves.items() if name != MINIBATCH}),
                "losses_without_penalty": _ends(self.losses_without_penalty),
                "metrics": _ends(self.metrics),
                "kernels": {},
            }
        )

    def score(self) -> float:
        """The final value of the problem's metric on the split by which the protocol chooses.

        A run that diverged has the problem's `chance`, or where that is not told the value before training.
        """
        curve = self.metric_curve("valid" if self.spec.protocol.validation else "test")
        if self.outcome == Outcome.DIVERGED:
            chance = self.spec.problem.chance
            return curve[0] if chance is None else chance
        return curve[-1]

    def metric_curve(self, split: str) -> list[float]:
        """The curve of the problem's metric on "train", "valid" or "test"; a loss is that without the penalty term.

        With the penalty, settings would be judged by how weak their regularization is.

        Raises:
            KeyError: the run has no such split.
        """
        match self.spec.problem.metric:
            case "accuracy":
                return self.curves[f"{split}_accuracies"]
            case "loss":
                return self.losses_without_penalty[f"{split}_losses"]
            case metric:
                return self.metrics[f"{split}_{metric}"]


def _ends(curves: Mapping[str, list[float]]) -> dict[str, list[float]]:
    return {name: [*curve[:1], *curve[-1:]] for name, curve in curves.items()}
