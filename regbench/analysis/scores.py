"""The score of each entry, from the runs of its search.

A trial's value is the mean over the fresh seeds with which its setting was run again; of the others, which seldom win,
it is that of the trial itself. What diverged, crashed, or was never finished is worth as much as the network before
training, and so is what ended worse: nobody would use it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from regbench.analysis.entries import Mode, live_runs, tried_runs, value_of
from regbench.analysis.moments import standard_deviation
from regbench.analysis.searched import AnySearched, Key, Searched, SeveralSearches
from regbench.records import Role
from regbench.trees.searches import INFERRED


def searched(runs: pd.DataFrame, mode: Mode = "final", metric: str | None = None, split: str = "test") -> dict[
    Key, AnySearched
]:  # fmt: skip
    """The trials of each entry with their values; arguments as for `entries.reported`.

    The value before training is that of `untrained_<metric>` where `runs` has such a column, else the worst that any
    run on the problem ended with.
    """
    live = live_runs(runs)
    tried = tried_runs(live, mode)
    tried = tried.assign(**value_of(tried, mode, metric, split))
    again = live.merge(tried.drop_duplicates("entry")[["entry", "seed"]].rename(columns={"seed": "tuning_seed"}))
    is_fresh = again["seed"] != again["tuning_seed"]
    again = again[is_fresh.where(again["search"] == INFERRED, again["role"] == Role.RERUN)]
    again = again[again["outcome"].isin(("completed", "diverged"))]
    again = again.drop_duplicates(["entry", "study_seed", "setting", "seed"])
    again = again.assign(**value_of(again, mode, metric, split)).sort_values(["entry", "seed"], kind="stable")
    floors = _untrained(pd.concat([tried, again]))
    columns = ["entry", "study_seed", "setting", "value", "outcome"]
    fresh = dict(tuple(again[columns].groupby(["entry", "study_seed"], sort=False, dropna=False)))
    found: dict[Key, list[Searched]] = {}
    for (entry, study_seed), trials in tried[_OF_TRIALS].groupby(["entry", "study_seed"], sort=True, dropna=False):
        problem, label = (str(trials[name].iloc[0]) for name in ("problem", "label"))
        search = _searched(trials, _get(fresh, entry, study_seed), floors[problem])
        found.setdefault((problem, label), []).append(search)
    of_several = tried.loc[tried["searches"] > 1, ["problem", "label"]].drop_duplicates()
    several = set(of_several.itertuples(index=False, name=None))
    return {key: SeveralSearches(tuple(each)) if key in several else each[0] for key, each in found.items()}


def _get(fresh: Mapping[Any, pd.DataFrame], entry: int, study_seed: float) -> pd.DataFrame | None:
    """The runs of one search; no two NaN are one key."""
    if study_seed == study_seed:
        return fresh.get((entry, study_seed))
    return next((runs for key, runs in fresh.items() if key[0] == entry), None)


_OF_TRIALS = [
    *["entry", "study_seed"],
    *["problem", "label", "setting", "trial", "planned", "outcome", "score", "score_goal", "decided_by"],
    *["value", "value_goal"],
]


class _Fresh(NamedTuple):
    values: np.ndarray
    failed: np.ndarray


_NONE = _Fresh(np.empty(0), np.empty(0, bool))


def _searched(trials: pd.DataFrame, again: pd.DataFrame | None, floor: float) -> Searched:
    first = trials.iloc[0]
    sign, chosen_sign = (1.0 if first[goal] == "maximize" else -1.0 for goal in ("value_goal", "score_goal"))
    completed = (trials["outcome"] == "completed").to_numpy()
    score = chosen_sign * trials["score"].to_numpy(float)
    chosen_by = np.where(completed & np.isfinite(score), score, -np.inf)
    value = sign * trials["value"].to_numpy(float)
    if np.isnan(value[completed]).all():  # the metric is not there
        chosen_by[:] = -np.inf
    own = _worth(value, completed, sign * floor)
    fresh = {} if again is None else dict(_fresh(again, sign, sign * floor))
    texts = trials["setting"].to_numpy(object)
    is_ordered = bool(trials["trial"].notna().all())
    if is_ordered:
        place, planned = trials["trial"].to_numpy(int), first["planned"]
        size = int(max(place.max() + 1, planned if planned == planned else 0))
        chosen_by, own, texts = (
            _placed(size, place, part, nothing)
            for part, nothing in ((chosen_by, -np.inf), (own, sign * floor), (texts, ""))
        )
    runs_again = [fresh.get(text, _NONE) for text in texts]
    spreads = [one.values for one in fresh.values() if len(one.values) > 1]
    freedom = sum(len(values) - 1 for values in spreads)
    squares = sum((len(values) - 1) * standard_deviation(values) ** 2 for values in spreads)
    return Searched(
        sign=sign,
        chosen_by=chosen_by,
        own=own,
        fresh=tuple(one.values for one in runs_again),
        failed=tuple(one.failed for one in runs_again),
        spread=squares / freedom if freedom else np.nan,
        spread_freedom=freedom,
        decided_by=str(first["decided_by"]),
        settings=tuple(texts) if is_ordered else None,
    )


def _placed(size: int, place: np.ndarray, part: np.ndarray, nothing: object) -> np.ndarray:
    """By number of the trial; one that has no run cannot win, and is worth nothing."""
    whole = np.full(size, nothing, part.dtype)
    whole[place] = part
    return whole


def _fresh(again: pd.DataFrame, sign: float, floor: float) -> Iterator[tuple[str, _Fresh]]:
    completed = (again["outcome"] == "completed").to_numpy()
    values = sign * again["value"].to_numpy(float)
    worth, failed = _worth(values, completed, floor), ~(completed & (values >= floor))
    texts = again["setting"].to_numpy(object)
    for text in dict.fromkeys(texts):
        mine = texts == text
        yield str(text), _Fresh(worth[mine], failed[mine])


def _worth(oriented: np.ndarray, completed: np.ndarray, floor: float) -> np.ndarray:
    return np.fmax(np.where(completed & np.isfinite(oriented), oriented, floor), floor)


def _untrained(runs: pd.DataFrame) -> Mapping[str, float]:
    """The reported metric before training, of each problem; else the worst that any run ended with."""
    floors: dict[str, float] = {}
    for (metric, goal), rows in runs.groupby(["value_metric", "value_goal"], sort=False):
        ended = rows[(rows["outcome"] == "completed") & np.isfinite(rows["value"])]
        worst = ended.groupby("problem")["value"].agg("min" if goal == "maximize" else "max")
        column = f"untrained_{metric}"
        known = rows.groupby("problem")[column].median().dropna() if column in rows else worst.iloc[:0]
        floors |= dict.fromkeys(rows["problem"], np.nan) | worst.to_dict() | known.to_dict()
    return floors
