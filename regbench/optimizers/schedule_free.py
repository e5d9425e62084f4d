"""Schedule-Free: an average in place of a falling learning rate."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from regbench.optimizers.evaluated_apart import EvaluatedApart
from regbench.optimizers.gradients import densified
from regbench.optimizers.inside import chain, check_no_decay, check_sees_no_weights
from regbench.optimizers.wrapper import Selection


@keras.saving.register_keras_serializable(package="regbench")
class ScheduleFree(EvaluatedApart):
    """Trains at a point between an iterate z and its average x, and evaluates x.

    With z_0 = x_0 = y_0 the weights at the first step, and d the direction of the inner optimizer (SGD, or Adam without
    a first moment) for the gradient at y, in the step k = 0, 1, ...

        lr_k = lr min(1, (k + 1) / warmup_steps)
        z <- z - lr_k (d + strength y)
        x <- (1 - c) x + c z,   c = a_k / (a_0 + ... + a_k),   a_k = (the largest lr so far)**2
        y <- (1 - beta) z + beta x

    The model holds y while it is trained. When `fit` ends, or after `show()`, it holds x; `train_on()` puts y back, bit
    for bit (before another `fit`, too). Statistics of batch normalization belong to y: compute them anew at x, by some
    passes in training mode. regbench's engine does so. With beta = 0, y = z is the inner optimizer, to the bit, and x
    its mean.
    `keras.optimizers.ScheduleFreeAdamW` (Keras 3.15) is another method on TensorFlow and PyTorch.

    Good learning rates are larger than with a schedule: 1 around SGD and 2.5e-3 around Adam, says the authors' package.
    The learning rate should not fall: the average takes the place of a schedule.

    Example:
        >>> optimizer = ScheduleFree(keras.optimizers.Adam(2.5e-3, beta_1=0.0), warmup_steps=500)

    Args:
        inner_optimizer: The optimizer of z. Its momentum or `beta_1` must be 0, it must not decay weights, and its
            step must not depend on them.
        beta: How near to the average the gradient is taken, in [0, 1).
        warmup_steps: Steps in which the learning rate rises to its value, at least 0.
        strength: Of the decay, which acts at y and is times the learning rate; at least 0.
        apply_to: The weights that decay: `"kernels"` (default), `"all"`, `"hidden"` or a function of a variable; see
            `OptimizerWrapper`.
        name: Name of the optimizer.
        **kwargs: See `OptimizerWrapper`.

    Reference:
        Defazio et al., "The road less scheduled", 2024, Algorithm 1 and section 4.3,
        https://arxiv.org/abs/2405.15682; the weights lr**2 are those of the authors' package `schedulefree`

    Departure:
        Keras's Adam adds its epsilon before it corrects the bias (epsilon-hat). By default kernels alone decay.
    """

    decays_itself = True
    takes_momentum = False
    refuses_decay = "it decays by its own `strength`, where it takes the gradient"
    refuses_schedule = "its average takes the place of a schedule"

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer | str | dict[str, Any],
        beta: float = 0.9,
        warmup_steps: int = 0,
        strength: float = 0.0,
        apply_to: Selection = "kernels",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(inner_optimizer, apply_to=apply_to, name=name, **kwargs)
        if not 0 <= beta < 1:
            raise ValueError(f"`beta` must be in [0, 1). Received: beta={beta!r}")
        if not (warmup_steps >= 0 and warmup_steps == int(warmup_steps)):
            raise ValueError(f"`warmup_steps` must be an integer, at least 0. Received: warmup_steps={warmup_steps!r}")
        if not 0 <= strength < float("inf"):
            raise ValueError(f"`strength` must be non-negative and finite. Received: strength={strength!r}")
        check_no_decay(
            "ScheduleFree", self.inner_optimizer, "it would act at z; `strength` acts at y, as in the source"
        )
        check_sees_no_weights("ScheduleFree", self.inner_optimizer)
        for one in chain(self.inner_optimizer):
            for momentum in ("momentum", "beta_1"):
                if getattr(one, momentum, 0.0):
                    raise ValueError(
                        f"`{momentum}` of the optimizer inside `ScheduleFree` must be 0, whose `beta` takes its place. "
                        f"Received: {momentum}={getattr(one, momentum)!r}"
                    )
        self.beta = float(beta)
        self._warmup_steps = float(warmup_steps)
        self.strength = float(strength)

    def build(self, variables: list[Any]) -> None:
        """Creates z, and what weighs the average."""
        if self.built:
            return
        super().build(variables)
        self._iterates = self.add_optimizer_variables(variables, "iterate")
        wide = keras.backend.result_type(keras.config.floatx(), "float32")
        self._largest_rate = self.add_variable((), dtype=wide, name="largest_rate")
        self._sum = self.add_variable((), dtype=wide, name="sum_of_weights")

    def _backend_update_step(self, grads: list[Any], trainable_variables: list[Any], learning_rate: Any) -> None:
        grads = [densified(gradient, variable) for gradient, variable in zip(grads, trainable_variables, strict=True)]
        is_first = ops.equal(self.iterations, 0)
        warmth, share = self._weigh(learning_rate)
        indices = [self._get_variable_index(variable) for variable in trainable_variables]
        points, starts = [], []
        # The inner optimizer steps from z.
        for index, variable in zip(indices, trainable_variables, strict=True):
            points.append(ops.copy(ops.convert_to_tensor(variable)))
            starts.append(ops.where(is_first, points[-1], ops.copy(ops.convert_to_tensor(self._iterates[index]))))
            self.assign(variable, starts[-1])
        super()._backend_update_step(grads, trainable_variables, learning_rate)
        for index, variable, y, start in zip(indices, trainable_variables, points, starts, strict=True):
            z, dtype = ops.convert_to_tensor(variable), variable.dtype
            # z <- z - lr_k (d + strength y)
            z = ops.where(warmth < 1, start + ops.cast(warmth, dtype) * (z - start), z)
            # x <- (1 - c) x + c z
            c = ops.cast(share, dtype)
            x = ops.where(is_first, start, ops.convert_to_tensor(self._others[index]))
            x = (1 - c) * x + c * z
            # y <- (1 - beta) z + beta x
            self.assign(variable, (1 - self.beta) * z + self.beta * x)
            if self.strength and self._is_selected[index]:
                # What it takes of z goes on to x and y by their formulas.
                taken = ops.cast(ops.cast(learning_rate, warmth.dtype) * warmth * self.strength, dtype) * y
                z, x = z - taken, x - c * taken
                self.shrink(variable, (1 - self.beta + self.beta * c) * taken)
            self.assign(self._iterates[index], z)
            self.assign(self._others[index], x)
        for index in set(range(len(self._others))).difference(indices):  # without a gradient they stay
            self.assign(self._others[index], ops.convert_to_tensor(self._trainable_variables[index]))

    def shrink(self, variable: Any, amount: Any) -> None:
        """Subtracts what the decay takes of y in a step; it comes here once a step for each variable that decays."""
        self.assign_sub(variable, amount)

    def _weigh(self, learning_rate: Any) -> tuple[Any, Any]:
        """How far the learning rate has risen, and c."""
        step = ops.cast(self.iterations + 1, self._sum.dtype)
        warmth = ops.ones((), self._sum.dtype)
        if self._warmup_steps > 0:
            warmth = ops.minimum(warmth, step / ops.cast(self._warmup_steps, self._sum.dtype))
        largest = ops.maximum(
            ops.convert_to_tensor(self._largest_rate), ops.cast(learning_rate, self._sum.dtype) * warmth
        )
        weight = ops.square(largest)
        total = ops.convert_to_tensor(self._sum) + weight
        self.assign(self._largest_rate, largest)
        self.assign(self._sum, total)
        return warmth, ops.where(total > 0, weight / ops.where(total > 0, total, 1.0), 0.0)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return super().get_config() | {
            "beta": self.beta,
            "warmup_steps": int(self._warmup_steps),
            "strength": self.strength,
        }
