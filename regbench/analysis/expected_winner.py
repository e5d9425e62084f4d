"""The expected winner of a search: what a candidate is worth when it is tuned with a budget, and how sure that is.

A search draws B trials, the validation set chooses one, and that one is reported. The reported setting was lucky to be
drawn and lucky to be chosen: a search made again would end with another. So a search is judged by all its trials, each
weighted by its chance to be the best of 2 B draws from them, with replacement (the "bagged" winner):

    score = sum of w_i v_i,    w_i = ((B - i + 1) / B)^2B - ((B - i) / B)^2B,    i = 1 (best by validation) ... B

where v_i is the value of the i-th trial: .87, .12, .02, ... go to the best, the second, the third. B draws would miss a
third of the trials each time, and stand for a smaller search than was made; two for each trial miss an eighth. The luck
of the draw is the variance of the same sum over searches whose B trials are drawn from these. With g(c) =
((B - c) / B)^2B and C_i, the number of draws among the i best trials (binomial; given C_i, C_j - C_i is binomial too),
the drawn search has the score v_1 + sum of (v_{i+1} - v_i) g(C_i): its variance is a quadratic form in the differences,
exact, without drawing anything. To it comes the noise of the v_i themselves, the sum of w_i^2 s^2 / n_i for means over
n_i seeds of standard deviation s.

Sources: Dodge et al. 2019 (arXiv 1909.03004) for the expected best of a budget; Hutson and Ernst 2000 (JRSS B 62) for
exact bootstrap moments of L-estimators.
"""

import math
from functools import lru_cache

import numpy as np
from scipy import stats

DRAWS = 2
"""For each trial, of which the best one counts."""

PERMUTATIONS = 20_000
"""Divisions of the trials of two searches; p values are multiples of their inverse."""

REDRAWS = 2000
"""Searches that are drawn together where two have their draws in common."""

LOADINGS = 3
"""How many numbers tell the draw error of a division."""

_SEEN = 20
"""Trials of each search, on average, that a division looks at: later ones have no weight that could be seen."""

_NEGLIGIBLE = 1e-9
"""Weights below this cannot be seen in any result."""


@lru_cache(maxsize=64)
def weights(trials: int) -> np.ndarray:
    """The chance of each trial to be the best of `DRAWS` draws for each, the best first, shape (trials,); sums to 1."""
    missed = _missed(trials)
    return missed[:-1] - missed[1:]


def shared_weights(scores: np.ndarray) -> np.ndarray:
    """The chance of each trial to win; trials with equal scores share theirs.

    Args:
        scores: shape (trials,), the best (greatest) first; -inf for a trial that cannot win.
    """
    chances = weights(len(scores))
    starts = np.r_[0, np.flatnonzero(scores[1:] != scores[:-1]) + 1]
    sizes = np.diff(np.r_[starts, len(scores)])
    return np.repeat(np.add.reduceat(chances, starts) / sizes, sizes)


@lru_cache(maxsize=64)
def draw_covariance(trials: int) -> np.ndarray:
    """Covariance of g(C_i) and g(C_j), i and j = 1 ... trials - 1, as above; shape (trials - 1, trials - 1)."""
    counts, missed = np.arange(trials + 1), _missed(trials)
    first = np.arange(1, trials)
    chance = stats.binom.pmf(counts, trials, first[:, None] / trials)  # of C_i = c, shape (trials - 1, trials + 1)
    mean = chance @ missed
    covariance = np.zeros((trials - 1, trials - 1))
    counted = counts[missed > _NEGLIGIBLE]
    counting = int((mean > _NEGLIGIBLE).sum())  # g falls: nothing is seen of the later trials
    more = counted[None, :] - counted[:, None]
    for i in range(1, counting + 1):
        # Given C_i = c, the others fall among the trials i + 1 ... j with chance (j - i) / (trials - i) each.
        later = np.arange(i, counting + 1)
        further = stats.binom.pmf(more, trials - counted[:, None], ((later - i) / (trials - i))[:, None, None])
        both = np.einsum("c,jcd,d->j", (chance[i - 1] * missed)[counted], further, missed[counted])
        covariance[i - 1, later - 1] = covariance[later - 1, i - 1] = both - mean[i - 1] * mean[later - 1]
    return covariance


