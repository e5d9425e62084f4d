"""Names of the learning-rate schedules that `lr_sched_epochs` and `lr_sched_factors` of a result file list."""

import hashlib
import json
from collections.abc import Sequence

from regbench.records import Schedule, learning_rate_factor

_LONGEST = 80
_SAME = 1e-6  # rounding
_NAMED = (
    Schedule(name="cosine"),
    Schedule(name="cosine_wr"),
    Schedule(name="ltr", version=2),
    Schedule(name="ltr", version=1),
)


def schedule_name(epochs: Sequence[int], factors: Sequence[float], num_epochs: int) -> str:
    """`none`, `cosine`, `cosine_wr` or `ltr` (Schmidt et al. 2021); else `step` with all its epochs and factors.

    From epoch `epochs[i]` (counting from 0) on, the factor is `factors[i]`; before the first it is 1. A trapezoid that
    comes down a step earlier than the published one has the name `records.OLD_RAMP`.
    """
    if not epochs:
        return "none"
    every_epoch = {epoch: factor for epoch, factor in zip(epochs, factors, strict=True) if 1 <= epoch < num_epochs}
    if len(every_epoch) == num_epochs - 1 and num_epochs > 2:
        for schedule in _NAMED:
            if all(
                abs(learning_rate_factor(schedule, epoch, num_epochs) - factor) <= _SAME
                for epoch, factor in every_epoch.items()
            ):
                return schedule.title
    text = "step " + " ".join(f"{epoch}:{factor}" for epoch, factor in zip(epochs, factors, strict=True))
    if len(text) <= _LONGEST:
        return text
    return f"step {hashlib.sha256(json.dumps([*epochs, *factors]).encode()).hexdigest()[:8]}"
