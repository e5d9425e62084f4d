"""Draw the learning curves of the winners of searches that are in a results tree.

Uses `regbench.search`, which finds what was run and computes only what is missing.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

import regbench
from regbench.benchmark.standings import Standing
from regbench.plots.learning_curves import learning_curves
from regbench.plots.style import save

CURVES = {"train_loss": "train_losses", "test_loss": "test_losses", "test_accuracy": "test_accuracies"}


def summaries(standing: Standing) -> Iterator[pd.DataFrame]:
    """Mean, lowest and highest value over the winner's seeds, by metric; losses without the penalty term."""
    for metric, name in CURVES.items():
        curves = [{**run.curves, **run.losses_without_penalty}.get(name) for run in standing.runs]
        if curves and all(curves):
            values = np.array(curves)
            yield pd.DataFrame(
                {
                    "problem": standing.problem,
                    "label": standing.candidate,
                    "coupling": standing.coupling,
                    "metric": metric,
                    "epoch": np.arange(values.shape[1]),
                    "mean": values.mean(axis=0),
                    "low": values.min(axis=0),
                    "high": values.max(axis=0),
                }
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("problems", nargs="+")
    parser.add_argument("--candidates", nargs="+", required=True)
    parser.add_argument("--budget", default="medium")
    parser.add_argument("--results", default="results")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    standings = [
        standing
        for problem in options.problems
        for standing in regbench.search(problem, options.candidates, budget=options.budget, results=options.results)
    ]
    frames = [frame for standing in standings for frame in summaries(standing)]
    save(learning_curves(pd.concat(frames), spread="lowest to highest seed"), options.output)
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
