"""Claims: the differences between candidates that the seeds support, as sentences.

Two entries are compared by Welch's t test on the values of their reported runs, where these can be compared at all:
same problem, protocol, schedule, epochs, batch size and metric. Nothing is claimed of losses that contain a penalty
term: they measure another thing for every strength. Rules:

* The run of the tuning seed does not count: it is the one by which the setting was chosen, so it flatters.
* p values are adjusted for all pairs of a problem (Holm 1979), whichever of them are shown: "the best" is chosen by the
  same values as are tested. So the chance of any false claim on a problem is at most the level (simulated at 5 %: 4 %
  for normal values, 1 to 3 % for skewed ones, unequal variances, one run in ten diverged).
* Searches with unequal budgets or two samplers are not compared as they stand: the one that tried more settings, or
  chose them better, would be taken for the better optimizer. The row says why; it is no test, and counts as none.
* Nor are two searches of one candidate whose definition or code changed in between.
* Diverged runs count with their values as logged (DeepOBS: the values before training); the sentence says how many.
* Intervals have the confidence at which Holm's procedure judged the pair: they exclude 0 where a difference is claimed.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from regbench.analysis.intervals import probability_of_improvement
from regbench.analysis.significance import MOST_SEEDS, Sample, holm, interval, p_value, seeds_needed

SAME = ["protocol", "schedule", "epochs", "batch_size", "metric", "goal"]
"""What must be equal for two entries of a problem to be compared."""

COLUMNS = [
    "problem", "better", "worse", "difference", "low", "high", "p", "n_better", "n_worse", "claimed", "seeds_needed",
    "reason", "sentence",
]  # fmt: skip


def claims(reported: pd.DataFrame, level: float = 0.05, against: str = "best") -> pd.DataFrame:
    """Test each pair of entries: a row and a sentence for each, whether or not the difference is claimed.

    Args:
        reported: `entries.reported`; of a frame with a column `comparable`, the rows where it holds.
        level: chance of any false claim on a problem.
        against: "best" shows the comparisons with the best entry of each problem and protocol, "all" all pairs. Both
            are adjusted for all pairs. A label compares with that entry alone, which must have been singled out before
            the results were seen: there are fewer comparisons to adjust for, so more can be claimed.

    Returns:
        `problem`, `better`, `worse` (labels, by their means), `difference` (of means, never negative), `low`, `high`,
        `p` (adjusted), `n_better`, `n_worse` (seeds), `claimed`, `seeds_needed` (each; infinite beyond
        `significance.MOST_SEEDS`; NaN where claimed or where there is no test), `reason` (why nothing can be claimed of
        the pair, whatever the seeds say; else empty), `sentence`.
    """
    if not 0 < level < 1:
        raise ValueError(f"`level` must be in (0, 1). Received: level={level!r}")
    labels = set(reported["label"])
    if against not in {"best", "all", *labels}:
        raise ValueError(f"`against` must be best, all or one of the labels. Received: against={against!r}")
    rows: list[tuple[object, ...]] = []
    for problem, runs in _counted(reported).groupby("problem", observed=True, sort=True):
        pairs = list(_pairs(runs, against))
        products = holm([pair.p for pair in pairs])
        tests = int(np.isfinite(products).sum())
        for pair, product in zip(pairs, products, strict=True):
            if pair.shown or against != "best":
                rows.append(_row(str(problem), pair, float(product), tests, level))
    return pd.DataFrame(rows, columns=COLUMNS)


def with_probabilities(pairs: pd.DataFrame, reported: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Adds how probable it is that a run of the better entry beats one of the worse.

    Args:
        pairs: what `claims` gives.
        reported: what it was given; the tuning seed does not count here either.
        level: of the interval of each probability by itself, without adjustment for others.

    Returns:
        `probability`, `probability_low`, `probability_high` besides; NaN where an entry has no seed.
    """
    fresh = _counted(reported)
    fresh = fresh[~fresh["is_tuning_seed"].astype(bool)]
    values = {key: rows["value"].to_numpy(float) for key, rows in fresh.groupby(["problem", "label"])}
    goals = fresh.drop_duplicates("problem").set_index("problem")["goal"]
    rows = []
    for problem, better, worse in zip(pairs["problem"], pairs["better"], pairs["worse"], strict=True):
        good, poor = values.get((problem, better)), values.get((problem, worse))
        if good is None or poor is None:
            rows.append((np.nan, np.nan, np.nan))
        else:
            probability, (low, high) = probability_of_improvement(good, poor, str(goals[problem]), level)
            rows.append((probability, low, high))
    columns = ["probability", "probability_low", "probability_high"]
    return pairs.join(pd.DataFrame(rows, index=pairs.index, columns=columns))


class _Pair(NamedTuple):
    """Two entries, `better` the one with the better mean; `shown`: one is the best; `apart`: why there is no test."""

    better: str
    worse: str
    good: Sample
    poor: Sample
    sign: float
    p: float
    shown: bool
    apart: str


def _counted(reported: pd.DataFrame) -> pd.DataFrame:
    """The rows that may be compared; the tuning seed stays here so that an entry without other seeds is still named."""
    counted = ~(reported["loss_has_penalty"].astype(bool) & (reported["metric"] == "loss"))
    if "comparable" in reported.columns:
        counted &= reported["comparable"].astype(bool)
    return reported[counted]


