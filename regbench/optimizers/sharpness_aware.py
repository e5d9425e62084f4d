"""Sharpness-aware minimization: the gradient where the loss is higher."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from regbench.optimizers.gradients import densified
from regbench.optimizers.sums import total
from regbench.optimizers.wrapper import OptimizerWrapper

SMALLEST = 1e-12
"""Added to the norm of the gradient."""


@keras.saving.register_keras_serializable(package="regbench")
class SharpnessAware(OptimizerWrapper):
    """Steps from the weights by the gradient at a point uphill of them.

        e = rho g(w) / (|g(w)| + 1e-12),   the norm over all trainable variables together
        w <- the inner optimizer's step from w with the gradient g(w + e)

    `rho=0` is the inner optimizer itself, to the bit. What is in the loss is in both gradients, penalties too. A step
    takes two gradients (`gradients_per_step`) on the same batch, which plain `model.fit` does not do; where the first
    was never given a step is refused, since it would be one of the inner optimizer. So a model needs this training
    step, here on TensorFlow:

        class SharpnessAwareModel(keras.Model):
            def train_step(self, data):
                inputs, targets = data
                variables, statistics = self.trainable_variables, self.non_trainable_variables
                before = [tf.identity(variable) for variable in statistics]
                loss, gradients = self.differentiated(inputs, targets)
                after = [tf.identity(variable) for variable in statistics]
                self.optimizer.ascend(gradients, variables)
                for variable, value in zip(statistics, before):  # the same dropout again
                    variable.assign(value)
                _, gradients = self.differentiated(inputs, targets)
                for variable, value in zip(statistics, after):  # the second pass writes no statistics
                    variable.assign(value)
                self.optimizer.descend(variables)
                self.optimizer.apply(gradients, variables)
                self.metrics[0].update_state(loss)  # the mean loss, at w
                return {"loss": self.metrics[0].result()}

            def differentiated(self, inputs, targets):
                with tf.GradientTape() as tape:
                    loss = self.compute_loss(inputs, targets, self(inputs, training=True))
                return loss, tape.gradient(loss, self.trainable_variables)

    regbench's engine has such a step, and any wrapper may be around this one in it. In a step of one's own, `ascend`
    and `descend` belong to this wrapper, `apply` to the outermost one.

    Args:
        inner_optimizer: The optimizer that steps.
        rho: How far uphill, at least 0.
        name: Name of the optimizer.
        **kwargs: See `OptimizerWrapper`.

    Reference:
        Foret, Kleiner, Mobahi, Neyshabur, "Sharpness-aware minimization for efficiently improving generalization",
        2020, Algorithm 1, https://arxiv.org/abs/2010.01412
    """

    gradients_per_step = 2

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer | str | dict[str, Any],
        rho: float = 0.05,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(inner_optimizer, name=name, **kwargs)
        if not 0 <= rho < float("inf"):
            raise ValueError(f"`rho` must be non-negative and finite. Received: rho={rho!r}")
        self.rho = float(rho)
        self.__dict__["_self_phase"] = "start"  # no part of what a step is compiled for

    def build(self, variables: list[Any]) -> None:
        """Creates what keeps the weights while they are uphill."""
        if self.built:
            return
        super().build(variables)
        self._starts = self.add_optimizer_variables(variables, "start")

    def ascend(self, gradients: list[Any], variables: list[Any]) -> None:
        """Moves the weights uphill: to w + e.

        Args:
            gradients: At the weights, one a variable; None for a variable that has none, which stays.
            variables: All that the optimizer trains.
        """
        if not self.built:
            self.build(list(variables))
        pairs = [(densified(g, v), v) for g, v in zip(gradients, variables, strict=True) if g is not None]
        wide = keras.backend.result_type(keras.config.floatx(), "float32")
        squares = [total(ops.square(ops.cast(gradient, wide))) for gradient, _ in pairs]
        # e = rho g / (|g| + 1e-12)
        scale = self.rho / (ops.sqrt(ops.sum(ops.stack(squares))) + SMALLEST)
        for variable in variables:
            self.assign(self._starts[self._get_variable_index(variable)], ops.convert_to_tensor(variable))
        for gradient, variable in pairs:
            self.assign_add(variable, ops.cast(scale * ops.cast(gradient, wide), variable.dtype))
        self.__dict__["_self_phase"] = "uphill"

    def descend(self, variables: list[Any]) -> None:
        """Puts the weights back to w, bit for bit."""
        for variable in variables:
            start = self._starts[self._get_variable_index(variable)]
            self.assign(variable, ops.copy(ops.convert_to_tensor(start)))
        self.__dict__["_self_phase"] = "back"

    def apply(self, grads: list[Any], trainable_variables: list[Any] | None = None) -> None:
        """Takes the inner optimizer's step with the gradients from uphill.

        Raises:
            ValueError: `ascend` was never called, or `descend` not after it.
        """
        # Not reset by a step: a compiled one may be traced in several branches.
        phase = self.__dict__["_self_phase"]
        if phase != "back":
            raise ValueError(
                "`SharpnessAware` must be given two gradients a step: `ascend` with the first, then `descend`, then "
                f"`apply` with the second; its docstring has the training step. Received: `apply` after {phase!r}"
            )
        super().apply(grads, trainable_variables)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        config = super().get_config()
        del config["apply_to"]
        return config | {"rho": self.rho}
