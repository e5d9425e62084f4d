"""Fairness cards: did every candidate get the same chance, and are our baselines as strong as the published ones?"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from regbench import catalog
from regbench.analysis.entries import Mode, hyperparameters, numbers, sign, trials, winners
from regbench.analysis.labels import ENTRY, with_labels
from regbench.errors import RegbenchError
from regbench.records import Choices, Range, Searched

EDGE = 0.05
NEAR_BEST = 0.01
ROW = ["problem", "label"]
_CARD = [
    *["tuned", "space", "trials", "divergence_rate", "at_edge", "edges"],
    *["default_gain", "default_note", "near_best"],
]
_DECAY = ("weight_decay", "weight_decay_opt", "l2_reg", "decay")
_ROUNDING = 1e-9
_FEWEST = 3
_FEWEST_OF_WELCH = 5
_STEP_SECONDS = {0.25: "step_seconds_low", 0.5: "step_seconds", 0.75: "step_seconds_high"}
BASELINES = ("sgd", "momentum", "adam")
STRENGTH_LEVEL = 0.05
"""Chance that a baseline of the same strength is called stronger or weaker."""


def cards(runs: pd.DataFrame, mode: Mode = "final") -> pd.DataFrame:
    """A row an entry.

    Tuned are the hyperparameters that differ between the trials. The ends of what was searched are those in the
    candidate's file where all trials lie between them, else the smallest and the largest value of the trials (trees of
    others were often searched otherwise than the candidate of that name). The best setting is at the edge where the
    winner's value lies within 5 % of an end: of the logarithm where that is searched (of observed ends: where all are
    positive and the largest is at least ten times the smallest), of the distance to 1 where that is searched; of
    choices, the first or the last of at least three numbers.

    Args:
        runs: of any number of entries.
        mode: how winners are chosen (`entries.winners`).

    Returns:
        `ENTRY`, `label`, and
        `tuned` (names), `space` ("catalog", "observed", "catalog and observed", "" where nothing was tuned);
        `trials`, `divergence_rate` (share of the trials);
        `at_edge`: None where there is no winner or nothing was tuned; `edges`: where, in words;
        `default_gain`: how much better the winner's score is than that of the trial with the default values of all
        that was tuned (NaN where there is no such trial, and `default_note` says so);
        `near_best`: share of the trials that completed with a score within 1 % of the winner's;
        `step_seconds`, `step_seconds_low`, `step_seconds_high`: median and quartiles of the seconds of a step over the
        entry's runs, NaN where unknown. They are as measured: entries were run at different times, beside whatever else
        the machine did then (sgd took 1.59 times as long as sgd), so no ratio is formed of them.
    """
    labelled = with_labels(runs)
    tried = dict(iter(trials(labelled, mode).groupby(ROW)))
    won = winners(labelled, mode)
    files = {name: _searched(name) for name in won["candidate"].unique()}
    times = _step_seconds(labelled)
    rows = []
    for winner in won.to_dict("records"):
        row = (winner["problem"], winner["label"])
        about = {name: winner[name] for name in (*ENTRY, "label")}
        card = _card(tried[row], winner["setting"], files[winner["candidate"]])
        rows.append({**about, **card, **times.loc[row]})
    columns = [*ENTRY, "label", *_CARD, *_STEP_SECONDS.values()]
    return pd.DataFrame(rows, columns=columns).astype({"at_edge": object})


def baseline_strength(ours: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Whether our sgd, momentum and adam reach what was published for them.

    Compared are rows with the same problem, schedule, epochs, batch size, metric and split. Different protocols are
    compared too, and are named.

    Args:
        ours: rows of `ranking.ranked_entries`.
        published: likewise.

    Returns:
        A row a pair: `problem`, `candidate`, `metric`, `split`, `goal`, `protocol`, `published_protocol`, `label`,
        `mean`, `published_mean`, `difference` (ours less the published), `standard_errors` (the difference in combined
        standard errors, positive where ours is the better), `p` (Welch's test, two-sided, of this pair by itself; with
        fewer than five seeds by the degrees of freedom of the smaller sample, as Welch's are too many there: equal
        baselines with 2 and 10 seeds would differ in 10 % of cases),
        `verdict`: "stronger" or "weaker" where p is below `STRENGTH_LEVEL`, else "not distinguishable", or "cannot be
        said" where one has a single seed or a diverged one, neither varies, or one loss alone contains a penalty.
    """
    same = ["problem", "candidate", "schedule", "epochs", "batch_size", "metric", "split", "goal"]
    figures = ["protocol", "label", "mean", "sd", "n_seeds", "diverged_seeds", "decay", "loss_has_penalty"]
    sides = [side.loc[side["candidate"].isin(BASELINES), [*same, *figures]] for side in (ours, published)]
    pairs = sides[0].merge(sides[1], on=same, suffixes=("", "_published"))
    pairs = pairs.rename(columns={f"{name}_published": f"published_{name}" for name in figures})
    pairs["difference"] = pairs["mean"] - pairs["published_mean"]
    penalty = pairs[["loss_has_penalty", "published_loss_has_penalty"]].to_numpy(bool)
    alike = (penalty[:, 0] == penalty[:, 1]) & (~penalty[:, 0] | (pairs["decay"] == pairs["published_decay"]))
    whole = (pairs["diverged_seeds"] == 0) & (pairs["published_diverged_seeds"] == 0)
    can = ((pairs["metric"] == "accuracy") | alike) & whole & ((pairs["sd"] > 0) | (pairs["published_sd"] > 0))
    moments = [f"{side}{name}" for side in ("", "published_") for name in ("mean", "sd", "n_seeds")]
    test = stats.ttest_ind_from_stats(*pairs[moments].where(can).to_numpy(float).T, equal_var=False)
    fewest = pairs[["n_seeds", "published_n_seeds"]].min(axis="columns")
    careful = 2 * stats.t.sf(np.abs(test.statistic), fewest - 1)
    pairs["standard_errors"] = test.statistic * sign(pairs["goal"])
    pairs["p"] = np.where(fewest < _FEWEST_OF_WELCH, careful, test.pvalue)
    is_told, is_better = pairs["p"] < STRENGTH_LEVEL, pairs["standard_errors"] > 0
    known = np.where(pairs["p"].isna(), "cannot be said", "not distinguishable")
    pairs["verdict"] = np.select([is_told & is_better, is_told], ["stronger", "weaker"], known)
    columns = ["protocol", "published_protocol", "label", "mean", "published_mean", "difference", "standard_errors"]
    return pairs[["problem", "candidate", "metric", "split", "goal", *columns, "p", "verdict"]]


