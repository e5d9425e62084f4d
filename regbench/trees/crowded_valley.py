"""From which of the two search spaces of Crowded Valley a run was drawn: its values tell.

In the release of 2020 a momentum, and RMSProp's and Adadelta's rho, are log-uniform themselves, from 1e-3 to 1; in that
of 2021 their distance to 1 is, from 1e-4 to 1. Both come from the same stream, so that a trial has the same learning
rate in both, and another momentum.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from regbench.records import TUNING_SEED

_TRIALS = 50  # the first ones; what follows is drawn from ranges that differ by problem and schedule
_SAME = 1e-9  # powers of ten differ between C libraries in the last digit
_KEYS: dict[str, tuple[str, ...]] = {
    "momentum": ("momentum",),
    "nag": ("momentum",),
    "rmsprop": ("decay", "rho"),
    "adadelta": ("rho",),
    "lookahead_momentum": ("momentum",),
}
"""What the file of a candidate calls the value that tells."""

_VALUES: dict[str, Callable[[float], float]] = {
    "2020": lambda share: float(10 ** (3 * share - 3)),
    "2021": lambda share: float(1 - 10 ** (4 * share - 4)),
}


def space_of(candidate: str, hyperparameters: Mapping[str, Any]) -> str:
    """The release, "2020" or "2021", in whose space a setting is one of the first 50 trials; "" for none and both."""
    value = next((hyperparameters[key] for key in _KEYS.get(candidate, ()) if key in hyperparameters), None)
    rate = hyperparameters.get("learning_rate")
    if not (isinstance(rate, float) and isinstance(value, float)):
        return ""
    for drawn_rate, share in _draws(candidate.startswith("lookahead")):
        if abs(drawn_rate - rate) <= _SAME * drawn_rate:
            return next((space for space, of in _VALUES.items() if abs(of(share) - value) <= _SAME), "")
    return ""


@functools.cache
def _draws(with_lookahead: bool) -> list[tuple[float, float]]:
    """Of each trial the learning rate, and where the next draw lies between the ends of its range."""
    import numpy as np  # most trees hold no run that asks for it

    stream = np.random.RandomState(TUNING_SEED)
    draws = []
    for _ in range(_TRIALS):
        draws.append((float(10 ** stream.uniform(-4, 0)), float(stream.uniform())))
        if with_lookahead:  # its k and alpha
            stream.randint(1, 20)
            stream.uniform()
    return draws
