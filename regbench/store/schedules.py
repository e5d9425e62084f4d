"""Which learning-rate schedule the lists `lr_sched_epochs` and `lr_sched_factors` of a result file spell out."""

import hashlib
import json
import math
from collections.abc import Callable, Sequence

_LONGEST = 80
_SAME = 1e-6


def schedule_name(epochs: Sequence[int], factors: Sequence[float], num_epochs: int) -> str:
    """`none`, `cosine`, `cosine_wr` or `ltr` (Schmidt et al. 2021); else `step` with all its epochs and factors.

    From epoch `epochs[i]` (counting from 0) on, the factor is `factors[i]`; before the first it is 1.
    """
    if not epochs:
        return "none"
    every_epoch = {epoch: factor for epoch, factor in zip(epochs, factors, strict=True) if 1 <= epoch < num_epochs}
    if len(every_epoch) == num_epochs - 1 and num_epochs > 2:
        for name, (formula, tolerance) in _FORMULAS.items():
            allowed = tolerance(num_epochs)
            if all(abs(formula(epoch, num_epochs) - factor) <= allowed for epoch, factor in every_epoch.items()):
                return name
    text = "step " + " ".join(f"{epoch}:{factor}" for epoch, factor in zip(epochs, factors, strict=True))
    if len(text) <= _LONGEST:
        return text
    return f"step {hashlib.sha256(json.dumps([*epochs, *factors]).encode()).hexdigest()[:8]}"


def _cosine(epoch: int, epochs: int) -> float:
    return (1 + math.cos(math.pi * epoch / epochs)) / 2


def _warm_restarts(epoch: int, epochs: int) -> float:
    start, length = 0.0, epochs / 10
    while epoch >= start + length:
        start, length = start + length, 2 * length
    return (1 + math.cos(math.pi * (epoch - start) / length)) / 2


def _trapezoid(epoch: int, epochs: int) -> float:
    ramp = epochs / 10
    return max(0.0, min(1.0, epoch / ramp, (epochs - epoch) / ramp))


def _rounding(_epochs: int) -> float:
    return _SAME


def _one_step_of_the_ramp(epochs: int) -> float:
    # The published runs go down over one epoch more (10/11, 9/11, ...) than the formula.
    return 10 / epochs + _SAME


_FORMULAS: dict[str, tuple[Callable[[int, int], float], Callable[[int], float]]] = {
    "cosine": (_cosine, _rounding),
    "cosine_wr": (_warm_restarts, _rounding),
    "ltr": (_trapezoid, _one_step_of_the_ramp),
}
