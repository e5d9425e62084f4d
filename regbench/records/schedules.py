"""Learning-rate schedules, as factors on the learning rate.

Those of Schmidt et al. 2021 (arXiv 2007.01547) and `step` have one factor an epoch; those that begin with a warm-up
have one a step, since a warm-up of some per cent is shorter than an epoch of a short run.
"""

import math
from typing import Any, Literal, Self

from pydantic import SerializerFunctionWrapHandler, model_serializer, model_validator

from regbench.records.record import Record

OLD_RAMP = "ltr of format version 1"
"""What a trapezoid is called that comes down a step earlier than the published one, as files of before have it."""


EACH_STEP = ("warmup_cosine", "warmup_linear", "wsd")
"""Schedules with a warm-up, whose factor changes in every step."""

WARMUP = 0.05
"""The share of all steps that a warm-up takes unless it is told."""

COOLDOWN = 0.2
"""The share of all steps in which the rate of `wsd` (warm-up, stable, decay) comes down."""


class Schedule(Record):
    """A learning-rate schedule: the factor on the learning rate in each epoch or in each step.

    `epochs`, `factors` and `restart` belong to `step` only: from epoch `epochs[i]` on (counting from 0) the factor is
    `factors[i]`. With `restart` the optimizer is a new one at each of `epochs`, without momentum, moments and steps of
    before, as where somebody compiles a network anew for each stage. `version` belongs
    to `ltr` only: 2 comes down as published; 1, which files without a version mean, a step earlier
    (`catalog.schedule("ltr")` is version 2). `warmup` belongs to those of `EACH_STEP`: the share of all steps in which
    the rate rises; with 0 there is none.
    """

    name: Literal["none", "cosine", "cosine_wr", "ltr", "step", "warmup_cosine", "warmup_linear", "wsd"] = "none"
    epochs: tuple[int, ...] = ()
    factors: tuple[float, ...] = ()
    restart: bool = False
    version: Literal[1, 2] = 1
    warmup: float = WARMUP

    @model_validator(mode="after")
    def _steps_fit(self) -> Self:
        if self.name != "step" and (self.epochs or self.factors or self.restart):
            raise ValueError(f"restart, epochs and factors belong to the schedule step. Received: {self.name!r}")
        if self.name != "ltr" and self.version != 1:
            raise ValueError(f"`version` belongs to the schedule ltr. Received: {self.name!r}")
        if self.name not in EACH_STEP and self.warmup != WARMUP:
            raise ValueError(
                f"`warmup` belongs to the schedules {', '.join(EACH_STEP)}. Received: {self.name!r} with "
                f"warmup={self.warmup!r}"
            )
        if not 0 <= self.warmup < 1:
            raise ValueError(f"`warmup` must be in [0, 1), a share of all steps. Received: warmup={self.warmup!r}")
        if self.name == "step" and not self.epochs:
            raise ValueError("the schedule step needs epochs and factors")
        if len(self.epochs) != len(self.factors):
            raise ValueError(f"as many factors as epochs. Received: epochs={self.epochs!r}, factors={self.factors!r}")
        if any(b <= a for a, b in zip((0, *self.epochs), self.epochs, strict=False)):
            raise ValueError(f"epochs must be positive and rise. Received: epochs={self.epochs!r}")
        if any(factor < 0 for factor in self.factors):
            raise ValueError(f"factors must not be negative. Received: factors={self.factors!r}")
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As files had it before there were versions, restarts and warm-ups, where there is none of them."""
        table: dict[str, Any] = plain(self)
        left_out = {"version"} if self.version == 1 else set()
        left_out |= set() if self.restart else {"restart"}
        left_out |= {"warmup"} if self.warmup == WARMUP else set()
        return {key: value for key, value in table.items() if key not in left_out}

    @property
    def title(self) -> str:
        """The name, by which schedules are told apart, of another warm-up than usual too."""
        if self.name == "ltr" and self.version == 1:
            return OLD_RAMP
        return self.name if self.warmup == WARMUP else f"{self.name} {self.warmup!r}"

    @property
    def is_of_steps(self) -> bool:
        """Whether the factor changes from step to step."""
        return self.name in EACH_STEP


def learning_rate_factors(schedule: Schedule, epoch: int, epochs: int, steps: int) -> list[float]:
    """The factor in each of the `steps` steps of `epoch` (counting from 0) of a run of `epochs`.

    With T steps in the run, of which W = round(warmup * T) are warm-up, and t counting from 0: (t + 1)/W for t < W.
    Then for `warmup_cosine` (1 + cos(pi (t - W)/(T - W)))/2; for `warmup_linear` 1 - (t - W)/(T - W); for `wsd` 1, and
    in the last D = round(T/5) steps (T - t)/D. For the others all are `learning_rate_factor`.
    """
    if not schedule.is_of_steps:
        return [learning_rate_factor(schedule, epoch, epochs)] * steps
    return [_factor_of_step(schedule, epoch * steps + step, epochs * steps) for step in range(steps)]


def peak_factor(schedule: Schedule, epochs: int, steps: int) -> float:
    """The greatest factor of a run."""
    every = (factor for epoch in range(epochs) for factor in learning_rate_factors(schedule, epoch, epochs, steps))
    return max(every, default=1.0)


def _factor_of_step(schedule: Schedule, step: int, total: int) -> float:
    rising = round(schedule.warmup * total)
    if step < rising:
        return (step + 1) / rising
    progress = (step - rising) / (total - rising)
    match schedule.name:
        case "warmup_cosine":
            return _half_cosine(progress)
        case "warmup_linear":
            return 1 - progress
        case _:
            falling = round(COOLDOWN * total)
            return min(1.0, (total - step) / falling) if falling else 1.0


def learning_rate_factor(schedule: Schedule, epoch: int, epochs: int) -> float:
    """The factor in `epoch` (counting from 0) of a run of `epochs`.

    `cosine`: (1 + cos(pi t/T))/2. `cosine_wr`: the same over cycles, the first T/10 long, each twice as long as the one
    before. `ltr`, a trapezoid: T/10 epochs up, flat, then down as (T + 1 - t)/(T/10 + 1), which is 10/11, 9/11, ... for
    T = 100 (in version 1 as (T - t)/(T/10)). `step`: constant pieces. As in the published runs, epoch 0 is trained at
    the full rate whatever the schedule says: for `ltr` the ramp would begin with a rate of 0.

    Raises:
        ValueError: the factor changes from step to step.
    """
    if schedule.is_of_steps:
        raise ValueError(f"`schedule` must have one factor an epoch. Received: {schedule.name!r}")
    if epoch == 0:
        return 1.0
    match schedule.name:
        case "cosine":
            return _half_cosine(epoch / epochs)
        case "cosine_wr":
            start, length = 0.0, epochs / 10
            while epoch >= start + length:
                start, length = start + length, 2 * length
            return _half_cosine((epoch - start) / length)
        case "ltr":
            ramp = epochs / 10
            later = schedule.version - 1  # by how many epochs the rate would be 0 later
            return max(0.0, min(1.0, epoch / ramp, (epochs + later - epoch) / (ramp + later)))
        case "step":
            reached = [
                factor for start, factor in zip(schedule.epochs, schedule.factors, strict=True) if epoch >= start
            ]
            return reached[-1] if reached else 1.0
        case _:
            return 1.0


def _half_cosine(progress: float) -> float:
    return (1 + math.cos(math.pi * progress)) / 2
