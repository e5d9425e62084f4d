"""Orthogonal regularization: deviation from orthonormality and accuracy over the factor, in all forms."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from regbench import catalog
from regbench.figures.curves import SPREAD, over_seeds
from regbench.figures.effects import accuracy_gain, final_accuracy
from regbench.figures.orthogonal_schedule import REPORTED, Scheduled, schedule_figure
from regbench.figures.plan import Drawing, Find, PaperFigure, Run, Size, available_results, candidate, part, reduced
from regbench.plots.curve_panels import CurvePanel, curve_panels
from regbench.records import TUNING_SEED, Candidate, Problem, RunResult

SOURCE = (
    "An answer to a question on a Keras forum (the form norm, on convolution kernels, without a factor); Brock et al. "
    "2017, arXiv 1609.07093 (the form brock, factor 1e-3); Bansal, Chen and Wang 2018, arXiv 1810.09102 (the others)"
)
FORMS = (
    "norm",
    "squared",
    "double_sided",
    "mutual_coherence",
    "spectral_restricted_isometry",
    "spectral_restricted_isometry_squared",
    "brock",
)
WITHOUT = "without regularizer"
Key = tuple[str, float]
"""Form and factor; ("", 0) stands for no regularizer."""


def figures(size: Size) -> list[PaperFigure]:
    """One figure a network, and one with scheduled factors."""
    return [_digits(size), _schedule(size), _cifar10(size)]


def _schedule(size: Size) -> PaperFigure:
    epochs, tuning, seeds, factors = {
        Size.QUICK: (10, 1, 3, (1e-3, 1e-1)),
        Size.DEFAULT: (20, 3, 10, (1e-4, 1e-3, 1e-2, 1e-1, 1.0)),
        Size.FULL: (40, 5, 20, (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)),
    }[size]
    experiment = Scheduled(catalog.problem("digits_2c2d"), SOURCE, factors, epochs, tuning, seeds)
    return schedule_figure("digits_2c2d", experiment)


def _digits(size: Size) -> PaperFigure:
    epochs, seeds, factors = {
        Size.QUICK: (10, 3, (1e-3, 1e-2, 1e-1)),
        Size.DEFAULT: (20, 5, (1e-4, 1e-3, 1e-2, 1e-1, 1.0)),
        Size.FULL: (20, 10, (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)),
    }[size]
    return _figure("digits_2c2d", catalog.problem("digits_2c2d"), FORMS, factors, epochs, seeds)


def _cifar10(size: Size) -> PaperFigure:
    problem = catalog.problem("cifar10_3c3d")
    if size == Size.QUICK:
        return _figure("cifar10_3c3d", reduced(problem, 64, 20), ("norm", "squared"), (1e-2, 1e-1), 3, 1)
    if size == Size.DEFAULT:
        return _figure("cifar10_3c3d", reduced(problem, 1000, 100), FORMS, (1e-4, 1e-3, 1e-2), 10, 2)
    return _figure("cifar10_3c3d", problem, FORMS, (1e-5, 1e-4, 1e-3, 1e-2, 1e-1), 100, 10)


def _adam(form: str, factor: float) -> Candidate:
    if not form:
        return candidate("adam_plain", SOURCE, part("adam", learning_rate=0.001))
    penalty = part("orthogonal", factor=factor, form=form)
    return candidate(f"adam_orthogonal_{form}", SOURCE, part("adam", learning_rate=0.001), penalty)


def _figure(
    name: str, problem: Problem, forms: Sequence[str], factors: Sequence[float], epochs: int, seeds: int
) -> PaperFigure:
    keys = [("", 0.0), *((form, factor) for form in forms for factor in factors)]
    of_seeds = range(TUNING_SEED, TUNING_SEED + seeds)
    runs = {key: [Run(problem, _adam(*key), seed, epochs, keep_kernels=True) for seed in of_seeds] for key in keys}

    def draw(find: Find) -> Drawing:
        return _draw({key: available_results(of_key, find) for key, of_key in runs.items()}, seeds)

    return PaperFigure(
        name=name,
        title=f"{name}: orthogonal regularization over its factor",
        shows="Frobenius norm of W'W \N{MINUS SIGN} I over all kernels of a kind after training, those of convolutions "
        "flattened to (h*w*in, out); the largest singular value among all kernels; final test accuracy. "
        f"{'Mean over seeds, band from the lowest to the highest' if seeds > 1 else 'One seed'}; the line across is "
        "the same network without the regularizer.",
        source=f"{SOURCE}. {REPORTED}.",
        departures=[
            "The problem's own L2 is off, and the factor is constant: `digits_2c2d_schedule` has both.",
            "The choice of networks, of Adam and of the factors is ours.",
        ],
        runs=lambda _: [run for of_key in runs.values() for run in of_key],
        draw=draw,
    )


def _draw(results: Mapping[Key, list[RunResult]], seeds: int) -> Drawing:
    measures: dict[str, tuple[CurvePanel, Callable[[RunResult], float]]] = {
        "convolution": (
            CurvePanel("convolution kernels", "factor", "deviation from orthonormality", markers=True),
            lambda run: deviation(run, rank=4),
        ),
        "dense": (
            CurvePanel("dense kernels", "factor", "deviation from orthonormality", markers=True),
            lambda run: deviation(run, rank=2),
        ),
        "singular": (
            CurvePanel("all kernels", "factor", "largest singular value", markers=True),
            largest_singular_value,
        ),
        "accuracy": (CurvePanel("test", "factor", "final test accuracy", is_share=True, markers=True), final_accuracy),
    }
    rows = []
    panels = {}
    for name, (panel, measure) in measures.items():
        plain = np.array([[measure(run)] for run in results["", 0.0]])
        panels[name] = panel._replace(levels={WITHOUT: float(plain.mean())})
        rows.append(over_seeds(name, WITHOUT, np.array([0.0]), plain))
        for (form, factor), some in results.items():
            if form:
                values = np.array([[measure(run)] for run in some])
                rows.append(over_seeds(name, form.replace("_", " "), np.array([factor]), values))
    numbers = pd.concat(rows, ignore_index=True)
    drawn = numbers[numbers["label"] != WITHOUT]
    figure = curve_panels(drawn, panels, spread=SPREAD if seeds > 1 else "", widest=2)
    return Drawing(figure, numbers, _findings(results))


def deviation(run: RunResult, rank: int) -> float:
    """The Frobenius norm of W'W - I over all kernels of a rank together."""
    squares = 0.0
    for kernel in run.kernels.values():
        if len(kernel.shape) == rank:
            matrix = kernel.array().astype(float).reshape(-1, kernel.shape[-1])
            squares += float(np.sum((matrix.T @ matrix - np.eye(matrix.shape[1])) ** 2))
    return float(np.sqrt(squares))


