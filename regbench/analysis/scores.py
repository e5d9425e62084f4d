"""The score of an entry: what its candidate is worth when it is tuned anew with its budget (`expected_winner`).

A trial's value is the mean over the fresh seeds with which its setting was run again; of the others, which seldom win,
it is that of the trial itself. What diverged, crashed, or was never finished is worth as much as the network before
training, and so is what ended worse: nobody would use it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from regbench.analysis import expected_winner
from regbench.analysis.entries import Mode, live_runs, tried_runs, value_of
from regbench.analysis.intervals import NO_INTERVAL, Interval
from regbench.analysis.moments import mean, standard_deviation
from regbench.records import Role
from regbench.trees.searches import INFERRED

FREEDOM = 20.0
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
        diverged: of each trial, how many of these diverged.
        spread: variance over seeds, pooled over the settings with several; NaN where there is none.
        spread_freedom: its degrees of freedom.
        decided_by: what the search chose by (`valid_accuracy`).
        settings: of each trial, as text; None where the order of the trials is not on record.
    """

    sign: float
    chosen_by: np.ndarray
    own: np.ndarray
    fresh: tuple[np.ndarray, ...]
    diverged: tuple[int, ...]
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
        return replace(
            self,
            chosen_by=self.chosen_by[:trials],
            own=self.own[:trials],
            fresh=self.fresh[:trials],
            diverged=self.diverged[:trials],
            settings=self.settings[:trials],
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
    def diverged_of_winner(self) -> int:
        """How many of these diverged."""
        return self.diverged[self.winner]

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
    def diverged_of_winner(self) -> int:
        """How many of these diverged."""
        return sum(one.diverged_of_winner for one in self.each)

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


def searched(runs: pd.DataFrame, mode: Mode = "final", metric: str | None = None, split: str = "test") -> dict[
    Key, AnySearched
]:  # fmt: skip
    """The trials of each entry with their values; arguments as for `entries.reported`.

    The value before training is that of `untrained_<metric>` where `runs` has such a column, else the worst that any
    run on the problem ended with.
    """
    live = live_runs(runs)
    tried = tried_runs(live, mode)
    tried = tried.assign(**value_of(tried, mode, metric, split))
    again = live.merge(tried.drop_duplicates("entry")[["entry", "seed"]].rename(columns={"seed": "tuning_seed"}))
    is_fresh = again["seed"] != again["tuning_seed"]
    again = again[is_fresh.where(again["search"] == INFERRED, again["role"] == Role.RERUN)]
    again = again[again["outcome"].isin(("completed", "diverged"))]
    again = again.drop_duplicates(["entry", "study_seed", "setting", "seed"])
    again = again.assign(**value_of(again, mode, metric, split)).sort_values(["entry", "seed"], kind="stable")
    floors = _untrained(pd.concat([tried, again]))
    columns = ["entry", "study_seed", "setting", "value", "outcome"]
    fresh = dict(tuple(again[columns].groupby(["entry", "study_seed"], sort=False, dropna=False)))
    found: dict[Key, list[Searched]] = {}
    for (entry, study_seed), trials in tried[_OF_TRIALS].groupby(["entry", "study_seed"], sort=True, dropna=False):
        problem, label = (str(trials[name].iloc[0]) for name in ("problem", "label"))
        search = _searched(trials, _get(fresh, entry, study_seed), floors[problem])
        found.setdefault((problem, label), []).append(search)
    several = set(tried.loc[tried["searches"] > 1, "label"])
    return {key: SeveralSearches(tuple(each)) if key[1] in several else each[0] for key, each in found.items()}


def _get(fresh: Mapping[Any, pd.DataFrame], entry: int, study_seed: float) -> pd.DataFrame | None:
    """The runs of one search; no two NaN are one key."""
    if study_seed == study_seed:
        return fresh.get((entry, study_seed))
    return next((runs for key, runs in fresh.items() if key[0] == entry), None)


_OF_TRIALS = [
    *["entry", "study_seed"],
    *["problem", "label", "setting", "trial", "planned", "outcome", "score", "score_goal", "decided_by"],
    *["value", "value_goal"],
]


class _Fresh(NamedTuple):
    values: np.ndarray
    diverged: int


_NONE = _Fresh(np.empty(0), 0)


def _searched(trials: pd.DataFrame, again: pd.DataFrame | None, floor: float) -> Searched:
    first = trials.iloc[0]
    sign, chosen_sign = (1.0 if first[goal] == "maximize" else -1.0 for goal in ("value_goal", "score_goal"))
    completed = (trials["outcome"] == "completed").to_numpy()
    score = chosen_sign * trials["score"].to_numpy(float)
    chosen_by = np.where(completed & np.isfinite(score), score, -np.inf)
    value = sign * trials["value"].to_numpy(float)
    if np.isnan(value[completed]).all():  # the metric is not there
        chosen_by[:] = -np.inf
    own = _worth(value, completed, sign * floor)
    fresh = {} if again is None else dict(_fresh(again, sign, sign * floor))
    texts = trials["setting"].to_numpy(object)
    is_ordered = bool(trials["trial"].notna().all())
    if is_ordered:
        place, planned = trials["trial"].to_numpy(int), first["planned"]
        size = int(max(place.max() + 1, planned if planned == planned else 0))
        chosen_by, own, texts = (
            _placed(size, place, part, nothing)
            for part, nothing in ((chosen_by, -np.inf), (own, sign * floor), (texts, ""))
        )
    runs_again = [fresh.get(text, _NONE) for text in texts]
    spreads = [one.values for one in fresh.values() if len(one.values) > 1]
    freedom = sum(len(values) - 1 for values in spreads)
    squares = sum((len(values) - 1) * standard_deviation(values) ** 2 for values in spreads)
    return Searched(
        sign=sign,
        chosen_by=chosen_by,
        own=own,
        fresh=tuple(one.values for one in runs_again),
        diverged=tuple(one.diverged for one in runs_again),
        spread=squares / freedom if freedom else np.nan,
        spread_freedom=freedom,
        decided_by=str(first["decided_by"]),
        settings=tuple(texts) if is_ordered else None,
    )


def _placed(size: int, place: np.ndarray, part: np.ndarray, nothing: object) -> np.ndarray:
    """By number of the trial; one that has no run cannot win, and is worth nothing."""
    whole = np.full(size, nothing, part.dtype)
    whole[place] = part
    return whole


def _fresh(again: pd.DataFrame, sign: float, floor: float) -> Iterator[tuple[str, _Fresh]]:
    completed = (again["outcome"] == "completed").to_numpy()
    worth = _worth(sign * again["value"].to_numpy(float), completed, floor)
    texts = again["setting"].to_numpy(object)
    for text in dict.fromkeys(texts):
        mine = texts == text
        yield str(text), _Fresh(worth[mine], int((~completed[mine]).sum()))


def _worth(oriented: np.ndarray, completed: np.ndarray, floor: float) -> np.ndarray:
    return np.fmax(np.where(completed & np.isfinite(oriented), oriented, floor), floor)


def _untrained(runs: pd.DataFrame) -> Mapping[str, float]:
    """The reported metric before training, of each problem."""
    floors: dict[str, float] = {}
    for problem, rows in runs.groupby("problem", sort=False):
        column = f"untrained_{rows['value_metric'].iloc[0]}"
        known = rows[column].dropna() if column in rows else rows["value"].iloc[:0]
        ended = rows.loc[(rows["outcome"] == "completed") & np.isfinite(rows["value"]), "value"]
        worst = ended.min() if rows["value_goal"].iloc[0] == "maximize" else ended.max()
        floors[str(problem)] = float(known.median()) if len(known) else float(worst)
    return floors
