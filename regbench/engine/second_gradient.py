"""Steps that take the gradient twice: at the weights, and where that gradient leads (sharpness-aware minimization)."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from regbench.engine.objective import Objective
from regbench.optimizers.inside import chain


def of_two_gradients(optimizer: Any) -> Any:
    """What of an optimizer and those inside it takes two gradients a step; None where nothing does.

    It has `ascend(gradients, variables)` and `descend(variables)`, to be called in this order before `apply`.
    """
    return next((one for one in chain(optimizer) if getattr(one, "gradients_per_step", 1) == 2), None)


class SecondGradient:
    """Both gradients of the objective on one batch, its penalty in each.

    The second pass has the dropout of the first, and writes no statistics of normalisation.
    """

    def __init__(self, objective: Objective, optimizer: Any) -> None:
        """Take what moves the weights between the two; nothing is compiled before the first call."""
        self._objective, self._optimizer = objective, optimizer
        self._ascend = objective.compile_update(self._add_penalty_and_ascend)

    def loss_and_gradients(self, x: tf.Tensor, y: tf.Tensor, weights: tf.Tensor | None) -> Any:
        """The objective at the weights, and the gradients of its loss uphill, where the weights then are."""
        statistics = self._objective.model.non_trainable_variables
        before = [tf.identity(variable.value) for variable in statistics]
        loss, gradients = self._differentiated(x, y, weights)
        after = [tf.identity(variable.value) for variable in statistics]
        penalty = self._ascend(gradients)
        for variable, value in zip(statistics, before, strict=True):
            variable.assign(value)
        _, gradients = self._differentiated(x, y, weights)
        for variable, value in zip(statistics, after, strict=True):
            variable.assign(value)
        return loss + penalty, gradients

    def descend(self) -> None:
        """Put the weights back."""
        self._optimizer.descend(self._objective.model.trainable_variables)

    def _differentiated(self, x: tf.Tensor, y: tf.Tensor, weights: tf.Tensor | None) -> Any:
        with tf.GradientTape() as tape:
            loss = self._objective.loss_of_batch(x, y, weights)
        return loss, tape.gradient(loss, self._objective.model.trainable_variables)

    def _add_penalty_and_ascend(self, gradients: list[tf.Tensor]) -> tf.Tensor:
        variables = self._objective.model.trainable_variables
        penalty, total = self._objective.with_penalty(gradients, advances=False)
        self._optimizer.ascend(total, variables)
        return penalty
