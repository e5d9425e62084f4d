"""What candidates and protocols are: the records that TOML files and tables are read into."""

import math
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Literal, Self, cast

from pydantic import Field, field_validator, model_validator

from regbench.records.record import Record

Scalar = bool | int | float | str

SPLITS = ("train", "valid", "test")

TUNING_SEED = 42
"""The seed of all trials of a search unless another is given; re-runs of the winner have the seeds that follow it."""

ABSURD_LOSS_FACTOR = 1e6
"""A run has diverged once a loss exceeds this multiple of its value before training, or of 1 where that is smaller."""


class Coupling(StrEnum):
    """Where the decay of the weights acts.

    `none`: nowhere. `l2`: strength/2 * sum w^2 is part of the loss (DeepOBS's convention; Keras's `L2(l)` has no 1/2).
    `decoupled`: w <- w - learning_rate * strength * w before the step (AdamW as in Keras).
    `decoupled_momentum`: w <- w - learning_rate / (1 - momentum) * strength * w before the step (Norridge 2022).
    `decoupled_constant`: w <- w - strength * w before the step (Loshchilov and Hutter 2019).
    `cautious`: w <- w - learning_rate * strength * w after the step, in the entries that the step moves towards zero,
    or not at all; w is that before the step (arXiv 2510.12402).
    `lr_squared`: w <- w - learning_rate^2 / peak rate * strength * w before the step (arXiv 2506.02285, 2512.08217).
    `timescale`: `decoupled`, of which the strength is told by the time over which weights forget, tau epochs:
    strength = 1 / (peak rate * tau * steps in an epoch) (arXiv 2405.13698).
    """

    NONE = "none"
    L2 = "l2"
    DECOUPLED = "decoupled"
    DECOUPLED_MOMENTUM = "decoupled_momentum"
    DECOUPLED_CONSTANT = "decoupled_constant"
    CAUTIOUS = "cautious"
    LR_SQUARED = "lr_squared"
    TIMESCALE = "timescale"


LARGEST_EXPONENT = 300  # powers of ten that floats hold
LARGEST_INTEGER = 2**53  # up to here floats hold every whole number


class Range(Record):
    """An interval from which a hyperparameter is drawn.

    Args:
        low: lower end, included.
        high: upper end, included for integers.
        log: draw the logarithm uniformly; `low` must be positive.
        log10: the two exponents, instead of `low`, `high` and `log`: 10**uniform(a, b).
        integer: draw a whole number.
        one_minus: the value is 1 minus the draw (momentum near 1 is searched on its distance to 1).
        default: the value where nothing is searched.
    """

    low: float | None = None
    high: float | None = None
    log: bool = False
    log10: tuple[float, float] | None = None
    integer: bool = False
    one_minus: bool = False
    default: float | int | None = None

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.log10 is not None:
            if self.low is not None or self.high is not None or self.log or self.integer:
                raise ValueError("`log10` stands instead of `low`, `high`, `log` and `integer`")
            if not self.log10[0] < self.log10[1]:
                raise ValueError(f"`log10` must be two rising exponents. Received: log10={list(self.log10)!r}")
            if max(map(abs, self.log10)) > LARGEST_EXPONENT:
                raise ValueError(
                    f"`log10` must be exponents from -{LARGEST_EXPONENT} to {LARGEST_EXPONENT}. "
                    f"Received: log10={list(self.log10)!r}"
                )
            return self
        if self.low is None or self.high is None:
            raise ValueError("a range needs `low` and `high` (or `log10`)")
        if not self.low < self.high:
            raise ValueError(f"`low` must be below `high`. Received: low={self.low!r}, high={self.high!r}")
        if not math.isfinite(self.high - self.low):
            raise ValueError(f"the range must be shorter. Received: low={self.low!r}, high={self.high!r}")
        if self.log and self.low <= 0:
            raise ValueError(f"`low` must be positive where `log` is true. Received: low={self.low!r}")
        if self.integer and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError(f"an integer range needs whole ends. Received: low={self.low!r}, high={self.high!r}")
        if self.integer and max(abs(self.low), abs(self.high)) > LARGEST_INTEGER:
            raise ValueError(
                f"an integer range must lie within +-2**53, where floats are exact. Received: low={self.low!r}, "
                f"high={self.high!r}"
            )
        return self

    def ends(self) -> tuple[float, float]:
        """The least and the largest drawn number."""
        if self.log10 is not None:
            return 10 ** self.log10[0], 10 ** self.log10[1]
        return cast(float, self.low), cast(float, self.high)  # there are both: see the validator

    def extremes(self) -> tuple[float, float]:
        """The least and the largest value of the hyperparameter itself."""
        low, high = self.ends()
        return (1 - high, 1 - low) if self.one_minus else (low, high)


class Choices(Record):
    """A finite set from which a hyperparameter is drawn, each with the same probability."""

    choices: tuple[Scalar, ...] = Field(min_length=1)
    default: Scalar | None = None

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        once = {(isinstance(choice, bool), choice) for choice in self.choices}  # 1 is not true, although equal to it
        if len(once) < len(self.choices):
            raise ValueError(f"`choices` must be different ones. Received: choices={list(self.choices)!r}")
        if self.default is not None and self.default not in self.choices:
            raise ValueError(f"`default` must be one of {list(self.choices)}. Received: default={self.default!r}")
        return self


