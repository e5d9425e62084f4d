"""AdEMAMix: Adam with a second, slow average of gradients."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from regbench.optimizers.gradients import densified
from regbench.optimizers.moments import bias_correction, check_decay_rates, log_rate, step_number


@keras.saving.register_keras_serializable(package="regbench")
class AdEMAMix(keras.optimizers.Optimizer):
    """Adds a slow average of gradients to the fast one of Adam.

        m_t = beta_1 m_{t-1} + (1 - beta_1) g_t,    n_t = beta_3 n_{t-1} + (1 - beta_3) g_t
        v_t = beta_2 v_{t-1} + (1 - beta_2) g_t**2
        mhat_t = m_t / (1 - beta_1**t),    vhat_t = v_t / (1 - beta_2**t)
        w_t = w_{t-1} - lr (mhat_t + alpha n_t) / (sqrt(vhat_t) + epsilon)

    With `warmup_steps` = T > 0, in the first T steps alpha is alpha t / T, and beta_3 goes from beta_1 to its value
    so that its half-life grows linearly: ln(beta_1) ln(beta_3) / ((1 - t/T) ln(beta_3) + t/T ln(beta_1)) is its
    logarithm. `alpha=0` is Adam. A beta_3 of 0.9999 has a half-life of 6,931 steps: choose it by the length of a run.

    Args:
        learning_rate: A float, a schedule or a callable.
        beta_1: Decay rate of the fast average, in [0, 1); with `warmup_steps` positive.
        beta_2: Decay rate of the second moment, in [0, 1).
        beta_3: Decay rate of the slow average, in [0, 1); with `warmup_steps` at least `beta_1`.
        alpha: Weight of the slow average, at least 0. The default of the authors' class is 2; their README has 8,
            optax 5 (6 in its `scale_by_ademamix`).
        epsilon: Non-negative, added to the root.
        warmup_steps: T, an integer, at least 0.
        name: Name of the optimizer.
        **kwargs: Arguments of `keras.optimizers.Optimizer`.

    Reference:
        Pagliardini, Ablin, Grangier, "The AdEMAMix optimizer: better, faster, older", 2024, Algorithm 1,
        https://arxiv.org/abs/2409.03137

    Departure:
        Its decay sits in the update; here it is Keras's `weight_decay` or a wrapper's.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        beta_3: float = 0.9999,
        alpha: float = 2.0,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        check_decay_rates(beta_1, beta_2)
        if not 0 <= beta_3 < 1:
            raise ValueError(f"`beta_3` must be in [0, 1). Received: beta_3={beta_3!r}")
        if not 0 <= alpha < float("inf"):
            raise ValueError(f"`alpha` must be non-negative and finite. Received: alpha={alpha!r}")
        if epsilon < 0:
            raise ValueError(f"`epsilon` must be non-negative. Received: epsilon={epsilon!r}")
        if not (warmup_steps >= 0 and warmup_steps == int(warmup_steps)):
            raise ValueError(f"`warmup_steps` must be an integer, at least 0. Received: warmup_steps={warmup_steps!r}")
        if warmup_steps and not 0 < beta_1 <= beta_3:
            raise ValueError(f"`beta_3` must be at least `beta_1` > 0 to warm up. Received: {beta_1=!r}, {beta_3=!r}")
        self.beta_1, self.beta_2, self.beta_3 = beta_1, beta_2, beta_3
        self._log_beta_1, self._log_beta_2, self._log_beta_3 = log_rate(beta_1), log_rate(beta_2), log_rate(beta_3)
        self.alpha = float(alpha)
        self.epsilon = epsilon
        self._warmup_steps = float(warmup_steps)

    def build(self, variables: list[Any]) -> None:
        """Creates the two averages and the second moment of each variable."""
        if self.built:
            return
        super().build(variables)
        names = ["momentum", "slow_momentum", "velocity"]
        self._momentums, self._slow_momentums, self._velocities = self.add_optimizer_variables(variables, names)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One step of Algorithm 1 for one variable."""
        index = self._get_variable_index(variable)
        momentum, slow, velocity = self._momentums[index], self._slow_momentums[index], self._velocities[index]
        gradient = ops.cast(densified(gradient, variable), variable.dtype)
        step = step_number(self.iterations)
        alpha, share = self._warmed_up(step)

        # m_t = beta_1 m_{t-1} + (1 - beta_1) g_t
        self.assign_add(momentum, (1 - self.beta_1) * (gradient - momentum))
        # n_t = beta_3 n_{t-1} + (1 - beta_3) g_t
        self.assign_add(slow, ops.cast(share, variable.dtype) * (gradient - slow))
        # v_t = beta_2 v_{t-1} + (1 - beta_2) g_t**2
        self.assign_add(velocity, (1 - self.beta_2) * (ops.square(gradient) - velocity))
        # w_t = w_{t-1} - lr (mhat_t + alpha n_t) / (sqrt(vhat_t) + epsilon)
        corrections = [bias_correction(log_beta, step) for log_beta in (self._log_beta_1, self._log_beta_2)]
        fast = momentum / ops.cast(corrections[0], variable.dtype)
        root = ops.sqrt(velocity / ops.cast(corrections[1], variable.dtype))
        direction = (fast + ops.cast(alpha, variable.dtype) * slow) / (root + self.epsilon)
        self.assign_sub(variable, ops.cast(learning_rate, variable.dtype) * direction)

    def _warmed_up(self, step: Any) -> tuple[Any, Any]:
        """Alpha and 1 - beta_3 of a step."""
        if self._warmup_steps == 0:
            return self.alpha, 1 - self.beta_3
        progress = ops.minimum(step / self._warmup_steps, 1.0)
        log_beta = (self._log_beta_1 * self._log_beta_3) / (
            (1 - progress) * self._log_beta_3 + progress * self._log_beta_1
        )
        return self.alpha * progress, -ops.expm1(log_beta)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return super().get_config() | {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "beta_3": self.beta_3,
            "alpha": self.alpha,
            "epsilon": self.epsilon,
            "warmup_steps": int(self._warmup_steps),
        }
