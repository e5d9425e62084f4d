"""The metrics that are no mean over samples: computed at once from all samples of a split."""

import math
from collections.abc import Callable

import numpy as np

from regbench.engine.losses import resolve
from regbench.errors import DefinitionError
from regbench.records import Problem

OF_LOSS: dict[str, Callable[[float], float]] = {
    "perplexity": lambda loss: math.exp(loss) if loss < 700 else math.inf,
    "bits_per_character": lambda loss: loss / math.log(2),
}
"""Metrics that say the mean loss, a cross-entropy in nats, in other words."""


def of_outputs(problem: Problem) -> tuple[str, ...]:
    """The further metrics of a problem for which all outputs are needed."""
    return tuple(name for name in problem.further_metrics if name not in OF_LOSS)


def computed(problem: Problem, metric: str, targets: np.ndarray, outputs: np.ndarray) -> float:
    """A metric over all samples of a split.

    Args:
        problem: whose loss says what the outputs are.
        metric: one of `of_outputs`.
        targets: as stored, (n,) or (n, k).
        outputs: of the network for them, float32.

    Returns:
        A number; NaN where an output is not finite, or where the samples do not tell (one class alone has no auroc).

    Raises:
        DefinitionError: a function of the user's own gives something else, or raises.
    """
    if not np.isfinite(outputs).all():
        return math.nan
    if ":" in metric:
        return _own(metric, targets, outputs)
    if metric in ("mean_absolute_error", "rmse", "r2"):
        return _of_numbers(metric, *(array.reshape(len(array), -1).astype(float) for array in (targets, outputs)))
    return _of_classes(metric, *_classes(problem, targets, outputs))


def _of_numbers(metric: str, targets: np.ndarray, outputs: np.ndarray) -> float:
    from sklearn import metrics

    match metric:
        case "mean_absolute_error":
            return float(metrics.mean_absolute_error(targets, outputs))
        case "rmse":
            return float(metrics.root_mean_squared_error(targets, outputs))
        case _:
            return float(metrics.r2_score(targets, outputs)) if len(targets) > 1 else math.nan


def _classes(problem: Problem, targets: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Class numbers (n,), and logits (n, classes)."""
    if problem.loss == "binary_crossentropy":
        logits = outputs.reshape(len(outputs), -1)
        if logits.shape[1] != 1:
            raise DefinitionError(
                f"{problem.name}: metrics of classes must have one output where the loss is binary_crossentropy. "
                f"Received: {logits.shape[1]} outputs"
            )
        return (targets.reshape(-1) > 0.5).astype(int), np.hstack([np.zeros_like(logits), logits])
    return (targets if targets.ndim == 1 else targets.argmax(axis=1)).astype(int), outputs


def _of_classes(metric: str, targets: np.ndarray, logits: np.ndarray) -> float:
    from scipy.special import softmax
    from sklearn import metrics

    if metric.startswith("loss_of_"):
        return _of_part(targets, logits, metric == "loss_of_frequent_classes")
    answers, count = logits.argmax(axis=1), logits.shape[1]
    present = np.unique(targets)
    match metric:
        case "balanced_accuracy":  # the mean over classes of the share that is found
            return float(metrics.recall_score(targets, answers, labels=present, average="macro", zero_division=0))
        case "f1":
            if count == 2:
                return float(metrics.f1_score(targets, answers, pos_label=1, average="binary", zero_division=0))
            return float(metrics.f1_score(targets, answers, labels=present, average="macro", zero_division=0))
        case _:
            if len(present) < max(2, count):
                return math.nan
            if count == 2:
                return float(metrics.roc_auc_score(targets, logits[:, 1] - logits[:, 0]))
            shares = softmax(logits.astype(float), axis=1)
            return float(metrics.roc_auc_score(targets, shares, multi_class="ovr", average="macro"))


def _of_part(targets: np.ndarray, logits: np.ndarray, frequent: bool) -> float:
    """The mean cross-entropy of the frequent classes, or of the rare ones; NaN where there are none.

    Frequent are the most frequent classes of these samples, as few as hold half of them; of equally frequent ones the
    lower number comes first.
    """
    from scipy.special import log_softmax

    counts = np.bincount(targets, minlength=logits.shape[1])
    order = np.argsort(-counts, kind="stable")
    needed = int(np.searchsorted(np.cumsum(counts[order]), len(targets) / 2)) + 1
    chosen = np.isin(targets, order[:needed]) == frequent
    losses = -log_softmax(logits.astype(float), axis=1)[np.arange(len(targets)), targets]
    return float(losses[chosen].mean()) if chosen.any() else math.nan


def _own(metric: str, targets: np.ndarray, outputs: np.ndarray) -> float:
    try:
        value = resolve(metric, "metric")(targets, outputs)
        return float(value)
    except DefinitionError:
        raise
    except Exception as error:  # own functions may raise anything
        raise DefinitionError(
            f"metric `{metric}`: must give a number for targets {targets.shape} and outputs {outputs.shape}: "
            f"{type(error).__name__}: {' '.join(str(error).split())}"
        ) from error
