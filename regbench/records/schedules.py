"""Learning-rate schedules, as factors on the learning rate per epoch (Schmidt et al. 2021, arXiv 2007.01547)."""

import math
from typing import Any, Literal, Self

from pydantic import SerializerFunctionWrapHandler, model_serializer, model_validator

from regbench.records.record import Record

OLD_RAMP = "ltr of format version 1"
"""What a trapezoid is called that comes down a step earlier than the published one, as files of before have it."""


class Schedule(Record):
    """A learning-rate schedule: the factor on the learning rate in each epoch.

    `epochs`, `factors` and `restart` belong to `step` only: from epoch `epochs[i]` on (counting from 0) the factor is
    `factors[i]`. With `restart` the optimizer is a new one at each of `epochs`, without momentum, moments and steps of
    before, as where somebody compiles a network anew for each stage. `version` belongs
    to `ltr` only: 2 comes down as published; 1, which files without a version mean, a step earlier
    (`catalog.schedule("ltr")` is version 2).
    """

    name: Literal["none", "cosine", "cosine_wr", "ltr", "step"] = "none"
    epochs: tuple[int, ...] = ()
    factors: tuple[float, ...] = ()
    restart: bool = False
    version: Literal[1, 2] = 1

    @model_validator(mode="after")
    def _steps_fit(self) -> Self:
        if self.name != "step" and (self.epochs or self.factors or self.restart):
            raise ValueError(f"restart, epochs and factors belong to the schedule step. Received: {self.name!r}")
        if self.name != "ltr" and self.version != 1:
            raise ValueError(f"`version` belongs to the schedule ltr. Received: {self.name!r}")
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
        """As files had it before there were versions and restarts, where there is none of them."""
        table: dict[str, Any] = plain(self)
        left_out = {"version"} if self.version == 1 else set()
        left_out |= set() if self.restart else {"restart"}
        return {key: value for key, value in table.items() if key not in left_out}

    @property
    def title(self) -> str:
        """The name, by which two schedules that differ in more than numbers are told apart."""
        return OLD_RAMP if self.name == "ltr" and self.version == 1 else self.name


def learning_rate_factor(schedule: Schedule, epoch: int, epochs: int) -> float:
    """The factor in `epoch` (counting from 0) of a run of `epochs`.

    `cosine`: (1 + cos(pi t/T))/2. `cosine_wr`: the same over cycles, the first T/10 long, each twice as long as the one
    before. `ltr`, a trapezoid: T/10 epochs up, flat, then down as (T + 1 - t)/(T/10 + 1), which is 10/11, 9/11, ... for
    T = 100 (in version 1 as (T - t)/(T/10)). `step`: constant pieces. As in the published runs, epoch 0 is trained at
    the full rate whatever the schedule says: for `ltr` the ramp would begin with a rate of 0.
    """
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
