"""The set of the best: the entries of a problem that cannot be excluded from being the best of it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from regbench.analysis.sentences import Pair

COLUMNS = ["problem", "label", "is_possible", "p", "excluded_by"]


def sets_of_the_best(table: pd.DataFrame, pairs: Mapping[str, Sequence[Pair]], level: float = 0.05) -> pd.DataFrame:
    """Which of the comparable entries of each problem may be the best when each is tuned anew with the budget.

    An entry is excluded where another is better by a one-sided test (`claims`, given the budget) at the level divided
    by the number of others. So the best of k lies in the set with the confidence 1 - level: it is excluded only where
    one of its own k - 1 comparisons errs (Hsu 1984, Annals of Statistics 12). Far fewer comparisons are adjusted for
    than where all pairs are claimed.

    Args:
        table: `ranking.ranked_entries`.
        pairs: `claims.pairs_of` it, given the budget.
        level: chance that the best of a problem is excluded, at most.

    Returns:
        A row a comparable entry, in the order of the table: `problem`, `label`, `is_possible`, `p` (one-sided, of the
        strongest comparison against it, adjusted for all others; NaN without a test), `excluded_by` (its label).
    """
    rows = []
    for problem, compared in pairs.items():
        labels = [str(label) for label in table.loc[(table["problem"] == problem) & table["comparable"], "label"]]
        for label in labels:
            against = [(pair.p / 2, pair.better) for pair in compared if pair.worse == label and np.isfinite(pair.p)]
            p, by = min(against, default=(np.nan, ""))
            p = float(np.minimum(1.0, p * (len(labels) - 1)))
            rows.append((problem, label, not p < level, p, by if p < level else ""))
    return pd.DataFrame(rows, columns=COLUMNS)


def sentences(sets: pd.DataFrame, level: float = 0.05) -> tuple[str, ...]:
    """One line for each problem; `sets` is what `sets_of_the_best` gives."""
    return tuple(
        _sentence(str(problem), rows, f"{100 * (1 - level):g} % confidence")
        for problem, rows in sets.groupby("problem", sort=True)
        if len(rows) > 1
    )


MOST_NAMES = 6


def _sentence(problem: str, rows: pd.DataFrame, confidence: str) -> str:
    possible = list(rows.loc[rows["is_possible"], "label"])
    if len(possible) == 1:
        return f"{problem}: {possible[0]} is the best of {len(rows)} when each is tuned anew ({confidence})."
    names = ", ".join(possible[:MOST_NAMES])
    more = f", and {len(possible) - MOST_NAMES} more" if len(possible) > MOST_NAMES else ""
    which = f"any of {len(rows)}" if len(possible) == len(rows) else f"{len(possible)} of {len(rows)}"
    return f"{problem}: {which} may be the best when each is tuned anew ({confidence}): {names}{more}."
