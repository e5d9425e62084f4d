"""A search as its trials, and its score: what its candidate is worth when it is tuned anew with its budget.

`expected_winner` has the formulas. Where the trials come from is the matter of `scores`.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import special

from regbench.analysis import expected_winner
from regbench.analysis.failures import Failures
from regbench.analysis.intervals import NO_INTERVAL, Interval
from regbench.analysis.moments import mean, standard_deviation

FREEDOM = 10.0
"""Degrees of freedom of the error of one search: chosen on recorded surfaces (`docs/claims.md`), not derived."""

FEWEST_FRESH_SEEDS = 5
FEWEST_SEARCHES = 3

Key = tuple[str, str]
"""Problem and label."""


class Score(NamedTuple):
    """A number with its error; greater is better only where the goal says so.

    Args:
        value: the expected winner, in the units of the metric.
        error: its standard error; NaN where it is not known.
        freedom: degrees of freedom of the error.
        is_approximate: the freedom is not that of a sum of squares, and does not grow where two errors are added.
        why_silent: why nothing can be claimed of it; else empty.
    """

    value: float
    error: float
    freedom: float
    is_approximate: bool = False
    why_silent: str = ""

    def interval(self, level: float = 0.95) -> Interval:
        """Student's t interval."""
        with np.errstate(over="ignore", invalid="ignore"):
            half = -special.stdtrit(self.freedom, (1 - level) / 2) * self.error
            ends = Interval(float(self.value - half), float(self.value + half))
        return ends if np.isfinite(ends).all() and half > 0 else NO_INTERVAL


NO_SCORE = Score(np.nan, np.nan, np.nan, why_silent="no trials")


@dataclass(frozen=True)
class Searched:
    """The trials of one search, by their numbers, oriented so that greater is better.

    Args:
        sign: 1 where the metric is to be maximized, else -1.
        chosen_by: shape (trials,), the value by which the search chose; -inf for a trial that cannot win.
        own: shape (trials,), the reported metric of the trials themselves.
        fresh: of each trial, the reported metric of the runs of its setting with fresh seeds; empty for most.
        failed: of each trial, which of these failed (`failures`).
        spread: variance over seeds, pooled over the settings with several; NaN where there is none.
        spread_freedom: its degrees of freedom.
        decided_by: what the search chose by (`valid_accuracy`).
        settings: of each trial, as text; None where the order of the trials is not on record.
    """

    sign: float
    chosen_by: np.ndarray
    own: np.ndarray
    fresh: tuple[np.ndarray, ...]
    failed: tuple[np.ndarray, ...]
    spread: float
    spread_freedom: int
    decided_by: str
    settings: tuple[str, ...] | None

    @property
    def trials(self) -> int:
        """How many there are."""
        return len(self.own)

    def first(self, trials: int) -> "Searched":
        """The search as it was after so many trials; what is known of the spread stays."""
        if trials >= self.trials or self.settings is None:
            return self
        return self.only(np.arange(trials))

    def only(self, numbers: np.ndarray) -> "Searched":
        """The search as if it had made only these of its trials, of shape (trials,)."""
        return replace(
            self,
            chosen_by=self.chosen_by[numbers],
            own=self.own[numbers],
            fresh=tuple(self.fresh[number] for number in numbers),
            failed=tuple(self.failed[number] for number in numbers),
            settings=None if self.settings is None else tuple(self.settings[number] for number in numbers),
        )

    @cached_property
    def order(self) -> np.ndarray:
        """Numbers of the trials, the best first; of equal ones one that was run again, then the earlier."""
        return np.lexsort((-self.seeds, -self.chosen_by))

    @cached_property
    def seeds(self) -> np.ndarray:
        """With how many fresh seeds each trial was run again."""
        return np.array([len(values) for values in self.fresh])

    @cached_property
    def values(self) -> np.ndarray:
        """What each trial is worth."""
        return np.array([mean(again) if len(again) else own for again, own in zip(self.fresh, self.own, strict=True)])

    @cached_property
    def fresh_seeds(self) -> int:
        """Of the settings that were run again, in all."""
        if self.settings is None:
            return int(self.seeds.sum())
        return sum(dict(zip(self.settings, self.seeds.tolist(), strict=True)).values())  # one may be drawn twice

    @property
    def can_be_cut(self) -> bool:
        """Whether the order of the trials is on record."""
        return self.settings is not None

    @property
    def fresh_of_winner(self) -> np.ndarray:
        """The values of the winner with fresh seeds, shape (runs,), greater is better."""
        return self.fresh[self.winner]

    @property
    def failures(self) -> Failures:
        """Of these."""
        return Failures.of(self.sign * self.fresh_of_winner, self.failed[self.winner])

    @property
    def winner(self) -> int:
        """The number of the trial that won."""
        return int(self.order[0])

    @cached_property
    def chances(self) -> np.ndarray:
        """To win, of the trials in their order."""
        return expected_winner.shared_weights(self.chosen_by[self.order])

    @cached_property
    def draw_variance(self) -> float:
        """Of the score, over searches."""
        return expected_winner.draw_variance(self.values[self.order])

    @cached_property
    def seed_variance(self) -> float:
        """Of the score, over seeds of the trials' values."""
        with np.errstate(over="ignore", invalid="ignore"):
            return float(self.spread * np.sum(self.chances**2 / np.maximum(self.seeds, 1)[self.order]))

    @cached_property
    def redrawn(self) -> np.ndarray:
        """Scores of searches drawn from the trials, by the same draws for all of this size; shape (REDRAWS,)."""
        return expected_winner.redrawn(self.values, self.order, expected_winner.drawn_counts(self.trials))

    @cached_property
    def oriented(self) -> float:
        """The expected winner, greater is better."""
        with np.errstate(over="ignore", invalid="ignore"):
            return float(self.chances @ self.values[self.order])

    @cached_property
    def score(self) -> Score:
        """The score of this search."""
        error = float(np.sqrt(self.draw_variance + self.seed_variance))
        freedom, is_approximate = (FREEDOM, True) if self.trials > 1 else (float(self.spread_freedom), False)
        why = self._why_silent()
        value = self.sign * self.oriented if self.can_win else np.nan
        return Score(value, error, freedom, is_approximate, why)

    @property
    def can_win(self) -> bool:
        """Whether any trial can."""
        return bool(np.isfinite(self.chosen_by).any())

    def _why_silent(self) -> str:
        if not self.can_win:
            return "no trial can win"
        if self.fresh_seeds < FEWEST_FRESH_SEEDS:
            return f"{counted(self.fresh_seeds, 'fresh seed')}, {FEWEST_FRESH_SEEDS} are needed"
        return ""


