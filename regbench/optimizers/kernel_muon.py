"""Muon for the kernels of hidden layers, convolutions among them."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from regbench.optimizers.gradients import densified
from regbench.optimizers.kernels import are_hidden_kernels, is_kernel
from regbench.optimizers.moments import bias_correction, check_decay_rates, log_rate, step_number
from regbench.optimizers.wrapper import Selection

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the polynomial a x + b x**3 + c x**5 that brings singular values near 1."""


@keras.saving.register_keras_serializable(package="regbench")
class KernelMuon(keras.optimizers.Optimizer):
    """Orthogonalised momentum for hidden kernels, Adam for all other weights.

        m <- momentum m + g,   u = momentum m + g with `nesterov`, else m
        O = the orthogonal factor of u, by `steps` of Newton and Schulz
        w <- w - lr scale O

    A kernel of a convolution (h, w, in, out) is a matrix (h*w*in, out) here, and `scale` is that of this matrix with p
    rows and q columns: `rms_rate * sqrt(max(p, q))`, which lets it share the learning rate of Adam, or with
    `rms_rate=None` `sqrt(max(1, q / p))`. All other weights, the kernel of the outputs and tables of embeddings among
    them, take Adam's steps at `adam_lr_ratio * lr`. `keras.optimizers.Muon` leaves convolutions to Adam and
    orthogonalises the kernel of the outputs unless its layer is named.

    Args:
        learning_rate: A float, a schedule or a callable.
        momentum: In [0, 1).
        nesterov: Whether the present gradient counts once more.
        steps: Of Newton and Schulz, at least 1.
        rms_rate: Root of the mean square of a step, positive; None for the other scale.
        adam_lr_ratio: Learning rate of Adam over that of Muon, positive.
        beta_1: Decay rate of Adam's first moment, in [0, 1).
        beta_2: Decay rate of Adam's second moment, in [0, 1).
        epsilon: Of Adam, non-negative, added to the root of the corrected second moment.
        apply_to: `"hidden"` (default: kernels but those of embeddings and outputs), `"kernels"` or a function of a
            variable of rank 2 or more (with which it cannot be saved).
        name: Name of the optimizer.
        **kwargs: Arguments of `keras.optimizers.Optimizer`.

    Reference:
        Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024,
        https://kellerjordan.github.io/posts/muon; Liu et al., "Muon is scalable for LLM training", 2025,
        https://arxiv.org/abs/2502.16982, for `rms_rate`

    Departure:
        Jordan's momentum is an average, (1 - momentum) times ours: the orthogonal factor is the same.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        momentum: float = 0.95,
        nesterov: bool = True,
        steps: int = 5,
        rms_rate: float | None = 0.2,
        adam_lr_ratio: float = 1.0,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        apply_to: Selection = "hidden",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        check_decay_rates(beta_1, beta_2)
        if not 0 <= momentum < 1:
            raise ValueError(f"`momentum` must be in [0, 1). Received: momentum={momentum!r}")
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise ValueError(f"`steps` must be an integer, at least 1. Received: steps={steps!r}")
        if rms_rate is not None and not rms_rate > 0:
            raise ValueError(f"`rms_rate` must be positive, or None. Received: rms_rate={rms_rate!r}")
        if not adam_lr_ratio > 0:
            raise ValueError(f"`adam_lr_ratio` must be positive. Received: adam_lr_ratio={adam_lr_ratio!r}")
        if epsilon < 0:
            raise ValueError(f"`epsilon` must be non-negative. Received: epsilon={epsilon!r}")
        if apply_to not in ("hidden", "kernels") and not callable(apply_to):
            raise ValueError(f'`apply_to` must be "hidden", "kernels" or a function. Received: apply_to={apply_to!r}')
        self.momentum, self.nesterov, self.steps = float(momentum), nesterov, steps
        self.rms_rate = None if rms_rate is None else float(rms_rate)
        self.adam_lr_ratio, self.apply_to = float(adam_lr_ratio), apply_to
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self._log_beta_1, self._log_beta_2 = log_rate(beta_1), log_rate(beta_2)

    def build(self, variables: list[Any]) -> None:
        """Creates the momentum of each variable, and the second moment of those that Adam takes."""
        if self.built:
            return
        super().build(variables)
        if self.apply_to == "hidden":
            chosen = are_hidden_kernels(variables)
        else:
            selects = self.apply_to if callable(self.apply_to) else is_kernel
            chosen = [len(variable.shape) >= 2 and bool(selects(variable)) for variable in variables]
        self._is_matrix = tuple(chosen)
        self._momentums = self.add_optimizer_variables(variables, "momentum")
        self._velocities = [
            None if is_matrix else self.add_variable_from_reference(variable, name="velocity")
            for variable, is_matrix in zip(variables, chosen, strict=True)
        ]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One step for one variable."""
        index = self._get_variable_index(variable)
        gradient = ops.cast(densified(gradient, variable), variable.dtype)
        if not self._is_matrix[index]:
            self._step_of_adam(gradient, variable, learning_rate * self.adam_lr_ratio)
            return
        momentum = self._momentums[index]
        # m <- momentum m + g
        self.assign(momentum, self.momentum * momentum + gradient)
        update = self.momentum * momentum + gradient if self.nesterov else ops.convert_to_tensor(momentum)
        matrix = ops.reshape(update, (-1, variable.shape[-1]))
        rows, columns = matrix.shape
        scale = math.sqrt(max(1.0, columns / rows))
        if self.rms_rate is not None:
            scale = self.rms_rate * math.sqrt(max(rows, columns))
        # w <- w - lr scale O
        factor = ops.reshape(_orthogonal_factor(matrix, self.steps), variable.shape)
        self.assign_sub(variable, ops.cast(ops.cast(learning_rate * scale, factor.dtype) * factor, variable.dtype))

    def _step_of_adam(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        index = self._get_variable_index(variable)
        momentum, velocity, step = self._momentums[index], self._velocities[index], step_number(self.iterations)
        self.assign_add(momentum, (1 - self.beta_1) * (gradient - momentum))
        self.assign_add(velocity, (1 - self.beta_2) * (ops.square(gradient) - velocity))
        size = ops.cast(learning_rate / bias_correction(self._log_beta_1, step), variable.dtype)
        root = ops.sqrt(velocity / ops.cast(bias_correction(self._log_beta_2, step), variable.dtype))
        self.assign_sub(variable, size * momentum / (root + self.epsilon))

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        if callable(self.apply_to):
            raise ValueError(
                f'`apply_to` must be "hidden" or "kernels" to be saved. Received: apply_to={self.apply_to!r}'
            )
        names = (
            "momentum",
            "nesterov",
            "steps",
            "rms_rate",
            "adam_lr_ratio",
            "beta_1",
            "beta_2",
            "epsilon",
            "apply_to",
        )
        return super().get_config() | {name: getattr(self, name) for name in names}


def _orthogonal_factor(matrix: Any, steps: int) -> Any:
    """Near U V' of a matrix U S V', in float32 or wider; zeros stay."""
    dtype = keras.backend.result_type(matrix.dtype, "float32")
    x = ops.cast(matrix, dtype)
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = ops.transpose(x) if is_tall else x
    x = x / (ops.sqrt(ops.sum(ops.square(x))) + 1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(steps):
        gram = ops.matmul(x, ops.transpose(x))
        x = a * x + ops.matmul(b * gram + c * ops.matmul(gram, gram), x)
    return ops.transpose(x) if is_tall else x
