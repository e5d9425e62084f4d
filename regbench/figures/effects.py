"""The effect of one thing, measured on the same seeds with and without it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from regbench.analysis.intervals import UNBOUNDED, Interval, mean_interval
from regbench.records import Outcome, RunResult

LEVEL = 0.95


@dataclass(frozen=True)
class Effect:
    """The difference between two sides, seed by seed.

    Args:
        name: of what is compared.
        seeds: in their order.
        differences: with it less without it, one a seed.
        within: the differences that there can be.
        diverged: how many of the runs diverged.
    """

    name: str
    seeds: Sequence[int]
    differences: np.ndarray
    within: Interval = UNBOUNDED
    diverged: int = 0

    @property
    def mean(self) -> float:
        """The mean difference."""
        return float(self.differences.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """Student's t interval of the mean at 95 %; NaN where one seed, no spread or a diverged run tells nothing."""
        return mean_interval(self.differences, LEVEL, within=self.within, diverged=self.diverged)

    def sentence(self, what: str, unit: str = "points") -> str:
        """A sentence with the mean difference and its interval; `what` names the quantity."""
        seeds = "1 seed" if len(self.seeds) == 1 else f"{len(self.seeds)} seeds"
        return f"{what}, {unit} over {seeds}: {self.described()}."

    def described(self) -> str:
        """The mean and its interval."""
        low, high = self.interval
        none = f"no interval: {self.diverged} diverged" if self.diverged else "no interval"
        certain = f"95 % interval {low:+.3g} to {high:+.3g}" if np.isfinite(low) else none
        zero = ", which contains 0" if low <= 0 <= high else ""
        return f"{self.mean:+.3g} ({certain}{zero})"

    def frame(self, published: float | None = None) -> pd.DataFrame:
        """A row a seed; the mean, its interval and what the source has in every row."""
        low, high = self.interval
        return pd.DataFrame(
            {
                "comparison": self.name,
                "seed": self.seeds,
                "difference": self.differences,
                "mean": self.mean,
                "low": low,
                "high": high,
                "published": np.nan if published is None else published,
            }
        )


def accuracy_gain(
    name: str,
    treated: Sequence[RunResult],
    plain: Sequence[RunResult],
    accuracy: Callable[[RunResult], float] | None = None,
) -> Effect:
    """Percentage points of test accuracy that the runs of `treated` have above those of `plain`.

    The accuracy is that at the end, unless a function of the run is given.
    """
    of_run = accuracy or final_accuracy
    mine, other = ({run.spec.seed: of_run(run) for run in runs} for runs in (treated, plain))
    seeds = sorted(mine.keys() & other.keys())
    # Shares of some thousand samples: what is beyond nine decimals is rounding, and would count as spread.
    differences = np.round([100 * (mine[seed] - other[seed]) for seed in seeds], 9)
    diverged = sum(run.outcome == Outcome.DIVERGED for run in (*treated, *plain) if run.spec.seed in seeds)
    return Effect(name, seeds, differences, Interval(-100.0, 100.0), diverged)


def final_accuracy(run: RunResult, split: str = "test") -> float:
    """Accuracy at the end; of a diverged run that before training, as DeepOBS counts it."""
    return run.curves[f"{split}_accuracies"][-1]


def best_accuracy(run: RunResult, split: str = "test") -> float:
    """Accuracy at the epoch with the least validation loss (without the penalty term), the first of equals."""
    epoch = int(np.argmin(run.losses_without_penalty["valid_losses"]))
    return run.curves[f"{split}_accuracies"][epoch]
