"""Lookahead: k steps forward, one step back."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from regbench.optimizers.wrapper import OptimizerWrapper, Selection


@keras.saving.register_keras_serializable(package="regbench")
class Lookahead(OptimizerWrapper):
    """Draws slow weights after the fast weights of the inner optimizer.

    After every `sync_period` (k) steps of the inner optimizer on the fast weights w,

        slow <- slow + slow_step_size * (w - slow),  w <- slow

    where the slow weights start as the weights before the first step. `slow_step_size=1` is the inner optimizer itself.

    Example:
        >>> optimizer = Lookahead(keras.optimizers.Adam(learning_rate=1e-3), sync_period=5, slow_step_size=0.5)

    Args:
        inner_optimizer: The optimizer of the fast weights; its own state (momentum) goes on across a synchronisation.
        sync_period: k, a positive integer.
        slow_step_size: alpha, in (0, 1].
        apply_to: `"all"` (default), `"kernels"` or a function of a variable; see `OptimizerWrapper`.
        name: Name of the optimizer.
        **kwargs: See `OptimizerWrapper`.

    Reference:
        Zhang et al., "Lookahead optimizer: k steps forward, 1 step back", 2019, Algorithm 1,
        https://arxiv.org/abs/1907.08610

    Departure:
        The paper evaluates the slow weights. Here a model holds the fast weights, which are the slow ones after every
        `sync_period` steps; as in the common implementations, nothing is swapped for an evaluation in between.
    """

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer | str | dict[str, Any],
        sync_period: int = 5,
        slow_step_size: float = 0.5,
        apply_to: Selection = "all",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(inner_optimizer, apply_to=apply_to, name=name, **kwargs)
        if not (sync_period >= 1 and sync_period == int(sync_period)):
            raise ValueError(f"`sync_period` must be a positive integer. Received: sync_period={sync_period!r}")
        if not 0 < slow_step_size <= 1:
            raise ValueError(f"`slow_step_size` must be in (0, 1]. Received: slow_step_size={slow_step_size!r}")
        # A float like all hyperparameters: a compiled step can then take another one where floats are its inputs.
        self._sync_period = float(sync_period)
        self.slow_step_size = float(slow_step_size)

    @property
    def sync_period(self) -> int:
        """The number of steps between two synchronisations."""
        return int(self._sync_period)

    def build(self, variables: list[Any]) -> None:
        """Creates the slow weights."""
        if self.built:
            return
        super().build(variables)
        self._slow_weights = self.add_optimizer_variables(variables, "slow_weight")

    def before_step(self, variable: Any, learning_rate: Any) -> None:
        """Takes the slow weights from the model, at the first step: weights may be loaded after `build`."""
        del learning_rate
        slow = self._slow_weights[self._get_variable_index(variable)]
        is_first = ops.equal(self.iterations, 0)
        self.assign(slow, ops.where(is_first, ops.convert_to_tensor(variable), ops.convert_to_tensor(slow)))

    def after_step(self, variable: Any) -> None:
        """Synchronises slow and fast weights, at every `sync_period`-th step."""
        slow_variable = self._slow_weights[self._get_variable_index(variable)]
        slow, fast = ops.convert_to_tensor(slow_variable), ops.convert_to_tensor(variable)
        alpha = ops.cast(self.slow_step_size, variable.dtype)
        is_due = ops.equal((self.iterations + 1) % ops.cast(self._sync_period, self.iterations.dtype), 0)
        # slow <- slow + alpha * (w - slow), in the form that is exact for alpha = 1
        synchronised = (1 - alpha) * slow + alpha * fast
        # w <- slow
        self.assign(slow_variable, ops.where(is_due, synchronised, slow))
        self.assign(variable, ops.where(is_due, synchronised, fast))

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return super().get_config() | {"sync_period": self.sync_period, "slow_step_size": self.slow_step_size}
