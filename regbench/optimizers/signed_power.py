"""Signed powers of the gradient."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from regbench.optimizers.gradients import densified
from regbench.optimizers.wrapper import OptimizerWrapper, Selection


@keras.saving.register_keras_serializable(package="regbench")
class SignedPower(OptimizerWrapper):
    """Passes each entry of the gradient through a power that keeps its sign.

    The inner optimizer gets, element by element,

        f(g) = sign(g) * |g|**power,  f(0) = 0

    Large entries shrink and small ones grow, which balances the contributions of correlated inputs. `power=1` is
    the inner optimizer itself; `power -> 0` makes it a sign method.

    Example:
        >>> momentum = keras.optimizers.SGD(learning_rate=1e-3, momentum=0.9)
        >>> optimizer = SignedPower(momentum, power=0.7)

    Args:
        inner_optimizer: The optimizer that gets the transformed gradient.
        power: In (0, 1]. May be changed between steps: `optimizer.power = 0.9`.
        apply_to: `"kernels"` (default), `"all"` or a function of a variable; see `OptimizerWrapper`.
        name: Name of the optimizer.
        **kwargs: See `OptimizerWrapper`.

    Reference:
        Norridge, "On the benefits of non-linear weight updates", 2022, https://arxiv.org/abs/2207.12505

    Departure:
        The author finds kernels by their name, which misses those that a layer calls otherwise; here the rank decides.
    """

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer | str | dict[str, Any],
        power: float = 0.5,
        apply_to: Selection = "kernels",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(inner_optimizer, apply_to=apply_to, name=name, **kwargs)
        if not 0 < power <= 1:
            raise ValueError(f"`power` must be in (0, 1]. Received: power={power!r}")
        self.power = float(power)

    def transform(self, gradient: Any, variable: Any) -> Any:
        """Returns f(g)."""
        gradient = densified(gradient, variable)
        # f(g) = sign(g) * |g|**power
        return ops.sign(gradient) * ops.power(ops.abs(gradient), ops.cast(self.power, gradient.dtype))

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return super().get_config() | {"power": self.power}
