"""The curves of a run as they grow, and when they say that it diverged."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from regbench.records import ABSURD_LOSS_FACTOR

if TYPE_CHECKING:
    from regbench.engine.evaluate import Evaluation


class Curves:
    """What is recorded before training and after every epoch.

    Attributes:
        minibatch_losses: the loss with the penalty term before each step.
        diverged_epoch: the epoch (counting from 1) in which a loss was not finite or absurd; None as long as none was.
    """

    def __init__(self, before_training: "dict[str, Evaluation]") -> None:
        """Begin with the evaluation of every split before training."""
        self._evaluations = [before_training]
        self.minibatch_losses: list[float] = []
        self.diverged_epoch: int | None = None
        self._limit = ABSURD_LOSS_FACTOR * max(1.0, *(split.loss + split.penalty for split in before_training.values()))

    def add_epoch(self, step_losses: np.ndarray, evaluation: "dict[str, Evaluation]") -> None:
        """Record the loss of every step of an epoch and the evaluation of every split after it."""
        self.minibatch_losses.extend(step_losses.tolist())
        self._evaluations.append(evaluation)
        losses = [*step_losses.tolist(), *(split.loss + split.penalty for split in evaluation.values())]
        if not all(math.isfinite(loss) and loss <= self._limit for loss in losses):
            self.diverged_epoch = len(self._evaluations) - 1

    def values(
        self, name: str, of: "Callable[[Evaluation], float]", epochs: int, *, filled: bool = True
    ) -> dict[str, list[float]]:
        """One curve a split, named `<split>_<name>`.

        After a divergence, to the last of `epochs`: where they are `filled` the values before training, from the epoch
        of the divergence on, as DeepOBS 1.2 has it. Else what was evaluated in that epoch and then what 1.1 has, which
        trains on: losses that are not a number, and accuracies that stay (those of a network that answers always the
        same).
        """
        first, last = self._evaluations[0], self._evaluations[-1]
        evaluations, missing = self._evaluations, 0
        if self.diverged_epoch is not None:
            evaluations = evaluations[: self.diverged_epoch] if filled else evaluations
            missing = epochs + 1 - len(evaluations)

        def rest(split: str) -> float:
            if filled:
                return of(first[split])
            return of(last[split]) if name == "accuracies" else math.nan

        return {
            f"{split}_{name}": [of(evaluation[split]) for evaluation in evaluations] + [rest(split)] * missing
            for split in first
        }