class _Axis(NamedTuple):
    """One searched hyperparameter as a line from 0 to 1."""

    low: float
    high: float
    is_log: bool = False
    one_minus: bool = False

    def position(self, value: float) -> float:
        """0 at the lower end of the values, 1 at the upper."""
        if self.one_minus:
            return 1 - self._replace(one_minus=False).position(1 - value)
        if not self.is_log:
            return (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)  # halves do not overflow
        return math.log(value / self.low) / math.log(self.high / self.low) if value > 0 else -math.inf


def _card(tried: pd.DataFrame, setting: str | None, searched: dict[str, Searched]) -> dict[str, Any]:
    values = hyperparameters(tried)
    tuned = [str(name) for name in values if values[name].nunique(dropna=False) > 1]
    axes = {name: _axis(values[name], _find(name, searched)) for name in tuned}
    won = tried["setting"] == setting
    edges = None
    if tuned and won.any():
        best = values[won].iloc[0]
        edges = [f"{name} at the {end} end" for name in tuned if (end := _end(best[name], axes[name][0]))]
    score = tried["score"].where(tried["outcome"] == "completed")
    best_score = tried["score"][won].iloc[0] if won.any() else np.nan
    gain, default_note = _default_gain(tried, values[tuned], best_score, searched)
    return {
        "tuned": tuned,
        "space": " and ".join(sorted({"catalog" if from_file else "observed" for _, from_file in axes.values()})),
        "trials": len(tried),
        "divergence_rate": float((tried["outcome"] == "diverged").mean()),
        "at_edge": None if edges is None else bool(edges),
        "edges": ", ".join(edges or []),
        "default_gain": gain,
        "default_note": default_note,
        "near_best": float(((score - best_score).abs() <= NEAR_BEST * abs(best_score)).mean()),
    }


