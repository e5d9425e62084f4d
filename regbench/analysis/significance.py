"""Whether the means of two samples differ: Welch's t test and its interval, Holm's adjustment, and seeds that would do.

NaN stands for no test: fewer than two values in one of the samples, a value that is not finite, or no spread in both.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

POWER = 0.8
POINTS = 200
"""Of the variance's distribution, to average over."""

MOST_SEEDS = 1000
"""Where not even so many seeds each would do, no number is named."""


class Sample(NamedTuple):
    """The values of one entry in three numbers, and how many of its runs diverged."""

    mean: float
    variance: float
    n: int
    diverged: int = 0

    @classmethod
    def of(cls, values: ArrayLike, diverged: int = 0) -> "Sample":
        """Mean and variance (ddof 1; NaN for a single value)."""
        data = np.asarray(values, dtype=float)
        with np.errstate(all="ignore"):
            mean = float(data.mean()) if len(data) else np.nan
            # Equal values have no variance; rounding errors of their mean would give them one.
            varies = len(data) > 1 and np.any(data != data[0])
            variance = float(data.var(ddof=1)) if varies else (0.0 if len(data) > 1 else np.nan)
        return cls(mean, variance, len(data), diverged)


def p_value(one: Sample, other: Sample) -> float:
    """Two-sided p value of Welch's t test, without adjustment for other tests."""
    error, freedom = _welch(one, other)
    return float(2 * special.stdtr(freedom, -abs(one.mean - other.mean) / error))


def interval(one: Sample, other: Sample, level: float) -> tuple[float, float]:
    """Ends of the interval of the mean of `one` minus that of `other`, at the confidence 1 - level."""
    error, freedom = _welch(one, other)
    half = _critical(freedom, level) * error
    difference = one.mean - other.mean
    return float(difference - half), float(difference + half)


def seeds_needed(one: Sample, other: Sample, level: float = 0.05) -> float:
    """Smallest number of seeds each with which Welch's test at `level` has a power of 80 % for what was seen.

    The power of finding the difference with the wrong sign is neglected. Infinite where more than `MOST_SEEDS`.
    """
    difference, variance = abs(one.mean - other.mean), one.variance + other.variance
    if not np.isfinite(p_value(one, other)):
        return np.nan
    z = special.ndtri(POWER) - special.ndtri(level / 2)
    # The normal approximation needs fewer seeds than the t test: start there, and nowhere above the limit.
    with np.errstate(divide="ignore", over="ignore"):
        start = np.float64(variance) * (z / difference) ** 2
    if start > MOST_SEEDS:
        return np.inf
    for n in range(max(2, int(start)), MOST_SEEDS + 1):
        error, freedom = _welch(one._replace(n=n), other._replace(n=n))
        if _power(difference / error, freedom, level) >= POWER:
            return float(n)
    return np.inf


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


def _welch(one: Sample, other: Sample) -> tuple[float, float]:
    """Standard error of the difference and its degrees of freedom (Welch-Satterthwaite); NaN where there is no test."""
    first, second = one.variance / max(one.n, 1), other.variance / max(other.n, 1)
    if not (0 < first + second < np.inf and np.isfinite(one.mean - other.mean)):
        return np.nan, np.nan
    # Relative to their sum, so that the squares of tiny variances do not vanish.
    share = first / (first + second)
    return np.sqrt(first + second), 1 / (share**2 / (one.n - 1) + (1 - share) ** 2 / (other.n - 1))


def _critical(freedom: float, level: float) -> float:
    """The two-sided critical value of t at `level`."""
    return float(-special.stdtrit(freedom, level / 2))


def _power(shift: float, freedom: float, level: float) -> float:
    """Chance that a noncentral t value exceeds the critical one: the normal chance, averaged over the variance.

    SciPy's noncentral t does not converge for the large shifts that two seeds can show.
    """
    variances = special.chdtri(freedom, (np.arange(POINTS) + 0.5) / POINTS) / freedom
    return float(special.ndtr(shift - _critical(freedom, level) * np.sqrt(variances)).mean())
