"""RAdam: Adam with a rectified adaptive learning rate."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from regbench.optimizers.gradients import densified
from regbench.optimizers.moments import bias_correction, check_decay_rates, log_rate, step_number


@keras.saving.register_keras_serializable(package="regbench")
class RAdam(keras.optimizers.Optimizer):
    """Adam that starts as momentum and turns adaptive as its second moment becomes reliable.

        m_t = beta_1 m_{t-1} + (1 - beta_1) g_t,    v_t = beta_2 v_{t-1} + (1 - beta_2) g_t**2
        rho_t = rho_inf - 2 t beta_2**t / (1 - beta_2**t),    rho_inf = 2 / (1 - beta_2) - 1
        r_t = sqrt((rho_t - 4) (rho_t - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho_t))
        l_t = sqrt(1 - beta_2**t) / (sqrt(v_t) + epsilon)
        w_t = w_{t-1} - lr / (1 - beta_1**t) * (m_t r_t l_t  where rho_t > 4,  else m_t)

    For t -> infinity r_t -> 1: Adam. For beta_2 <= 0.6, rho_inf <= 4: momentum for ever.

    Args:
        learning_rate: A float, a schedule or a callable.
        beta_1: Decay rate of the first moment, in [0, 1).
        beta_2: Decay rate of the second moment, in (0, 1).
        epsilon: Non-negative, added to sqrt(v_t).
        sma_threshold: The step is adaptive where rho_t exceeds it; at least 4. The paper has 4; its authors'
            code, PyTorch and TensorFlow Addons have 5, which matters at a few of the first steps.
        name: Name of the optimizer.
        **kwargs: Arguments of `keras.optimizers.Optimizer`.

    Reference:
        Liu et al., "On the variance of the adaptive learning rate and beyond", 2020, Algorithm 2,
        https://arxiv.org/abs/1908.03265

    Departure:
        `epsilon`, which the algorithm lacks (0 is the algorithm; it then divides by 0 where all gradients were 0).
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        sma_threshold: float = 4.0,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        check_decay_rates(beta_1, beta_2)
        if beta_2 == 0:
            raise ValueError(f"`beta_2` must be in (0, 1). Received: beta_2={beta_2!r}")
        if epsilon < 0:
            raise ValueError(f"`epsilon` must be non-negative. Received: epsilon={epsilon!r}")
        if sma_threshold < 4:
            raise ValueError(f"`sma_threshold` must be at least 4. Received: sma_threshold={sma_threshold!r}")
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self._log_beta_1, self._log_beta_2 = log_rate(beta_1), log_rate(beta_2)
        self.epsilon = epsilon
        self.sma_threshold = sma_threshold

    def build(self, variables: list[Any]) -> None:
        """Creates both moments of each variable."""
        if self.built:
            return
        super().build(variables)
        self._momentums, self._velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One step of Algorithm 2 for one variable."""
        index = self._get_variable_index(variable)
        momentum, velocity = self._momentums[index], self._velocities[index]
        gradient = ops.cast(densified(gradient, variable), variable.dtype)
        step = step_number(self.iterations)

        # m_t = beta_1 m_{t-1} + (1 - beta_1) g_t
        self.assign_add(momentum, (1 - self.beta_1) * (gradient - momentum))
        # v_t = beta_2 v_{t-1} + (1 - beta_2) g_t**2
        self.assign_add(velocity, (1 - self.beta_2) * (ops.square(gradient) - velocity))
        # w_t = w_{t-1} - lr / (1 - beta_1**t) * (m_t r_t l_t or m_t)
        step_size = ops.cast(learning_rate / bias_correction(self._log_beta_1, step), variable.dtype)
        self.assign_sub(variable, step_size * self._direction(momentum, velocity, step))

    def _direction(self, momentum: Any, velocity: Any, step: Any) -> Any:
        """m_t r_t l_t where rho_t exceeds the threshold, else m_t."""
        rho_inf = 2 / (1 - self.beta_2) - 1
        if rho_inf <= self.sma_threshold:
            return momentum
        rho = _sma_length(self.beta_2, self._log_beta_2, step)
        is_tractable = rho > self.sma_threshold
        # r_t = sqrt((rho_t - 4) (rho_t - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho_t))
        variance_ratio = (rho - 4) * (rho - 2) / rho * (rho_inf / ((rho_inf - 4) * (rho_inf - 2)))
        rectification = ops.sqrt(ops.where(is_tractable, variance_ratio, 1.0))
        # l_t = sqrt(1 - beta_2**t) / (sqrt(v_t) + epsilon)
        numerator = ops.cast(rectification * ops.sqrt(bias_correction(self._log_beta_2, step)), momentum.dtype)
        adaptive = numerator * momentum / (ops.sqrt(velocity) + self.epsilon)
        return ops.where(is_tractable, adaptive, ops.convert_to_tensor(momentum))

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return super().get_config() | {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "sma_threshold": self.sma_threshold,
        }


def _sma_length(beta: float, log_beta: float, step: Any) -> Any:
    """rho_t = rho_inf - 2 t beta**t / (1 - beta**t), the length of the approximating simple moving average.

    With a = -log(beta), x = a t: rho_t = rho_inf - 2/a + 2/a h(x), h(x) = 1 - x / (exp(x) - 1). The terms that
    nearly cancel (1999 - 1994 at beta = 0.999, t = 5) are so brought together in double precision, and h has a series:
    h(x) = x/2 - x**2/12 + x**4/720 - x**6/30240 + ...
    """
    a = -log_beta
    x = a * step
    square = ops.square(x)
    series = x / 2 - square / 12 * (1 - square / 60 * (1 - square / 42))
    h = ops.where(x < 0.5, series, 1 - x / ops.expm1(x))
    return (2 / (1 - beta) - 1 - 2 / a) + 2 / a * h
