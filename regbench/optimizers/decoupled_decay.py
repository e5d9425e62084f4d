"""Weight decay decoupled from the gradient."""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

from regbench.optimizers.inside import chain
from regbench.optimizers.wrapper import OptimizerWrapper, Selection

COUPLINGS = ("decoupled", "decoupled_momentum", "decoupled_constant", "cautious", "lr_squared")


@keras.saving.register_keras_serializable(package="regbench")
class DecoupledDecay(OptimizerWrapper):
    """Shrinks the weights with each step of the inner optimizer: before it, or with `cautious` after it.

        w <- w - factor * w,  then the step with the gradient at the old w

    | coupling | factor | known as |
    |--|--|--|
    | `decoupled` | lr_t * strength | AdamW in Keras and PyTorch; `_scaled` of Norridge 2022 |
    | `decoupled_momentum` | lr_t / (1 - mu) * strength | `_momscaled` of Norridge 2022 |
    | `decoupled_constant` | strength | SGDW and AdamW of Loshchilov & Hutter, constant schedule multiplier |
    | `lr_squared` | lr_t**2 / peak * strength | AdamC on all kernels; the correction of Chou 2025 |
    | `cautious` | lr_t * strength where u w >= 0, else 0 | cautious weight decay |

    With `cautious` the optimizer steps first, w' = w - lr_t u; what is then subtracted is factor * w, of the w before
    the step, in the entries that the step moves towards zero or leaves alone (u = 0 counts as agreeing). The step is
    taken from the weights, so one below half a unit in the last place of w counts as 0. Around an optimizer that
    offers `unmasked_step`, since it sets a part of its step to 0, that decides.

    `strength=0` is the inner optimizer itself. With plain SGD at a constant rate, `decoupled` is L2 regularization
    by strength / 2 * sum(w**2). With heavy-ball or Nesterov momentum it is `decoupled_momentum` that has the stationary
    points of that regularization: in the long run momentum gives every gradient the weight lr / (1 - mu).

    mu is the `momentum` of the innermost optimizer (SGD, RMSprop), else its `beta_1` (Adam and its relatives), else 0.
    With a `beta_1` the factor is a convention and matches nothing: Adam's first moment is an average, whose weights add
    up to 1.

    Example:
        >>> momentum = keras.optimizers.SGD(learning_rate=1e-3, momentum=0.9)
        >>> optimizer = DecoupledDecay(momentum, strength=2e-3, coupling="decoupled_momentum")

    Args:
        inner_optimizer: The optimizer whose steps are preceded by the decay.
        strength: Non-negative.
        coupling: `"decoupled"`, `"decoupled_momentum"`, `"decoupled_constant"`, `"lr_squared"` or `"cautious"`.
        apply_to: `"kernels"` (default), `"all"` or a function of a variable; see `OptimizerWrapper`.
        peak_learning_rate: Of `lr_squared`: the greatest learning rate there will be. The inner optimizer's unless
            given; where that is a schedule it must be given.
        name: Name of the optimizer.
        **kwargs: See `OptimizerWrapper`.

    Reference:
        Loshchilov & Hutter, "Decoupled weight decay regularization", 2019, Algorithms 1 and 2,
        https://arxiv.org/abs/1711.05101; Norridge, "On the benefits of non-linear weight updates", 2022,
        https://arxiv.org/abs/2207.12505; `cautious`: Chen et al., "Cautious weight decay", 2025, Algorithm 1,
        https://arxiv.org/abs/2510.12402; `lr_squared`: Defazio, "Why gradients rapidly increase near the end of
        training", 2025, https://arxiv.org/abs/2506.02285, and Chou, "Correction of decoupled weight decay", 2025,
        https://arxiv.org/abs/2512.08217

    Departure:
        Keras's own `weight_decay` decays every variable; here, by default, kernels only. So does the class that
        Norridge publishes decay all, biases and norm parameters among them; it cannot run as it stands (an argument is
        misnamed, and `_momscaled` never passes the momentum on), and the published results come from code that is not
        published. `apply_to="all"`, in a candidate file `mask = "all"`, decays all. AdamC corrects the decay of layers
        that a normalization follows; `lr_squared` does so for every kernel.
    """

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer | str | dict[str, Any],
        strength: float,
        coupling: Literal[
            "decoupled", "decoupled_momentum", "decoupled_constant", "cautious", "lr_squared"
        ] = "decoupled",
        apply_to: Selection = "kernels",
        peak_learning_rate: float | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(inner_optimizer, apply_to=apply_to, name=name, **kwargs)
        if coupling not in COUPLINGS:
            raise ValueError(f"`coupling` must be one of {COUPLINGS}. Received: coupling={coupling!r}")
        _check_decayable(self.inner_optimizer)
        momentum = _innermost_momentum(self.inner_optimizer)
        if coupling == "decoupled_momentum" and momentum >= 1:
            raise ValueError(
                f'Momentum must be below 1 with coupling="decoupled_momentum". Received: momentum={momentum!r}'
            )
        if not 0 <= strength < float("inf"):
            raise ValueError(f"`strength` must be non-negative and finite. Received: strength={strength!r}")
        self.strength = float(strength)
        self.coupling = coupling
        self.peak_learning_rate = self._checked_peak(peak_learning_rate)
        self.__dict__["_before"] = {}  # of the step that is under way; Keras would track what stands in an attribute

    def before_step(self, variable: Any, learning_rate: Any) -> None:
        """Shrinks the variable; with `cautious` keeps what it is now."""
        if self.coupling == "cautious":
            self._before[self._get_variable_index(variable)] = ops.copy(variable), learning_rate
            return
        # w <- w - factor * w
        factor = ops.cast(self._factor(learning_rate), variable.dtype)
        self.shrink(variable, factor * variable)

    def after_step(self, variable: Any) -> None:
        """With `cautious`, shrinks the entries that the step moved towards zero, or not at all."""
        if self.coupling == "cautious":
            before, learning_rate = self._before.pop(self._get_variable_index(variable))
            self.shrink_where_agreed(variable, before, learning_rate)

    def shrink_where_agreed(self, variable: Any, before: Any, learning_rate: Any) -> None:
        """Shrinks a variable after a step, by a part of what it was before the step.

        Args:
            variable: After the step.
            before: Its value before the step.
            learning_rate: Of the step.
        """
        # w <- w' - lr s w 1[u w >= 0], where lr u = w - w'
        masks = (one.unmasked_step for one in chain(self.inner_optimizer) if hasattr(one, "unmasked_step"))
        unmasked = next(masks, None)
        step = before - ops.convert_to_tensor(variable) if unmasked is None else unmasked(variable)
        factor = ops.cast(self._factor(learning_rate), variable.dtype)
        agrees = ops.sign(step) * ops.sign(before) >= 0
        self.shrink(variable, ops.where(agrees, factor * before, ops.zeros_like(before)))

    def shrink(self, variable: Any, amount: Any) -> None:
        """Subtracts what the decay takes in a step; every coupling comes here once a step for each variable."""
        self.assign_sub(variable, amount)

    def _checked_peak(self, peak: float | None) -> float | None:
        if self.coupling != "lr_squared":
            if peak is not None:
                raise ValueError(
                    f'`peak_learning_rate` belongs to coupling="lr_squared". Received: peak_learning_rate={peak!r}'
                )
            return None
        if peak is None:
            rate = _innermost(self.inner_optimizer)._learning_rate
            if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
                raise ValueError(
                    "`peak_learning_rate` must be given where the learning rate is a schedule. "
                    f"Received: a {type(rate).__name__}"
                )
            peak = float(self.inner_optimizer.learning_rate)
        if not 0 < peak < float("inf"):
            raise ValueError(f"`peak_learning_rate` must be positive and finite. Received: peak_learning_rate={peak!r}")
        return float(peak)

    def _factor(self, learning_rate: Any) -> Any:
        if self.coupling == "decoupled_constant":
            return self.strength
        if self.coupling == "decoupled_momentum":
            return learning_rate * self.strength / (1 - _innermost_momentum(self.inner_optimizer))
        if self.peak_learning_rate is not None:  # lr_squared
            return learning_rate * learning_rate * (self.strength / self.peak_learning_rate)
        return learning_rate * self.strength

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return super().get_config() | {
            "strength": self.strength,
            "coupling": self.coupling,
            "peak_learning_rate": self.peak_learning_rate,
        }


def _innermost(optimizer: Any) -> Any:
    *_, innermost = chain(optimizer)
    return innermost


def _check_decayable(optimizer: Any) -> None:
    for one in chain(optimizer):
        if getattr(one, "refuses_decay", ""):
            raise ValueError(
                f"`inner_optimizer` must be one around which a decay acts. Received: {type(one).__name__}: "
                f"{one.refuses_decay}"
            )


def _innermost_momentum(optimizer: Any) -> float:
    optimizer = _innermost(optimizer)
    return getattr(optimizer, "momentum", getattr(optimizer, "beta_1", 0.0))
