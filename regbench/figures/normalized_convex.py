"""Optimizers on normalized gradients: a convex function."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np
import pandas as pd

from regbench import catalog
from regbench.figures.curves import SPREAD, WINDOWS, over_seeds, step_losses, windows
from regbench.figures.normalized_candidates import SOURCE, adam, normalized_adam, nsgd, rmsprop
from regbench.figures.normalized_source import source_instance
from regbench.figures.plan import Drawing, Find, PaperFigure, Run, Size, available_results
from regbench.plots.curve_panels import CurvePanel, curve_panels
from regbench.records import TUNING_SEED, Candidate, RunResult

NORMS = ("l1", "l2", "l1_l2", "avg_l1", "avg_l2", "avg_l1_l2", "max", "min_max", "std")
RATES = (0.001, 0.005, 0.01, 0.03, 0.05, 0.1)
SEEDS = {Size.QUICK: 3, Size.DEFAULT: 10, Size.FULL: 10}
STEPS_AN_EPOCH = 100
LOST = (
    "The source's panels named after normalized Adam were all drawn from one object (SGD, learning rate 0.1, Nesterov, "
    "norm l2), so that its six panels show one curve and its independence of the learning rate is an artefact; its "
    "curves named Momentum are RMSprop, which divided by sqrt(a) + epsilon then and by sqrt(a + epsilon) now. Here "
    "every curve is what its label says."
)
OPTIMIZERS: dict[str, Callable[[float], Candidate]] = {
    "NSGD (std)": lambda rate: nsgd("std", rate),
    "normalized Adam (std)": lambda rate: normalized_adam("std", rate),
    "Adam": adam,
    "RMSprop": rmsprop,
}

Key = tuple[str, str]
"""Panel and label of a curve."""


def figures(size: Size) -> list[PaperFigure]:
    """(a) to (d) of the source, the learning rate of all norms, and the source's own instance."""
    return [
        _norms(size), _beside(size, "b", "NSGD"), _beside(size, "c", "normalized Adam"), _rates(size), _ends(size),
        source_instance(OPTIMIZERS, RATES),
    ]  # fmt: skip


def _norms(size: Size) -> PaperFigure:
    wrapped = {"Nesterov 0.9": nsgd, "Adam": normalized_adam}
    return _curves(
        "convex_norms",
        "Convex function: all norms around Nesterov's momentum and around Adam, learning rate 0.1",
        "(a) NSGD with the norm l2, learning rate 0.1, Nesterov 0.9, 1500 steps: still falling at the end.",
        {(norm, name): make(norm, 0.1) for norm in NORMS for name, make in wrapped.items()},
        1500,
        size,
        lambda results: [_falls(results["l2", "Nesterov 0.9"])],
    )


def _beside(size: Size, letter: str, name: str) -> PaperFigure:
    """Six panels: an optimizer on normalized gradients beside Adam and RMSprop, one a learning rate."""
    labels = [f"{name} (std)", "Adam", "RMSprop"]
    return _curves(
        f"convex_{name.replace(' ', '_').lower()}",
        f"Convex function: {name} beside Adam and RMSprop",
        f"({letter}) six panels, norm std, Nesterov 0.9, RMSprop with rho 0.9, 1000 steps.",
        {(f"learning rate {rate:g}", label): OPTIMIZERS[label](rate) for rate in RATES for label in labels},
        1000,
        size,
        _final_values,
    )


def _rates(size: Size) -> PaperFigure:
    return _curves(
        "convex_rates",
        "Convex function: dependence on the learning rate, one panel an optimizer",
        "(d) one panel an optimizer, all six learning rates, 1000 steps.",
        {(name, f"{rate:g}"): make(rate) for name, make in OPTIMIZERS.items() for rate in RATES},
        1000,
        size,
    )


