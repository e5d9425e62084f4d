"""Candidates across problems: average ranks with what they can and cannot show, and performance profiles.

That candidates differ at all is judged by the F of Iman and Davenport (1980) on their ranks; which ones, by Wilcoxon's
signed-rank test of each pair, adjusted for all pairs (Holm 1979), and only where the F rejects: so the chance of any
false statement is at most the level. Two candidates are told apart by their own values, whoever else is compared;
Nemenyi's critical difference, of average ranks, depends on that (Benavoli, Corani and Mangili 2016, JMLR 17).

Only problems on which every candidate is ranked count. Where these are too few to support a claim about all candidates,
those that are ranked on the fewest problems are left out until the problems that the others have in common do support
one; if that never happens, those stay that make the largest table. What is left out is named.

Rows that are not `comparable` or have no `rank` count nowhere. A candidate that is ranked without a finite mean (its
runs diverged) is the worst of its problem.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from regbench.analysis.significance import holm

LEVEL = 0.05
VALUE = "score"
"""The column of the table by which candidates are ranked."""

MOST_PROBLEMS = 1000
"""Where not even so many problems would do, none are named."""

EXACT = 50
"""With more problems signed-rank tests go by the normal distribution."""

_MOST_NAMES = 5


@dataclass(frozen=True)
class AverageRanks:
    """Ranks averaged over problems, 1 the best, and which candidates are told apart.

    Args:
        ranks: average rank by label, the best first.
        problems: those that count.
        left_out: problems that do not, each with those of the labels that are not ranked there.
        absent: labels that are left out because they are ranked on too few problems.
        statistic: Iman and Davenport's F; NaN for fewer than three candidates.
        p: chance of ranks that differ so much if no candidate were better. For two candidates that of the signed-rank
            test, which takes the place of the F.
        pairs: `better`, `worse`, `p` (adjusted for all pairs), `is_told` (whether this is called significant).
        groups: the largest sets of labels of which no two are told apart, each in order of rank.
        level: at which differences are called significant.
    """

    ranks: pd.Series
    problems: tuple[str, ...]
    left_out: Mapping[str, tuple[str, ...]]
    absent: tuple[str, ...]
    statistic: float
    p: float
    pairs: pd.DataFrame
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

    What the signed-rank test ranks are relative differences, `(a - b) / (|a| + |b|)` of losses, or for metrics that are
    maximized of errors, 1 - mean: so problems with large losses do not outweigh others. A candidate without a finite
    mean has lost by 1, the most there is.
    """
    values, left_out, absent = _worths(table, level)
    # Rank 1 is the best; ties share the mean of their ranks.
    ranked = values.rank(axis="columns", ascending=False, na_option="bottom")
    ranks = ranked.mean().sort_values(kind="stable")
    pairs = _pairs(_costs(table, values)[ranks.index])
    statistic, p = _iman_davenport(ranked) if len(ranks) != 2 else (np.nan, float(pairs["p"].iloc[0]))
    pairs["is_told"] = (p < level) & (pairs["p"] < level)
    return AverageRanks(
        ranks, tuple(ranked.index), left_out, absent, statistic, p, pairs, _groups(ranks.index, pairs), level
    )


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
    costs = _costs(table, worths)
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
    mean = rows[VALUE].astype(float)
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


def _costs(table: pd.DataFrame, worths: pd.DataFrame) -> pd.DataFrame:
    """Losses, or for metrics that are maximized errors, of what `_worths` gives."""
    goals = _ranked(table).drop_duplicates("problem").set_index("problem")["goal"].reindex(worths.index)
    return (-worths).add((goals == "maximize").astype(float), axis="index")


def _kept(there: pd.DataFrame, level: float) -> list[str]:
    """The most labels about which the problems that they have in common can support a claim; else the largest table.

    Those that are ranked on equally many problems stay or go together.
    """
    counts = there.sum()
    somes = [list(there.columns[counts >= least]) for least in sorted(set(counts))]
    tables = [(len(some), int(there[some].all(axis="columns").sum()), some) for some in somes if len(some) > 1]
    for n_candidates, n_problems, some in tables:
        if _can_support(n_candidates, n_problems, level):
            return some
    return max(tables, key=lambda table: table[0] * table[1])[2] if tables else list(there.columns)


def _ranked(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["comparable"].astype(bool) & table["rank"].notna()]


def _iman_davenport(ranked: pd.DataFrame) -> tuple[float, float]:
    """`F = (N - 1) X / (N (k - 1) - X)` of Friedman's X, and its p value; Demsar 2006, section 3.2.2."""
    n_problems, n_candidates = ranked.shape
    if n_problems < 2 or n_candidates < 3:
        return np.nan, np.nan
    if (ranked.nunique(axis="columns") == 1).all():
        return 0.0, 1.0
    friedman = float(stats.friedmanchisquare(*ranked.to_numpy().T).statistic)
    left = n_problems * (n_candidates - 1) - friedman
    if left <= n_problems * n_candidates * np.finfo(float).eps:  # all rank them alike
        return np.inf, 0.0
    statistic = (n_problems - 1) * friedman / left
    degrees = n_candidates - 1, (n_candidates - 1) * (n_problems - 1)
    return statistic, float(stats.f.sf(statistic, *degrees))


