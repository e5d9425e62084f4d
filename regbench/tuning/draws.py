"""The points of a budget that are known before the first run: drawn at random, or on a grid.

Random points come from one stream `RandomState(seed)`: hyperparameters in the order of `Candidate.searched()`, trial
after trial. So trial k depends on the seed and on k alone, smaller budgets are the beginning of larger ones, and
published random searches (Schmidt, Schneider and Hennig 2021; Norridge 2022) replay point for point.
"""

import math
from collections.abc import Mapping
from itertools import product

import numpy as np

from regbench.errors import DefinitionError
from regbench.records import Candidate, Choices, Range, Scalar, Searched
from regbench.tuning import space


def points(candidate: Candidate, seed: int, count: int) -> list[dict[str, Scalar]]:
    """The first `count` random settings.

    Args:
        candidate: its `searched()` values are drawn, in that order.
        seed: of the stream, from 0 to 2**32 - 1.
        count: how many settings.
    """
    return drawn_points(candidate.searched(), seed, count)


def drawn_points(searched: Mapping[str, Searched], seed: int, count: int) -> list[dict[str, Scalar]]:
    """The same of what is searched, by dotted name, in the order of drawing."""
    generator = np.random.RandomState(seed)
    return [{name: _draw(what, generator) for name, what in searched.items()} for _ in range(count)]


def grid(candidate: Candidate, budget: int) -> list[dict[str, Scalar]]:
    """The full factorial grid with at most `budget` points, the first name varying slowest.

    Choices enter as they are. Every range starts with its two ends; then, again and again in the order of
    `searched()`, each range gets one level more as long as the product stays within the budget. The levels of a range
    are equally spaced from end to end (in the logarithm where that is drawn), rounded for integers.

    Raises:
        DefinitionError: the budget is too small for the choices and two levels a range.
    """
    searched = candidate.searched()
    counts = _level_counts(searched, budget)
    levels = [_levels(what, counts[name]) for name, what in searched.items()]
    return [dict(zip(searched, combination, strict=True)) for combination in product(*levels)]


def _draw(searched: Searched, generator: np.random.RandomState) -> Scalar:
    if isinstance(searched, Choices):
        return searched.choices[generator.randint(0, len(searched.choices))]
    low, high = searched.ends()
    if searched.integer and not searched.log:
        drawn: float = generator.randint(int(low), int(high) + 1)
    elif searched.integer:
        # Half a step beyond each end, so that the ends are as likely as their share of the logarithm says.
        drawn = round(10 ** generator.uniform(math.log10(low - 0.5), math.log10(high + 0.5)))
    elif space.is_logarithmic(searched):
        # Published searches give some exponents rounded: 10**-0.301 is not 0.5. Hence `log10` is taken as it stands.
        exponents = searched.log10 or (math.log10(low), math.log10(high))
        drawn = 10 ** generator.uniform(*exponents)
    else:
        drawn = generator.uniform(low, high)
    # 10**log10(x) may miss x by a rounding error.
    return space.value(searched, min(max(drawn, low), high))


def _level_counts(searched: Mapping[str, Searched], budget: int) -> dict[str, int]:
    counts = {name: len(what.choices) if isinstance(what, Choices) else 2 for name, what in searched.items()}
    least = math.prod(counts.values())
    if least > budget:
        raise DefinitionError(
            f"A grid over {', '.join(f'`{name}`' for name in searched)} needs at least {least} trials. "
            f"Received: {budget!r}"
        )
    growing = {name: what for name, what in searched.items() if isinstance(what, Range)}
    while growing:
        for name, what in list(growing.items()):
            low, high = what.ends()
            is_complete = what.integer and counts[name] > high - low
            if is_complete or math.prod(counts.values()) // counts[name] * (counts[name] + 1) > budget:
                del growing[name]
            else:
                counts[name] += 1
    return counts


def _levels(searched: Searched, count: int) -> list[Scalar]:
    if isinstance(searched, Choices):
        return list(searched.choices)
    spaced = np.geomspace if space.is_logarithmic(searched) else np.linspace
    numbers = spaced(*searched.ends(), count).tolist()
    if searched.integer:
        numbers = list(dict.fromkeys(round(number) for number in numbers))
    return [space.value(searched, number) for number in numbers]
