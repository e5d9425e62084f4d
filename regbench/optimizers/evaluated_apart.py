"""Wrappers that train some weights and evaluate others."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from regbench.optimizers.inside import chain
from regbench.optimizers.wrapper import OptimizerWrapper, Selection


class EvaluatedApart(OptimizerWrapper):
    """A wrapper whose weights for evaluation are not those that it trains.

    The model holds the weights that are trained. `show` puts the others into it, `train_on` puts those that are trained
    back, bit for bit; both may be called twice, and are for between the steps, not for compiled code:

        optimizer.show()
        model.evaluate(inputs, targets)
        optimizer.train_on()

    `model.fit` shows them when it ends, so that what is evaluated, used or saved after it are these; call `train_on`
    before another `fit`. A step that comes upon weights that are shown puts the trained ones back first; but its
    gradient was taken at the shown ones. A subclass keeps the weights for evaluation in `_others`, a variable each.

    Statistics of batch normalization belong to the weights that were trained: before an evaluation they should be
    computed anew at those that are shown, by some passes in training mode. regbench's engine does so.
    """

    def __init__(
        self, inner_optimizer: Any, apply_to: Selection = "all", name: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(inner_optimizer, apply_to=apply_to, name=name, **kwargs)
        if any(isinstance(one, EvaluatedApart) for one in chain(self.inner_optimizer)):
            raise ValueError(
                f"`inner_optimizer` of `{type(self).__name__}` must evaluate the weights that it trains. "
                f"Received: {type(self.inner_optimizer).__name__}"
            )

    def build(self, variables: list[Any]) -> None:
        """Creates the weights for evaluation."""
        if self.built:
            return
        super().build(variables)
        self._others = self.add_optimizer_variables(variables, "evaluated")
        self._shown = self.add_variable((), dtype="int32", name="shown")

    @property
    def has_others(self) -> bool:
        """Whether there is anything to show yet."""
        return int(self.iterations) > 0

    def show(self) -> None:
        """Puts the weights for evaluation into the model, and keeps those that are trained."""
        if self.has_others and not int(self._shown):
            self._exchange()
            self._shown.assign(1)

    def train_on(self) -> None:
        """Puts the weights that are trained back into the model."""
        if int(self._shown):
            self._exchange()
            self._shown.assign(0)

    def finalize_variable_values(self, var_list: list[Any]) -> None:
        """Shows the weights for evaluation; `model.fit` calls it when it ends."""
        super().finalize_variable_values(var_list)
        self.show()

    def _exchange(self) -> None:
        for variable, other in zip(self._trainable_variables, self._others, strict=True):
            trained = ops.copy(ops.convert_to_tensor(variable))
            self.assign(variable, ops.copy(ops.convert_to_tensor(other)))
            self.assign(other, trained)

    def _put_back(self) -> None:
        """Begins a step at the trained weights."""
        if keras.backend.backend() == "jax":  # a branch of its `cond` must not assign
            is_shown = ops.greater(self._shown, 0)
            for variable, other in zip(self._trainable_variables, self._others, strict=True):
                held, kept = ops.convert_to_tensor(variable), ops.convert_to_tensor(other)
                self.assign(variable, ops.where(is_shown, kept, held))
                self.assign(other, ops.where(is_shown, held, kept))
        else:
            ops.cond(ops.greater(self._shown, 0), self._exchange, lambda: None)
        self.assign(self._shown, ops.zeros((), "int32"))

    def _backend_update_step(self, grads: list[Any], trainable_variables: list[Any], learning_rate: Any) -> None:
        self._put_back()
        super()._backend_update_step(grads, trainable_variables, learning_rate)