def _pairs(costs: pd.DataFrame) -> pd.DataFrame:
    """Each pair of columns with its p value, adjusted for all; of equal ones the first is `better`."""
    first, second = np.triu_indices(costs.shape[1], 1)
    one, other = costs.to_numpy()[:, first], costs.to_numpy()[:, second]
    with np.errstate(invalid="ignore"):
        lost = (one - other) / (np.abs(one) + np.abs(other))
    lost = np.where(np.isnan(one) | np.isnan(other), np.isnan(one).astype(float) - np.isnan(other), lost)
    lost = np.nan_to_num(lost, nan=0.0)  # 0 and 0
    ahead = np.sum(np.sign(lost) * stats.rankdata(np.abs(lost), axis=0), axis=0) <= 0
    labels = costs.columns.to_numpy(object)
    return pd.DataFrame(
        {
            "better": labels[np.where(ahead, first, second)],
            "worse": labels[np.where(ahead, second, first)],
            "p": np.minimum(holm(signed_rank_p(lost)), 1.0),
        }
    )


def signed_rank_p(differences: np.ndarray) -> np.ndarray:
    """Wilcoxon's signed-rank test of each column, two-sided; differences of 0 do not count, and if all are it is 1.

    Of up to 50 differences the p value is exact; where some are equal it is that of unequal ones, which is larger.
    """
    if not differences.size:
        return np.ones(differences.shape[1])
    method = "exact" if len(differences) <= EXACT else "asymptotic"
    with np.errstate(divide="ignore", invalid="ignore"):
        p = stats.wilcoxon(differences, axis=0, method=method).pvalue
    return np.where((differences == 0).all(axis=0), 1.0, p)


def _groups(labels: pd.Index, pairs: pd.DataFrame) -> tuple[tuple[str, ...], ...]:
    """The maximal cliques of the pairs that are not told apart (Bron and Kerbosch 1973), in the order of the labels."""
    alike: dict[str, set[str]] = {label: set() for label in labels}
    for one, other in pairs.loc[~pairs["is_told"], ["better", "worse"]].itertuples(index=False):
        alike[one].add(other)
        alike[other].add(one)
    place = {label: index for index, label in enumerate(labels)}
    found: list[list[str]] = []

    def extend(members: list[str], more: set[str], done: set[str]) -> None:
        if not more and not done:
            found.append(sorted(members, key=place.__getitem__))
            return
        pivot = max(sorted(more | done), key=lambda label: len(alike[label] & more))
        for label in sorted(more - alike[pivot]):
            extend([*members, label], more & alike[label], done & alike[label])
            more, done = more - {label}, done | {label}

    extend([], set(labels), set())
    found.sort(key=lambda group: [place[label] for label in group])
    return tuple(tuple(group) for group in found if len(group) > 1)


def _can_support(n_candidates: int, n_problems: int, level: float) -> bool:
    """Whether problems that all rank the candidates alike would tell the first from the last.

    Of N differences with one sign the signed-rank test's p value is 2 / 2^N, and the smallest is multiplied by the
    number of pairs.
    """
    return n_candidates > 1 and n_problems > 1 and math.comb(n_candidates, 2) * 2.0 ** (1 - n_problems) < level


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
    test = f"{'signed-rank test' if n_candidates == 2 else 'Iman-Davenport test'}, p = {average.p:.2g}"
    if average.p >= level:
        return f"Over {over} the {n_candidates} candidates are not distinguishable ({test})."
    best, told = average.ranks.index[0], average.pairs[average.pairs["is_told"]]
    differ = f"Over {over} the ranks differ ({test})"
    adjusted = f"signed-rank tests, adjusted for all {len(average.pairs)} pairs"
    if told.empty:
        return f"{differ}, but no two candidates are told apart by {adjusted}."
    worse = [label for label in average.ranks.index if label in set(told.loc[told["better"] == best, "worse"])]
    count = f"{len(told)} pair{'s are' if len(told) != 1 else ' is'} told apart by {adjusted}"
    if not worse:
        return f"{differ}, but no candidate is told to be worse than {best}: {count}."
    return f"{differ}: {best} (average rank {average.ranks.iloc[0]:.2f}) is better than {_names(worse)}; {count}."


def _omissions(average: AverageRanks) -> str:
    parts = [f"{problem} (without {_names(labels)})" for problem, labels in average.left_out.items()]
    if average.absent:
        parts.insert(0, f"{_names(average.absent)} (ranked on too few problems)")
    return f" Left out: {'; '.join(parts)}." if parts else ""


def _names(labels: Sequence[str]) -> str:
    """All of a few, the first of many."""
    more = len(labels) - _MOST_NAMES
    return ", ".join(labels[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
