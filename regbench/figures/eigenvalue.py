"""Eigenvalue decay: accuracy with and without it, and the singular values of the dense kernels."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from regbench import catalog
from regbench.figures.curves import SPREAD, epoch_values, over_seeds
from regbench.figures.effects import accuracy_gain
from regbench.figures.eigenvalue_few import FewImages, few
from regbench.figures.eigenvalue_gain import few_figure, measured
from regbench.figures.plan import Drawing, PaperFigure, Run, Size, available_results, candidate, part, reduced
from regbench.plots.curve_panels import CurvePanel, curve_panels
from regbench.plots.gains import gains
from regbench.records import TUNING_SEED, Part, Problem, RunResult, Schedule

SOURCE = "Ludwig 2016, arXiv 1604.06985; Ludwig, Nunes and Araujo 2014"
WITH, WITHOUT = "eigenvalue decay", "without"
FACTORS = (0.003, 0.01, 0.03, 0.1, 0.3)
FACTORS_OF_L2 = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
POWER = (
    "The gradient is u v' of the dominant singular vectors, by a power iteration that goes on from the vector of the "
    "step before. The source differentiates through nine products from a vector of ones, which at the start of a "
    "training do not converge (`differentiate_through` of `EigenvalueDecay`; not drawn here)."
)
NO_BASELINE = (
    "98.74 % is one run (seed 1337, the test set as validation). The 98.40 % that the source sets beside it is from "
    "the docstring of Keras's own example, 512 units and 20 epochs, and no run without the penalty: there is no gain "
    "of the source to draw, and the baseline here is our own."
)


def figures(size: Size) -> list[PaperFigure]:
    """MNIST with few images and with all, CIFAR-10; gains, curves, singular values."""
    return [_few(size), *_mnist(size), *_cifar10(size)]


def _few(size: Size) -> PaperFigure:
    problem = catalog.problem("mnist_mlp_515")
    images, epochs, tuning, seeds, per_factor = {
        Size.QUICK: (20, 5, 1, 3, 2),
        Size.DEFAULT: (100, 40, 3, 10, 1),
        Size.FULL: (100, 100, 5, 40, 1),
    }[size]
    whole = None if size != Size.QUICK else 50
    return few_figure(
        FewImages(
            problem=few(problem, images, 200, whole),
            tuned_on=few(problem, images, 200, 10),
            source=SOURCE,
            factors={"eigenvalue_decay": FACTORS[::per_factor], "l2": FACTORS_OF_L2[::per_factor]},
            epochs=epochs,
            batch_size=50,
            tuning_seeds=tuning,
            seeds=seeds,
        )
    )


def _mnist(size: Size) -> list[PaperFigure]:
    problem = catalog.problem("mnist_mlp_515")
    if size == Size.QUICK:
        problem = reduced(problem, 400, 100)
    epochs, seeds = {Size.QUICK: (10, 5), Size.DEFAULT: (36, 5), Size.FULL: (36, 10)}[size]
    return _figures(
        "mnist",
        "B: MNIST, all images, MLP 784-515-515-10",
        "MNIST, dropout 0.2, RMSprop with its defaults, batch size 128, 36 epochs, factor 0.001, 0.01, 0.001 on the "
        "three layers: test accuracy 98.74 % with it.",
        None,
        _pair(
            problem,
            part("rmsprop", learning_rate=0.001, rho=0.9),
            {"dense_1": 0.001, "dense_2": 0.01, "logits": 0.001},
            epochs,
            seeds,
        ),
        [NO_BASELINE],
    )


def _cifar10(size: Size) -> list[PaperFigure]:
    problem = catalog.problem("cifar10_cnn")
    if size == Size.QUICK:
        problem = reduced(problem, 64, 20)
    epochs, seeds = {Size.QUICK: (6, 3), Size.DEFAULT: (10, 3), Size.FULL: (50, 10)}[size]
    return _figures(
        "cifar10",
        "CIFAR-10, CNN of the Keras examples",
        "CIFAR-10, factor 0.1 on the two dense layers, learning rate 0.01 that decays by 1e-6 in each step, Nesterov "
        "0.9, batch size 32, 50 epochs, no augmentation: 2.71 points of test accuracy more, mean of 10 runs.",
        2.71,
        _pair(
            problem,
            part("sgd", learning_rate=0.01, momentum=0.9, nesterov=True),
            {"dense_1": 0.1, "logits": 0.1},
            epochs,
            seeds,
            batch_size=32,
            schedule=_time_decay(problem, epochs),
        ),
        [
            "The learning rate decays once an epoch, not in each step.",
            *([f"{epochs} epochs instead of 50."] if epochs < 50 else []),
            *(["This size could not show a gain as large as the source's."] if size == Size.QUICK else []),
        ],
    )


def _time_decay(problem: Problem, epochs: int) -> Schedule:
    """1 / (1 + 1e-6 * steps so far), at the beginning of each epoch."""
    selected = problem.selection and problem.selection.train_per_class
    steps = (10 * selected if selected else 50_000) // 32
    later = range(1, epochs)
    return Schedule(name="step", epochs=tuple(later), factors=tuple(1 / (1 + 1e-6 * steps * epoch) for epoch in later))


Pair = dict[str, list[Run]]
"""The runs with and without, one a seed."""


def _pair(
    problem: Problem, optimizer: Part, factors: dict[str, float], epochs: int, seeds: int, *,
    batch_size: int | None = None, schedule: Schedule | None = None,
) -> Pair:  # fmt: skip
    decay = {layer: part("eigenvalue_decay", factor=factor) for layer, factor in factors.items()}
    sides = {
        WITH: candidate(f"{optimizer.name}_eigenvalue", SOURCE, optimizer, part("per_layer", **decay)),
        WITHOUT: candidate(f"{optimizer.name}_plain", SOURCE, optimizer),
    }
    return {
        label: [
            Run(
                problem, one, seed, epochs, batch_size, schedule=schedule or Schedule(), keep_kernels=True
            )
            for seed in range(TUNING_SEED, TUNING_SEED + seeds)
        ]
        for label, one in sides.items()
    }  # fmt: skip


def _figures(
    stem: str, title: str, source: str, published: float | None, pair: Pair, departures: Sequence[str]
) -> list[PaperFigure]:
    runs = [run for side in pair.values() for run in side]
    departures = [POWER, *departures]

    def of(name: str, what: str, shows: str, draw: Callable[[dict[str, list[RunResult]]], Drawing]) -> PaperFigure:
        return PaperFigure(
            name=f"{stem}_{name}",
            title=f"{title}: {what}",
            shows=shows,
            source=f"{SOURCE}: {source}",
            departures=departures,
            runs=lambda _: runs,
            draw=lambda find: draw({label: available_results(side, find) for label, side in pair.items()}),
        )

    return [
        of(
            "gain",
            "test accuracy with eigenvalue decay minus without",
            "Final test accuracy with eigenvalue decay minus without it, each on the same seed (same initial weights, "
            "same order of the samples), with the mean and its 95 % interval.",
            lambda results: _draw_gain(results, title, published),
        ),
        of(
            "curves",
            "loss and accuracy with and without eigenvalue decay",
            "Losses do not contain the penalty. Mean over seeds, band from the lowest to the highest.",
            _draw_curves,
        ),
        of(
            "spectrum",
            "singular values of the dense kernels with and without eigenvalue decay",
            "Singular values after training, the largest first; mean over seeds, band from the lowest to the highest.",
            _draw_spectrum,
        ),
    ]


def _draw_gain(results: dict[str, list[RunResult]], title: str, published: float | None) -> Drawing:
    effect = accuracy_gain(title, results[WITH], results[WITHOUT])
    numbers = effect.frame(published)
    finals = {label: 100 * epoch_values(side, "test_accuracies")[1][:, -1].mean() for label, side in results.items()}
    reported = "" if published is None else f"; the source reports {published:+.2f} points"
    findings = [
        effect.sentence("test accuracy with minus without"),
        f"mean final test accuracy {finals[WITH]:.2f} % with, {finals[WITHOUT]:.2f} % without{reported}.",
        *(f"{label}: {measured(side)}." for label, side in results.items()),
    ]
    return Drawing(gains(numbers, "points of test accuracy, with minus without"), numbers, findings)


def _draw_curves(results: dict[str, list[RunResult]]) -> Drawing:
    panels = {
        "train_losses": CurvePanel("training", "epoch", "training loss"),
        "test_losses": CurvePanel("test", "epoch", "test loss"),
        "test_accuracies": CurvePanel("test", "epoch", "test accuracy", is_share=True),
    }
    numbers = pd.concat(
        [
            over_seeds(curve, label, *epoch_values(side, curve, penalty=not curve.endswith("losses")))
            for curve in panels
            for label, side in results.items()
        ],
        ignore_index=True,
    )
    return Drawing(curve_panels(numbers, panels, spread=SPREAD), numbers)


def _draw_spectrum(results: dict[str, list[RunResult]]) -> Drawing:
    layers = [layer for layer, kernel in results[WITH][0].kernels.items() if len(kernel.shape) == 2]
    rows, findings = [], []
    for layer in layers:
        largest = {}
        for label, side in results.items():
            values = np.stack([_singular_values(run, layer) for run in side])
            rows.append(over_seeds(layer, label, np.arange(1, values.shape[1] + 1), values))
            largest[label] = values[:, 0].mean()
        findings.append(
            f"{layer}: largest singular value {largest[WITH]:.3g} with, {largest[WITHOUT]:.3g} without (means)."
        )
    numbers = pd.concat(rows, ignore_index=True)
    panels = {
        layer: CurvePanel(layer, "number of the singular value", "singular value", is_linear=True, is_log_x=True)
        for layer in layers
    }
    return Drawing(curve_panels(numbers, panels, spread=SPREAD), numbers, findings)


def _singular_values(run: RunResult, layer: str) -> np.ndarray:
    kernel = run.kernels[layer].array().astype(float)
    values: np.ndarray = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)
    return values
