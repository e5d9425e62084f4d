"""How often trials diverge, up to which learning rate they do not, and how the result depends on hyperparameters."""

import numpy as np
import pandas as pd

from regbench.analysis.entries import hyperparameters, learning_rates, numbers, trials
from regbench.analysis.labels import ENTRY

LEARNING_RATE = "learning_rate"


def stability(runs: pd.DataFrame) -> pd.DataFrame:
    """A row an entry: how its trials ended.

    The largest stable learning rate is that of the largest completed trial not above a threshold; the threshold is the
    learning rate that separates best: fewest trials that diverged at or below it or completed above it, of equally good
    ones the lowest. With one hyperparameter that is the largest rate below which nothing diverged, unless single trials
    say otherwise; with several, a trial that diverged at a small rate because of its momentum does not set the limit.

    Returns:
        `ENTRY`, `label`, `trials`, `diverged`, `unfinished`, `divergence_rate`, `largest_stable_learning_rate` (NaN
        where no trial has a learning rate or none below the threshold completed), `is_bounded`: whether a trial
        diverged above it (else it is only the largest rate that was tried).
    """
    tried = trials(runs)
    tried["rate"] = _numbers(tried, LEARNING_RATE)
    rows = []
    for _, entry in tried.groupby(["problem", "label"]):
        diverged = entry["outcome"] == "diverged"
        completed = entry["outcome"] == "completed"
        largest, is_bounded = _largest_stable(entry["rate"][completed], entry["rate"][diverged])
        rows.append(
            {
                **entry.iloc[0][[*ENTRY, "label"]],
                "trials": len(entry),
                "diverged": int(diverged.sum()),
                "unfinished": int((~diverged & ~completed).sum()),
                "divergence_rate": diverged.mean(),
                "largest_stable_learning_rate": largest,
                "is_bounded": is_bounded,
            }
        )
    columns = [*ENTRY, "label", "trials", "diverged", "unfinished", "divergence_rate"]
    return pd.DataFrame(rows, columns=[*columns, "largest_stable_learning_rate", "is_bounded"])


def sensitivity(tried: pd.DataFrame, hyperparameter: str, second: str | None = None) -> pd.DataFrame:
    """How the score depends on one or two hyperparameters.

    Args:
        tried: trials, as `entries.trials` gives them.
        hyperparameter: a key of `setting`.
        second: another one.

    Returns:
        A row a trial that has these values as numbers, sorted by them: `ENTRY`, `label`, `x` (and `y`), `value` (the
        score), `goal` (of the score), `decided_by`, `outcome`.
    """
    values = {"x": _numbers(tried, hyperparameter)}
    if second is not None:
        values["y"] = _numbers(tried, second)
    frame = tried.assign(**values, value=tried["score"], goal=tried["score_goal"]).dropna(subset=list(values))
    columns = [*ENTRY, "label", *values, "value", "goal", "decided_by", "outcome"]
    return frame.sort_values(["problem", "label", *values, "setting"])[columns].reset_index(drop=True)


def _numbers(runs: pd.DataFrame, hyperparameter: str) -> pd.Series:
    """A hyperparameter of each run as a number; NaN where it has none of that name or no number."""
    if hyperparameter == LEARNING_RATE:
        return learning_rates(runs)
    values = hyperparameters(runs)
    if hyperparameter not in values:
        return pd.Series(np.nan, index=runs.index)
    return numbers(values[hyperparameter])


def _largest_stable(completed: pd.Series, diverged: pd.Series) -> tuple[float, bool]:
    """The largest learning rate up to the threshold that separates best, and whether a trial diverged above it."""
    good, bad = np.sort(completed.dropna().to_numpy()), np.sort(diverged.dropna().to_numpy())
    # Below all rates, then each rate: so that what separates nothing from everything is among the thresholds.
    thresholds = np.unique([-np.inf, *good, *bad])
    wrong = np.searchsorted(bad, thresholds, side="right") + len(good)
    wrong -= np.searchsorted(good, thresholds, side="right")
    threshold = thresholds[np.argmin(wrong)]
    stable = good[good <= threshold]
    if len(stable) == 0:
        return np.nan, False
    return float(stable[-1]), bool((bad > stable[-1]).any())
