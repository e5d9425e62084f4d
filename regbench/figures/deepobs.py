"""DeepOBS's own figures: performance panel, sensitivity panel and table, for any set of problems.

Drawn from the trees that are given for reading only, or hold result files of others; otherwise from our own searches.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from regbench import catalog
from regbench.analysis import stability
from regbench.benchmark.searches import Search
from regbench.comparison import Comparison
from regbench.figures import entries
from regbench.figures.entries import SPREAD, Entries
from regbench.figures.plan import Drawing, PaperFigure, Size, candidate, part
from regbench.figures.published import Published, agreement
from regbench.figures.searches import FigureSearch
from regbench.plots.metric_grid import GridPanel, metric_grid
from regbench.plots.sensitivity import sensitivity
from regbench.plots.text_table import text_table
from regbench.records import Candidate, Coupling, Decay, Range

SOURCE = "Schneider, Balles and Hennig 2019, DeepOBS, arXiv 1903.05499, and its published baselines"
RATE = "learning_rate"
LOWEST, HIGHEST = 1e-5, 1e2
DRAWN_METRICS = ("test_loss", "train_loss", "test_accuracy", "train_accuracy")
WIDEST = 4
"""Problems side by side."""


def _published(mean: str, sd: str, rate: float) -> Published:
    return Published(mean, sd, {RATE: rate}, without_tuning_seed=True)


PUBLISHED = {
    ("quadratic_deep", "sgd"): _published("87.411", "0.174", 0.015848931925),
    ("quadratic_deep", "momentum"): _published("87.046", "0.027", 0.0025118864315),
    ("quadratic_deep", "adam"): _published("87.111", "0.026", 0.039810717055),
    ("cifar10_3c3d", "sgd"): _published("0.8369", "0.0129", 0.063095734448),
    ("cifar10_3c3d", "momentum"): _published("0.8438", "0.0067", 0.00039810717055),
    ("cifar10_3c3d", "adam"): _published("0.8472", "0.0036", 0.00039810717055),
}
"""Final test loss (quadratic_deep) or accuracy of the published baselines."""


def figures(size: Size, trees: Sequence[Path] = ()) -> list[PaperFigure]:
    """Performance panel, sensitivity panel, table."""
    runs = entries.searched(entries.read(trees).runs)
    given = entries.searched(entries.read(trees[1:]).runs)
    if len(given) or entries.is_foreign(runs).any():
        return _of(Entries(trees, sorted(runs["problem"].unique()), None), ["Nothing was trained for these figures."])
    searches = _searches(size)
    problems = list(dict.fromkeys(one.search.task.problem.name for one in searches))
    first = searches[0]
    departures = [
        f"The learning rate has {first.search.budget} values from {LOWEST:g} to {HIGHEST:g}, equally spaced in the "
        "logarithm; the source has 36.",
        f"Seeds of the winner: {first.search.further_seeds + 1}; the source has 10.",
    ]
    if size != Size.FULL:
        if size == Size.QUICK:
            departures.append(f"{first.search.task.epochs} epochs; the source has 100 on quadratic_deep.")
        departures.append("The problems digits_* are ours: the source has no results on them.")
    return _of(Entries(trees, problems, None, searches), departures)


def _searches(size: Size) -> list[FigureSearch]:
    names, points, reruns = {
        Size.QUICK: (("quadratic_deep", "digits_mlp"), 8, 2),
        Size.DEFAULT: (("quadratic_deep", "digits_mlp", "digits_2c2d"), 36, 9),
        Size.FULL: (("quadratic_deep", "mnist_2c2d", "fmnist_2c2d", "cifar10_3c3d"), 36, 9),
    }[size]
    problems = [catalog.problem(name) for name in names]
    epochs = {problem.name: 20 if size == Size.QUICK else problem.epochs for problem in problems}
    protocol = catalog.protocol("deepobs-1.1")
    return [
        FigureSearch(
            Search.of(
                problem,
                one,
                budget=points,
                sampler="grid",
                reruns=reruns,
                epochs=epochs[problem.name],
                protocol=protocol,
            )
        )
        for problem in problems
        for one in _candidates()
    ]


def _candidates() -> list[Candidate]:
    """The baselines with all but the learning rate fixed, as the source tunes them."""
    rate = Range(low=LOWEST, high=HIGHEST, log=True)
    parts = {
        "sgd_rate": part("sgd", learning_rate=rate),
        "momentum_rate": part("sgd", learning_rate=rate, momentum=0.99),
        "adam_rate": part("adam", learning_rate=rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8),
    }
    decay = Decay(coupling=Coupling.L2, strength="problem")
    return [candidate(name, SOURCE, optimizer, decay=decay) for name, optimizer in parts.items()]


def _of(shown: Entries, departures: Sequence[str]) -> list[PaperFigure]:
    def of(name: str, title: str, shows: str, draw: Callable[[Comparison], Drawing]) -> PaperFigure:
        winners = (
            "Winners by the tuning seed alone after the last epoch; DeepOBS's analyzer takes the mean over all seeds "
            "of a setting."
        )
        return PaperFigure(name, title, shows, SOURCE, [*departures, winners], shown.runs, partial(shown.drawn, draw))

    return [
        of(
            "performance",
            "DeepOBS's performance panel: the winners over epochs",
            f"Loss and accuracy on test and training set, over the seeds of the winner. Band: {SPREAD}.",
            _draw_performance,
        ),
        of(
            "sensitivity",
            "DeepOBS's sensitivity panel: final performance over the learning rate",
            "The score by which the winner is chosen, of every trial; the line goes through the best nearby.",
            _draw_sensitivity,
        ),
        of(
            "table",
            "DeepOBS's table: performance, speed, tuneability",
            "Final test value (mean \N{PLUS-MINUS SIGN} standard deviation over the seeds of the winner), epochs to "
            "the problem's convergence performance (epochs + 1 where a seed does not "
            "reach it; none where none is defined), and the setting.",
            _draw_table,
        ),
    ]


def _draw_performance(comparison: Comparison) -> Drawing:
    curves = entries.learning_curves(comparison)
    there = set(map(tuple, curves[["problem", "metric"]].astype(str).drop_duplicates().to_numpy()))
    rows = []
    for first in range(0, len(comparison.problems), WIDEST):
        problems = comparison.problems[first : first + WIDEST]
        for metric in DRAWN_METRICS:
            if any((problem, metric) in there for problem in problems):
                rows.append([GridPanel(problem, metric) for problem in problems])
    figure = metric_grid(curves, rows, best=comparison.best_first, spread=SPREAD)
    drawn = curves[curves["metric"].isin(DRAWN_METRICS)]
    findings = [*entries.cautions(comparison), *comparison.claims["sentence"]]
    return Drawing(figure, entries.curve_numbers(drawn), findings)


def _draw_sensitivity(comparison: Comparison) -> Drawing:
    trials = stability.sensitivity(comparison.trials, RATE)
    columns = ["problem", "label", "candidate", "coupling", RATE, "score", "decided_by", "outcome"]
    numbers = trials.rename(columns={"x": RATE, "value": "score"})[columns]
    findings = [
        f"{row['label']} on {row['problem']}: {row['diverged']} of {row['trials']} trials diverged."
        for row in comparison.table.to_dict("records")
    ]
    return Drawing(sensitivity(trials, RATE, best=comparison.best_first), numbers, findings)


def _draw_table(comparison: Comparison) -> Drawing:
    rows = comparison.table.to_dict("records")
    drawn = pd.DataFrame(
        {
            "problem": row["problem"],
            "optimizer": row["label"],
            "performance": f"{row['mean']:.5g} \N{PLUS-MINUS SIGN} {row['sd']:.2g} ({row['metric']})",
            "speed": f"{row['speed']:.1f}" if np.isfinite(row["speed"]) else "none",
            "tuneability": entries.setting_text(row["setting"]),
            "seeds": row["n_seeds"],
        }
        for row in rows
    )
    findings = []
    for row in rows:
        published = PUBLISHED.get((row["problem"], row["candidate"].removesuffix("_rate")))
        if published is not None:
            findings.append(f"{row['label']} on {row['problem']}. {agreement(row, published)}")
    return Drawing(text_table(drawn), entries.result_table(comparison), findings)