def draw_variance(values: np.ndarray) -> float:
    """Variance of the score over searches drawn from these trials; `values` has shape (trials,), the best first."""
    if len(values) < 2:
        return 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        steps = np.diff(values)
        variance = float(steps @ draw_covariance(len(values)) @ steps)
    return 0.0 if variance < 0 else variance  # by rounding


@lru_cache(maxsize=16)
def drawn_counts(trials: int, seed: int = 0) -> np.ndarray:
    """How often each trial is drawn in searches drawn at random; shape (REDRAWS, trials)."""
    return np.random.default_rng(seed).multinomial(trials, np.full(trials, 1 / trials), size=REDRAWS)


def redrawn(values: np.ndarray, order: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Scores of searches drawn from these trials.

    Args:
        values: shape (trials,), by number of the trial.
        order: numbers of the trials, the best first.
        counts: shape (draws, trials): how often each search drew each trial.
    """
    sorted_values = values[order]
    among_best = np.cumsum(counts[:, order], axis=1)[:, :-1]
    return sorted_values[0] + _missed(len(values))[among_best] @ np.diff(sorted_values)


@lru_cache(maxsize=64)
def draw_loadings(trials: int) -> np.ndarray:
    """The draw variance as a sum of squares: `(values @ loadings)**2`, with the values sorted, the best first.

    Returns:
        Shape (trials, LOADINGS), the largest ones; they miss 2 to 4 % of its trace.
    """
    if trials < 2:
        return np.zeros((trials, LOADINGS))
    sizes, vectors = np.linalg.eigh(draw_covariance(trials))
    largest = np.argsort(-sizes)[:LOADINGS]
    loadings = np.diff(np.eye(trials), axis=0).T @ (vectors[:, largest] * np.sqrt(np.maximum(sizes[largest], 0)))
    return np.pad(loadings, ((0, 0), (0, LOADINGS - len(largest))))


@lru_cache(maxsize=4)
def divisions(one: int, other: int, seed: int = 0) -> np.ndarray:
    """The trials of two searches divided anew at random, as `division` has it.

    Args:
        one: number of trials of the one search.
        other: of the other.
        seed: of the divisions.

    Returns:
        Shape (PERMUTATIONS, 1 + 2 LOADINGS, trials), float32; without the last trials where they cannot be seen.
    """
    total = one + other
    draws = np.random.default_rng(seed).random((PERMUTATIONS, total), dtype=np.float32)
    mine = np.zeros((PERMUTATIONS, total), bool)
    np.put_along_axis(mine, np.argpartition(draws, one - 1, axis=1)[:, :one], True, axis=1)
    return division(mine, one, seen=math.ceil(_SEEN * total / min(one, other)))


def division(mine: np.ndarray, one: int, seen: int | None = None) -> np.ndarray:
    """What each trial contributes to the difference of two scores, and to their draw errors.

    Args:
        mine: shape (divisions, trials), whether a trial, the best of both searches first, belongs to the one search.
        one: number of trials of that.
        seen: how many of the trials, the best first, are looked at; all unless it is given.

    Returns:
        Shape (divisions, 1 + 2 LOADINGS, trials), float32. Times the values of all trials: the difference of the
        scores, and numbers whose squares sum to the variance of that.
    """
    parts = (mine[:, :seen], one, 1), (~mine[:, :seen], mine.shape[1] - one, -1)
    difference = np.zeros(parts[0][0].shape, np.float32)
    loadings = []
    for part, trials, sign in parts:
        rank = np.cumsum(part, axis=1, dtype=np.int16) * part
        difference += sign * np.r_[0.0, weights(trials)].astype(np.float32)[rank]
        loadings += [np.r_[0.0, column].astype(np.float32)[rank] for column in draw_loadings(trials).T]
    return np.stack([difference, *loadings], axis=1)


def _missed(trials: int) -> np.ndarray:
    """g(c) for c = 0 ... trials: the chance that none of the draws is among the c best trials."""
    return ((trials - np.arange(trials + 1)) / trials) ** (DRAWS * trials)
