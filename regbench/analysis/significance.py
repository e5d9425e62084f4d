"""Whether two values differ: a difference with its error, Welch's t test, and Holm's adjustment for many tests.

NaN stands for no test: no error is known, a value is not finite, or there is no spread at all.
"""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

POWER = 0.8


class Sample(NamedTuple):
    """The values of one entry in three numbers."""

    mean: float
    variance: float
    n: int

    @classmethod
    def of(cls, values: ArrayLike) -> Self:
        """Mean and variance (ddof 1; NaN for a single value)."""
        data = np.asarray(values, dtype=float)
        with np.errstate(all="ignore"):
            mean = float(data.mean()) if len(data) else np.nan
            # Equal values have no variance; rounding errors of their mean would give them one.
            varies = len(data) > 1 and np.any(data != data[0])
            variance = float(data.var(ddof=1)) if varies else (0.0 if len(data) > 1 else np.nan)
        return cls(mean, variance, len(data))


class Difference(NamedTuple):
    """A difference of two values, its standard error, and the degrees of freedom of that."""

    value: float
    error: float
    freedom: float

    @classmethod
    def of(cls, one: Sample, other: Sample) -> Self:
        """Of two means (Welch-Satterthwaite)."""
        first, second = one.variance / max(one.n, 1), other.variance / max(other.n, 1)
        value = one.mean - other.mean
        if not (0 < first + second < np.inf and np.isfinite(value)):
            return cls(value, np.nan, np.nan)
        # Relative to their sum, so that the squares of tiny variances do not vanish.
        share = first / (first + second)
        freedom = 1 / (share**2 / (one.n - 1) + (1 - share) ** 2 / (other.n - 1))
        return cls(value, float(np.sqrt(first + second)), float(freedom))

    def p_value(self) -> float:
        """Two-sided p value of the t test, without adjustment for other tests."""
        if not self.error > 0:
            return np.nan
        return float(2 * special.stdtr(self.freedom, -abs(self.value) / self.error))

    def interval(self, level: float) -> tuple[float, float]:
        """Ends of the interval at the confidence 1 - level."""
        half = self._critical(level) * self.error if self.error > 0 else np.nan
        return float(self.value - half), float(self.value + half)

    def detectable(self, level: float) -> float:
        """The smallest true difference that a test at `level` finds in 80 of 100 cases, with an error as here."""
        return (self._critical(level) + float(special.stdtrit(self.freedom, POWER))) * self.error

    def _critical(self, level: float) -> float:
        """The two-sided critical value of t at `level`."""
        return float(-special.stdtrit(self.freedom, level / 2))


def holm(p: ArrayLike) -> np.ndarray:
    """P values adjusted for each other: the smallest times their number, the next times one less (Holm 1979).

    They never fall. NaN, no test, stays NaN and counts as no comparison. Departure: they are not cut off at 1, so that
    divided by `p` they say at which part of the level each was judged.
    """
    values = np.asarray(p, dtype=float)
    order = np.argsort(values, kind="stable")
    factors = np.maximum(np.isfinite(values).sum() - np.arange(len(values)), 1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.maximum.accumulate(values[order] * factors)
    return adjusted
