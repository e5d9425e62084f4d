"""Power: what would have to be run for a difference to be seen, from the spread that is on record of two candidates.

The power computed from an effect that was just seen tells nothing new. What is told here are the smallest true
differences that would be found in 80 of 100 comparisons of two entries that are named beforehand (two-sided, at 5 %),
were they made anew in one of three ways:

* `searches`: so many searches of each, declared as one entry, with `FEW_RERUNS` re-runs of each winner.
* `trials`: one search of each with so many trials, not more than are on record, and the usual re-runs.
* `seeds`: the two settings that were found, with so many fresh seeds each. This answers another question.

The spread is known from one search of each, so that the differences have an interval: that of a variance with the
degrees of freedom with which claims count. A second test must agree before anything is claimed (`redrawing`), so that a
little more is needed than what stands here.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from regbench.analysis import redrawing
from regbench.analysis.searched import FEWEST_FRESH_SEEDS, FEWEST_SEARCHES, FREEDOM, Searched
from regbench.analysis.sentences import Question
from regbench.analysis.significance import Difference, Sample

LEVEL = 0.05
MOST = 1000
"""No more searches or seeds than so many are thought of."""

SHOWN = {"searches": (1, 3, 5, 10), "trials": (10, 25, 50, 75), "seeds": (5, 9, 20, 50)}
"""What is told where no difference is asked for."""

_SUBSETS = 100
QUESTIONS: dict[str, Question] = {"searches": "budget", "trials": "budget", "seeds": "settings"}


class Sight(NamedTuple):
    """What one way to compare two candidates would see.

    Args:
        question: that it answers.
        what: "searches", "trials" or "seeds".
        number: how many of them.
        visible: the smallest true difference that is found in 80 of 100 cases, in units of the metric.
        low: end of its interval; `high`: the other.
        runs: that it takes, of both candidates.
    """

    question: Question
    what: str
    number: int
    visible: float
    low: float
    high: float
    runs: int


class Power:
    """Of two candidates with one search each.

    Args:
        one: the search of the one.
        other: of the other.
        reruns: with how many fresh seeds a winner of a single search is run again.
        few: of each of several searches.
        level: of the intervals.

    Raises:
        ValueError: the spread over seeds of either is not known.
    """

    def __init__(self, one: Searched, other: Searched, *, reruns: int = 9, few: int = 2, level: float = 0.95) -> None:
        """Take the two searches."""
        for search in (one, other):
            if not search.can_win or not np.isfinite(search.spread):
                raise ValueError("a search must have a winner with at least 2 fresh seeds, or its spread is not known")
        self._pair = one, other
        self._reruns, self._few, self._level = reruns, few, level

    def of(self, what: str, count: int) -> Sight:
        """What so many searches, trials or seeds would see.

        Raises:
            ValueError: it is not one of `counts`.
        """
        if count not in self.counts(what):
            raise ValueError(f"`count` must be one that `counts` has. Received: what={what!r}, count={count!r}")
        difference, freedom = {"searches": self._searches, "trials": self._trials, "seeds": self._seeds}[what](count)
        visible = difference.detectable(LEVEL)
        tails = stats.chi2.ppf([(1 + self._level) / 2, (1 - self._level) / 2], freedom)
        low, high = visible * np.sqrt(freedom / tails)
        return Sight(QUESTIONS[what], what, count, visible, float(low), float(high), self._runs(what, count))

    def counts(self, what: str) -> range | tuple[int, ...]:
        """How many of them can be thought of, the fewest first."""
        if what == "searches":
            return (1, *range(FEWEST_SEARCHES, MOST + 1))
        if what == "trials":
            return range(2, min(search.trials for search in self._pair) + 1)
        return range(FEWEST_FRESH_SEEDS, MOST + 1)

    def needed(self, what: str, difference: float) -> tuple[Sight | None, Sight | None, Sight | None]:
        """The fewest that see so large a true difference, and the ends of the interval of that; None: not so many."""
        visible = low = high = None
        for one in self._sights(what):
            visible = visible or (one if one.visible <= difference else None)
            low = low or (one if one.low <= difference else None)
            if one.high <= difference:
                high = one
                break
        return visible, low, high

    def _sights(self, what: str) -> Iterator[Sight]:
        counts: Sequence[int] = self.counts(what)
        fine, step = (9, 5) if what == "trials" else (100, 10)
        steps = [*counts[:fine], *(count for count in counts[fine:] if count % step == 0 or count == counts[-1])]
        return (self.of(what, count) for count in steps)

    def _searches(self, count: int) -> tuple[Difference, float]:
        if count == 1:
            seen = redrawing.difference(*self._pair)
            return seen, seen.freedom
        variance = sum(search.draw_variance + self._seed_variance(search, self._few) for search in self._pair)
        return Difference(0.0, float(np.sqrt(variance / count)), 2.0 * count - 2), FREEDOM

    def _trials(self, count: int) -> tuple[Difference, float]:
        variance = sum(self._variance_of_fewer(search, count) for search in self._pair)
        return Difference(0.0, float(np.sqrt(variance)), FREEDOM), FREEDOM

    def _seeds(self, count: int) -> tuple[Difference, float]:
        samples = [Sample.of(search.fresh_of_winner) for search in self._pair]
        variance = sum(sample.variance for sample in samples)
        return Difference(0.0, float(np.sqrt(variance / count)), 2.0 * count - 2), sum(one.n - 1 for one in samples)

    def _variance_of_fewer(self, search: Searched, count: int) -> float:
        """Mean over searches of `count` of the trials."""
        generator = np.random.default_rng(0)
        subsets = (
            search.only(np.sort(generator.choice(search.trials, count, replace=False)))
            for _ in range(_SUBSETS if count < search.trials else 1)
        )
        return float(np.mean([part.draw_variance + self._seed_variance(part, self._reruns) for part in subsets]))

    @staticmethod
    def _seed_variance(search: Searched, reruns: int) -> float:
        """Of the score, had only the winner been run again, with so many seeds."""
        seeds = np.where(np.arange(search.trials) == 0, reruns, 1)
        return float(search.spread * np.sum(search.chances**2 / seeds))

    def _runs(self, what: str, count: int) -> int:
        if what == "seeds":
            return 2 * count
        if what == "trials":
            return 2 * (count + self._reruns)
        trials = sum(search.trials for search in self._pair)
        return count * (trials + 2 * (self._reruns if count == 1 else self._few))
