"""Candidates across problems: average ranks with what they can and cannot show, and performance profiles.

Only problems on which every candidate is ranked count. Where these are too few to support a claim about all candidates,
those that are ranked on the fewest problems (of equals the last by name) are left out, one by one, until the problems
that the others have in common do support one; if that never happens, all stay. What is left out is named.

Rows that are not `comparable` or have no `rank` count nowhere. A candidate that is ranked without a finite mean (its
runs diverged) is the worst of its problem.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

LEVEL = 0.05
MOST_PROBLEMS = 1000
"""Where not even so many problems would do, none are named."""

_MOST_NAMES = 5


@dataclass(frozen=True)
class AverageRanks:
    """Ranks averaged over problems (Demsar 2006), 1 the best.

    Args:
        ranks: average rank by label, the best first.
        problems: those that count.
        left_out: problems that do not, each with those of the labels that are not ranked there.
        absent: labels that are left out because they are ranked on too few problems.
        friedman_statistic: NaN for fewer than three candidates.
        friedman_p: chance of ranks that differ so much if no candidate were better. For two candidates that of the sign
            test, which takes the place of Friedman's.
        critical_difference: Nemenyi's: two average ranks further apart differ significantly.
        groups: labels that are not distinguishable from each other, in order of rank; every candidate in a single group
            where the Friedman test does not reject.
        level: at which differences are called significant.
    """

    ranks: pd.Series
    problems: tuple[str, ...]
    left_out: Mapping[str, tuple[str, ...]]
    absent: tuple[str, ...]
    friedman_statistic: float
    friedman_p: float
    critical_difference: float
    groups: tuple[tuple[str, ...], ...]
    level: float

    @property
    def n_problems(self) -> int:
        """How many problems count."""
        return len(self.problems)

    @property
    def sentence(self) -> str:
        """A sentence that says whether the average ranks differ, by which test."""
        return _verdict(self) + _omissions(self)


def average_ranks(table: pd.DataFrame, level: float = LEVEL) -> AverageRanks:
    """Rank the candidates on every problem, average, and say what can be told apart.

    Args:
        table: `ranking.ranked_entries`: `problem`, `label`, `mean`, `goal`, `comparable`, `rank` (only whether there is
            one); one row for each label of a problem.
        level: chance of calling any difference significant where there is none.
    """
    values, left_out, absent = _worths(table, level)
    # Rank 1 is the best; ties share the mean of their ranks.
    ranked = values.rank(axis="columns", ascending=False, na_option="bottom")
    ranks = ranked.mean().sort_values(kind="stable")
    n_problems, n_candidates = ranked.shape
    statistic, p = _friedman(ranked)
    difference = critical_difference(n_candidates, n_problems, level)
    groups = _groups(ranks, difference if p < level else np.inf)
    return AverageRanks(ranks, tuple(ranked.index), left_out, absent, statistic, p, difference, groups, level)


@functools.cache
def critical_difference(n_candidates: int, n_problems: int, level: float = LEVEL) -> float:
    """How far two average ranks must lie apart: `q sqrt(k (k + 1) / (6 N))` (Nemenyi; Demsar 2006, section 3.2.2).

    `q` is the quantile of the studentized range with infinite degrees of freedom, divided by the root of 2.
    """
    if n_candidates < 2 or n_problems < 1:
        return np.nan
    q = stats.studentized_range.ppf(1 - level, n_candidates, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(n_candidates * (n_candidates + 1) / (6 * n_problems)))


def problems_needed(n_candidates: int, level: float = LEVEL) -> int | None:
    """From how many problems on a claim is possible at all: if all rank the candidates alike, the tests see it.

    None where `MOST_PROBLEMS` are not enough.
    """
    return next((n for n in range(1, MOST_PROBLEMS + 1) if _can_support(n_candidates, n, level)), None)


def performance_profile(table: pd.DataFrame) -> pd.DataFrame:
    """Share of the problems on which a candidate is within a factor of the best (Dolan and More 2002).

    What is divided is the mean loss, or for metrics that are maximized the error, 1 - mean. Problems with a negative
    value have no such factors and are left out; where the best is 0, the others are infinitely far from it.

    Args:
        table: as for `average_ranks`.

    Returns:
        `label`, `factor`, `share`, `problems` (how many count): the corners of a step function for each label, which
        rises at each factor and holds to the next; all lines go from 1 to the largest factor.
    """
    worths, _, _ = _worths(table, LEVEL)
    goals = _ranked(table).drop_duplicates("problem").set_index("problem")["goal"].reindex(worths.index)
    costs = (-worths).add((goals == "maximize").astype(float), axis="index")
    costs = costs[(costs.isna() | (costs >= 0)).all(axis="columns")]
    best = costs.min(axis="columns")
    with np.errstate(divide="ignore", invalid="ignore"):
        factors = costs.div(best, axis="index").where(costs.ne(best, axis="index"), 1.0).fillna(np.inf)
    finite = factors.to_numpy()[np.isfinite(factors.to_numpy())]
    end = finite.max(initial=1.0)
    rows = []
    for label, column in factors.items():
        corners = np.unique([1.0, *column[np.isfinite(column)], end])
        rows += [(label, corner, float((column <= corner).mean()), len(factors)) for corner in corners if len(factors)]
    return pd.DataFrame(rows, columns=["label", "factor", "share", "problems"])


def _worths(table: pd.DataFrame, level: float) -> tuple[pd.DataFrame, dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Means with the best highest, problems x labels; what the other problems lack; the labels that are left out."""
    rows = _ranked(table)
    if rows.duplicated(["problem", "label"]).any():
        twice = rows.loc[rows.duplicated(["problem", "label"]), ["problem", "label"]].iloc[0]
        raise ValueError(f"`table` must have one row for each label of a problem. Received twice: {tuple(twice)}")
    mean = rows["mean"].astype(float)
    worth = mean.where(rows["goal"] == "maximize", -mean).where(np.isfinite(mean))
    by = [rows["problem"].astype(str), rows["label"].astype(str)]
    values = worth.groupby(by).first().unstack()
    there = rows.groupby(by).size().unstack().notna()
    kept = _kept(there, level)
    absent = tuple(there.columns.difference(kept))
    there = there[kept]
    complete = there.all(axis="columns")
    left_out = {str(name): tuple(there.columns[~row]) for name, row in there[~complete].iterrows()}
    return values.reindex(index=there.index[complete], columns=kept), left_out, absent


