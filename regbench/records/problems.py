"""What a problem is: the record that a TOML file of `testproblems` is read into."""

from typing import Literal, Self

from pydantic import Field, model_validator

from regbench.records.definitions import Part
from regbench.records.metrics import DEEPOBS_METRICS, LOSSES, METRICS, USUAL_METRIC, Goal, Task, goal_of, task_of
from regbench.records.own_data import AnyOwnData
from regbench.records.record import Record
from regbench.records.selection import Selection

Preprocessing = Literal["none", "unit", "standardize", "imagenet"]
Augmentation = Literal["none", "cifar", "svhn", "silhouettes", "imagenet"]


class Problem(Record):
    """A data set, a model, a loss and their defaults: one file `testproblems/<name>.toml`.

    Args:
        dataset: the name of a data set, or data of the user's own.
        selection: the samples of the data set that are used; all unless given.
        preprocessing: what is done to every input, instead of what the data set's record says.
        augmentation: what is done to training inputs, instead of what the data set's record says.
        loss: one of `LOSSES`, or `module:function` for one of the user's own: (targets, outputs) -> the loss of each
            sample, (n,).
        metric: what the search looks at, on the validation split: one of `METRICS`, or `module:function`: (targets,
            outputs) of all samples as arrays -> a number. Unless given the accuracy where there are classes, else the
            loss.
        metrics: what is recorded besides the loss, the accuracy and `metric`.
        goal: the direction of `metric`; that of any but the user's own is known.
        chance: the score of guessing; what the search is told when a run diverges. Unless given, the value before
            training.
        class_weights: "balanced": the loss of a training sample counts by n / (classes * n of its class).
        l2: the problem's own L2 factor (DeepOBS's convention), applied only when a candidate asks for it.
        l2_on: the kernels that decay and L2 act on: all, or those of convolutions only (VGG in DeepOBS).
        convergence: the test metric that counts as converged (DeepOBS's convergence performance), if known.
        optimum: the metric of the best model that there can be, if known: an entropy rate, the variance of noise.
    """

    name: str
    summary: str
    source: str
    dataset: str | AnyOwnData
    selection: Selection | None = None
    preprocessing: Preprocessing | None = None
    augmentation: Augmentation | None = None
    model: Part
    loss: str
    metric: str = Field(default_factory=lambda told: USUAL_METRIC[task_of(told.get("loss", ""))])
    metrics: tuple[str, ...] = ()
    goal: Goal = Field(default_factory=lambda told: goal_of(told.get("metric", "")))
    chance: float | None = None
    class_weights: Literal["none", "balanced"] = "none"
    batch_size: int = Field(gt=0)
    epochs: int = Field(gt=0)
    l2: float = Field(default=0.0, ge=0)
    l2_on: Literal["kernels", "convolution_kernels"] = "kernels"
    convergence: float | None = None
    optimum: float | None = None

    @model_validator(mode="after")
    def _metrics_exist(self) -> Self:
        if ":" not in self.loss and self.loss not in LOSSES:
            raise ValueError(
                f"`loss` must be one of {', '.join(LOSSES)}, or module:function. Received: loss={self.loss!r}"
            )
        if ":" in self.metric and "goal" not in self.model_fields_set:
            raise ValueError(f"`goal` must be given where the metric is a function: metric={self.metric!r}")
        for key, name in (("metric", self.metric), *(("metrics", name) for name in self.metrics)):
            can = [metric for metric, facts in METRICS.items() if self.task in facts.tasks]
            if name not in can and (":" not in name or self.task == "none"):
                own = "" if self.task == "none" else ", or module:function,"
                raise ValueError(
                    f"`{key}` must be {' or '.join(can)}{own} where the loss is {self.loss}. Received: {key}={name!r}"
                )
        return self

    @property
    def task(self) -> Task:
        """What is learnt."""
        return task_of(self.loss)

    @property
    def has_accuracy(self) -> bool:
        """Whether predictions can be right or wrong, so that there are accuracies."""
        if self.task == "own":
            return "accuracy" in (self.metric, *self.metrics)
        return self.task in ("classes", "tokens")

    @property
    def recorded(self) -> tuple[str, ...]:
        """What a run must hold besides what its identity says: it may have been made when less was asked for."""
        return (*self.further_metrics, *(("accuracy",) if self.task == "own" and self.has_accuracy else ()))

    @property
    def further_metrics(self) -> tuple[str, ...]:
        """What is recorded besides loss and accuracy, each once."""
        return tuple(name for name in dict.fromkeys((self.metric, *self.metrics)) if name not in DEEPOBS_METRICS)