def largest_singular_value(run: RunResult) -> float:
    """Of all kernels."""
    kernels = [kernel.array().astype(float).reshape(-1, kernel.shape[-1]) for kernel in run.kernels.values()]
    return float(max(np.linalg.norm(matrix, ord=2) for matrix in kernels))


def _findings(results: Mapping[Key, list[RunResult]]) -> list[str]:
    """A sentence on deviation and accuracy for each form and factor."""
    plain = results["", 0.0]
    sentences = []
    for form in dict.fromkeys(form for form, _ in results if form):
        some = {factor: of_key for (name, factor), of_key in results.items() if name == form}
        for rank, kind in ((4, "convolution"), (2, "dense")):
            values = [np.mean([deviation(run, rank) for run in of_factor]) for of_factor in (plain, *some.values())]
            falls = "falls with every factor" if np.all(np.diff(values) < 0) else "does not fall throughout"
            steps = ", ".join(f"{value:.3g}" for value in values)
            sentences.append(f"{form}, {kind} kernels: deviation {falls} (without, then by factor: {steps}).")
        effects = {f"{factor:g}": accuracy_gain(form, of_factor, plain) for factor, of_factor in some.items()}
        by_factor = "; ".join(f"{factor}: {effect.described()}" for factor, effect in effects.items())
        sentences.append(f"{form}, test accuracy with minus without, by factor: {by_factor}.")
    return sentences
