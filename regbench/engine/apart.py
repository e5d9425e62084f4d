"""Weights that are evaluated but not trained, and the statistics of normalisation that belong to them."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from regbench.engine.objective import Objective
from regbench.engine.splits import Samples
from regbench.engine.weights import layers_of
from regbench.optimizers.evaluated_apart import EvaluatedApart
from regbench.optimizers.inside import chain

PASSES = 50
"""Batches from which the statistics are computed, as the authors of Schedule-Free advise; or all of an epoch."""


class Apart:
    """Shows the weights for evaluation between two epochs, where an optimizer has such; does nothing elsewhere."""

    def __init__(self, objective: Objective, optimizer: keras.optimizers.Optimizer) -> None:
        """Find what evaluates other weights than it trains; nothing is compiled yet."""
        self._objective = objective
        self._wrapper = next((one for one in chain(optimizer) if isinstance(one, EvaluatedApart)), None)
        self._normalizations = _normalizations(objective.model) if self._wrapper is not None else []
        self._passes = objective.compile(self._pass_over)
        self._compiled: Any = None
        self._kept: list[Any] = []

    def compile(self, train: Samples, batches: tf.Tensor, seed: tf.Tensor) -> None:
        """Compile for arguments of these shapes, where there are statistics."""
        if self._normalizations:
            arguments = train.inputs, batches[:PASSES], tf.constant(0), seed
            self._compiled = self._passes.get_concrete_function(*arguments)

    def forget(self) -> None:
        """Begin another run, whose weights are set."""
        self._kept = []

    def train_on(self) -> None:
        """Put back the weights that are trained, with all state of the network, bit for bit."""
        if self._wrapper is not None:
            self._wrapper.train_on()
            for variable, value in zip(self._state, self._kept, strict=False):
                variable.assign(value)
            self._kept = []

    def show(self, train: Samples, batches: tf.Tensor, seed: tf.Tensor) -> None:
        """Put the weights for evaluation into the network, with statistics of the first batches of an epoch."""
        if self._wrapper is None or not self._wrapper.has_others:
            return
        self._kept = [tf.identity(variable.value) for variable in self._state]
        self._wrapper.show()
        if self._compiled is not None:
            few = batches[:PASSES]
            self._compiled(train.inputs, few, tf.constant(len(few)), seed)

    @property
    def _state(self) -> list[keras.Variable]:
        variables: list[keras.Variable] = self._objective.model.non_trainable_variables
        return variables

    def _pass_over(self, inputs: tf.Tensor, batches: tf.Tensor, count: tf.Tensor, seed: tf.Tensor) -> None:
        """Set each statistic to its mean over batches. From 0 a layer's own update leaves 1 - momentum of a batch's."""
        statistics = [(variable, layer) for layer in self._normalizations for variable in _statistics_of(layer)]
        means = tuple(tf.zeros_like(variable.value) for variable, _ in statistics)
        step = tf.constant(0)
        while step < count:
            for variable, _ in statistics:
                variable.assign(tf.zeros_like(variable.value))
            x = self._objective.prepare(tf.gather(inputs, batches[step]), self._objective.is_augmented, seed, step)
            self._objective.model(x, training=True)
            shares = [variable.value / (1 - layer.momentum) for variable, layer in statistics]
            means = tuple(mean + share / tf.cast(count, share.dtype) for mean, share in zip(means, shares))  # noqa: B905
            step += 1
        for (variable, _), mean in zip(statistics, means):  # noqa: B905
            variable.assign(mean)


def _normalizations(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers that learn statistics in training."""
    return [
        layer
        for _, layer in layers_of(model)
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable and layer.momentum < 1
    ]


def _statistics_of(layer: keras.layers.Layer) -> tuple[keras.Variable, keras.Variable]:
    return layer.moving_mean, layer.moving_variance