class Part(Record):
    """A named thing with arguments: an optimizer, a regularizer, a model.

    Arguments may hold ranges and further parts; a matrix is a list of its rows.
    """

    name: str
    arguments: dict[str, "Argument"] = Field(default={})

    def with_inner(self) -> Iterator["Part"]:
        """Itself, and the parts in it."""
        yield self
        for argument in self.arguments.values():
            if isinstance(argument, Part):
                yield from argument.with_inner()


Searched = Range | Choices
Argument = Scalar | list[Scalar] | list[list[float]] | Range | Choices | Part


class Decay(Record):
    """How strongly the weights decay, and where (see `Coupling`).

    Args:
        strength: may be "problem": the factor of the problem's own L2. With the coupling `timescale` it is a time in
            epochs: the greater, the weaker the decay.
        mask: the weights that decay: "kernels", tables of embeddings among them, of which `l2_on` of a problem may take
            a part only; "kernels_without_embeddings"; or "all", whatever the problem says (docs/weights.md).
    """

    coupling: Annotated[Coupling, Field(strict=False)] = Coupling.NONE
    strength: float | Range | Literal["problem"] = 0.0
    mask: Literal["kernels", "kernels_without_embeddings", "all"] = "kernels"

    @model_validator(mode="after")
    def _strength_fits_coupling(self) -> Self:
        least = self.strength
        if isinstance(self.strength, Range):
            low, default = self.strength.extremes()[0], self.strength.default
            least = low if default is None else min(low, default)
        if isinstance(least, int | float) and least < 0:
            raise ValueError(f"`strength` must not be negative. Received: {least!r}")
        if self.coupling == Coupling.TIMESCALE and (not isinstance(least, int | float) or least == 0):
            raise ValueError(
                "`strength` must be a positive number of epochs with the coupling timescale. "
                f"Received: strength={self.strength!r}"
            )
        if self.coupling == Coupling.NONE and self.strength != 0.0:
            raise ValueError(f"`strength` needs a `coupling` other than none. Received: strength={self.strength!r}")
        if self.coupling == Coupling.NONE and self.mask != "kernels":
            raise ValueError(f"`mask` needs a `coupling` other than none. Received: mask={self.mask!r}")
        return self


def settled(part: Part) -> Part:
    """A regularizer with what its class takes for granted today and did not always, so that runs of both differ.

    A spec that does not say it is one of before, and is built so (`engine.build`); candidates say it.
    """
    arguments = {name: settled(value) if isinstance(value, Part) else value for name, value in part.arguments.items()}
    if part.name == "eigenvalue_decay" and not arguments.get("differentiate_through"):
        arguments.setdefault("warm_start", True)
    if part.name == "orthogonal" and str(arguments.get("form")).startswith("spectral_restricted_isometry"):
        arguments.setdefault("gram", "smaller")
    return part.model_copy(update={"arguments": arguments})


class Candidate(Record):
    """What is compared: an optimizer, a regularizer, a decay, and which of their values are searched.

    Args:
        warmup: the share of all steps in which the rate rises, under the schedules that have a warm-up; None leaves it
            to the schedule.
    """

    name: str
    summary: str
    source: str
    optimizer: Part
    regularizer: Part | None = None
    decay: Decay = Decay()
    warmup: float | Range | None = None

    @field_validator("warmup")
    @classmethod
    def _is_a_share(cls, warmup: float | Range | None) -> float | Range | None:
        low, high = warmup.extremes() if isinstance(warmup, Range) else (warmup or 0.0, warmup or 0.0)
        if not 0 <= low <= high < 1:
            raise ValueError(f"`warmup` must be in [0, 1), a share of all steps. Received: {low!r} to {high!r}")
        return warmup

    @field_validator("regularizer")
    @classmethod
    def _settle(cls, regularizer: Part | None) -> Part | None:
        return regularizer and settled(regularizer)

    def searched(self) -> dict[str, Searched]:
        """The searched values by dotted name (`optimizer.learning_rate`), in the order in which they are drawn."""
        values = dict(searched_in("optimizer", self.optimizer))
        if self.regularizer is not None:
            values |= dict(searched_in("regularizer", self.regularizer))
        if isinstance(self.decay.strength, Range):
            values["decay.strength"] = self.decay.strength
        if isinstance(self.warmup, Range):
            values["warmup"] = self.warmup
        return values


def searched_in(prefix: str, part: Part) -> Iterator[tuple[str, Searched]]:
    """The ranges and choices of a part and the parts in it, by dotted name, in their order."""
    for key, argument in part.arguments.items():
        name = f"{prefix}.{key}"
        if isinstance(argument, Part):
            yield from searched_in(name, argument)
        elif isinstance(argument, Range | Choices):
            yield name, argument


class Protocol(Record):
    """Evaluation rules.

    Args:
        validation: hold a validation split out of the training data and choose the winner by it, else by the test
            split.
        reshuffle: a new order of the training data every epoch, instead of one order per seed.
        every_sample: evaluate incomplete batches too, instead of dropping them.
        augmented_train_evaluation: evaluate the training loss on augmented samples, as DeepOBS does.
        reruns: how many further seeds the winner is run with.
        tuning_seed_counts: whether the run with the tuning seed is one of the reported seeds.
        fills_diverged: the curves of a run that diverged go on with the values before training, as DeepOBS 1.2 has it;
            else with losses that are not a number and the accuracies at the divergence, as 1.1, which trains on.
        whole_batches: drop the last batch of an epoch where it is incomplete, instead of taking a step on it.
    """

    name: str
    summary: str
    validation: bool
    reshuffle: bool
    every_sample: bool
    augmented_train_evaluation: bool
    reruns: int
    tuning_seed_counts: bool
    fills_diverged: bool = True
    whole_batches: bool = True
