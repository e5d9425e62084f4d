"""Learning curves of several candidates: mean and spread over seeds, a column a problem."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from regbench.plots.style import colours, style
from regbench.records import RunResult

LABELS = {
    "train_losses": "training loss",
    "test_losses": "test loss",
    "train_accuracies": "training accuracy",
    "test_accuracies": "test accuracy",
}

Winners = Mapping[str, Sequence[RunResult]]
"""The runs of each candidate's best setting, one a seed."""


def learning_curves(problems: Mapping[str, Winners]) -> Figure:
    """Draw the training loss, and the test metric by which the problem is judged, over epochs.

    Args:
        problems: the winners of each problem, by its name.

    Returns:
        A figure with two rows and a column a problem: lines are means over seeds, bands reach from the lowest to the
        highest seed. Losses include the penalty term.
    """
    names = list(dict.fromkeys(name for winners in problems.values() for name in winners))
    colour = colours(names)
    with style():
        figure = Figure(figsize=(1.0 + 3.4 * len(problems), 5.4))
        grid = figure.subplots(2, len(problems), squeeze=False, sharex="col")
        for column, (problem, winners) in enumerate(problems.items()):
            judged = next(iter(winners.values()))[0].spec.problem
            metric = "test_accuracies" if judged.metric == "accuracy" else "test_losses"
            for axes, curve in zip(grid[:, column], ("train_losses", metric), strict=True):
                for name, runs in winners.items():
                    _band(axes, np.array([run.curves[curve] for run in runs]), name, colour[name])
                _focus(axes, curve, winners)
                axes.set_ylabel(LABELS[curve])
            grid[0, column].set_title(problem)
            grid[1, column].set_xlabel("epoch")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(names))
    return figure


def _band(axes: Axes, values: np.ndarray, name: str, colour: tuple[float, float, float]) -> None:
    epochs = np.arange(values.shape[1])
    axes.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.2, linewidth=0)
    axes.plot(epochs, values.mean(axis=0), label=name, color=colour, linewidth=1.4)


def _focus(axes: Axes, curve: str, winners: Winners) -> None:
    """Show losses on a logarithmic axis, and of accuracies the part that candidates reach."""
    if curve.endswith("losses"):
        axes.set_yscale("log")
        return
    lowest = min(float(np.mean([run.curves[curve][-1] for run in runs])) for runs in winners.values())
    axes.set_ylim(max(0.0, 1 - 3 * (1 - lowest)), 1.0)