def _searched(candidate: str) -> dict[str, Searched]:
    """The ranges and choices in a candidate's file; empty where there is no such file."""
    try:
        return catalog.candidate(candidate).searched()
    except RegbenchError:
        return {}


def _find(name: str, searched: dict[str, Searched]) -> Searched | None:
    """The range or choices of a hyperparameter by its name in a result file (`beta1`, `learning_rate`)."""
    if name in _DECAY:
        return searched.get("decay.strength")
    plain = name.replace("_", "")
    paths = sorted(searched, key=lambda path: path.count("."))
    return next((searched[path] for path in paths if f".{path}".replace("_", "").endswith(f".{plain}")), None)


def _axis(values: pd.Series, searched: Searched | None) -> tuple[_Axis | list[Any] | None, bool]:
    """The line or the choices on which a hyperparameter was searched, None where they cannot be had.

    The second value: whether they are those of the candidate's file.
    """
    if isinstance(searched, Choices) and all(_position(value, searched.choices) >= 0 for value in values):
        return list(searched.choices), True
    as_numbers = numbers(values)
    if as_numbers.isna().any() or pd.api.types.is_bool_dtype(values):
        return None, False
    if isinstance(searched, Range):
        axis = _axis_of(searched)
        positions = as_numbers.map(axis.position)
        if positions.between(-_ROUNDING, 1 + _ROUNDING).all():
            return axis, True
    if as_numbers.nunique() < _FEWEST:
        return None, False
    low, high = float(as_numbers.min()), float(as_numbers.max())
    return _Axis(low, high, is_log=low > 0 and high / low >= 10), False


def _axis_of(searched: Range) -> _Axis:
    if searched.log10 is not None:
        low, high = (10.0**exponent for exponent in searched.log10)
        return _Axis(low, high, is_log=True, one_minus=searched.one_minus)
    return _Axis(float(searched.low or 0), float(searched.high or 0), searched.log, searched.one_minus)


def _end(best: Any, axis: _Axis | list[Any] | None) -> str:
    """The end at which the best value lies, "" for none."""
    if isinstance(axis, list):
        are_numbers = all(isinstance(choice, int | float) and not isinstance(choice, bool) for choice in axis)
        if not are_numbers or len(axis) < _FEWEST:
            return ""
        position = _position(best, sorted(axis)) / (len(axis) - 1)
    elif axis is None:
        return ""
    else:
        position = axis.position(float(best))
    if position <= EDGE:
        return "lower"
    return "upper" if position >= 1 - EDGE else ""


def _default_gain(
    tried: pd.DataFrame, values: pd.DataFrame, best_score: float, searched: dict[str, Searched]
) -> tuple[float, str]:
    """How much the winner gained over the defaults, or NaN and why."""
    if values.shape[1] == 0:
        return np.nan, "nothing was tuned"
    is_default = pd.Series(True, index=values.index)
    for name in values.columns.astype(str):
        declared = _find(name, searched)
        if declared is None or declared.default is None:
            return np.nan, f"no default of {name} is known"
        is_default &= values[name].map(lambda value, default=declared.default: _same(value, default))
    if not is_default.any():
        return np.nan, "no run with the default values"
    worth = tried["score"] * sign(tried["score_goal"])
    gain = best_score * sign(tried["score_goal"]).iloc[0] - worth[is_default].iloc[0]
    return float(gain), ""


def _position(value: object, choices: Sequence[object]) -> int:
    """The place of a value among choices, -1 where it is none of them."""
    return next((place for place, choice in enumerate(choices) if _same(value, choice)), -1)


def _same(value: object, default: object) -> bool:
    if isinstance(value, float | int) and isinstance(default, float | int):
        return math.isclose(value, default, rel_tol=1e-9)
    return value == default


def _step_seconds(runs: pd.DataFrame) -> pd.DataFrame:
    counted = runs[~runs["superseded"].astype(bool)].astype({"step_seconds": float})
    return counted.groupby(ROW)["step_seconds"].quantile(list(_STEP_SECONDS)).unstack().rename(columns=_STEP_SECONDS)
