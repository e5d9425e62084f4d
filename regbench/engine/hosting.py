"""Training with an optimizer of another framework: compiled gradients, and the guest's own step between the calls.

A step is one call of a compiled function (loss, gradients, penalty, decay and what wrappers make of the gradients), the
step of the guest on memory that it shares, and an assignment a variable, which copies nothing on a CPU. Copied are
kernels where the guest wants another layout, and all weights where a decoupled decay moves them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from regbench.engine.captures import check_same
from regbench.engine.decay_meter import EVERY, DecayMeter
from regbench.engine.host import check_decay, host_in
from regbench.engine.objective import Objective
from regbench.engine.splits import Samples
from regbench.engine.train import Training
from regbench.engine.weights import Weights
from regbench.optimizers import DecoupledDecay
from regbench.optimizers.kernels import Role
from regbench.records import Guest, Kind


class GuestTraining(Training):
    """Minimises an objective with a guest; `Training` says what each method does."""

    def __init__(
        self,
        objective: Objective,
        optimizer: keras.optimizers.Optimizer,
        own_code: str = "",
        meter: DecayMeter | None = None,
        is_of_steps: bool = False,
    ) -> None:
        """Take the optimizer in which the guest has its host."""
        super().__init__(objective, optimizer, own_code, meter, is_of_steps)
        self._function = objective.compile(self._evaluate_step)
        self._function_again = objective.compile(self._evaluate_again)
        self._handing_over = objective.compile_update(self._hand_over_again)
        self._again: dict[int, Any] = {}
        self._moves = isinstance(optimizer, DecoupledDecay)
        # Cautious decay waits for the step, which is taken when all that is compiled around the host is done.
        self._waits = isinstance(optimizer, DecoupledDecay) and optimizer.coupling == "cautious"
        self._finish: Any = None
        self._counted = meter or DecayMeter(None)  # there is one where the weights decay

    def begin(self, guest: Guest, seed: int) -> None:
        """Let a new guest begin at the weights that the network has now."""
        self._guest, self._seed = guest, seed
        self._start_guest()
        check_decay(guest, self._moves)
        self._trained: list[np.ndarray] | None = None
        self._steps_taken = 0

    def _start_guest(self) -> None:
        weights = [variable.value.read_value() for variable in self._variables]
        self._guest.start(weights, kinds_of(self._objective.weights), self._seed)

    def compile(self, train: Samples, batches: tf.Tensor, seed: tf.Tensor, last: tf.Tensor | None = None) -> None:
        """As `Training.compile`; the variables are then what they were."""
        arguments = train.inputs, train.targets, train.weights, batches, tf.constant(0), seed
        epoch = self._traced(self._function, arguments)
        if epoch is not self._epoch:
            self._objective.check(epoch, self._known())
            if self._own_code:
                check_same(epoch, self._traced_again(arguments), self._own_code)
            self._epoch = epoch
        self._rehearse(epoch, arguments)
        if last is not None:
            arguments = train.inputs, train.targets, train.weights, last, tf.constant(0), seed
            self._last = self._traced(self._function, arguments)
            self._rehearse(self._last, arguments)

    def epoch(self, train: Samples, batches: tf.Tensor, seed: tf.Tensor, factors: Sequence[float]) -> np.ndarray:
        """As `Training.epoch`; it leaves in the network what is to be evaluated."""
        self.train_on()
        losses = []
        for step in range(len(batches)):
            self._schedule(factors[step])
            arguments = train.inputs, train.targets, train.weights, batches, tf.constant(step), seed
            losses.append(self._step(self._epoch, arguments))
        self._show_averages()
        return np.array([float(loss) for loss in losses], np.float32)

    def last_step(
        self, train: Samples, batch: tf.Tensor, seed: tf.Tensor, factor: float, batches: tf.Tensor
    ) -> np.ndarray:
        """As `Training.last_step`."""
        del batches
        self._schedule(factor)
        self.train_on()
        # One step, which is counted from 0 again: with another seed its augmentation is not that of the first batch.
        loss = self._step(self._last, (train.inputs, train.targets, train.weights, batch, tf.constant(0), seed + 1))
        self._show_averages()
        return np.array([float(loss)], np.float32)

    @property
    def _variables(self) -> list[keras.Variable]:
        variables: list[keras.Variable] = self._objective.model.trainable_variables
        return variables

    def _schedule(self, factor: float) -> None:
        self._factor, rate = factor, self.learning_rate * factor
        if rate != self._learning_rate_now:
            self._optimizer.learning_rate.assign(rate)
            self._learning_rate_now = rate

    def _step(self, function: Any, arguments: tuple[Any, ...]) -> Any:
        self._counted.counting.assign(float(self._steps_taken % EVERY == 0))
        self.evaluations += 1
        self._steps_taken += 1
        # Copies: a guest steps in the memory that the variables share.
        before = [variable.value.numpy() for variable in self._variables] if self._moves else []
        loss, gradients = function(*arguments)
        moved = [variable.value.read_value() for variable in self._variables] if self._moves else None

        def evaluate(weights: Sequence[Any]) -> tuple[Any, Sequence[Any]]:
            self.evaluations += 1
            self._assign(weights)
            if id(function) not in self._again:
                self._again[id(function)] = self._traced(self._function_again, arguments)
            there: tuple[Any, Sequence[Any]] = self._again[id(function)](*arguments)
            return there

        self._assign(self._guest.step(loss, gradients, self._factor, evaluate, moved))
        if self._moves:
            if self._finish is None:
                self._finish = self._traced(self._objective.compile_update(self._finish_step), (before,))
            self._finish(before)
        return loss

    def _finish_step(self, before: list[tf.Tensor]) -> None:
        """After the guest's step: the decay that has waited for it, and what is counted of the whole."""
        optimizer: Any = self._optimizer
        if self._waits:
            rate = optimizer.learning_rate.value
            with self._counted.watching(optimizer) as amounts:
                for variable, weight in zip(self._variables, before, strict=True):
                    if optimizer.apply_to(variable):
                        optimizer.shrink_where_agreed(variable, weight, rate)
            self._counted.count_decay(amounts, measures_left=True)
        self._counted.count_change(before, self._variables)

    def _assign(self, weights: Sequence[Any]) -> None:
        for variable, weight in zip(self._variables, weights, strict=True):
            array = tf.experimental.dlpack.from_dlpack(weight.__dlpack__())
            tf.raw_ops.AssignVariableOp(resource=variable.value.handle, value=array)

    def train_on(self) -> None:
        """Put back the weights that are trained, where others were shown to be evaluated."""
        if self._trained is not None:
            for variable, weight in zip(self._variables, self._trained, strict=True):
                variable.assign(weight)
            self._trained = None

    def _show_averages(self) -> None:
        averages = self._guest.evaluated()
        if averages is not None:
            self._trained = [variable.value.numpy() for variable in self._variables]
            self._assign(averages)

    def _traced(self, function: Any, arguments: tuple[Any, ...]) -> Any:
        with self._objective.regularizer_trace.symbols(), self.trace.symbols():
            return function.get_concrete_function(*arguments)

    def _traced_again(self, arguments: tuple[Any, ...]) -> Any:
        update, self._update = self._update, self._objective.compile_update(self._add_penalty_and_apply)
        try:
            return self._traced(self._objective.compile(self._evaluate_step), arguments)
        finally:
            self._update = update

    def _rehearse(self, function: Any, arguments: tuple[Any, ...]) -> None:
        """Take a step for which all is compiled that is, the guest's too, and begin again."""
        changing, evaluations = [*function.graph.variables, self._counted.totals], self.evaluations
        before = [variable.read_value() for variable in changing]
        self._factor = 1.0
        self._step(function, arguments)
        self._guest.evaluated()
        for variable, value in zip(changing, before, strict=True):
            variable.assign(value)
        self.evaluations = evaluations
        self._start_guest()

    def _evaluate_step(
        self,
        inputs: tf.Tensor,
        targets: tf.Tensor,
        weights: tf.Tensor | None,
        batches: tf.Tensor,
        step: tf.Tensor,
        seed: tf.Tensor,
    ) -> Any:
        """Loss with its penalty and what is handed to the guest, of one batch; decays the weights."""
        loss, gradients = self._loss_and_gradients(inputs, targets, weights, batches, step, seed)
        penalty, handed = self._update(gradients)
        return loss + penalty, handed

    def _evaluate_again(
        self,
        inputs: tf.Tensor,
        targets: tf.Tensor,
        weights: tf.Tensor | None,
        batches: tf.Tensor,
        step: tf.Tensor,
        seed: tf.Tensor,
    ) -> Any:
        """The same at the weights of the moment, which no decay moves."""
        loss, gradients = self._loss_and_gradients(inputs, targets, weights, batches, step, seed)
        penalty, handed = self._handing_over(gradients)
        return loss + penalty, handed

    def _loss_and_gradients(
        self,
        inputs: tf.Tensor,
        targets: tf.Tensor,
        weights: tf.Tensor | None,
        batches: tf.Tensor,
        step: tf.Tensor,
        seed: tf.Tensor,
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        objective = self._objective
        # XLA would take `step` in `batches[step]` for a constant, and compile for each.
        batch = tf.gather(batches, step)
        x, y = tf.gather(inputs, batch), tf.gather(targets, batch)
        x = objective.prepare(x, objective.is_augmented, seed, step)
        of_batch = None if weights is None else tf.gather(weights, batch)
        with tf.GradientTape() as tape:
            loss = objective.loss_of_batch(x, y, of_batch)
        return loss, tape.gradient(loss, self._variables)

    def _add_penalty_and_apply(self, gradients: list[tf.Tensor]) -> Any:
        penalty = super()._add_penalty_and_apply(gradients)
        return penalty, host_in(self._optimizer).take(self._variables)

    def _hand_over_again(self, gradients: list[tf.Tensor]) -> Any:
        optimizer, meter = self._optimizer, self.meter
        self._optimizer, self.meter = optimizer.inner_optimizer if self._moves else optimizer, None
        try:
            return self._add_penalty_and_apply(gradients)
        finally:
            self._optimizer, self.meter = optimizer, meter

    def _apply(self, gradients: list[Any], variables: list[Any]) -> None:
        """Hand the gradients out, decay before the step, and count what the decay takes."""
        optimizer: Any = self._optimizer
        if self._waits and isinstance(optimizer, DecoupledDecay):
            optimizer.inner_optimizer.apply(gradients, variables)
        elif isinstance(optimizer, DecoupledDecay):
            with self._counted.watching(optimizer) as amounts:
                optimizer.apply(gradients, variables)
            self._counted.count_decay(amounts)
        else:
            super()._apply(gradients, variables)


def kinds_of(weights: Weights) -> list[Kind]:
    """What each weight of a network is, as far as its layout goes."""
    kinds = []
    for weight in weights:
        is_matrix = weight.role == Role.KERNEL and len(weight.variable.shape) == 2
        kinds.append(Kind.CONVOLUTION if weight.convolves else Kind.MATRIX if is_matrix else Kind.OTHER)
    return kinds


def try_to_begin(guest: Guest, model: keras.Model, is_decoupled: bool) -> None:
    """Let a guest begin on the weights of a network that nobody trains.

    Raises:
        DefinitionError: it refuses its arguments or the weights.
    """
    guest.start([variable.value.read_value() for variable in model.trainable_variables], kinds_of(Weights(model)), 0)
    check_decay(guest, is_decoupled)
