"""AdaBound: Adam within bounds that close on a final learning rate."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from regbench.optimizers.gradients import densified
from regbench.optimizers.moments import bias_correction, check_decay_rates, log_rate, step_number


@keras.saving.register_keras_serializable(package="regbench")
class AdaBound(keras.optimizers.Optimizer):
    """Adam whose learning rate of each weight is clipped to bounds that close on that of SGD with momentum.

        m_t = beta_1 m_{t-1} + (1 - beta_1) g_t,    v_t = beta_2 v_{t-1} + (1 - beta_2) g_t**2
        eta_t = clip(lr_t sqrt(1 - beta_2**t) / (1 - beta_1**t) / (sqrt(v_t) + epsilon), lower_t, upper_t)
        lower_t = final_t (1 - 1 / (gamma t + 1)),    upper_t = final_t (1 + 1 / (gamma t))
        w_t = w_{t-1} - eta_t m_t,    final_t = final_learning_rate lr_t / lr_1

    Starts as Adam; for gamma t -> infinity it is SGD with rate final_t on averaged gradients.

    Args:
        learning_rate: A float, a schedule or a callable. lr_1 is its first value that is not 0, so a schedule that
            rises from a small one (warm-up) raises the bounds as much.
        beta_1: Decay rate of the first moment, in [0, 1).
        beta_2: Decay rate of the second moment, in [0, 1).
        final_learning_rate: Positive, where the bounds meet.
        gamma: Positive, how fast they do.
        epsilon: Non-negative, added to sqrt(v_t).
        name: Name of the optimizer.
        **kwargs: Arguments of `keras.optimizers.Optimizer`.

    Reference:
        Luo et al., "Adaptive gradient methods with dynamic bound of learning rate", 2019, Algorithm 2,
        https://arxiv.org/abs/1902.09843

    Departure:
        As in the authors' code, unlike Algorithm 2: Adam's bias correction, `epsilon`, bounds that follow the schedule
        of the learning rate, and no further division of eta_t by sqrt(t). beta_1 is constant. No projection onto
        a feasible set. The paper's own bounds are those of gamma = 1 - beta_2 and final_learning_rate = 0.1.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        final_learning_rate: float = 0.1,
        gamma: float = 0.001,
        epsilon: float = 1e-8,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        check_decay_rates(beta_1, beta_2)
        for argument, value in (("final_learning_rate", final_learning_rate), ("gamma", gamma)):
            if value <= 0:
                raise ValueError(f"`{argument}` must be positive. Received: {argument}={value!r}")
        if epsilon < 0:
            raise ValueError(f"`epsilon` must be non-negative. Received: epsilon={epsilon!r}")
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self._log_beta_1, self._log_beta_2 = log_rate(beta_1), log_rate(beta_2)
        self.final_learning_rate = final_learning_rate
        self.gamma = gamma
        self.epsilon = epsilon

    def build(self, variables: list[Any]) -> None:
        """Creates both moments of each variable."""
        if self.built:
            return
        super().build(variables)
        self._momentums, self._velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])
        self._first_learning_rate = self.add_variable(shape=(), name="first_learning_rate")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One step of the authors' code for one variable."""
        index = self._get_variable_index(variable)
        momentum, velocity = self._momentums[index], self._velocities[index]
        gradient = ops.cast(densified(gradient, variable), variable.dtype)
        step = step_number(self.iterations)

        # m_t = beta_1 m_{t-1} + (1 - beta_1) g_t
        self.assign_add(momentum, (1 - self.beta_1) * (gradient - momentum))
        # v_t = beta_2 v_{t-1} + (1 - beta_2) g_t**2
        self.assign_add(velocity, (1 - self.beta_2) * (ops.square(gradient) - velocity))
        # eta_t = clip(lr_t sqrt(1 - beta_2**t) / (1 - beta_1**t) / (sqrt(v_t) + epsilon), lower_t, upper_t)
        correction = ops.sqrt(bias_correction(self._log_beta_2, step)) / bias_correction(self._log_beta_1, step)
        rate = ops.cast(learning_rate * correction, variable.dtype)
        lower, upper = self._bounds(learning_rate, step)
        eta = ops.clip(
            rate / (ops.sqrt(self._bounding_velocity(velocity, index)) + self.epsilon),
            ops.cast(lower, variable.dtype),
            ops.cast(upper, variable.dtype),
        )
        # w_t = w_{t-1} - eta_t m_t
        self.assign_sub(variable, eta * momentum)

    def _bounds(self, learning_rate: Any, step: Any) -> tuple[Any, Any]:
        learning_rate, known = ops.convert_to_tensor(learning_rate), ops.convert_to_tensor(self._first_learning_rate)
        first = ops.where(ops.equal(known, 0), learning_rate, known)
        self.assign(self._first_learning_rate, first)
        # final_t = final_learning_rate lr_t / lr_1
        final = self.final_learning_rate * ops.divide_no_nan(learning_rate, first)
        # 1 - 1 / (gamma t + 1) = gamma t / (gamma t + 1), which does not cancel
        return final * (self.gamma * step / (self.gamma * step + 1)), final * (1 + 1 / (self.gamma * step))

    def _bounding_velocity(self, velocity: Any, index: int) -> Any:
        del index
        return velocity

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return super().get_config() | {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "final_learning_rate": self.final_learning_rate,
            "gamma": self.gamma,
            "epsilon": self.epsilon,
        }
