"""AdaBelief: steps scaled by the belief in the gradient."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from regbench.optimizers.gradients import densified
from regbench.optimizers.moments import bias_correction, check_decay_rates, log_rate, step_number


@keras.saving.register_keras_serializable(package="regbench")
class AdaBelief(keras.optimizers.Optimizer):
    """Adam whose second moment is that of the gradient about its own average.

        m_t = beta_1 m_{t-1} + (1 - beta_1) g_t
        s_t = beta_2 s_{t-1} + (1 - beta_2) (g_t - m_t)**2 + epsilon
        mhat_t = m_t / (1 - beta_1**t),    shat_t = s_t / (1 - beta_2**t)
        w_t = w_{t-1} - lr mhat_t / (sqrt(shat_t) + epsilon)

    A gradient near its average is believed and makes a large step. With beta_1 = 0 nothing deviates, and every step is
    as large as `epsilon` allows.

    Args:
        learning_rate: A float, a schedule or a callable.
        beta_1: Decay rate of the first moment, in [0, 1).
        beta_2: Decay rate of the second moment, in [0, 1).
        epsilon: Positive, added inside and outside of the root, at every step. It accumulates inside: s_t >= epsilon
            (1 - beta_2**t) / (1 - beta_2). Must not be rounded to 0 in the dtype of the variables (float16: 1e-7).
        name: Name of the optimizer.
        **kwargs: Arguments of `keras.optimizers.Optimizer`.

    Reference:
        Zhuang et al., "AdaBelief optimizer: adapting stepsizes by the belief in observed gradients", 2020,
        Algorithm 2, https://arxiv.org/abs/2010.07468

    Departure:
        No projection onto a feasible set. No rectification, which the authors' later code adds by default.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-14,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        check_decay_rates(beta_1, beta_2)
        if epsilon <= 0:
            raise ValueError(f"`epsilon` must be positive. Received: epsilon={epsilon!r}")
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self._log_beta_1, self._log_beta_2 = log_rate(beta_1), log_rate(beta_2)
        self.epsilon = epsilon

    def build(self, variables: list[Any]) -> None:
        """Creates both moments of each variable."""
        if self.built:
            return
        super().build(variables)
        self._momentums, self._deviations = self.add_optimizer_variables(variables, ["momentum", "deviation"])

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One step of Algorithm 2 for one variable."""
        index = self._get_variable_index(variable)
        momentum, deviation = self._momentums[index], self._deviations[index]
        gradient = ops.cast(densified(gradient, variable), variable.dtype)
        step = step_number(self.iterations)

        # m_t = beta_1 m_{t-1} + (1 - beta_1) g_t
        self.assign_add(momentum, (1 - self.beta_1) * (gradient - momentum))
        # s_t = beta_2 s_{t-1} + (1 - beta_2) (g_t - m_t)**2 + epsilon
        squared_deviation = ops.square(gradient - momentum)
        self.assign_add(deviation, (1 - self.beta_2) * (squared_deviation - deviation) + self.epsilon)
        # w_t = w_{t-1} - lr mhat_t / (sqrt(shat_t) + epsilon)
        step_size = ops.cast(learning_rate / bias_correction(self._log_beta_1, step), variable.dtype)
        corrected_deviation = deviation / ops.cast(bias_correction(self._log_beta_2, step), variable.dtype)
        self.assign_sub(variable, step_size * momentum / (ops.sqrt(corrected_deviation) + self.epsilon))

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return super().get_config() | {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
