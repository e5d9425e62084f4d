"""Surfaces that are made: settings that are all alike, whose runs differ by the seed alone, in six ways.

With them it is known what every interval should hold, which for recorded surfaces it is not.
"""

from collections.abc import Callable, Mapping

import numpy as np

from regbench.analysis.calibration import Surface

MEAN = 0.9
UNTRAINED = 0.1

Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]


def _collapsing(chance: float) -> Draw:
    def draw(generator: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
        good = 0.005 * generator.standard_normal(shape)
        return np.where(generator.random(shape) < chance, UNTRAINED - MEAN, good)

    return draw


def _steps(generator: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return np.round(360 * (MEAN + 0.004 * generator.standard_normal(shape))) / 360 - MEAN


def _skewed(scale: float) -> Draw:
    return lambda generator, shape: scale * (1 - generator.exponential(size=shape))


DISTRIBUTIONS: Mapping[str, tuple[Draw, ...]] = {
    "normal": (lambda generator, shape: 0.005 * generator.standard_normal(shape),),
    "skewed": (_skewed(0.005),),
    "heavy tails": (lambda generator, shape: 0.003 * generator.standard_t(2.5, shape),),
    "steps of 1/360": (_steps,),
    "one seed in five collapses": (_collapsing(1 / 5),),
    "one seed in twenty collapses": (_collapsing(1 / 20),),
    "equal means, skewed, spread 1 and 6": (_skewed(0.002), _skewed(0.012)),
}
"""What seeds add to the mean; of several, candidates have the one and the other by turns."""


def made(name: str, candidates: int, settings: int = 400, seeds: int = 12, seed: int = 0) -> list[Surface]:
    """Surfaces of so many candidates with equal means, each of settings that are all alike.

    Args:
        name: one of `DISTRIBUTIONS`.
        candidates: how many.
        settings: of a surface.
        seeds: of a setting.
        seed: of the draws.
    """
    generator = np.random.default_rng(seed)
    surfaces = []
    for number, draw in enumerate(DISTRIBUTIONS[name]):
        valid, test = (draw(generator, (settings, seeds)) for _ in range(2))
        if len(DISTRIBUTIONS[name]) > 1:  # copies of one surface have equal means anyway
            test = test - test.mean()
        surfaces.append(Surface(f"{name} {number}", "maximize", MEAN + valid, MEAN + test, UNTRAINED))
    return [surfaces[number % len(surfaces)] for number in range(candidates)]
