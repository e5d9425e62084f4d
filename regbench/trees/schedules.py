"""Names of the learning-rate schedules that `lr_sched_epochs` and `lr_sched_factors` of a result file list."""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Literal

from regbench.records import Schedule, learning_rate_factor

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
        for name, tolerance in _TOLERANCES.items():
            expected, allowed = Schedule(name=name), tolerance(num_epochs)
            if all(
                abs(learning_rate_factor(expected, epoch, num_epochs) - factor) <= allowed
                for epoch, factor in every_epoch.items()
            ):
                return name
    text = "step " + " ".join(f"{epoch}:{factor}" for epoch, factor in zip(epochs, factors, strict=True))
    if len(text) <= _LONGEST:
        return text
    return f"step {hashlib.sha256(json.dumps([*epochs, *factors]).encode()).hexdigest()[:8]}"


def _rounding(_epochs: int) -> float:
    return _SAME


def _one_step_of_the_ramp(epochs: int) -> float:
    # The published runs go down over one epoch more (10/11, 9/11, ...) than the formula.
    return 10 / epochs + _SAME


_TOLERANCES: dict[Literal["cosine", "cosine_wr", "ltr"], Callable[[int], float]] = {
    "cosine": _rounding,
    "cosine_wr": _rounding,
    "ltr": _one_step_of_the_ramp,
}