@dataclass(frozen=True)
class SeveralSearches:
    """Searches that were declared as one: each is one value, and they tell by themselves how much luck there is.

    The value of a search is its expected winner, as that of a search by itself: it varies less from search to search
    than the winner that was found.

    Args:
        each: the searches, by their study seeds.
    """

    each: tuple[Searched, ...]

    @property
    def trials(self) -> int:
        """How many there are of each."""
        return max(one.trials for one in self.each)

    def first(self, trials: int) -> "SeveralSearches":
        """Each search as it was after so many trials."""
        return SeveralSearches(tuple(one.first(trials) for one in self.each))

    @property
    def can_be_cut(self) -> bool:
        """Whether the order of the trials is on record."""
        return all(one.can_be_cut for one in self.each)

    @property
    def can_win(self) -> bool:
        """Whether any trial of any search can."""
        return any(one.can_win for one in self.each)

    @cached_property
    def fresh_of_winner(self) -> np.ndarray:
        """The values of all winners with fresh seeds, shape (runs,), greater is better."""
        return np.concatenate([one.fresh_of_winner for one in self.each])

    @property
    def failures(self) -> Failures:
        """Of these."""
        failed = np.concatenate([one.failed[one.winner] for one in self.each])
        return Failures.of(self.each[0].sign * self.fresh_of_winner, failed)

    @cached_property
    def oriented(self) -> float:
        """The mean over the searches, greater is better."""
        return mean([one.oriented for one in self.each])

    @cached_property
    def score(self) -> Score:
        """The mean of the searches' expected winners, with the error of a mean."""
        count = len(self.each)
        error = standard_deviation([one.oriented for one in self.each]) / np.sqrt(count)
        why = "" if count >= FEWEST_SEARCHES else f"{counted(count, 'search')}, {FEWEST_SEARCHES} are needed"
        if not self.can_win:
            why = "no trial can win"
        elif any(not one.fresh_seeds for one in self.each):
            why = "a search whose winner has no fresh seed"
        value = self.each[0].sign * self.oriented if self.can_win else np.nan
        return Score(value, float(error), count - 1.0, False, why)


AnySearched = Searched | SeveralSearches


def counted(number: int, noun: str) -> str:
    """`no seed`, `one seed`, `2 seeds`."""
    plural = f"{noun}es" if noun.endswith("ch") else f"{noun}s"
    return {0: f"no {noun}", 1: f"one {noun}"}.get(number, f"{number} {plural}")
