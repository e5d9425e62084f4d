"""The compiled training step; a whole epoch is one call."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from regbench.engine.apart import Apart
from regbench.engine.captures import check_same
from regbench.engine.decay_meter import DecayMeter
from regbench.engine.objective import Objective
from regbench.engine.reading import Reading, state_of
from regbench.engine.second_gradient import SecondGradient, of_two_gradients
from regbench.engine.splits import Samples
from regbench.engine.traced import Trace
from regbench.optimizers.inside import chain


class Training:
    """Minimises an objective with an optimizer.

    The compiled step reads weights, learning rate and the numbers of the optimizer from variables.

    Attributes:
        trace: says which other numbers of the optimizer the compiled step can take.
        learning_rate: with which the present run started.
        meter: of its decay; None where there is none.
        evaluations: how many gradients the present run has had.
    """

    def __init__(
        self,
        objective: Objective,
        optimizer: keras.optimizers.Optimizer,
        own_code: str = "",
        meter: DecayMeter | None = None,
        is_of_steps: bool = False,
    ) -> None:
        """Take an optimizer that is built for the objective's network; nothing is compiled before the first call.

        Code of the user's own takes part where `own_code` names it: it is looked whether it is compiled alike twice.
        With `is_of_steps` the learning rate changes from step to step.
        """
        self._objective = objective
        self._own_code = own_code
        self.meter = meter
        self._is_of_steps = is_of_steps
        self._optimizer = optimizer
        self.trace = Trace(optimizer)
        twice = of_two_gradients(optimizer)
        self._second = None if twice is None else SecondGradient(objective, twice)
        self._apart = Apart(objective, optimizer)
        self._function = objective.compile(self._take_steps)
        self._update = objective.compile_update(self._add_penalty_and_apply)
        self._epoch: Any = None
        self._last: Any = None

    def start(self, optimizer: keras.optimizers.Optimizer, reading: Reading) -> None:
        """Take over the fresh state and the numbers of an optimizer that is built and whose reading the trace fits."""
        self.trace.assign(reading)
        for variable, fresh in zip(state_of(self._optimizer), state_of(optimizer), strict=True):
            variable.assign(fresh)
        self.learning_rate = self._learning_rate_now = float(optimizer.learning_rate)
        self._apart.forget()

    def give_state(self, optimizer: keras.optimizers.Optimizer) -> None:
        """Put the present state, and the rate that the run started with, into a built optimizer of the same kind."""
        for variable, present in zip(state_of(optimizer), state_of(self._optimizer), strict=True):
            variable.assign(present)
        optimizer.learning_rate.assign(self.learning_rate)

    def begin_run(self) -> None:
        """Count from 0."""
        self.evaluations = 0
        if self.meter is not None:
            self.meter.start()

    def compile(self, train: Samples, batches: tf.Tensor, seed: tf.Tensor, last: tf.Tensor | None = None) -> None:
        """Compile for arguments of these shapes, of the last, incomplete batch too if given; trains nothing."""
        self._steps = tf.constant(len(batches))
        rates = tf.zeros(len(batches)) if self._is_of_steps else None
        nothing = train.inputs, train.targets, train.weights, batches, tf.constant(0), seed, rates
        # Called without the search for the trace that fits, which takes as long as an epoch of a small problem.
        with self._objective.regularizer_trace.symbols(), self.trace.symbols():
            epoch = self._function.get_concrete_function(*nothing)
        if epoch is not self._epoch:
            self._objective.check(epoch, self._known())
            if self._own_code:
                check_same(epoch, self._traced_again(nothing), self._own_code)
            self._epoch = epoch
            self._apart.compile(train, batches, seed)
        self._epoch(*nothing)
        if last is not None:
            step = train.inputs, train.targets, train.weights, last, tf.constant(0), seed, None
            with self._objective.regularizer_trace.symbols(), self.trace.symbols():
                self._last = self._function.get_concrete_function(*step)
            self._last(*step)

    def _known(self) -> list[Any]:
        """What every run sets."""
        counted = [] if self.meter is None else self.meter.variables
        return [*state_of(self._optimizer), self.trace.variable, *counted]

    def _traced_again(self, arguments: tuple[Any, ...]) -> Any:
        update, self._update = self._update, self._objective.compile_update(self._add_penalty_and_apply)
        try:
            with self._objective.regularizer_trace.symbols(), self.trace.symbols():
                return self._objective.compile(self._take_steps).get_concrete_function(*arguments)
        finally:
            self._update = update

    def epoch(self, train: Samples, batches: tf.Tensor, seed: tf.Tensor, factors: Sequence[float]) -> np.ndarray:
        """Take one step a batch, once compiled for their shape.

        Args:
            train: all training samples, as tensors.
            batches: positions of the samples of each step, int32 (steps, batch_size).
            seed: of the augmentation, int32 (2,).
            factors: of each step on the learning rate that the run started with.

        Returns:
            The loss with the penalty term before each step, float32 (steps,). The network has the weights that are to
            be evaluated.
        """
        self.train_on()
        self.evaluations += len(batches) * gradients_per_step(self._optimizer)
        arguments = train.inputs, train.targets, train.weights, batches, self._steps, seed
        if self._is_of_steps:
            rates = tf.constant(self.learning_rate * np.array(factors[: len(batches)]), tf.float32)
            losses = self._epoch(*arguments, rates).numpy()
        else:
            self._set_rate(factors[0])
            losses = self._epoch(*arguments, None).numpy()
        self._apart.show(train, batches, seed)
        return losses

    def _set_rate(self, factor: float) -> None:
        learning_rate = self.learning_rate * factor
        if learning_rate != self._learning_rate_now or self._is_of_steps:
            self._optimizer.learning_rate.assign(learning_rate)
            self._learning_rate_now = learning_rate

    def train_on(self) -> None:
        """Put back the weights that are trained, where others were shown to be evaluated."""
        self._apart.train_on()

    def last_step(
        self, train: Samples, batch: tf.Tensor, seed: tf.Tensor, factor: float, batches: tf.Tensor
    ) -> np.ndarray:
        """Take the step on the last, incomplete batch of an epoch, int32 (1, rest); the loss before it, (1,).

        `factor` is that of this step on the learning rate that the run started with, `batches` the others of the epoch.
        """
        self.train_on()
        self.evaluations += gradients_per_step(self._optimizer)
        self._set_rate(factor)
        # One step, which is counted from 0 again: with another seed its augmentation is not that of the first batch.
        one = tf.constant(1)
        losses = self._last(train.inputs, train.targets, train.weights, batch, one, seed + 1, None).numpy()
        self._apart.show(train, batches, seed)
        return losses

    def _take_steps(
        self,
        inputs: tf.Tensor,
        targets: tf.Tensor,
        weights: tf.Tensor | None,
        batches: tf.Tensor,
        steps: tf.Tensor,
        seed: tf.Tensor,
        rates: tf.Tensor | None = None,
    ) -> tf.Tensor:
        objective = self._objective
        variables = objective.model.trainable_variables
        losses = tf.TensorArray(tf.float32, size=batches.shape[0], element_shape=())
        step = tf.constant(0)
        # Not `for step in tf.range(steps)`: XLA would take `steps` for a constant and compile anew for each.
        while step < steps:
            if rates is not None:
                self._optimizer.learning_rate.assign(rates[step])
            x, y = tf.gather(inputs, batches[step]), tf.gather(targets, batches[step])
            x = objective.prepare(x, objective.is_augmented, seed, step)
            of_batch = None if weights is None else tf.gather(weights, batches[step])
            if self._second is not None:
                loss, gradients = self._second.loss_and_gradients(x, y, of_batch)
                self._update(gradients)
                losses = losses.write(step, loss)
            else:
                with tf.GradientTape() as tape:
                    loss = objective.loss_of_batch(x, y, of_batch)
                penalty = self._update(tape.gradient(loss, variables))
                losses = losses.write(step, loss + penalty)
            step += 1
        return losses.stack()

    def _add_penalty_and_apply(self, gradients: list[tf.Tensor]) -> tf.Tensor:
        """Add the gradients of the penalty, let the optimizer take its step, return the penalty before it."""
        penalty, total = self._objective.with_penalty(gradients)
        if self._second is not None:
            self._second.descend()
        self._apply(total, self._objective.model.trainable_variables)
        return penalty

    def _apply(self, gradients: list[Any], variables: list[Any]) -> None:
        if self.meter is None:
            self._optimizer.apply(gradients, variables)
        else:
            self.meter.apply(self._optimizer, gradients, variables)


def gradients_per_step(optimizer: Any) -> int:
    """How many gradients a step takes: the product of `gradients_per_step` over an optimizer and those inside it."""
    return math.prod(getattr(one, "gradients_per_step", 1) for one in chain(optimizer))
