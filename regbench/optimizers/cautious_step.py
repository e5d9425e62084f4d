"""Cautious steps: only where the step agrees with the gradient."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from regbench.optimizers.gradients import densified
from regbench.optimizers.inside import check_no_decay
from regbench.optimizers.sums import total
from regbench.optimizers.wrapper import OptimizerWrapper, Selection

LEAST_SHARE = 1e-3
"""Of entries that agree, by which the step is divided at least."""


@keras.saving.register_keras_serializable(package="regbench")
class CautiousStep(OptimizerWrapper):
    """Takes the inner optimizer's step only in entries in which it goes down the present gradient.

    With w <- w - lr u the step of the inner optimizer and g the gradient that it gets, variable by variable,

        m = 1 where u g > 0, else 0
        w <- w - lr u m / max(mean(m), 0.001)

    The inner optimizer's moments know nothing of it. Where u g > 0 everywhere it is the inner optimizer itself, to the
    bit. u is read off the weights, so that a step below half a unit in the last place of its weight counts as 0.
    Around plain SGD entries with a gradient of 0 are masked, and scale the others: that is no longer SGD.

    Example:
        >>> optimizer = CautiousStep(keras.optimizers.Adam(learning_rate=1e-3))

    Args:
        inner_optimizer: The optimizer whose steps are masked. It must not decay weights, since the decay would be part
            of its step: a decay belongs outside, `DecoupledDecay(CautiousStep(optimizer), ...)`.
        apply_to: `"all"` (default), `"kernels"`, `"hidden"` or a function of a variable; see `OptimizerWrapper`.
        name: Name of the optimizer.
        **kwargs: See `OptimizerWrapper`.

    Reference:
        Liang, Chen, Liu, Liu, "Cautious optimizers: improving training with one line of code", 2024, Algorithm 1,
        https://arxiv.org/abs/2411.16085

    Departure:
        Around Muon the source masks the momentum before it is orthogonalised; here it is the step after it.
    """

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer | str | dict[str, Any],
        apply_to: Selection = "all",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(inner_optimizer, apply_to=apply_to, name=name, **kwargs)
        self.__dict__[
            "_self_changes"
        ] = {}  # of the step that is under way; Keras would track what stands in an attribute
        check_no_decay("CautiousStep", self.inner_optimizer, "it would be masked with the step; it belongs outside")

    def _backend_update_step(self, grads: list[Any], trainable_variables: list[Any], learning_rate: Any) -> None:
        grads = [densified(gradient, variable) for gradient, variable in zip(grads, trainable_variables, strict=True)]
        starts = [ops.copy(ops.convert_to_tensor(variable)) for variable in trainable_variables]
        super()._backend_update_step(grads, trainable_variables, learning_rate)
        self._self_changes.clear()
        for gradient, variable, start in zip(grads, trainable_variables, starts, strict=True):
            index = self._get_variable_index(variable)
            self._self_changes[index] = ops.convert_to_tensor(variable) - start
            if self._is_selected[index]:
                self._mask(gradient, variable, start)

    def unmasked_step(self, variable: Any) -> Any:
        """Returns lr u of the step that was just taken, for a decay around it that goes by the sign of u."""
        change = self._self_changes.pop(self._get_variable_index(variable), None)
        return ops.zeros(variable.shape, variable.dtype) if change is None else -change

    def _mask(self, gradient: Any, variable: Any, start: Any) -> None:
        end = ops.convert_to_tensor(variable)
        change = end - start
        # m = 1 where u g > 0; the change is -lr u. By their signs, since a product of small numbers is 0.
        agrees = ops.equal(ops.sign(change) * ops.sign(ops.cast(gradient, variable.dtype)), -1)
        mask = ops.cast(agrees, keras.backend.result_type(variable.dtype, "float32"))
        share = total(mask) / math.prod(variable.shape)
        # w <- w - lr u m / max(mean(m), 0.001)
        scale = ops.cast(mask / ops.maximum(share, LEAST_SHARE), variable.dtype)
        self.assign(variable, ops.where(ops.equal(share, 1), end, start + change * scale))