def _kept(there: pd.DataFrame, level: float) -> list[str]:
    """The most labels about which the problems that they have in common can support a claim; else all."""
    by_problems = there.sum().sort_values(ascending=False, kind="stable").index
    for count in range(len(by_problems), 1, -1):
        some = sorted(by_problems[:count])
        if _can_support(count, int(there[some].all(axis="columns").sum()), level):
            return some
    return list(there.columns)


def _ranked(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["comparable"].astype(bool) & table["rank"].notna()]


def _friedman(ranked: pd.DataFrame) -> tuple[float, float]:
    n_problems, n_candidates = ranked.shape
    if n_problems == 0 or n_candidates < 2:
        return np.nan, np.nan
    if n_candidates == 2:
        ahead = ranked.iloc[:, 0] - ranked.iloc[:, 1]
        wins, decided = int((ahead < 0).sum()), int((ahead != 0).sum())
        return np.nan, float(stats.binomtest(wins, decided).pvalue) if decided else 1.0
    if (ranked.nunique(axis="columns") == 1).all():
        return 0.0, 1.0
    test = stats.friedmanchisquare(*ranked.to_numpy().T)
    return float(test.statistic), float(test.pvalue)


def _groups(ranks: pd.Series, difference: float) -> tuple[tuple[str, ...], ...]:
    """The largest runs of neighbours whose ends are no further apart than the critical difference."""
    groups: list[tuple[str, ...]] = []
    reached = 0
    for start in range(len(ranks)):
        end = int(np.searchsorted(ranks.to_numpy(), ranks.iloc[start] + difference, side="right"))
        if end > max(reached, start + 1):
            groups.append(tuple(ranks.index[start:end]))
        reached = max(reached, end)
    return tuple(groups)


@functools.cache
def _can_support(n_candidates: int, n_problems: int, level: float) -> bool:
    """Whether problems that all rank the candidates alike would tell the first from the last."""
    alike = pd.DataFrame([np.arange(1.0, n_candidates + 1)] * n_problems)
    _, p = _friedman(alike)
    return bool(p < level and n_candidates - 1 > critical_difference(n_candidates, n_problems, level))


def _verdict(average: AverageRanks) -> str:
    n_candidates, n_problems, level = len(average.ranks), average.n_problems, average.level
    over = f"{n_problems} problem{'s' if n_problems != 1 else ''}"
    if n_candidates < 2:
        return "There are no two candidates to compare."
    if n_problems == 0:
        return f"There is no problem on which all {n_candidates} candidates have a result."
    if not _can_support(n_candidates, n_problems, level):
        needed = problems_needed(n_candidates, level)
        least = f"at least {needed} are needed" if needed else f"not even {MOST_PROBLEMS} would be enough"
        return (
            f"{over} cannot support a claim about {n_candidates} candidates: even if all ranked them alike, "
            f"no two would differ at level {level:g}; {least}."
        )
    test = f"{'sign test' if n_candidates == 2 else 'Friedman test'}, p = {average.friedman_p:.2g}"
    if average.friedman_p >= level:
        return f"Over {over} the {n_candidates} candidates are not distinguishable ({test})."
    best, difference = average.ranks.iloc[0], f"the critical difference of {average.critical_difference:.2f}"
    worse = average.ranks[average.ranks > best + average.critical_difference]
    if worse.empty:
        return f"Over {over} the ranks differ ({test}), but no two candidates by {difference}."
    return (
        f"Over {over} the ranks differ ({test}): {average.ranks.index[0]} (average rank {best:.2f}) is better than "
        f"{_names(worse.index)} by more than {difference}."
    )


def _omissions(average: AverageRanks) -> str:
    parts = [f"{problem} (without {_names(labels)})" for problem, labels in average.left_out.items()]
    if average.absent:
        parts.insert(0, f"{_names(average.absent)} (ranked on too few problems)")
    return f" Left out: {'; '.join(parts)}." if parts else ""


def _names(labels: Sequence[str]) -> str:
    """All of a few, the first of many."""
    more = len(labels) - _MOST_NAMES
    return ", ".join(labels[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
