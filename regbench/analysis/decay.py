"""How the best decay depends on the learning rate: the ridge of a search over both.

Where the product of learning rate and decay matters, the best decay falls as the learning rate rises: slope -1 in
logarithms. Where the two are decoupled, it stays: slope 0. A `timescale` is 1 / product: where the product matters, the
best time stays (slope 0), and where the strength does, it falls (slope -1).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from regbench.analysis.entries import learning_rates, sign
from regbench.analysis.labels import ENTRY
from regbench.records import Coupling

GOOD_SHARE = 0.5
FEWEST_TRIALS = 20
"""A surface has six parameters: with less than ten points in the good region it fits anything."""

EQUIVALENT = 0.25
"""Slopes so near to 0 or -1 say the same as these."""

RESAMPLES = 1000
MOST_VALUES = 500_000  # that are fitted at once


@dataclass(frozen=True)
class Ridge:
    """The line of the best decay: `log10(decay) = intercept + slope * log10(learning rate)`.

    Args:
        slope: d log(decay) / d log(learning rate); NaN, like `low`, `high` and `intercept`, where it cannot be told.
        low: lower end of the bootstrap interval of the slope.
        n_good: number of trials in the good region.
        points: the good region: `learning_rate`, `decay`, `score`.
        sentence: what this says of the candidate.
    """

    slope: float
    low: float
    high: float
    intercept: float
    n_good: int
    points: pd.DataFrame
    sentence: str

    @property
    def is_told(self) -> bool:
        """Whether the interval supports a statement on how the best decay depends on the learning rate."""
        return bool(_meaning(self.low, self.high))


def ridge(trials: pd.DataFrame, level: float = 0.95, seed: int = 0) -> Ridge:
    """Find the decay that is best at each learning rate, among the better half of the completed trials.

    To the ranks of their scores a quadratic surface in x = log10(learning rate) and y = log10(decay) is fitted; the
    ridge is where it is highest along y, a line of slope `-c_xy / (2 c_yy)`. Ranks make it independent of the scale of
    the score; and unlike the main axis of the good region, this line does not follow the shape of the box that was
    searched, and exists where the region is round. The interval (percentiles) is from resampled trials, each with its
    own good region. On simulated searches of 50 trials it is rather too wide than too narrow.

    What is said of the slope is what the whole interval supports: that it is that of decoupled decay, or of the
    product, where all of the interval lies within `EQUIVALENT` of 0 or -1; that it is neither where the interval holds
    neither; else nothing (`is_told`). An interval that merely reaches 0 shows no independence.

    The slope cannot be told with fewer than 20 trials that count, or where more than 1 - level of the resamples have no
    ridge: the score does not fall off to both sides within the decays that were searched. Trials without decay do not
    count.

    Args:
        trials: `entries.trials` of a single entry; the learning rate is that of the setting.
        level: of the interval.
        seed: of the resampling.
    """
    if not 0 < level < 1:
        raise ValueError(f"`level` must be in (0, 1). Received: level={level!r}")
    if len(trials[ENTRY].drop_duplicates()) > 1:
        raise ValueError(f"`trials` must be those of one entry. Received: {len(trials[ENTRY].drop_duplicates())}")
    points = _completed(trials)
    n_good = int(np.ceil(GOOD_SHARE * len(points)))
    good = points.head(n_good).drop(columns="worth").reset_index(drop=True)
    reason = _too_little(points)
    if not reason:
        x, y = np.log10(points["learning_rate"].to_numpy()), np.log10(points["decay"].to_numpy())
        fits = _resampled(x, y, points["worth"].to_numpy(), seed)
        slope, intercept = (float(one[0]) for one in _lines(x[None], y[None], points["worth"].to_numpy()[None]))
        if np.isnan(slope) or np.isnan(fits).mean() > 1 - level:
            reason = "among the better half of the trials the score does not clearly fall off to both sides of a decay"
    if reason:
        return Ridge(np.nan, np.nan, np.nan, np.nan, n_good, good, f"The slope of the ridge cannot be told: {reason}.")
    low, high = (float(end) for end in np.nanquantile(fits, [(1 - level) / 2, (1 + level) / 2]))
    is_time = set(trials["coupling"]) == {Coupling.TIMESCALE.value}
    meaning = _meaning(low, high, is_time) or "how the best decay depends on the learning rate cannot be told"
    sentence = f"Slope of the ridge {slope:.2f} [{low:.2f}, {high:.2f}]: {meaning}."
    return Ridge(slope, low, high, intercept, n_good, good, sentence)


def _completed(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials that count, the best first: `learning_rate`, `decay`, `score`, `worth` (the best highest)."""
    rates = learning_rates(trials)
    points = pd.DataFrame(
        {
            "learning_rate": pd.to_numeric(rates, errors="coerce"),
            "decay": trials["decay"].astype(float),
            "score": trials["score"].astype(float),
            "worth": trials["score"].astype(float) * sign(trials["score_goal"]),
        }
    )
    counts = (points["learning_rate"] > 0) & (points["decay"] > 0) & np.isfinite(points.to_numpy()).all(axis=1)
    points = points[counts & (trials["outcome"] == "completed")]
    return points.sort_values(["worth", "learning_rate", "decay"], ascending=False, kind="stable")


