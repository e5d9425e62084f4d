"""Couplings of the decay that mean nothing with an optimizer or a wrapper, by its name, and why."""

from __future__ import annotations

from regbench.records import Coupling, Part

_BY_RATE = (
    *(Coupling.DECOUPLED, Coupling.DECOUPLED_MOMENTUM, Coupling.CAUTIOUS),
    *(Coupling.LR_SQUARED, Coupling.TIMESCALE),
)
_ALL = (*_BY_RATE, Coupling.DECOUPLED_CONSTANT)
_FOUND_RATE = "its rate is found while it trains, so that its decay cannot go by the learning rate"
_OWN_DECAY = "it decays by itself, which is the coupling decoupled"

REFUSED: dict[str, tuple[tuple[Coupling, ...], str]] = {
    "prodigy": (tuple(one for one in _ALL if one != Coupling.DECOUPLED), f"{_OWN_DECAY}, times the rate that it finds"),
    "pytorch_optimizer:Prodigy": (_BY_RATE, _FOUND_RATE),
    "optax.contrib:prodigy": (_BY_RATE, _FOUND_RATE),
    "schedule_free": (
        tuple(one for one in _ALL if one not in (Coupling.DECOUPLED, Coupling.TIMESCALE)),
        f"{_OWN_DECAY}, where it takes the gradient",
    ),
    "norm_pinned": (
        _ALL,
        "it pins the norms of the weights, so that all a decay does is to change the learning rate",
    ),
}
"""By the name of an optimizer or a wrapper: the couplings, and why."""


def refusal(optimizer: Part, coupling: Coupling) -> str:
    """Why a decay of this coupling means nothing with an optimizer or one inside it; empty where it means something."""
    for part in optimizer.with_inner():
        refused, reason = REFUSED.get(part.name, ((), ""))
        if coupling in refused:
            return (
                f"decay.coupling: must not be {coupling.value} with {part.name}: {reason}. Received: {coupling.value!r}"
            )
    return ""
