"""The curves of one run: read from its file, cut to a common length, and what they say about how the run ended."""

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

from regbench.records import ABSURD_LOSS_FACTOR, DEEPOBS_METRICS, SPLITS, goal_of
from regbench.trees.irregularities import Irregularity, NoRunError

CURVE_KEYS = {
    f"{split}_{plural}": f"{split}_{metric}"
    for metric, plural in (("loss", "losses"), ("accuracy", "accuracies"))
    for split in SPLITS
}
"""Key of a curve in a result file -> name of its metric in a data frame: `train_losses` -> `train_loss`."""

FURTHER = "metric"
"""In the place of a metric in the columns of a data frame: the problem's own, where it is neither loss nor accuracy."""

Curve = list[float]

_ROUNDING = 1e-6  # of means in float32


def column_of(metric: str) -> str:
    """What stands for a metric in the columns of a data frame, where it decides."""
    return metric if metric in DEEPOBS_METRICS else FURTHER


class RunCurves(NamedTuple):
    """The curves of a run by metric, all of one length; those that are not all finite; what is irregular about them."""

    values: dict[str, Curve]
    not_finite: set[str]
    irregular: list[Irregularity]


class Ending(NamedTuple):
    """How a run ended, as far as its curves tell."""

    outcome: str
    diverged_epoch: float
    why: Irregularity | None = None


def read_curves(
    table: Mapping[str, Any],
    epochs: int,
    without_penalty: Mapping[str, Any],
    further: Mapping[str, Any] | None = None,
) -> RunCurves:
    """The curves in a result file.

    Args:
        table: the object in it.
        epochs: how many were promised.
        without_penalty: losses that stand in place of those in `table`.
        further: curves of other metrics, by split and name, if any.

    Raises:
        NoRunError: there is no curve, one is no list of numbers, or an accuracy is impossible.
    """
    curves = {}
    for key, metric in CURVE_KEYS.items():
        values = without_penalty.get(key, table.get(key))
        if values is not None and values != []:
            curves[metric] = _numbers(key, values)
    for metric, values in (further or {}).items():
        if metric.partition("_")[0] in SPLITS and values != []:
            curves[metric] = _numbers(metric, values)
    if not curves:
        raise NoRunError("not_a_result", f"one of {', '.join(CURVE_KEYS)} must be there")
    _check_accuracies(curves)
    lengths = {len(curve) for curve in curves.values()}
    length = min(*lengths, epochs + 1)
    irregular = []
    if lengths != {length}:
        curves = {metric: curve[:length] for metric, curve in curves.items()}
        detail = f"{_listed(sorted(lengths))} evaluations where {epochs + 1} were promised"
        irregular.append(Irregularity("uneven_curves", detail))
    missing = [metric for metric in ("train_loss", "test_loss") if metric not in curves]
    if missing:
        irregular.append(Irregularity("missing_curve", _listed(missing)))
    # The sum is quick, and only rarely not finite where every value is.
    bad = [metric for metric, curve in curves.items() if not (math.isfinite(sum(curve)) or _are_finite(curve))]
    if bad:
        irregular.append(Irregularity("not_finite", _listed(bad)))
    return RunCurves(curves, set(bad), irregular)


def infer_ending(curves: RunCurves, epochs: int, *, may_be_filled: bool = True) -> Ending:
    """How a run ended, where its file does not say.

    Training and test loss decide; the validation loss where one of them is missing. Diverged: one of them is not
    finite or absurdly large after training began, or all end as the values before training, where the version of
    DeepOBS fills curves so (1.1 does not). Else cut short, or completed.
    """
    values = curves.values
    deciding = [metric for metric in ("train_loss", "test_loss", "valid_loss") if metric in values][:2]
    losses = [values[metric] for metric in deciding]
    limit = ABSURD_LOSS_FACTOR * max([1.0, *(loss[0] for loss in losses if math.isfinite(loss[0]))])
    if any(metric in curves.not_finite or max(values[metric]) > limit for metric in deciding):
        epoch = min(_first_absurd(loss, limit) for loss in losses)
        if epoch < len(losses[0]):
            is_finite = all(math.isfinite(loss[epoch]) for loss in losses)
            why = Irregularity("diverged_absurd", f"from epoch {epoch} on") if is_finite else None  # else `not_finite`
            return Ending("diverged", epoch, why)
    flat = max(map(_flat_from, losses), default=math.inf)
    if may_be_filled and losses and flat < len(losses[0]):
        return Ending("diverged", flat, Irregularity("diverged_flat", f"from epoch {flat} on"))
    evaluations = len(next(iter(values.values())))
    return Ending("completed" if evaluations == epochs + 1 else "cut_short", math.nan)


