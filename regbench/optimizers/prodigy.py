"""Prodigy: Adam that estimates its learning rate."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from regbench.optimizers.gradients import densified
from regbench.optimizers.kernels import is_kernel
from regbench.optimizers.moments import bias_correction, check_decay_rates, log_rate, step_number
from regbench.optimizers.sums import total
from regbench.optimizers.wrapper import Selection


@keras.saving.register_keras_serializable(package="regbench")
class Prodigy(keras.optimizers.Optimizer):
    """Multiplies Adam's steps by an estimate d of the distance to a solution, one for all variables.

        e = d lr bc,   bc = sqrt(1 - beta_2**t) / (1 - beta_1**t) with `correct_bias`, else 1
        m <- beta_1 m + (1 - beta_1) d g,    v <- beta_2 v + (1 - beta_2) d**2 g**2
        r <- beta_3 r + (d / d_0) e <g, w_0 - w>,    q <- beta_3 q + (d / d_0) e g,    beta_3 = sqrt(beta_2)
        dhat = d_coef r / |q|_1
        d <- min(largest dhat so far, growth_rate d), where d had grown already, else at least d_0 and dhat
        w <- w - strength e w - e m / (sqrt(v) + d epsilon), with the e from before d grew

    w_0 are the weights at the first step; r, the scalar product and the norm are over all variables together. What is
    tuned is `d_coef`, not the learning rate, which is 1 but for a schedule.

    Args:
        learning_rate: A float, a schedule or a callable; a factor on the estimate.
        beta_1: Decay rate of the first moment, in [0, 1).
        beta_2: Decay rate of the second moment, in [0, 1).
        epsilon: Non-negative.
        d_0: The first estimate, positive and too small.
        d_coef: Factor on later estimates, positive.
        growth_rate: How much the estimate may grow in a step: above 1, may be infinite.
        correct_bias: Whether to correct the bias of the moments, as optax always does. Without it the first steps are
            up to some five times too long, which a short run may not forget.
        strength: Of the decay, which is times e; at least 0.
        apply_to: The weights that decay: `"kernels"` (default), `"all"` or a function of a variable (with which
            it cannot be saved).
        name: Name of the optimizer.
        **kwargs: Arguments of `keras.optimizers.Optimizer`. Its `weight_decay` would be times the learning rate alone.

    Reference:
        Mishchenko, Defazio, "Prodigy: an expeditiously adaptive parameter-free learner", 2024, Algorithm 4 (Adam),
        https://arxiv.org/abs/2306.06101; the defaults are those of the authors' package

    Departure:
        The authors' class stops at a learning rate of 0; here the moments go on.
    """

    decays_itself = True
    looks_at_weights = True
    refuses_decay = "it decays by its own `strength`, times its estimate"

    def __init__(
        self,
        learning_rate: Any = 1.0,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        d_0: float = 1e-6,
        d_coef: float = 1.0,
        growth_rate: float = float("inf"),
        correct_bias: bool = False,
        strength: float = 0.0,
        apply_to: Selection = "kernels",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        check_decay_rates(beta_1, beta_2)
        for argument, value, least in (("d_0", d_0, 0.0), ("d_coef", d_coef, 0.0), ("growth_rate", growth_rate, 1.0)):
            if not value > least:
                raise ValueError(f"`{argument}` must be above {least:g}. Received: {argument}={value!r}")
        for argument, value in (("epsilon", epsilon), ("strength", strength)):
            if not 0 <= value < float("inf"):
                raise ValueError(f"`{argument}` must be non-negative and finite. Received: {argument}={value!r}")
        if apply_to not in ("kernels", "all") and not callable(apply_to):
            raise ValueError(f'`apply_to` must be "kernels", "all" or a function. Received: apply_to={apply_to!r}')
        self.beta_1, self.beta_2, self._beta_3 = beta_1, beta_2, math.sqrt(beta_2)
        self._log_beta_1, self._log_beta_2 = log_rate(beta_1), log_rate(beta_2)
        self.epsilon, self.d_0, self.d_coef, self.growth_rate = epsilon, float(d_0), float(d_coef), float(growth_rate)
        self.correct_bias = correct_bias
        self.strength, self.apply_to = float(strength), apply_to

    def build(self, variables: list[Any]) -> None:
        """Creates the moments, the start and the sum of gradients of each variable, and the estimate."""
        if self.built:
            return
        super().build(variables)
        names = ["momentum", "velocity", "start", "sum"]
        self._momentums, self._velocities, self._starts, self._sums = self.add_optimizer_variables(variables, names)
        wide = keras.backend.result_type(keras.config.floatx(), "float32")
        self._distance, self._largest, self._progress = (
            self.add_variable((), dtype=wide, name=name) for name in ("distance", "largest_distance", "progress")
        )
        selects = self.apply_to if callable(self.apply_to) else is_kernel
        self._is_decayed = tuple(self.apply_to == "all" or bool(selects(variable)) for variable in variables)

    def _backend_update_step(self, grads: list[Any], trainable_variables: list[Any], learning_rate: Any) -> None:
        # The one hook that Keras runs once a step for all variables: no weight moves before the estimate is there.
        gradients = [ops.cast(densified(g, v), v.dtype) for g, v in zip(grads, trainable_variables, strict=True)]
        wide, is_first = self._distance.dtype, ops.equal(self.iterations, 0)
        distance = ops.where(is_first, ops.cast(self.d_0, wide), ops.convert_to_tensor(self._distance))
        rate = distance * ops.cast(learning_rate, wide) * ops.cast(self._correction(), wide)
        weight = distance / self.d_0 * rate

        progress, size = self._beta_3 * ops.convert_to_tensor(self._progress), ops.zeros((), wide)
        for gradient, variable in zip(gradients, trainable_variables, strict=True):
            at_start, following = self._gather(gradient, variable, distance, weight, is_first)
            # r <- beta_3 r + (d / d_0) e <g, w_0 - w>
            difference = ops.cast(at_start - variable, wide)
            progress = progress + weight * total(ops.cast(gradient, wide) * difference)
            size = size + total(ops.abs(ops.cast(following, wide)))
        grown = self._grown(distance, progress, size)
        self.assign(self._progress, progress)
        self.assign(self._distance, grown)
        for variable in trainable_variables:
            self._move(variable, rate, grown)

    def _correction(self) -> Any:
        if not self.correct_bias:
            return 1.0
        step = step_number(self.iterations)
        return ops.sqrt(bias_correction(self._log_beta_2, step)) / bias_correction(self._log_beta_1, step)

    def _gather(self, gradient: Any, variable: Any, distance: Any, weight: Any, is_first: Any) -> tuple[Any, Any]:
        """Updates what is kept of one variable; returns w_0 and q."""
        index = self._get_variable_index(variable)
        start, gathered = self._starts[index], self._sums[index]
        d = ops.cast(distance, variable.dtype)
        at_start = ops.where(is_first, ops.convert_to_tensor(variable), ops.convert_to_tensor(start))
        self.assign(start, at_start)
        # m <- beta_1 m + (1 - beta_1) d g,    v <- beta_2 v + (1 - beta_2) d**2 g**2
        self.assign(self._momentums[index], self.beta_1 * self._momentums[index] + (1 - self.beta_1) * (d * gradient))
        squared = ops.square(d * gradient)
        self.assign(self._velocities[index], self.beta_2 * self._velocities[index] + (1 - self.beta_2) * squared)
        # q <- beta_3 q + (d / d_0) e g
        following = self._beta_3 * gathered + ops.cast(weight, variable.dtype) * gradient
        self.assign(gathered, following)
        return at_start, following

    def _grown(self, distance: Any, progress: Any, size: Any) -> Any:
        """D after a step; where no gradient was anything but 0 it stays."""
        estimate = self.d_coef * progress / ops.where(size > 0, size, 1.0)
        first = ops.cast(self.d_0, distance.dtype)
        started = ops.where(ops.equal(distance, first), ops.maximum(distance, estimate), distance)
        largest = ops.maximum(ops.maximum(first, ops.convert_to_tensor(self._largest)), estimate)
        grown = ops.minimum(largest, started * self.growth_rate)
        self.assign(self._largest, ops.where(size > 0, largest, ops.convert_to_tensor(self._largest)))
        return ops.where(size > 0, grown, distance)

    def _move(self, variable: Any, rate: Any, distance: Any) -> None:
        index, dtype = self._get_variable_index(variable), variable.dtype
        # w <- w - strength e w - e m / (sqrt(v) + d epsilon); where v is 0, so is m
        root = ops.sqrt(self._velocities[index]) + ops.cast(distance * self.epsilon, dtype)
        step = self._momentums[index] / ops.where(ops.equal(root, 0), 1.0, root)
        if self.strength and self._is_decayed[index]:
            self.shrink(variable, ops.cast(rate * self.strength, dtype) * variable)
        self.assign_sub(variable, ops.cast(rate, dtype) * step)

    def shrink(self, variable: Any, amount: Any) -> None:
        """Subtracts what the decay takes in a step; it comes here once a step for each variable that decays."""
        self.assign_sub(variable, amount)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        if callable(self.apply_to):
            raise ValueError(f'`apply_to` must be "kernels" or "all" to be saved. Received: apply_to={self.apply_to!r}')
        return super().get_config() | {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "d_0": self.d_0,
            "d_coef": self.d_coef,
            "growth_rate": self.growth_rate,
            "correct_bias": self.correct_bias,
            "strength": self.strength,
            "apply_to": self.apply_to,
        }
