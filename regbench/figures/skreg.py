"""Smooth-kernel regularization: a prior on kernels, learned on some classes and used on others with few images."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from regbench import catalog
from regbench.figures import kernel_priors
from regbench.figures.curves import SPREAD, over_seeds
from regbench.figures.effects import Effect, accuracy_gain, best_accuracy, final_accuracy
from regbench.figures.kernel_priors import RANKS, FittedPrior, slices
from regbench.figures.plan import Drawing, Find, PaperFigure, Run, Size, available_results, limited
from regbench.figures.skreg_pipeline import PENALIZED, SOURCE, Pipeline
from regbench.plots.curve_panels import CurvePanel, curve_panels
from regbench.plots.gains import gains
from regbench.plots.kernel_images import covariance_maps, kernel_grid
from regbench.records import Problem, RunResult

PUBLISHED = {
    "convolution_1": (144.11, 358.46),
    "convolution_2": (57.87, 82.65),
    "convolution_3": (62.15, 82.81),
}
"""Held-out log-likelihood of the source's networks, independent and correlated Gaussian, in nats a sample: a filter of
the first layer, a slice of the others. The source prints these times 5 and times 10 slices a filter."""

IMAGES = 18
FACTORS = {
    Size.QUICK: (1e-3, 1e-2, 1e-1),
    Size.DEFAULT: (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1),
    Size.FULL: (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1),
}
PASSES = 4
"""Of an epoch of phase 2 over its few images: so many steps lie between two evaluations."""
STAND_IN = [
    "The source's images cannot be had. This is a stand-in: phase 1 on the classes 0 to 4, phase 2 on 5 to 9 with few "
    "images of each, without augmentation, and with strides that suit the smaller images.",
    "Sizes, learning rate and strengths are ours.",
]
BOTH = [
    "The source compares two arms that differ in three things: its SK arm has the penalty, kernels that start as draws "
    "from the fitted Gaussian, and L2(0.01) on the softmax layer; its L2 arm has neither of the last two. Here these "
    "are apart: all arms have that L2 on the softmax layer, and start and penalty come alone and together.",
    "The mean kernel is subtracted fold by fold (see `KernelPrior`).",
]
COMPARISONS = (
    ("SK", "L2"),
    ("SK", "none"),
    ("SK and start", "L2"),
    ("start", "L2"),
    ("start", "none"),
    ("start", "isotropic start"),
    ("SK and start", "start"),
)


def figures(size: Size) -> list[PaperFigure]:
    """Five figures for each data set."""
    return [*_of("digits", _digits(size), STAND_IN), *_of("mnist", _mnist(size), STAND_IN), *_silhouettes(size)]


def _digits(size: Size) -> Pipeline:
    networks, epochs, tuning, seeds = {
        Size.QUICK: (20, (40, 10), 2, 10),
        Size.DEFAULT: (20, (60, 20), 5, 40),
        Size.FULL: (20, (60, 40), 10, 40),
    }[size]
    first, second = catalog.problem("digits_cnn_sk"), _drawn(catalog.problem("digits_cnn_sk_few"))
    return Pipeline(first, second, networks, epochs, (0.003, 0.003), FACTORS[size], tuning, seeds)


def _mnist(size: Size) -> Pipeline:
    networks, epochs, tuning, seeds = {
        Size.QUICK: (10, (15, 8), 1, 10),
        Size.DEFAULT: (20, (8, 20), 5, 40),
        Size.FULL: (20, (30, 40), 10, 40),
    }[size]
    first, few = catalog.problem("mnist_cnn_sk"), catalog.problem("mnist_cnn_sk_few")
    if size != Size.FULL:
        first = limited(first, train_per_class=100 if size == Size.QUICK else 1000, test_per_class=100)
    second = _drawn(
        few, valid_per_class=40 if size == Size.QUICK else 200, test_per_class=40 if size == Size.QUICK else None
    )
    tuned_on = None if size == Size.QUICK else _drawn(few, valid_per_class=200, test_per_class=40)
    return Pipeline(first, second, networks, epochs, (0.001, 0.003), FACTORS[size], tuning, seeds, tuned_on)


def _drawn(problem: Problem, **changes: int | None) -> Problem:
    """The problem with few images that each seed draws anew."""
    return limited(problem, draw="seed", passes=PASSES, **changes)


def _silhouettes(size: Size) -> list[PaperFigure]:
    networks, epochs, tuning, seeds = {
        Size.QUICK: (4, (2, 2), 1, 3),
        Size.DEFAULT: (10, (30, 60), 2, 10),
        Size.FULL: (20, (300, 400), 10, 10),
    }[size]
    first, second = catalog.problem("silhouettes_cnn"), catalog.problem("silhouettes_cnn_few")
    pipeline = Pipeline(first, second, networks, epochs, (0.001, 0.001), FACTORS[size], tuning, seeds)
    departures = ["The images are yours, not the source's."]
    if size != Size.FULL:
        departures.append(
            f"{networks} networks in phase 1 instead of 20; {epochs[0]} and {epochs[1]} epochs instead of 300 and 400."
        )
    return _of("silhouettes", pipeline, departures)


def _of(stem: str, pipeline: Pipeline, departures: Sequence[str]) -> list[PaperFigure]:
    def phase_1(find: Find) -> list[Run]:
        del find
        return pipeline.phase_1()

    def both(find: Find) -> list[Run]:
        later = [*pipeline.tuning(find).values(), *pipeline.final(find).values()]
        return [*pipeline.phase_1(), *(run for runs in later for run in runs)]

    def of(
        name: str,
        what: str,
        shows: str,
        source: str,
        runs: Callable[[Find], list[Run]],
        draw: Callable[[Find], Drawing],
    ) -> PaperFigure:
        return PaperFigure(
            f"{stem}_{name}", f"{stem}: {what}", shows, f"{SOURCE}: {source}", [*departures, *BOTH], runs, draw
        )

    return [
        of(
            "kernels",
            "kernels of trained networks and samples of the fitted Gaussian",
            "Slices of trained kernels (filters in the first layer), then draws from the Gaussian with the fitted "
            "covariance, then from one with independent entries of the same mean variance. Red is positive.",
            "sample kernels and samples from the fitted Gaussian.",
            phase_1,
            lambda find: _draw_kernels(pipeline, find),
        ),
        of(
            "covariance",
            "covariance of the entries of trained kernels",
            "Covariance (with t on the diagonal) of the entries of a slice, row by row, in units of the mean variance.",
            "covariance heat-maps.",
            phase_1,
            lambda find: _draw_covariances(_priors(pipeline, find)),
        ),
        of(
            "likelihood",
            "held-out log-likelihood, correlated minus independent Gaussian",
            "Mean log-density, in nats a sample (a filter of the first layer, a slice of the others), of the kernels "
            "of networks that the Gaussian was not fitted to (five folds over networks), correlated minus independent "
            "entries; a point a network, the mean with its 95 % interval.",
            f"log-likelihood in nats a sample, independent / correlated: {_published()}. It prints those of the second "
            "and third layer a filter, which are 5 and 10 slices.",
            phase_1,
            lambda find: _draw_likelihood(_priors(pipeline, find), stem == "silhouettes"),
        ),
        of(
            "accuracy",
            "phase 2, accuracy of L2 and of SK over their factor",
            "The penalty is factor * trace(WSW'), S = I for L2. Accuracy at the epoch with the least validation loss; "
            "mean over the tuning seeds, band from the lowest to the highest.",
            "phase-2 accuracy; the best factor was 0.05 * 4.29 (L2) and 0.05 * 2.57 (SK).",
            both,
            lambda find: _draw_accuracy(pipeline, find),
        ),
        of(
            "gain",
            "phase 2, test accuracy of penalties and starts, seed by seed",
            "Differences of test accuracy on fresh seeds, which also draw the few images; each penalty at the factor "
            "with the best validation accuracy over the tuning seeds. The measure, settled beforehand, is the accuracy "
            "at the epoch with the least validation loss; that after the last epoch stands beside it. A point a seed, "
            "the mean with its 95 % interval, which is not corrected for the number of comparisons.",
            "phase-2 accuracy of SK-reg against that of L2, at the best validation loss.",
            both,
            lambda find: _draw_gain(pipeline, find),
        ),
    ]


def _published() -> str:
    pairs = [f"{layer} {low} / {high}" for layer, (low, high) in PUBLISHED.items()]
    return ", ".join(pairs).replace("convolution_", "conv")


def _priors(pipeline: Pipeline, find: Find) -> dict[str, FittedPrior]:
    return pipeline.priors(find) or {}


def _draw_kernels(pipeline: Pipeline, find: Find) -> Drawing:
    results, generator = available_results(pipeline.phase_1(), find), np.random.default_rng(0)
    images: dict[str, dict[str, np.ndarray]] = {}
    rows = []
    for layer, fitted in _priors(pipeline, find).items():
        trained = np.concatenate([slices(run.kernels[layer].array(), RANKS[layer]) for run in results])
        prior = fitted.prior
        deviation = np.sqrt(np.trace(prior.covariance) / len(prior.mean))
        independent = prior.mean + deviation * generator.standard_normal((IMAGES, len(prior.mean)))
        images[layer] = {
            "trained": generator.permutation(trained)[:IMAGES],
            "correlated Gaussian": _as_images(prior.sample(IMAGES, seed=1)),
            "independent Gaussian": _as_images(independent.reshape(IMAGES, *prior.sample_shape)),
        }
        for kind, block in images[layer].items():
            places = np.indices(block.shape).reshape(3, -1)
            columns = dict(zip(("image", "row", "column"), places, strict=True))
            rows.append(pd.DataFrame({"layer": layer, "kind": kind, **columns, "value": block.ravel()}))
    return Drawing(kernel_grid(images), pd.concat(rows, ignore_index=True))


def _as_images(samples: np.ndarray) -> np.ndarray:
    """Slices as they are; of filters the mean over inputs."""
    return samples if samples.ndim == 3 else samples.mean(axis=3)


def _draw_covariances(priors: dict[str, FittedPrior]) -> Drawing:
    matrices = {}
    rows, findings = [], []
    for layer, fitted in priors.items():
        covariance = fitted.prior.covariance
        matrices[layer] = covariance / np.diag(covariance).mean()
        places = np.indices(covariance.shape).reshape(2, -1)
        columns = {"first": places[0], "second": places[1], "covariance": covariance.ravel()}
        rows.append(pd.DataFrame({"layer": layer, **columns}))
        findings.append(
            f"{layer}: t = {fitted.prior.ridge:.3g}, neighbours along a row {kernel_priors.neighbours(fitted):+.2f}, "
            f"condition number {kernel_priors.condition_number(fitted):.3g}."
        )
        findings += [f"{layer}: {warning}" for warning in fitted.warnings]
    titles = [layer.replace("_", " ") for layer in matrices]
    figure = covariance_maps(matrices, titles, "covariance / mean variance")
    return Drawing(figure, pd.concat(rows, ignore_index=True), findings)


def _draw_likelihood(priors: dict[str, FittedPrior], is_published: bool) -> Drawing:
    frames, findings = [], []
    for layer, fitted in priors.items():
        effect = Effect(layer, range(len(fitted.correlated)), fitted.correlated - fitted.independent)
        low, high = PUBLISHED[layer]
        frame = effect.frame(high - low if is_published else None).rename(columns={"seed": "network"})
        frames.append(frame.assign(independent=fitted.independent, correlated=fitted.correlated))
        findings.append(
            f"{layer}: held-out log-likelihood {fitted.independent.mean():.2f} independent, "
            f"{fitted.correlated.mean():.2f} correlated. "
            + effect.sentence("Correlated minus independent", "nats a sample").replace("seeds", "networks")
        )
    numbers = pd.concat(frames, ignore_index=True)
    return Drawing(
        gains(numbers, "log-likelihood, correlated minus independent (nats a sample)", "a network"), numbers, findings
    )


def _draw_accuracy(pipeline: Pipeline, find: Find) -> Drawing:
    results = {key: available_results(runs, find) for key, runs in pipeline.tuning(find).items()}
    rows = []
    levels = {}
    for split in ("valid", "test"):
        none = np.array([[best_accuracy(run, split)] for run in results["none", 0.0]])
        levels[split] = {"no penalty": float(none.mean())}
        rows.append(over_seeds(split, "none", np.array([0.0]), none))
        for (arm, factor), some in results.items():
            if arm in PENALIZED:
                values = np.array([[best_accuracy(run, split)] for run in some])
                rows.append(over_seeds(split, arm, np.array([factor]), values))
    numbers = pd.concat(rows, ignore_index=True)
    panels = {
        split: CurvePanel(f"{name} split", "factor", "accuracy", is_share=True, levels=levels[split], markers=True)
        for split, name in (("valid", "validation"), ("test", "test"))
    }
    spread = SPREAD if pipeline.tuning_seeds > 1 else ""
    best = [f"{arm}: best factor by validation accuracy {pipeline.best_factor(find, arm):g}." for arm in PENALIZED]
    return Drawing(curve_panels(numbers[numbers["label"] != "none"], panels, spread=spread), numbers, best)


def _draw_gain(pipeline: Pipeline, find: Find) -> Drawing:
    results = {arm: available_results(runs, find) for arm, runs in pipeline.final(find).items()}
    measures = {"": best_accuracy, ", last epoch": final_accuracy}
    effects = [
        accuracy_gain(f"{first} minus {second}{when}", results[first], results[second], accuracy)
        for first, second in COMPARISONS
        for when, accuracy in measures.items()
    ]
    numbers = pd.concat([effect.frame() for effect in effects], ignore_index=True)
    findings = [_finding(pipeline, find, arm, some) for arm, some in results.items()]
    findings += [effect.sentence(effect.name) for effect in effects]
    return Drawing(gains(numbers, "points of test accuracy"), numbers, findings)


def _finding(pipeline: Pipeline, find: Find, arm: str, results: Sequence[RunResult]) -> str:
    best, last = (100 * np.mean([of_run(run) for run in results]) for of_run in (best_accuracy, final_accuracy))
    factor = f" at factor {pipeline.best_factor(find, arm):g}" if arm in PENALIZED else ""
    return f"{arm}: test accuracy {best:.2f} % at the best validation loss, {last:.2f} % after the last epoch{factor}."
