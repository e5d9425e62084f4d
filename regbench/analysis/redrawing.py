"""Two searches compared: the difference of their scores, its error, and the chance of one as large by luck alone."""

from functools import lru_cache

import numpy as np

from regbench.analysis import expected_winner
from regbench.analysis.searched import AnySearched, Searched
from regbench.analysis.significance import Difference

_ROUNDING = 1e-5
"""Of single precision, relative."""

_FIRST, _HOPELESS = 2000, 0.3
"""No more divisions are looked at where of so many so large a share is as different."""


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


def permuted_p(good: Searched, poor: Searched) -> float:
    """How often the scores differ as much where the trials of both are divided anew into two searches; two-sided.

    What is compared is the difference relative to its draw error in that division: this finds more than the difference
    itself, and errs less where the candidates are unlike (Janssen 1997). It assumes of the trials only that both
    candidates are alike, whatever their distribution; it is not quite exact, because the values of the settings that
    were run again are means and those of the others are not. Of searches that drew the same settings the two trials of
    a setting change places. Trials that are equally good come by number.
    """
    chosen_by = np.concatenate([good.chosen_by, poor.chosen_by])
    numbers = np.concatenate([np.arange(good.trials), np.arange(poor.trials)])
    is_mine = np.arange(len(numbers)) < good.trials
    # Of two equal trials with one number, that of either search comes first by turns.
    order = np.lexsort((is_mine ^ (numbers % 2 == 0), numbers, -chosen_by))
    values = np.concatenate([good.values, poor.values])[order]
    values = (values - values[0]).astype(np.float32)
    seen = _relative(expected_winner.division(is_mine[order][None], good.trials), values)[0]
    if share_draws(good, poor):
        tables = expected_winner.division(_swapped(good.trials)[:, order], good.trials)
    else:
        tables = expected_winner.divisions(good.trials, poor.trials)
    as_large = divided = 0
    for part in (tables[:, :_FIRST], tables[:, _FIRST:]):
        as_large += int((_relative(part, values) >= seen * (1 - _ROUNDING)).sum())
        divided += part.shape[1]
        if as_large > _HOPELESS * divided:
            break
    return (1 + as_large) / (1 + divided)


def _relative(tables: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Differences relative to their draw errors, without sign; shape (divisions,)."""
    difference, *loadings = tables @ values[: tables.shape[-1]]
    error = np.sqrt(np.sum(np.square(loadings), axis=0))
    smallest = np.finfo(np.float32).tiny
    return np.abs(difference) / np.maximum(error, smallest)


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