def _too_little(points: pd.DataFrame) -> str:
    """The reason why the trials cannot show a ridge; "" where they can."""
    if len(points) < FEWEST_TRIALS:
        return f"{len(points)} trials with a learning rate and a decay completed, {FEWEST_TRIALS} are needed"
    for column, name in (("learning_rate", "learning rate"), ("decay", "decay")):
        if points[column].nunique() < 3:
            return f"the {name} was not searched"
    return ""


def _lines(x: np.ndarray, y: np.ndarray, worth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope and intercept of the ridges of samples, a row each; NaN where there is none within the decays of a row."""
    good = np.argsort(-worth, axis=1, kind="stable")[:, : int(np.ceil(GOOD_SHARE * worth.shape[1]))]
    u, v, ranks = (np.take_along_axis(values, good, axis=1) for values in (x, y, worth))
    x_mean, y_mean = u.mean(axis=1), v.mean(axis=1)
    u, v = u - x_mean[:, None], v - y_mean[:, None]
    surface = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=-1)
    left, size, right = np.linalg.svd(surface, full_matrices=False)  # `lstsq` takes one surface at a time
    full = size[:, -1] > np.finfo(float).eps * max(surface.shape[1:]) * size[:, 0]
    full &= np.ptp(ranks, axis=1) > 0  # of equal scores, rounding errors would make a surface
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        weights = np.einsum("sgk,sg->sk", left, stats.rankdata(ranks, axis=1)) / size
        c = np.einsum("sk,skj->sj", weights, right)
        # Along v the surface is highest where c_y + c_xy u + 2 c_yy v = 0.
        slope, at_mean = -c[:, 4] / (2 * c[:, 5]), y_mean - c[:, 2] / (2 * c[:, 5])
        is_ridge = full & (c[:, 5] < 0) & (y.min(axis=1) <= at_mean) & (at_mean <= y.max(axis=1))
        return np.where(is_ridge, slope, np.nan), np.where(is_ridge, at_mean - slope * x_mean, np.nan)


def _resampled(x: np.ndarray, y: np.ndarray, worth: np.ndarray, seed: int) -> np.ndarray:
    draws = np.random.default_rng(seed).integers(len(worth), size=(RESAMPLES, len(worth)))
    some = np.array_split(draws, 1 + draws.size // MOST_VALUES)
    return np.concatenate([_lines(x[draw], y[draw], worth[draw])[0] for draw in some])


def _meaning(low: float, high: float, is_time: bool = False) -> str:
    """What an interval of the slope supports; "" where that is nothing. With `is_time` the decay is told as a time."""
    product = f"what matters is the product of learning rate and decay, to within {EQUIVALENT:g} of the slope"
    alone = f"the best decay does not depend on the learning rate, to within {EQUIVALENT:g} of the slope"
    if low >= -EQUIVALENT and high <= EQUIVALENT:
        return product if is_time else alone
    if low >= -1 - EQUIVALENT and high <= -1 + EQUIVALENT:
        return alone if is_time else product
    if (low > 0 or high < 0) and (low > -1 or high < -1):
        return "the best decay depends on the learning rate, but not by their product alone"
    return ""
