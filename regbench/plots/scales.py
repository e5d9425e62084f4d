"""Axes for values: linear or logarithmic, their limits, and ticks that are plain numbers."""

import math
from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

FAR, FAR_IN_LOG = 10, 4  # how many times the distance from best to median a value may be worse than the median
LARGEST = 1e30  # what lies beyond has overflowed, or is about to
DECADES = 12  # no axis of ratios is longer
SMALLEST = float(np.finfo(float).tiny)  # below it doubles have too few digits for ratios
STEPS = [1, 2, 2.5, 5, 10]


def number(value: float, _: object = None) -> str:
    """A number as a tick shows it: four digits, an exponent without zeros."""
    mantissa, _, exponent = f"{value:.4g}".partition("e")
    text = f"{mantissa}e{int(exponent)}" if exponent else mantissa
    return text.replace("-", "\N{MINUS SIGN}")


def finite(values: Iterable[float]) -> np.ndarray:
    """The finite values below `LARGEST`, which can be drawn in their place."""
    array = np.asarray(list(values), dtype=float)
    return array[np.abs(array) < LARGEST]


class Scale(NamedTuple):
    """The range of an axis, from `low` to `high`, and whether it is logarithmic."""

    log: bool
    low: float
    high: float

    def apply(self, axes: Axes, axis: Literal["x", "y"], ticks: int = 5, counts: bool = False) -> None:
        """Set scale, limits and about so many ticks of an axis; `counts`: of whole numbers."""
        axes.set(**{f"{axis}scale": "log" if self.log else "linear", f"{axis}lim": (self.low, self.high)})
        drawn = axes.xaxis if axis == "x" else axes.yaxis
        drawn.set_major_locator(self._locator(ticks, counts))
        drawn.set_minor_locator(NullLocator())
        drawn.set_major_formatter(FuncFormatter(number))

    def _locator(self, ticks: int, counts: bool) -> MaxNLocator | LogLocator:
        decades = math.log10(self.high / self.low) if self.log else 0
        if decades < 1:
            return MaxNLocator(nbins=ticks, steps=STEPS, integer=counts)
        return LogLocator(subs=(1, 2, 5) if decades < 1.8 else (1, 3) if decades < 2.5 else (1,), numticks=ticks + 1)

    def inside(self, values: Iterable[float]) -> np.ndarray:
        """The values, what lies beyond an end put onto it; NaN stays."""
        return np.clip(np.asarray(list(values), dtype=float), self.low, self.high)


def scale_of(values: Iterable[float], ratio: float = 10, margin: float = 0.05) -> Scale:
    """The scale that shows all finite values: logarithmic where none is negative and they span the ratio.

    With ratios, zeros and what is more than twelve decades below the largest value lie at the lower end.
    """
    array = finite(values)
    if not array.size:
        return Scale(False, 0.0, 1.0)
    high, positive = float(array.max()), array[array > 0]
    if array.min() >= 0 and high >= SMALLEST and high >= ratio * positive.min():
        low = max(float(positive.min()), high / 10**DECADES)
        factor = (high / low) ** margin if high > low else 1.1
        return Scale(True, low / factor, high * factor)
    low = float(array.min())
    room = margin * (high - low) or margin * abs(high) or margin
    return Scale(False, low - room, high + room)


def scale_of_better(values: Iterable[float], maximize: bool, ends: Iterable[Iterable[float]] = ()) -> Scale:
    """A scale on which the better half of the values can be told apart: those that are far worse lie beyond it.

    Args:
        values: one of them at least finite.
        maximize: whether more is better.
        ends: of intervals around the values; the scale has room for those of the values that it shows.
    """
    everything = np.asarray(list(values), dtype=float)
    usable = np.abs(everything) < LARGEST
    drawn = everything[usable]
    log = scale_of(drawn).log
    least = drawn[drawn > 0].min() if log else -np.inf
    sign = 1 if maximize else -1

    def worth(numbers: np.ndarray) -> np.ndarray:
        return sign * (np.log(np.maximum(numbers, least)) if log else numbers)

    worths = worth(drawn)
    best, median = worths.max(), np.median(worths)
    step = max(best - median, np.log(1.1) if log else 0.01 * abs(median))
    near = worths >= median - (FAR_IN_LOG if log else FAR) * step
    worst = worths[near].min()
    reach = 3 * max(best - worst, step)
    around = [worth(np.asarray(list(end), dtype=float)[usable][near]) for end in ends]
    shown = np.concatenate([worths[near], *(finite(np.clip(end, worst - reach, best + reach)) for end in around)])
    return scale_of(np.exp(sign * shown) if log else sign * shown, ratio=1 if log else np.inf)


def within_unit(scale: Scale) -> Scale:
    """The scale of a share: what a margin adds beyond 0 and 1 is cut to a hundredth."""
    return scale._replace(low=max(scale.low, -0.01), high=min(scale.high, 1.01))
