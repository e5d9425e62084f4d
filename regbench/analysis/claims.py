"""Claims: the differences between candidates that the results support, as sentences, for one of two questions.

* **Given the budget** (`budget`): is the candidate better when it is tuned anew with this budget? What is compared is
  the score (`scores`), whose error covers the draw of the trials, the choice by validation, and the seeds.
* **Given the settings** (`settings`): is the setting that was found for the one better than that found for the other?
  What is compared are the runs of the two winners with fresh seeds, by Welch's t test. It says nothing of the luck by
  which these settings were found: two searches of the same optimizer differ by it in 20 to 40 % of cases.

For both: p values are adjusted for all pairs of a problem (Holm 1979), whichever of them are shown, so that the chance
of any false claim on a problem is at most the level. A second test, which assumes less, must agree before anything is
claimed: for the budget the trials of both searches are divided anew (which assumes only that both candidates are
alike); for the settings the ranks of the runs are compared (Mann and Whitney). Intervals have the confidence at which
Holm's procedure judged the pair: they exclude 0 where a difference is claimed, and only there.

Nothing is claimed of losses that contain a penalty term: they measure another thing for every strength. Nor of fewer
than five fresh seeds, of searches with unequal budgets or two samplers, of one candidate whose definition changed in
between, given the budget of a single search whose trials depend on each other (tpe, large), where winners are not
chosen by what they ended with (all modes but `final`), or by validation that overlaps training: the row says why.

`docs/claims.md` has the procedure with its sources and how often it errs.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import comb

import numpy as np
import pandas as pd
from scipy import stats

from regbench.analysis import failures, redrawing
from regbench.analysis.intervals import bounds, probability_of_improvement
from regbench.analysis.resolution import Resolution, resolution
from regbench.analysis.searched import AnySearched, Key, Searched
from regbench.analysis.sentences import QUESTIONS, Pair, Question, Spoken
from regbench.analysis.significance import Difference, Sample, holm
from regbench.analysis.silence import why_silent

COLUMNS = [
    *["problem", "better", "worse", "question", "difference", "low", "high", "level", "p", "comparisons"],
    *["n_better", "n_worse", "claimed", "detectable", "reason", "sentence"],
]


def claims(
    table: pd.DataFrame,
    searched: Mapping[Key, AnySearched],
    *,
    question: Question = "budget",
    level: float = 0.05,
    against: str = "best",
    pairs: Mapping[str, Sequence[Pair]] | None = None,
) -> pd.DataFrame:
    """Test each pair of entries: a row and a sentence for each, whether or not the difference is claimed.

    Args:
        table: `ranking.ranked_entries`; its comparable entries are compared.
        searched: `scores.searched`, of at least these.
        question: "budget" or "settings".
        level: chance of any false claim on a problem.
        against: "best" shows the comparisons with the best entry of each problem, "all" all pairs. Both are adjusted
            for all pairs. A label compares with that entry alone, which must have been singled out before the results
            were seen: there are fewer comparisons to adjust for, so more can be claimed.
        pairs: `pairs_of` the same question, if that is known already.

    Returns:
        A row a pair: `problem`, `better`, `worse` (labels), `question`, `difference` (never negative), its interval
        `low` to `high` and the confidence `level` of that, `p` (adjusted for `comparisons` tests), `n_better`,
        `n_worse` (fresh seeds of the winners), `claimed`, `detectable` (the smallest true difference that this
        comparison would have found in 80 of 100 cases), `reason` (why nothing can be claimed of the pair, whatever the
        numbers say; else empty), `sentence`.
    """
    _check(table, question, level, against)
    rows: list[tuple[object, ...]] = []
    compared = pairs_of(table, searched, question) if pairs is None else pairs
    for problem, entries in _counted(table).groupby("problem", observed=True, sort=True):
        tested = [pair for pair in compared[str(problem)] if against in ("best", "all", pair.better, pair.worse)]
        best = tested[0].better if tested else ""
        products = holm([pair.p for pair in tested])
        tests, split = int(np.isfinite(products).sum()), str(entries["split"].iloc[0])
        spoken = Spoken(question, str(problem), tests, _budgets(entries), _resolution(entries), split)
        least, most = bounds(str(entries["metric"].iloc[0]), str(problem))
        widest = most - least  # no difference of two values is larger
        for pair, product in zip(tested, products, strict=True):
            if against != "best" or pair.better == best:
                rows.append(_row(pair, float(product), tests, level, spoken, widest))
    return pd.DataFrame(rows, columns=COLUMNS)


def pairs_of(
    table: pd.DataFrame, searched: Mapping[Key, AnySearched], question: Question = "budget"
) -> dict[str, list[Pair]]:
    """All pairs of comparable entries of each problem, the best entries first."""
    return {
        str(problem): list(_pairs(entries, searched, question))
        for problem, entries in _counted(table).groupby("problem", observed=True, sort=True)
    }


def with_runs(pairs: pd.DataFrame, searched: Mapping[Key, AnySearched], level: float = 0.95) -> pd.DataFrame:
    """Adds what the runs of the two winners say by themselves, without adjustment for other pairs.

    Args:
        pairs: what `claims` gives.
        searched: what it was given.
        level: of the interval of each probability.

    Returns:
        Besides, how probable it is that a run of the better entry beats one of the worse entry: `probability`,
        `probability_low`, `probability_high`, NaN where an entry has no fresh seed; and how many runs failed:
        `failed_better` and `failed_worse` of `n_better` and `n_worse`, and `failed_p` (`failures`).
    """
    rows = []
    for problem, better, worse in zip(pairs["problem"], pairs["better"], pairs["worse"], strict=True):
        good, poor = (one.fresh_of_winner for one in (searched[problem, better], searched[problem, worse]))
        probability, (low, high) = probability_of_improvement(good, poor, "maximize", level)
        failed = [one.failures for one in (searched[problem, better], searched[problem, worse])]
        rows.append((probability, low, high, *(one.failed for one in failed), failures.compared(*failed)))
    columns = ["probability", "probability_low", "probability_high", "failed_better", "failed_worse", "failed_p"]
    return pairs.join(pd.DataFrame(rows, index=pairs.index, columns=columns))


def _check(table: pd.DataFrame, question: str, level: float, against: str) -> None:
    if not 0 < level < 1:
        raise ValueError(f"`level` must be in (0, 1). Received: level={level!r}")
    if question not in QUESTIONS:
        raise ValueError(f"`question` must be one of {', '.join(QUESTIONS)}. Received: question={question!r}")
    if against not in {"best", "all", *table["label"]}:
        raise ValueError(f"`against` must be best, all or one of the labels. Received: against={against!r}")


def _counted(table: pd.DataFrame) -> pd.DataFrame:
    """The entries that may be compared."""
    has_penalty = table["loss_has_penalty"].astype(bool) & (table["metric"] == "loss")
    return table[table["comparable"].astype(bool) & ~has_penalty]


def _budgets(entries: pd.DataFrame) -> str:
    counts = sorted({int(number) for number in entries["trials_counted"]} - {1})
    if len(counts) == 1:
        return f"when each is tuned anew with {counts[0]} trials"
    return "when each is tuned anew with its budget"


def _resolution(entries: pd.DataFrame) -> Resolution | None:
    """Of the test set, where all entries were tested on the same number of samples and the metric counts them."""
    first = entries.iloc[0]
    if first["metric"] != "accuracy" or first["split"] != "test" or entries["protocol"].nunique() > 1:
        return None
    return resolution(str(first["problem"]), str(first["protocol"]), int(first["batch_size"]))


def _pairs(entries: pd.DataFrame, searched: Mapping[Key, AnySearched], question: Question) -> Iterator[Pair]:
    """All pairs of a problem, those of the best entries first."""
    rows = {row["label"]: row for row in entries.to_dict("records")}
    trials = {
        label: searched[str(row["problem"]), label].first(int(row["trials_counted"])) for label, row in rows.items()
    }
    value = _expected if question == "budget" else _of_winner
    values = {label: value(one) for label, one in trials.items()}
    # What has no value sorts last.
    order = sorted(rows, key=lambda label: -values[label] if np.isfinite(values[label]) else np.inf)
    named = list(combinations(order, 2))
    compared = [(trials[better], trials[worse]) for better, worse in named]
    tests = _by_budget(compared) if question == "budget" else [_by_settings(*both) for both in compared]
    for (better, worse), (good, poor), (difference, p) in zip(named, compared, tests, strict=True):
        apart = why_silent((rows[better], good), (rows[worse], poor), question)
        if not apart and np.isnan(p):
            apart = "there is no spread by which to judge the difference"
        seeds = (len(good.fresh_of_winner), len(poor.fresh_of_winner))
        told = _failed((better, good), (worse, poor))
        yield Pair(str(rows[better]["problem"]), better, worse, difference, np.nan if apart else p, *seeds, apart, told)


def _expected(one: AnySearched) -> float:
    return one.oriented if one.can_win else np.nan


def _of_winner(one: AnySearched) -> float:
    return Sample.of(one.fresh_of_winner).mean


def _by_budget(pairs: Sequence[tuple[AnySearched, AnySearched]]) -> list[tuple[Difference, float]]:
    differences = [redrawing.difference(good, poor) for good, poor in pairs]
    p = np.array([one.p_value() for one in differences])
    second: dict[int, tuple[Searched, Searched]] = {}
    for number, (good, poor) in enumerate(pairs):
        if isinstance(good, Searched) and isinstance(poor, Searched):
            if good.trials > 1 and poor.trials > 1:
                if not p[number] >= _CLAIMABLE:  # NaN, where no error is seen, asks for it too
                    second[number] = good, poor
            elif np.isnan(p[number]):  # two constant candidates, whose seeds show no spread
                p[number] = _divided(good.fresh_of_winner, poor.fresh_of_winner)
    numbers = list(second)
    p[numbers] = np.fmax(p[numbers], redrawing.permuted_p(list(second.values())))
    return list(zip(differences, p.tolist(), strict=True))


_CLAIMABLE = 0.2
"""A p value from here on claims nothing at any usual level, one-sided or two-sided, whatever another test says."""

_RANKS_AGREE = 0.05
"""Ranks need only not contradict, at this level: families are adjusted by the first test."""


def _by_settings(good: AnySearched, poor: AnySearched) -> tuple[Difference, float]:
    mine, other = good.fresh_of_winner, poor.fresh_of_winner
    difference = Difference.of(Sample.of(mine), Sample.of(other))
    if min(len(mine), len(other)) < 1:
        return difference, np.nan
    p = difference.p_value()
    if np.isnan(p):
        return difference, _divided(mine, other)
    return difference, max(p, _rank_p(mine, other)) if p < _CLAIMABLE else p


def _rank_p(mine: np.ndarray, other: np.ndarray) -> float:
    """0 where the ranks of the runs differ too, in the same direction as the means; else 1."""
    result = stats.mannwhitneyu(mine, other, alternative="two-sided")
    agrees = result.statistic > len(mine) * len(other) / 2
    return 0.0 if agrees and result.pvalue < _RANKS_AGREE else 1.0


def _divided(mine: np.ndarray, other: np.ndarray) -> float:
    """The share of divisions of all values in which two samples, each of equal values, differ as much."""
    if not len(mine) or not len(other) or mine[0] == other[0] or np.ptp(mine) or np.ptp(other):
        return np.nan
    return 2 / comb(len(mine) + len(other), len(mine))


def _failed(one: tuple[str, AnySearched], other: tuple[str, AnySearched]) -> str:
    """Shares of failure, and what the other runs have; empty where no run failed."""
    (better, good), (worse, poor) = ((label, search.failures) for label, search in (one, other))
    if not good.failed and not poor.failed:
        return ""
    means = [
        f"{each.mean_of_others:.4g} of {label}"
        for label, each in ((better, good), (worse, poor))
        if np.isfinite(each.mean_of_others)
    ]
    others = f"; the mean of the others is {' and '.join(means)}" if means else ""
    return (
        f" Failed, and counted as before training: {good} runs of {better}, {poor} of {worse} "
        f"(p = {failures.compared(good, poor):.2g} by itself){others}."
    )


def _row(pair: Pair, product: float, tests: int, level: float, spoken: Spoken, widest: float) -> tuple[object, ...]:
    difference, p = pair.difference, min(product, 1.0)
    claimed = p < level
    # Holm compares p with a part of the level; the interval is that of the same part.
    part = level / (product / pair.p if pair.p > 0 else max(tests, 1))
    low, high = difference.interval(part)
    low, high = max(low, -widest), min(high, widest)
    if not claimed and low > 0:  # the second test does not agree
        low = 0.0
    visible = difference.detectable(level / tests) if tests else np.nan
    interval = (low, high) if not pair.apart else (np.nan, np.nan)
    sentence = spoken.sentence(pair, interval, p, claimed, visible)
    names = pair.problem, pair.better, pair.worse, spoken.question
    seeds = pair.n_better, pair.n_worse
    return *names, difference.value, *interval, 1 - part, p, tests, *seeds, claimed, visible, pair.apart, sentence