def _curves(
    name: str, title: str, source: str, candidates: Mapping[Key, Candidate], steps: int, size: Size,
    find_out: Callable[[Mapping[Key, list[RunResult]]], list[str]] = lambda _: [],
) -> PaperFigure:  # fmt: skip
    """Panels with the loss over steps."""
    runs = {key: _runs(one, steps, size) for key, one in candidates.items()}

    def draw(find: Find) -> Drawing:
        results = {key: available_results(of_curve, find) for key, of_curve in runs.items()}
        rows = [windows(*key, *_above_minimum(of_curve)) for key, of_curve in results.items()]
        numbers = pd.concat(rows, ignore_index=True)
        panels = {panel: CurvePanel(panel, "step", "loss \N{MINUS SIGN} minimum") for panel, _ in runs}
        spread = f"lowest to highest of seeds and {steps // WINDOWS} steps"
        return Drawing(curve_panels(numbers, panels, spread=spread, same_y=True), numbers, find_out(results))

    return PaperFigure(
        name=name,
        title=title,
        shows=f"Loss before each step, above the least loss that there is. Lines are means over {SEEDS[size]} random "
        f"starts and {steps // WINDOWS} steps, bands go from the lowest to the highest of these; {steps} steps.",
        source=f"{SOURCE}: convex experiment. {source}",
        departures=[
            "Q, b and the starts are others of the same kind, several in place of one: the source's own instance "
            "(`numpy.random.seed(0)`) is in the figure convex_source.",
            "The source shows the loss itself, which is negative near its minimum; here it is shown above the minimum.",
            LOST,
        ],
        runs=lambda _: [run for of_curve in runs.values() for run in of_curve],
        draw=draw,
    )


def _ends(size: Size) -> PaperFigure:
    wrapped = {"Nesterov 0.9": nsgd, "Adam": normalized_adam}
    runs = {
        (f"around {name}", norm, rate): _runs(make(norm, rate), 1000, size)
        for name, make in wrapped.items()
        for norm in NORMS
        for rate in RATES
    }

    def draw(find: Find) -> Drawing:
        rows = []
        for (panel, norm, rate), of_point in runs.items():
            ends = _above_minimum(available_results(of_point, find))[1][:, -1:]
            rows.append(over_seeds(panel, norm, np.array([rate]), ends))
        numbers = pd.concat(rows, ignore_index=True)
        quantity = "final loss \N{MINUS SIGN} minimum"
        panels = {name: CurvePanel(name, "learning rate", quantity, markers=True) for name, *_ in runs}
        return Drawing(curve_panels(numbers, panels, spread=SPREAD, same_y=True), numbers)

    return PaperFigure(
        name="convex_norms_rates",
        title="Convex function: loss after 1000 steps over the learning rate, all norms",
        shows=f"Loss above its minimum after 1000 steps; mean of {SEEDS[size]} random starts, band from the lowest to "
        "the highest.",
        source=f"{SOURCE}: convex experiment; not among its figures.",
        departures=["Ours: the source varies the learning rate for the norm std only.", LOST],
        runs=lambda _: [run for of_point in runs.values() for run in of_point],
        draw=draw,
    )


def _runs(one: Candidate, steps: int, size: Size) -> list[Run]:
    problem = catalog.problem("convex_quadratic")
    seeds = range(TUNING_SEED, TUNING_SEED + SEEDS[size])
    return [Run(problem, one, seed, steps // STEPS_AN_EPOCH, with_steps=True) for seed in seeds]


@cache
def _least() -> float:
    """The least loss of the convex function."""
    from regbench.engine import environment

    environment.prepare()
    from regbench.models.convex_quadratic import minimum

    arguments = catalog.problem("convex_quadratic").model.arguments
    return minimum(int(str(arguments["dimension"])), int(str(arguments["seed"])))


def _above_minimum(results: Sequence[RunResult]) -> tuple[np.ndarray, np.ndarray]:
    steps, losses = step_losses(results)
    return steps, losses - _least()


def _falls(results: Sequence[RunResult]) -> str:
    """Whether the source's curve falls as it does there."""
    losses = step_losses(results)[1]
    rises = np.flatnonzero((np.diff(losses, axis=1) > 0).any(axis=0))
    last = int(rises[-1]) + 2 if rises.size else 1
    late = float((losses[:, -101] - losses[:, -1]).mean())
    return (
        f"NSGD (l2, 0.1): the loss of every start falls at each step after step {last} of {losses.shape[1]}; over the "
        f"last 100 steps by {late:.3g} on average. It goes from {losses[:, 0].mean():.4g} to "
        f"{losses[:, -1].mean():.4g} (means; minimum {_least():.4g})."
    )


def _final_values(results: Mapping[Key, list[RunResult]]) -> list[str]:
    """Mean loss at the end, by learning rate."""
    sentences = []
    for panel in dict.fromkeys(panel for panel, _ in results):
        ends = {name: step_losses(some)[1][:, -1].mean() for (at, name), some in results.items() if at == panel}
        sentences.append(f"{panel}, final loss: {', '.join(f'{name} {end:.4g}' for name, end in ends.items())}.")
    return sentences