def _pairs(runs: pd.DataFrame, against: str) -> Iterator[_Pair]:
    """All pairs of a problem that can be compared, those of the best entries first."""
    for _, alike in runs.groupby(SAME, observed=True, dropna=False, sort=True):
        sign = 1.0 if alike["goal"].iloc[0] == "maximize" else -1.0
        samples = {str(label): _sample(entry) for label, entry in alike.groupby("label", observed=True, sort=True)}
        # No mean (no seed but the tuning seed, or NaN) sorts last.
        order = sorted(samples, key=lambda label: -sign * samples[label].mean if _has_mean(samples[label]) else np.inf)
        searches = alike.drop_duplicates("label").set_index("label")[["candidate", "definition", "budget", "sampler"]]
        for better, worse in combinations(order, 2):
            if against in ("best", "all", better, worse):
                good, poor = samples[better], samples[worse]
                apart = _unequal_searches(searches.loc[better], searches.loc[worse])
                p = np.nan if apart else p_value(good, poor)
                yield _Pair(better, worse, good, poor, sign, p, better == order[0], apart)


def _unequal_searches(one: pd.Series, other: pd.Series) -> str:
    """Why the winners of two searches are not compared; empty where they are. An inferred search has no sampler."""
    if one["budget"] != other["budget"]:
        return f"{one['budget']:.0f} trials against {other['budget']:.0f}"
    if one["candidate"] == other["candidate"] and one["definition"] != other["definition"]:
        return "another definition of the candidate"
    if one["sampler"] and other["sampler"] and one["sampler"] != other["sampler"]:
        return f"sampler {one['sampler']} against {other['sampler']}"
    return ""


def _sample(entry: pd.DataFrame) -> Sample:
    fresh = entry[~entry["is_tuning_seed"].astype(bool)]
    return Sample.of(fresh["value"], int((fresh["outcome"] == "diverged").sum()))


def _has_mean(sample: Sample) -> bool:
    return bool(np.isfinite(sample.mean))


def _row(problem: str, pair: _Pair, product: float, tests: int, level: float) -> tuple[object, ...]:
    good, poor = pair.good, pair.poor
    difference = pair.sign * (good.mean - poor.mean)
    # Holm compares p with a part of the level; the interval is that of the same part.
    factor = product / pair.p if pair.p > 0 else max(tests, 1)
    low, high = sorted(pair.sign * end for end in interval(good, poor, level / factor))
    p = min(product, 1.0)
    claimed = p < level
    needed = np.nan if claimed or np.isnan(p) else seeds_needed(good, poor, level / tests)
    sentence = _sentence(problem, pair, (difference, low, high), p, claimed, needed)
    names, seeds = (problem, pair.better, pair.worse), (good.n, poor.n)
    return *names, difference, low, high, p, *seeds, claimed, needed, pair.apart, sentence


def _sentence(
    problem: str, pair: _Pair, interval: tuple[float, float, float], p: float, claimed: bool, needed: float
) -> str:
    good, poor = pair.good, pair.poor
    tail = _diverged(pair)
    if pair.apart:
        return f"{pair.better} and {pair.worse} are not compared on {problem}: {pair.apart}."
    pair_is = f"{pair.better} and {pair.worse} are not distinguishable on {problem} at this budget"
    if np.isnan(p):
        return f"{pair_is} ({_no_test(pair)}).{tail}"
    digits = _decimals(interval[2] - interval[1])
    difference, low, high = (f"{value:.{digits}f}" if digits >= 0 else f"{value:.2g}" for value in interval)
    seeds = f"{good.n} seeds each" if good.n == poor.n else f"{good.n} and {poor.n} seeds"
    p_text = "p < 0.0001" if p < 0.0001 else f"p = {p:.2g}"
    if claimed:
        return (
            f"{pair.better} beats {pair.worse} on {problem} by {difference} [{low}, {high}], {seeds}, {p_text}.{tail}"
        )
    more = f"more than {MOST_SEEDS}" if np.isinf(needed) else f"about {needed:.0f}"
    return f"{pair_is} (would need {more} seeds each; {difference} [{low}, {high}], {seeds}, {p_text}).{tail}"


def _no_test(pair: _Pair) -> str:
    for label, sample in ((pair.better, pair.good), (pair.worse, pair.poor)):
        if sample.n < 2:
            count = "one seed" if sample.n == 1 else "no seed"
            return f"{label} has {count} besides the tuning seed, two are needed"
    for label, sample in ((pair.better, pair.good), (pair.worse, pair.poor)):
        if not np.isfinite([sample.mean, sample.variance]).all():
            return f"not all values of {label} are finite"
    return "the seeds show no spread by which to judge the difference"


def _diverged(pair: _Pair) -> str:
    parts = [
        f"{sample.diverged} of {sample.n} runs of {label}"
        for label, sample in ((pair.better, pair.good), (pair.worse, pair.poor))
        if sample.diverged
    ]
    return f" Diverged, and counted with their values as logged: {', '.join(parts)}." if parts else ""


def _decimals(width: float) -> int:
    """How many decimals show two digits of an interval's width; -1 where that would be too many to read."""
    if not (np.isfinite(width) and width > 0):
        return -1
    decimals = max(0, 1 - int(np.floor(np.log10(width))))
    return decimals if decimals <= 8 and width < 1e8 else -1