def final_and_best(curves: RunCurves, metric: str | None = None, goal: str | None = None) -> dict[str, float]:
    """`final_<metric>` and `best_<metric>` of each curve.

    Args:
        curves: of a run.
        metric: what decides on the problem; None where that is not known: the accuracy, else the loss.
        goal: its direction.

    Returns:
        The last value; and that of the epoch with the best validation metric (of equal ones the first), which is one
        epoch for all curves. Where a run has no validation metric, `best` is the least loss or greatest accuracy of
        each curve by itself: on the test set that is more than anyone could have had.
    """
    epoch = _best_epoch(curves, metric, goal)
    values = {}
    for name, curve in curves.values.items():
        values[f"final_{name}"] = curve[-1]
        values[f"best_{name}"] = _extreme(name, curve) if epoch is None else curve[epoch]
    if metric not in (None, *DEEPOBS_METRICS):
        for when, split in product(("final", "best"), SPLITS):
            if f"{when}_{split}_{metric}" in values:
                values[f"{when}_{split}_{FURTHER}"] = values[f"{when}_{split}_{metric}"]
    return values


def _best_epoch(curves: RunCurves, metric: str | None, goal: str | None) -> int | None:
    if metric is None:
        metric = "accuracy" if "valid_accuracy" in curves.values else "loss"
    sign = 1 if (goal or goal_of(metric)) == "maximize" else -1
    curve = curves.values.get(f"valid_{metric}", ())
    numbers = [(sign * value, -epoch) for epoch, value in enumerate(curve) if not math.isnan(value)]
    return -max(numbers)[1] if numbers else None


def _extreme(metric: str, curve: Curve) -> float:
    best = max if goal_of(metric) == "maximize" else min
    return best((value for value in curve if not math.isnan(value)), default=math.nan)


def first_reaching(curve: Sequence[float], performance: float, goal: str) -> int | None:
    """The first evaluation that is at least as good as `performance`; None where none is."""
    if goal == "maximize":
        return next((epoch for epoch, value in enumerate(curve) if value >= performance), None)
    return next((epoch for epoch, value in enumerate(curve) if value <= performance), None)


def _check_accuracies(curves: Mapping[str, Curve]) -> None:
    for metric, curve in curves.items():
        if metric.endswith("accuracy"):
            wrong = next((value for value in curve if value < -_ROUNDING or value > 1 + _ROUNDING), None)
            if wrong is not None:
                raise NoRunError("impossible_value", f"{metric} of {wrong:g}")


def _numbers(key: str, values: Any) -> Curve:
    if not isinstance(values, list):
        raise NoRunError("not_a_result", f"`{key}` must be a list of numbers. Received: {type(values).__name__}")
    types = set(map(type, values))
    if types == {float}:
        return values
    if not types <= {float, int, type(None)}:
        wrong = next(value for value in values if type(value) not in (float, int, type(None)))
        raise NoRunError("not_a_result", f"`{key}` must be a list of numbers. Received in it: {type(wrong).__name__}")
    return [_as_float(value) for value in values]


def _as_float(value: float | None) -> float:
    if value is None:
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf  # as `1e999` is read


def _are_finite(curve: Curve) -> bool:
    return all(map(math.isfinite, curve))


def _first_absurd(loss: Curve, limit: float) -> int:
    """The first epoch in which a loss is not finite or absurd; its length where there is none."""
    absurd = (epoch for epoch, value in enumerate(loss) if epoch > 0 and not (math.isfinite(value) and value <= limit))
    return next(absurd, len(loss))


def _flat_from(loss: Curve) -> int:
    """From which epoch on a loss is what it was before training; its length where it does not end so."""
    before = loss[0]
    epoch = len(loss)
    while epoch > 1 and loss[epoch - 1] == before:
        epoch -= 1
    return epoch


def _listed(values: Sequence[object]) -> str:
    return ", ".join(map(str, values))
