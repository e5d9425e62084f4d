"""Tuning curves: how good the best of k trials is, and from how many trials on another candidate leads.

The points of a search are taken as drawn independently (as regbench's budgets draw them). Bands are the nonparametric
ones of Lourie, Cho and He (2023), arXiv 2311.09480, from `opda`. For trials of a sampler that learns, or of a grid, the
curves are only a description.
"""

import functools
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
from opda.nonparametric import EmpiricalDistribution

from regbench.analysis.entries import sign
from regbench.analysis.intervals import bounds
from regbench.analysis.labels import ENTRY

SIMULATED_TRIALS = 200
"""Up to so many trials the bands are simulated; above, the wider ones by Dvoretzky, Kiefer and Wolfowitz are enough."""

_WORST = ("diverged", "timed_out")


def tuning_curves(trials: pd.DataFrame, confidence: float = 0.8, seed: int = 0) -> pd.DataFrame:
    """The expected best score of k trials, k = 1 ... all trials, for every entry.

    Expected is what is reached in half of all searches: the median. (A mean would be ruled by a few losses that are
    orders of magnitude too high.) The band holds, for all k together, with the confidence; where it has no end on the
    good side, the trials cannot exclude settings that are far better, and it goes to the best value that there can be
    (`intervals.bounds`).

    Trials that diverged or timed out, or have no finite score, count with the worst score that any trial has on their
    problem. Trials that were cut short do not count.

    Args:
        trials: `entries.trials`, of any number of entries.
        confidence: of the band as a whole; 0.8 is usual.
        seed: of the simulation of the bands.

    Returns:
        `ENTRY`, `label`, `decided_by` (the name of the score), `goal`, `k`, `expected`, `low`, `high`: lower and higher
        scores, whatever the goal.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"`confidence` must be in (0, 1). Received: confidence={confidence!r}")
    counted = _worths(trials)
    known = [*ENTRY, "label", "score_goal", "decided_by"]
    curves = [
        _curve(dict(zip(known, entry, strict=True)), np.sort(rows["worth"].to_numpy()), confidence, seed)
        for entry, rows in counted.groupby(known, observed=True, dropna=False, sort=True)
    ]
    columns = [*ENTRY, "label", "decided_by", "goal", "k", "expected", "low", "high"]
    return pd.concat(curves, ignore_index=True)[columns] if curves else pd.DataFrame(columns=columns)


def flips(curves: pd.DataFrame) -> pd.DataFrame:
    """The budgets at which the order of two entries changes.

    Compared are entries of a problem with the same score, protocol, schedule, epochs and batch size, up to the number
    of trials that both have; where they are equal, the one ahead before stays ahead.

    Returns:
        `problem`, `k`, `first`, `second` (labels): from k trials on `second` leads instead of `first`. `supported`: for
        some number of trials before k the whole band of `first` is better, and for some from k on that of `second`;
        otherwise the flip may be chance.
    """
    alike = ["problem", "protocol", "schedule", "epochs", "batch_size", "decided_by", "goal"]
    rows: list[tuple[object, ...]] = []
    for group, entries in curves.groupby(alike, observed=True, dropna=False, sort=True):
        by_label = {str(label): _oriented(rows) for label, rows in entries.groupby("label", observed=True, sort=True)}
        for one, other in combinations(by_label, 2):
            rows += [(group[0], *flip) for flip in _pair_flips(one, other, by_label[one], by_label[other])]
    changes = pd.DataFrame(rows, columns=["problem", "k", "first", "second", "supported"])
    return changes.sort_values(["problem", "k", "first", "second"], kind="stable", ignore_index=True)


def _worths(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials that count, with `worth`: the score with the best highest, or the worst of the problem."""
    counted = trials[trials["outcome"] != "cut_short"]
    worth = counted["score"].astype(float) * sign(counted["score_goal"])
    worth = worth.where(np.isfinite(worth))
    worst = worth.groupby([counted["problem"], counted["decided_by"]], observed=True, dropna=False).transform("min")
    worth = worth.mask(counted["outcome"].isin(_WORST)).fillna(worst)
    # Without a single score on the whole problem there is nothing to draw.
    return counted.assign(worth=worth)[worth.notna()]


def _curve(entry: dict[str, object], worths: np.ndarray, confidence: float, seed: int) -> pd.DataFrame:
    below, middle, above = _ranks(len(worths), confidence, seed)
    least, most = bounds(str(entry["decided_by"]), str(entry["problem"]))
    ends = (least, most) if entry["score_goal"] == "maximize" else (-most, -least)
    # Position 0 and n + 1 stand for what no trial has shown.
    scores = np.concatenate([[ends[0]], worths, [ends[1]]])
    low, expected, high = scores[below], scores[middle], scores[above]
    if entry["score_goal"] == "minimize":
        low, expected, high = -high, -expected, -low
    k = np.arange(1, len(worths) + 1)
    return pd.DataFrame({**entry, "goal": entry["score_goal"], "k": k, "expected": expected, "low": low, "high": high})


@functools.cache
def _ranks(n: int, confidence: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ranks among n sorted scores of the band's lower end, median and upper end, for 1 ... n trials.

    Quantiles go along with any increasing change of the scores, so this depends on their number alone. 0 and n + 1: no
    end. With equal scores the band is wider than it need be, never too narrow.
    """
    bands = EmpiricalDistribution.confidence_bands(
        np.arange(1.0, n + 1),
        confidence,
        a=0.0,
        b=n + 1.0,
        generator=np.random.default_rng(seed),
        method="ld_equal_tailed" if n <= SIMULATED_TRIALS else "dkw",
        n_jobs=1,
    )
    # A little below one half: of the two middle scores of an even number the worse, whatever rounding says.
    k, half = np.arange(1, n + 1), 0.5 - 1e-9
    lower_cdf, cdf, upper_cdf = (band.quantile_tuning_curve(k, q=half).astype(int) for band in bands)
    return upper_cdf, cdf, lower_cdf


def _oriented(curve: pd.DataFrame) -> np.ndarray:
    """Rows `expected`, worst end, best end of the band over k, with the best highest."""
    ordered = curve.sort_values("k")
    values = ordered[["expected", "low", "high"]].to_numpy(float).T
    return values if ordered["goal"].iloc[0] == "maximize" else -values[[0, 2, 1]]


def _pair_flips(one: str, other: str, first: np.ndarray, second: np.ndarray) -> list[tuple[int, str, str, bool]]:
    n = min(first.shape[1], second.shape[1])
    a, b = first[:, :n], second[:, :n]
    ahead = np.sign(a[0] - b[0])
    clearly = np.where(a[1] > b[2], 1, np.where(b[1] > a[2], -1, 0))
    told = np.flatnonzero(ahead)
    changes = []
    for before, after in pairwise(told):
        if ahead[before] != ahead[after]:
            leaders = (one, other) if ahead[before] > 0 else (other, one)
            supported = bool((clearly[:after] == ahead[before]).any() and (clearly[after:] == ahead[after]).any())
            changes.append((int(after) + 1, *leaders, supported))
    return changes
