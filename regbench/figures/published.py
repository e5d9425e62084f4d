"""Agreement of results with published figures."""

from typing import Any, NamedTuple

import numpy as np

from regbench import catalog
from regbench.analysis.significance import Difference, Sample

SEEDS = 10
NEAR = 0.01
"""By how much, relatively, a published value may be rounded."""


class Published(NamedTuple):
    """A published result; numbers as printed, so that their digits are known.

    Args:
        mean: final test value of the metric that decides.
        sd: its standard deviation over seeds; empty where none is published.
        setting: the hyperparameters that won.
        without_tuning_seed: mean and deviation leave out the seed with which the setting was chosen.
    """

    mean: str
    sd: str
    setting: dict[str, float]
    without_tuning_seed: bool = False


def agreement(row: dict[Any, Any], published: Published) -> str:
    """A sentence on how a row of `ranking.ranked_entries` agrees with the published result."""
    at = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in published.setting.items())
    seeds = "nine seeds, without the tuning seed" if published.without_tuning_seed else f"{SEEDS} seeds"
    deviation = f" \N{PLUS-MINUS SIGN} {published.sd}" if published.sd else ""
    quoted = f"Published: {published.mean}{deviation} at {at} ({seeds})"
    why = _other_rules(row)
    if why:
        return f"{quoted}; not comparable, because here: {why}."
    return f"{quoted}: {_values(row, published)}; {_settings(row, published)}."


def _other_rules(row: dict[Any, Any]) -> str:
    if row["problem"] not in catalog.problem_names():  # then nothing is known of its usual rules
        return ""
    problem = catalog.problem(row["problem"])
    rules = []
    for name, usual in (("epochs", problem.epochs), ("batch_size", problem.batch_size)):
        if row[name] != usual:
            rules.append(f"{row[name]} {name.replace('_', ' ')} instead of {usual}")
    if row["schedule"] != "none":
        rules.append(f"schedule {row['schedule']}")
    return ", ".join(rules)


def _values(row: dict[Any, Any], published: Published) -> str:
    prefix = "clean_" if published.without_tuning_seed else ""
    mean, sd = row[f"{prefix}mean"], row[f"{prefix}sd"]
    n = row["n_seeds"] - published.without_tuning_seed
    if not np.isfinite(mean):
        return "does not agree, there is no finite mean here"
    if not published.sd:
        same = _same(mean, published.mean)
        return "the mean agrees to all digits" if same else f"differs by {mean - float(published.mean):+.3g}"
    if _same(mean, published.mean):
        if _same(sd, published.sd):
            return "mean and deviation agree to all digits"
        return f"the mean agrees to all digits, the deviation is {_digits(sd, published.sd)}"
    if n < 2 or not sd > 0:
        return f"differs by {mean - float(published.mean):+.3g} (no interval: {n} seeds)"
    theirs = Sample(float(published.mean), float(published.sd) ** 2, SEEDS - published.without_tuning_seed)
    low, high = Difference.of(Sample(mean, sd**2, n), theirs).interval(0.05)
    verdict = "no difference is seen within" if low <= 0 <= high else "does not agree:"
    ends = f"{low:+.3g} to {high:+.3g}"
    return f"{verdict} the 95 % interval of the difference, {ends} (here {_digits(mean, published.mean)})"


def _settings(row: dict[Any, Any], published: Published) -> str:
    setting = row["setting"] or {}
    for name, value in published.setting.items():
        mine = setting.get(name)
        if mine is None or abs(mine - value) > NEAR * abs(value):
            return "another setting won here"
    return "the same setting won"


def _digits(value: float, like: str) -> str:
    return f"{value:.{len(like.partition('.')[2])}f}"


def _same(value: float, printed: str) -> bool:
    return _digits(value, printed) == printed
