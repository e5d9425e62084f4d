"""What some optimizers ask of a run: a decay and no schedule, or whole kernels; and what they learn of its network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from regbench.engine.settings import DECAY
from regbench.engine.weights import Weight, Weights, among
from regbench.errors import DefinitionError
from regbench.optimizers import AveragedWeights, NormPinned
from regbench.optimizers.inside import chain
from regbench.optimizers.kernels import hidden_kernels
from regbench.records import Coupling, RunSpec

OWN = (Coupling.DECOUPLED, Coupling.TIMESCALE)
"""Couplings that an optimizer which decays by itself can take."""


def check_forms(spec: RunSpec, optimizer: Any, is_decoupled: bool) -> None:
    """Refuse a decay or a schedule that would not do around an optimizer what it is called.

    Raises:
        DefinitionError: so it is; the message says why.
    """
    for one in chain(optimizer):
        name, coupling = type(one).__name__, spec.decay.coupling
        has_own_decay = getattr(one, "decays_itself", False)
        if has_own_decay and one.strength:
            raise DefinitionError(f"optimizer.strength: {DECAY}. Received: strength={one.strength!r}")
        if is_decoupled and has_own_decay and coupling not in OWN:
            raise DefinitionError(
                f"decay.coupling: must be none, l2, decoupled or timescale with {name}, which decays by itself. "
                f"Received: {coupling.value!r}"
            )
        reason = getattr(one, "refuses_decay", "")
        if is_decoupled and reason and not has_own_decay:
            raise DefinitionError(
                f"decay.coupling: must be none or l2 with {name}: {reason}. Received: {coupling.value!r}"
            )
        reason = getattr(one, "refuses_schedule", "")
        if reason and spec.schedule.name != "none":
            raise DefinitionError(f"schedule: must be none with {name}: {reason}. Received: {spec.schedule.name!r}")


def decays_itself(optimizer: Any) -> bool:
    """Whether a decoupled decay is a matter of the optimizer, which is not wrapped in one."""
    return any(getattr(one, "decays_itself", False) for one in chain(optimizer))


def take_decay(optimizer: Any, strength: float, decayed: Callable[[Any], bool]) -> None:
    """Let an optimizer that decays by itself do so, on the weights that are."""
    for one in chain(optimizer):
        if getattr(one, "decays_itself", False):
            one.strength, one.apply_to = float(strength), decayed


def settle_kernels(optimizer: Any, weights: Weights) -> None:
    """Let what acts on kernels act on those of the network, which knows more of them than their names.

    Raises:
        DefinitionError: a kernel whose norm is to be pinned has none.
    """
    for one in chain(optimizer):
        selection = getattr(one, "apply_to", None)
        if selection == "kernels":
            one.apply_to = among([weight.variable for weight in weights.kernels])
        elif selection == "hidden":
            hidden = _hidden(list(weights))
            one.apply_to = among([weight.variable for weight in hidden])
            if isinstance(one, NormPinned) and one.radius is None:
                _check_norms(hidden)


def _hidden(weights: list[Weight]) -> list[Weight]:
    ranks = [len(weight.variable.shape) for weight in weights]
    chosen = hidden_kernels([weight.role for weight in weights], ranks)
    return [weight for weight, is_hidden in zip(weights, chosen, strict=True) if is_hidden]


def _check_norms(kernels: list[Weight]) -> None:
    for kernel in kernels:
        if not np.any(kernel.variable.numpy()):
            raise DefinitionError(
                f"optimizer: NormPinned keeps the norm that a kernel has at the start, which must not be 0. "
                f"Received: zeros in `{kernel.path}`"
            )


def settle_epochs(optimizer: Any, steps: int) -> None:
    """Let a mean of weights count in epochs of so many steps, where it has no other unit."""
    for one in chain(optimizer):
        if isinstance(one, AveragedWeights) and one.momentum is None and one.steps_in_unit == 1:
            one.steps_in_unit = float(steps)
