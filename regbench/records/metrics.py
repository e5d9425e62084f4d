"""Losses that are minimised and metrics that are told, as facts: what goes with what, and which way is better."""

from typing import Literal, NamedTuple

Goal = Literal["maximize", "minimize"]
Task = Literal["classes", "tokens", "numbers", "none", "own"]

DEEPOBS_METRICS = ("loss", "accuracy")
"""Those whose curves have keys of DeepOBS in a result file."""

LOSSES: dict[str, Task] = {
    "sparse_categorical_crossentropy": "classes",
    "categorical_crossentropy": "classes",
    "smoothed_crossentropy": "classes",
    "binary_crossentropy": "classes",
    "token_crossentropy": "tokens",
    "mean_squared_error": "numbers",
    "mean_absolute_error": "numbers",
    "huber": "numbers",
    "model_output": "none",
}
"""By name, what is learnt: classes; a token at each place of a sequence; numbers; nothing that has targets."""

USUAL_METRIC: dict[Task, str] = {
    "classes": "accuracy",
    "tokens": "loss",
    "numbers": "loss",
    "none": "loss",
    "own": "loss",
}
"""What is searched where a problem does not say it."""


class MetricFacts(NamedTuple):
    """What is known of a metric.

    Attributes:
        goal: the better direction.
        tasks: for which it can be had.
        low: its least value, as `high` its greatest.
        is_share: from 0 to 1, told in percentage points.
    """

    goal: Goal
    tasks: tuple[Task, ...]
    low: float = 0.0
    high: float = float("inf")
    is_share: bool = False


_ANY: tuple[Task, ...] = ("classes", "tokens", "numbers", "none", "own")
METRICS: dict[str, MetricFacts] = {
    "loss": MetricFacts("minimize", _ANY, low=-float("inf")),
    "accuracy": MetricFacts("maximize", ("classes", "tokens", "own"), high=1.0, is_share=True),
    "balanced_accuracy": MetricFacts("maximize", ("classes", "own"), high=1.0, is_share=True),
    "auroc": MetricFacts("maximize", ("classes", "own"), high=1.0, is_share=True),
    "f1": MetricFacts("maximize", ("classes", "own"), high=1.0, is_share=True),
    "loss_of_frequent_classes": MetricFacts("minimize", ("classes",)),
    "loss_of_rare_classes": MetricFacts("minimize", ("classes",)),
    "mean_absolute_error": MetricFacts("minimize", ("numbers", "own")),
    "rmse": MetricFacts("minimize", ("numbers", "own")),
    "r2": MetricFacts("maximize", ("numbers", "own"), low=-float("inf"), high=1.0),
    "perplexity": MetricFacts("minimize", ("classes", "tokens"), low=1.0),
    "bits_per_character": MetricFacts("minimize", ("tokens",)),
}
"""By name. One of the user's own, `module:function`, is in none of these tables."""


def task_of(loss: str) -> Task:
    """What a loss learns; "own" for one of the user's own."""
    return LOSSES.get(loss, "own")


def is_share(metric: str) -> bool:
    """Whether a metric, named with or without its split (`valid_f1`), is a share from 0 to 1."""
    facts = facts_of(metric)
    return facts is not None and facts.is_share


def facts_of(metric: str) -> MetricFacts | None:
    """What is known of a metric, named with or without its split; None for one of the user's own."""
    split, _, name = metric.partition("_")
    return METRICS.get(metric) or (METRICS.get(name) if split in ("train", "valid", "test") else None)


def goal_of(metric: str) -> Goal:
    """The better direction of a metric; of one of the user's own, of which it is not known, less."""
    facts = facts_of(metric)
    return "minimize" if facts is None else facts.goal
