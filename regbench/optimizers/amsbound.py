"""AMSBound: AMSGrad within bounds that close on a final learning rate."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from regbench.optimizers.adabound import AdaBound


@keras.saving.register_keras_serializable(package="regbench")
class AMSBound(AdaBound):
    """AdaBound with the largest second moment so far.

        vmax_t = max(vmax_{t-1}, v_t) in place of v_t in the rate of `AdaBound`

    As long as no second moment falls, it is `AdaBound`.

    Args:
        learning_rate: A float, a schedule or a callable; see `AdaBound`.
        beta_1: Decay rate of the first moment, in [0, 1).
        beta_2: Decay rate of the second moment, in [0, 1).
        final_learning_rate: Positive, where the bounds meet.
        gamma: Positive, how fast they do.
        epsilon: Non-negative, added to sqrt(vmax_t).
        name: Name of the optimizer.
        **kwargs: Arguments of `keras.optimizers.Optimizer`.

    Reference:
        Luo et al., "Adaptive gradient methods with dynamic bound of learning rate", 2019, appendix,
        https://arxiv.org/abs/1902.09843

    Departure:
        Those of `AdaBound`.
    """

    def build(self, variables: list[Any]) -> None:
        """Creates both moments of each variable, and the largest second one."""
        if self.built:
            return
        super().build(variables)
        self._largest_velocities = self.add_optimizer_variables(variables, "largest_velocity")

    def _bounding_velocity(self, velocity: Any, index: int) -> Any:
        # vmax_t = max(vmax_{t-1}, v_t)
        largest = self._largest_velocities[index]
        self.assign(largest, ops.maximum(largest, velocity))
        return largest
