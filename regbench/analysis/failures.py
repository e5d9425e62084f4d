"""Shares of failure: how many runs of a setting fail, compared by themselves, and the mean of those that do not.

A run fails where it diverges or ends worse than the network was before training. In means and scores it counts as
before training, so that one failure of nine moves a mean further than any tuning does: the share has to be looked at
by itself. And few seeds say little of it: none of nine leaves up to 28 % possible.
"""

from typing import NamedTuple, Self

import numpy as np
from scipy import stats

from regbench.analysis.intervals import Interval
from regbench.analysis.moments import mean


class Failures(NamedTuple):
    """Of the runs of one setting.

    Args:
        failed: how many failed.
        runs: how many there are.
        mean_of_others: the mean of the runs that did not fail, in units of the metric; NaN where all failed.
    """

    failed: int
    runs: int
    mean_of_others: float

    @classmethod
    def of(cls, values: np.ndarray, failed: np.ndarray) -> Self:
        """Of values and whether each failed; both of shape (runs,)."""
        return cls(int(failed.sum()), len(failed), mean(values[~failed]))

    def interval(self, level: float = 0.95) -> Interval:
        """Of the probability of a failure (Clopper and Pearson 1934); one-sided where none or all of the runs failed.

        At 95 %, of 5 to 25 runs, it holds the truth in at least 92 % of the cases: a one-sided end is nearer.
        """
        if not self.runs:
            return Interval(0.0, 1.0)
        is_one_sided = self.failed in (0, self.runs)
        tested = stats.binomtest(self.failed, self.runs)
        ends = tested.proportion_ci(1 - 2 * (1 - level) if is_one_sided else level, method="exact")
        return Interval(float(ends.low), float(ends.high))

    def __str__(self) -> str:
        low, high = (f"{100 * end:.0f}" for end in self.interval())
        possible = f"{low} to {high}"
        if self.failed in (0, self.runs):
            possible = f"from {low}" if self.failed else f"up to {high}"
        return f"{self.failed} of {self.runs} ({possible} % possible)"


def compared(one: Failures, other: Failures) -> float:
    """Two-sided p value of equal probabilities, Fisher's exact test; NaN where one has no runs."""
    if not (one.runs and other.runs):
        return np.nan
    table = [[one.failed, one.runs - one.failed], [other.failed, other.runs - other.failed]]
    return float(stats.fisher_exact(table).pvalue)
