"""What each coupling of the decay takes of a weight in a step, and the settings of the others that take the same.

Every coupling but l2 and cautious takes a share of each weight: the strength (of `timescale`: 1 / strength) times
something that the rates of the run alone tell. Where that is proportional for two of them, one setting of the second
does step for step what the first does; else there is one that leaves as much of a weight at the end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from regbench.records import Coupling, Schedule, learning_rate_factors

STEP_FOR_STEP = "step for step"
AT_THE_END = "the same at the end of the run, not in between"

_SAME = 1e-9


@dataclass(frozen=True)
class Pace:
    """What of a run decides how its decay acts.

    Attributes:
        rates: the learning rate of each step, (steps of the run,).
        peak: the greatest rate of the schedule.
        steps: in an epoch.
        momentum: of the optimizer.
    """

    rates: Sequence[float]
    peak: float
    steps: int
    momentum: float = 0.0


@dataclass(frozen=True)
class Setting:
    """A coupling with a strength that does what another does.

    Attributes:
        coupling: its name.
        strength: None where no number does it.
        shrinkage: what the decay alone leaves of a weight at the end of the run; None where that is not known.
        how: how far it is the same, or why there is none.
    """

    coupling: Coupling
    strength: float | None
    shrinkage: float | None
    how: str


def pace_of(schedule: Schedule, epochs: int, learning_rate: float, steps: int, momentum: float = 0.0) -> Pace:
    """The pace of a run.

    Args:
        schedule: of its learning rate.
        epochs: of the run.
        learning_rate: at the start; likewise `momentum`.
        steps: in an epoch.
    """
    every = [factor for epoch in range(epochs) for factor in learning_rate_factors(schedule, epoch, epochs, steps)]
    peak = learning_rate * max(every, default=1.0)
    return Pace([learning_rate * factor for factor in every], peak, steps, momentum)


def strength_of_timescale(epochs: float, peak: float, steps: int) -> float:
    """The strength of `decoupled` with which weights forget over `epochs`: 1 / (peak rate * epochs * steps).

    Raises:
        ValueError: that is less than two steps, of which a decay takes more than half.
    """
    if epochs * steps < 2:
        raise ValueError(
            f"`strength` must be a time of at least two steps with the coupling timescale, and an epoch has {steps}. "
            f"Received: {epochs!r} epochs"
        )
    return 1 / (peak * epochs * steps)


def shares(coupling: Coupling, strength: float, pace: Pace) -> np.ndarray | None:
    """What the decay takes of a weight in each step, as a share; None for l2 and cautious, which depend on the step."""
    unit = _unit(coupling, pace)
    return None if unit is None else _amount(coupling, strength) * unit


def shrinkage(coupling: Coupling, strength: float, pace: Pace) -> float | None:
    """What the decay alone leaves of a weight over the run: the product of 1 - share over all steps.

    None where `shares` is, or where the product overflows.
    """
    taken = shares(coupling, strength, pace)
    if taken is None:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        left = float(np.prod(1 - taken))
    return left if math.isfinite(left) else None


def converted(coupling: Coupling, strength: float, pace: Pace) -> list[Setting]:
    """For every coupling with a decay, the setting that does what this one does; itself among them.

    Args:
        coupling: of which l2 is taken for that of SGD, the only optimizer for which it is a decay.
        strength: of it, not 0.
        pace: of the run.
    """
    acting = _of_sgd(pace) if coupling == Coupling.L2 else coupling
    taken = shares(acting, strength, pace)
    settings = []
    for other in (one for one in Coupling if one != Coupling.NONE):
        if other == coupling:
            settings.append(Setting(other, strength, shrinkage(acting, strength, pace), "as given"))
        elif other == Coupling.L2:
            settings.append(_l2(taken, pace))
        elif taken is None:
            settings.append(Setting(other, None, None, "how much cautious decays depends on the steps of the run"))
        elif other == Coupling.CAUTIOUS:
            why = "none: it leaves out the entries that the step moves away from zero"
            settings.append(Setting(other, None, None, why))
        else:
            settings.append(_same(other, taken, pace))
    return settings


def _unit(coupling: Coupling, pace: Pace) -> np.ndarray | None:
    """What is taken in each step where `_amount` is 1."""
    rates = np.asarray(pace.rates, float)
    match coupling:
        case Coupling.DECOUPLED:
            return rates
        case Coupling.DECOUPLED_MOMENTUM:
            return rates / (1 - pace.momentum)
        case Coupling.DECOUPLED_CONSTANT:
            return np.ones_like(rates)
        case Coupling.LR_SQUARED:
            return rates * rates / pace.peak
        case Coupling.TIMESCALE:
            return rates / (pace.peak * pace.steps)
        case Coupling.NONE:
            return np.zeros_like(rates)
        case _:
            return None


def _amount(coupling: Coupling, strength: float) -> float:
    """What the share is proportional to; its own inverse."""
    return 1 / strength if coupling == Coupling.TIMESCALE else strength


def _of_sgd(pace: Pace) -> Coupling:
    return Coupling.DECOUPLED_MOMENTUM if pace.momentum else Coupling.DECOUPLED


def _l2(taken: np.ndarray | None, pace: Pace) -> Setting:
    if taken is None:
        return Setting(Coupling.L2, None, None, "how much cautious decays depends on the steps of the run")
    same = _same(_of_sgd(pace), taken, pace)
    kind = "SGD with momentum, in the long run; none for others" if pace.momentum else "plain SGD; none for others"
    return Setting(Coupling.L2, same.strength, same.shrinkage, f"{same.how}, for {kind}")


def _same(coupling: Coupling, taken: np.ndarray, pace: Pace) -> Setting:
    unit = _unit(coupling, pace)
    if unit is None or not taken.any():
        return Setting(coupling, None, None, "nothing decays")
    amount = float(taken @ unit / (unit @ unit))
    how = STEP_FOR_STEP
    if not np.allclose(taken, amount * unit, rtol=_SAME, atol=0):
        if taken.max() >= 1:
            return Setting(coupling, None, None, "none: a step takes a whole weight")
        wanted, how = float(np.log1p(-taken).sum()), AT_THE_END
        most = (1 - 1e-12) / unit.max()
        if np.log1p(-most * unit).sum() > wanted:
            return Setting(coupling, None, None, "none: no strength takes as much")
        amount = float(brentq(lambda one: np.log1p(-one * unit).sum() - wanted, 0.0, most, xtol=1e-300, rtol=1e-12))
    strength = _amount(coupling, amount)
    return Setting(coupling, strength, shrinkage(coupling, strength, pace), how)
