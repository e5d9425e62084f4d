"""How much of what happens to the weights is the decay's doing, counted where the steps are compiled.

Counted are norms over all trainable variables. Nothing that is counted goes back into the training: the weights are,
bit for bit, those of a training that counts nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from regbench.optimizers.inside import chain

EVERY = 8
"""Of so many steps one is counted, the first of a run among them: in a small network the sums of every step would take
a fifth of the time of a step."""

Amounts = list[tuple[tf.Tensor, tf.Tensor]]
"""The weights of a variable that the decay comes upon, and what it takes of them in a step."""


class DecayMeter:
    """Counts what the decay of a training does.

    Attributes:
        totals: float64 (4,): the sum over counted steps of the norm of what the decay changes, that of the norm of the
            whole change, that of the logarithm of what a decay that waits for the step (`cautious`) leaves of the norm
            of the weights that decay, and the number of these steps.
        counting: 1 where a step is counted that is asked for by itself, 0 where not.
    """

    def __init__(
        self, l2: tf.Variable | None, decayed: Sequence[keras.Variable] = (), measures_left: bool = False
    ) -> None:
        """With `l2`, the factor of an L2 term on `decayed`, changes are those of the gradient; else of the weights.

        With `measures_left` it is counted what is left of the norm, too, which no rate tells.
        """
        self._l2, self._decayed, self._measures_left = l2, list(decayed), measures_left
        self.totals = tf.Variable([0.0] * 4, dtype=tf.float64, trainable=False, name="decay_totals")
        self.counting = tf.Variable(1.0, dtype=tf.float64, trainable=False, name="counting")

    @property
    def variables(self) -> list[tf.Variable]:
        """What every run sets."""
        return [self.totals, self.counting]

    def start(self) -> None:
        """Begin to count."""
        self.totals.assign(tf.zeros_like(self.totals))
        self.counting.assign(1.0)

    @property
    def share(self) -> float | None:
        """The first sum over the second; None where nothing was counted, or something that is not finite."""
        decay, whole, *_ = self.totals.numpy().tolist()
        return decay / whole if whole > 0 and math.isfinite(decay) and math.isfinite(whole) else None

    def shrinkage(self, steps: int) -> float | None:
        """What the decay alone leaves in so many steps of the norm of the weights that decay, by those counted.

        None where that is not finite, or no step was counted.
        """
        *_, left, counted = self.totals.numpy().tolist()
        return math.exp(left / counted * steps) if counted and math.isfinite(left) else None

    def apply(self, optimizer: keras.optimizers.Optimizer, gradients: Sequence[Any], variables: list[Any]) -> None:
        """Let the optimizer take its step, and count."""
        is_counted = tf.equal(optimizer.iterations.value % EVERY, 0)
        if self._l2 is not None:
            tf.cond(is_counted, lambda: self.count_gradients(gradients), lambda: None)
            optimizer.apply(gradients, variables)
            return
        tf.cond(
            is_counted,
            lambda: self._counted_step(optimizer, gradients, variables),
            lambda: optimizer.apply(_here(gradients), variables),
        )

    def _counted_step(self, optimizer: Any, gradients: Sequence[Any], variables: list[Any]) -> None:
        before = [tf.identity(variable.value) for variable in variables]
        with self.watching(optimizer) as amounts:
            optimizer.apply(_here(gradients), variables)
        self.count_decay(amounts, self._measures_left)
        self.count_change(before, variables)

    @contextmanager
    def watching(self, optimizer: Any) -> Iterator[Amounts]:
        """Inside, what the decay takes in the step that is traced is put into the list."""
        amounts: Amounts = []
        decaying = next(one for one in chain(optimizer) if hasattr(one, "shrink"))

        def shrink(variable: Any, amount: Any) -> None:
            weights = tf.identity(variable.value)
            type(decaying).shrink(decaying, variable, amount)
            amounts.append((weights, weights - variable.value))  # what rounding leaves of the amount

        vars(decaying)["shrink"] = shrink
        try:
            yield amounts
        finally:
            del vars(decaying)["shrink"]

    def count_gradients(self, gradients: Sequence[Any]) -> None:
        """Count the part of the L2 term in the gradients, which contain it."""
        decay = self._l2 * _norm([variable.value for variable in self._decayed])
        whole = _norm([gradient for gradient in gradients if gradient is not None])
        self._add(decay, whole, tf.constant(0.0), tf.constant(1.0))

    def count_decay(self, amounts: Amounts, measures_left: bool = False) -> None:
        """Count what the decay takes in a step; with `measures_left` also what it leaves of the weights' norm."""
        taken, left = [amount for _, amount in amounts], tf.constant(0.0)
        if measures_left and amounts:
            # |w|^2 - |w - a|^2 = 2 a w - a^2
            lost = tf.add_n([_sum(amount * (2.0 * weight - amount)) for weight, amount in amounts])
            of_all = tf.square(_norm([weight for weight, _ in amounts]))
            left = 0.5 * tf.math.log1p(-tf.math.divide_no_nan(lost, of_all))
        self._add(_norm(taken), tf.constant(0.0), left, tf.constant(0.0))

    def count_change(self, before: Sequence[tf.Tensor], variables: Sequence[Any]) -> None:
        """Count the whole change of the variables."""
        moved = [variable.value - weight for variable, weight in zip(variables, before, strict=True)]
        self._add(tf.constant(0.0), _norm(moved), tf.constant(0.0), tf.constant(1.0))

    def _add(self, *counted: tf.Tensor) -> None:
        self.totals.assign_add(self.counting * tf.cast(tf.stack(counted), tf.float64))


def _here(gradients: Sequence[Any]) -> list[Any]:
    """Gradients as tensors of the branch that is traced; of some of it and some of outside TensorFlow makes no list."""
    return [None if gradient is None else tf.identity(gradient) for gradient in gradients]


def _norm(tensors: Sequence[Any]) -> tf.Tensor:
    """Euclidean, over all of them."""
    return tf.sqrt(tf.add_n([_sum(tf.square(tensor)) for tensor in tensors])) if tensors else tf.constant(0.0)


def _sum(tensor: tf.Tensor) -> tf.Tensor:
    """Of all entries. Columns first: XLA adds up in order, and can do so for many columns at once."""
    columns = tf.reduce_sum(tf.reshape(tensor, (-1, tensor.shape[-1])), axis=0) if tensor.shape.rank > 1 else tensor
    return tf.reduce_sum(columns)
