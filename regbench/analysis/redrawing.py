"""Two searches compared: the difference of their scores, its error, and the chance of one as large by luck alone."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from regbench.analysis import expected_winner
from regbench.analysis.searched import AnySearched, Searched
from regbench.analysis.significance import Difference

_ROUNDING = 1e-5
"""Of single precision, relative."""

_AT_ONCE, _HOPELESS = 2000, 0.3
"""Divisions that are looked at together; no more are where so large a share of them differs as much."""


def difference(good: AnySearched, poor: AnySearched) -> Difference:
    """By how much the score of `good` is better, with its error.

    Searches that drew the same settings are redrawn together: what a lucky draw gave to both is no difference.
    """
    one, other = good.score, poor.score
    value = good.oriented - poor.oriented
    if isinstance(good, Searched) and isinstance(poor, Searched) and share_draws(good, poor):
        together = good.redrawn - poor.redrawn
        error = float(np.sqrt(together.var() + good.seed_variance + poor.seed_variance))
    else:
        error = float(np.hypot(one.error, other.error))
    if one.is_approximate or other.is_approximate:
        return Difference(value, error, min(one.freedom, other.freedom))
    return Difference(value, error, _welch_satterthwaite(one.error, one.freedom, other.error, other.freedom))


def share_draws(one: Searched, other: Searched) -> bool:
    """Whether both searches tried the same settings in the same order."""
    return one.trials > 1 and one.settings is not None and one.settings == other.settings


def permuted_p(pairs: Sequence[tuple[Searched, Searched]]) -> np.ndarray:
    """How often the scores differ as much where the trials of both are divided anew into two searches; two-sided.

    What is compared is the difference relative to its draw error in that division: this finds more than the difference
    itself, and errs less where the candidates are unlike (Janssen 1997). It assumes of the trials only that both
    candidates are alike, whatever their distribution; it is not quite exact, because the values of the settings that
    were run again are means and those of the others are not. Of searches that drew the same settings the two trials of
    a setting change places. Trials that are equally good come by number.

    Args:
        pairs: searches, two by two.

    Returns:
        Shape (pairs,).
    """
    found = np.empty(len(pairs))
    alike: dict[tuple[int, int], list[int]] = {}
    for number, (one, other) in enumerate(pairs):
        if share_draws(one, other):
            order, values, seen = _sorted(one, other)
            tables = expected_winner.division(_swapped(one.trials)[:, order], one.trials)
            found[number] = _shares(tables, values[:, None], np.array([seen]))[0]
        else:
            alike.setdefault((one.trials, other.trials), []).append(number)
    for sizes, numbers in alike.items():
        _, columns, seen = zip(*(_sorted(*pairs[number]) for number in numbers), strict=True)
        found[numbers] = _shares(expected_winner.divisions(*sizes), np.stack(columns, axis=1), np.array(seen))
    return found


def _sorted(one: Searched, other: Searched) -> tuple[np.ndarray, np.ndarray, float]:
    """The order of the trials of both, the best first; their values, less that of the best; how the scores differ."""
    chosen_by = np.concatenate([one.chosen_by, other.chosen_by])
    numbers = np.concatenate([np.arange(one.trials), np.arange(other.trials)])
    is_mine = np.arange(len(numbers)) < one.trials
    # Of two equal trials with one number, that of either search comes first by turns.
    order = np.lexsort((is_mine ^ (numbers % 2 == 0), numbers, -chosen_by))
    values = np.concatenate([one.values, other.values])[order]
    values = (values - values[0]).astype(np.float32)
    seen = _relative(expected_winner.division(is_mine[order][None], one.trials), values[:, None])
    return order, values, float(seen[0, 0])


def _shares(tables: np.ndarray, values: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """In which share of divisions the scores differ as much as is seen.

    Args:
        tables: `expected_winner.division`.
        values: shape (trials, pairs).
        seen: shape (pairs,).
    """
    as_large, divided = np.zeros(len(seen)), np.zeros(len(seen))
    undecided = np.arange(len(seen))
    for start in range(0, len(tables), _AT_ONCE):
        part = tables[start : start + _AT_ONCE]
        as_large[undecided] += (_relative(part, values[:, undecided]) >= seen[undecided] * (1 - _ROUNDING)).sum(axis=0)
        divided[undecided] += len(part)
        undecided = undecided[as_large[undecided] <= _HOPELESS * divided[undecided]]
        if not len(undecided):
            break
    return (1 + as_large) / (1 + divided)


def _relative(tables: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Differences relative to their draw errors, without sign; shape (divisions, pairs)."""
    divisions, numbers, trials = tables.shape
    parts = (tables.reshape(-1, trials) @ values[:trials]).reshape(divisions, numbers, -1)
    error = np.sqrt(np.square(parts[:, 1:]).sum(axis=1))
    return np.abs(parts[:, 0]) / np.maximum(error, np.finfo(np.float32).tiny)


@lru_cache(maxsize=4)
def _swapped(trials: int) -> np.ndarray:
    """Which trials belong to the one search when those of equal number change places at random."""
    size = (expected_winner.PERMUTATIONS, trials)
    mine = np.random.default_rng(0).random(size, dtype=np.float32) < 0.5
    return np.concatenate([mine, ~mine], axis=1)


def _welch_satterthwaite(one: float, one_freedom: float, other: float, other_freedom: float) -> float:
    if not (one_freedom > 0 and other_freedom > 0 and 0 < one**2 + other**2 < np.inf):
        return np.nan
    share = one**2 / (one**2 + other**2)
    return float(1 / (share**2 / one_freedom + (1 - share) ** 2 / other_freedom))
