"""From runs to the curves of panels: mean and band over seeds, thinned to what a page can show."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from regbench.records import MINIBATCH, RunResult

SPREAD = "lowest to highest seed"
"""What the bands of `over_seeds` reach over, for the legend."""

WINDOWS = 250
"""Points of a curve over steps."""


def over_seeds(panel: str, label: str, x: np.ndarray, values: np.ndarray) -> pd.DataFrame:
    """A curve of a panel: the mean over seeds, and a band from the lowest to the highest seed.

    Args:
        panel: its name.
        label: of the curve.
        x: of the points.
        values: (seeds, points).
    """
    with np.errstate(invalid="ignore", over="ignore"):
        mean, low, high = values.mean(axis=0), values.min(axis=0), values.max(axis=0)
    return pd.DataFrame({"panel": panel, "label": label, "x": x, "mean": mean, "low": low, "high": high})


def windows(panel: str, label: str, steps: np.ndarray, values: np.ndarray) -> pd.DataFrame:
    """A curve of a panel over steps, as `WINDOWS` windows: mean, lowest and highest over seeds and the steps in each.

    What jumps up and down from step to step, as at a large learning rate, is a band.
    """
    width = max(1, len(steps) // WINDOWS)
    count = len(steps) // width
    in_windows = values[:, : count * width].reshape(len(values), count, width).swapaxes(1, 2).reshape(-1, count)
    return over_seeds(panel, label, steps[width - 1 : count * width : width], in_windows)


def step_losses(results: Sequence[RunResult]) -> tuple[np.ndarray, np.ndarray]:
    """The loss before each step; a diverged run is NaN after its end.

    Returns:
        Numbers of the steps, counting from 1, and losses (runs, steps).
    """
    steps = max(len(result.curves[MINIBATCH]) for result in results)
    losses = np.full((len(results), steps), np.nan)
    for row, result in zip(losses, results, strict=True):
        row[: len(result.curves[MINIBATCH])] = result.curves[MINIBATCH]
    return np.arange(1, steps + 1), losses


def moving_average(steps: np.ndarray, values: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean of the last `width` values of each row, at `WINDOWS` places."""
    places = np.unique(np.linspace(0, len(steps) - 1, WINDOWS).astype(int))
    averages = [values[:, max(0, place + 1 - width) : place + 1].mean(axis=1) for place in places]
    return steps[places], np.stack(averages, axis=1)


def epoch_values(results: Sequence[RunResult], curve: str, penalty: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """A curve over epochs, from 0 (before training); values (runs, epochs + 1), NaN from a divergence on.

    Args:
        results: runs of the same length.
        curve: its name in the results.
        penalty: losses contain the penalty term.
    """
    values = np.array([(result.curves if penalty else result.losses_without_penalty)[curve] for result in results])
    for row, result in zip(values, results, strict=True):
        if result.diverged_epoch is not None:
            row[result.diverged_epoch :] = np.nan
    return np.arange(values.shape[1]), values
