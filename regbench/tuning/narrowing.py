"""The trials after the 50th of a narrowed search, as in the budget `large` of Crowded Valley.

The stream of the first trials is restarted, and each hyperparameter is drawn from a part of its range: from the least
to the greatest value among the ten trials of the 50 with the least final validation loss, in the drawn quantity (the
distance to 1 of a momentum), with the logarithm uniform where it was before. So these trials depend on what came of the
first 50.

Reference: Schmidt, Schneider and Hennig 2021, arXiv 2007.01547, by its result files: with this rule, and with no other
number than ten, all visible trials of the budget on quadratic_deep without schedule are drawn. Departure: of whole
numbers and choices nothing is known; whole numbers are narrowed likewise, and of choices those are left that the ten
have.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from regbench.records import Candidate, Choices, Range, Scalar, Searched
from regbench.tuning import draws, space

FIRST = 50
"""Trials of the full space."""

BEST = 10
"""Trials whose values are the ends of the ranges."""

Ranges = Mapping[str, tuple[float, float]]
"""The ends of each searched value by its dotted name, in the drawn quantity."""


def ranges_of(candidate: Candidate, trials: Iterable[tuple[Mapping[str, Scalar], float | None]]) -> dict[
    str, tuple[float, float]
]:  # fmt: skip
    """The ranges that the best of the first trials leave; none where no trial has a loss, and of choices none.

    Args:
        candidate: what is searched.
        trials: setting and final validation loss of each, in their order; None for one that cannot be counted.
    """
    best = _best(trials)
    ends: dict[str, tuple[float, float]] = {}
    for name, searched in candidate.searched().items():
        if best and isinstance(searched, Range):
            drawn = [space.drawn(searched, float(setting[name])) for setting in best]
            ends[name] = min(drawn), max(drawn)
    return ends


def points(
    candidate: Candidate,
    seed: int,
    count: int,
    ranges: Ranges,
    trials: Iterable[tuple[Mapping[str, Scalar], float | None]] = (),
) -> list[dict[str, Scalar]]:
    """The settings of the trials after the first ones.

    Args:
        candidate: what is searched.
        seed: of the stream.
        count: how many settings.
        ranges: ends of what is narrowed; what has none is drawn as before.
        trials: as for `ranges_of`, for the choices.
    """
    best = _best(trials)
    narrowed = {
        name: _narrowed(searched, ranges.get(name), [setting[name] for setting in best])
        for name, searched in candidate.searched().items()
    }
    return draws.drawn_points(narrowed, seed, count)


def _best(trials: Iterable[tuple[Mapping[str, Scalar], float | None]]) -> list[Mapping[str, Scalar]]:
    counted = [(loss, setting) for setting, loss in trials if loss is not None and math.isfinite(loss)]
    return [setting for _, setting in sorted(counted, key=lambda one: one[0])[:BEST]]


def _narrowed(searched: Searched, ends: tuple[float, float] | None, best: Sequence[Scalar]) -> Searched:
    if isinstance(searched, Choices):
        left = tuple(choice for choice in searched.choices if choice in best)
        return searched.model_copy(update={"choices": left}) if left else searched
    if ends is None:
        return searched
    # Not validated: the ends may be equal.
    is_logarithmic = space.is_logarithmic(searched)
    return searched.model_copy(update={"low": ends[0], "high": ends[1], "log": is_logarithmic, "log10": None})
