"""Optimizers on normalized gradients: a deep MLP on MNIST and a CNN on CIFAR-10, with staged learning rates."""

from collections.abc import Mapping, Sequence

import pandas as pd

from regbench import catalog
from regbench.figures.curves import SPREAD, epoch_values, moving_average, over_seeds, step_losses
from regbench.figures.normalized_candidates import SOURCE, adam, normalized_adam, nsgd
from regbench.figures.plan import Drawing, Find, PaperFigure, Run, Size, available_results, candidate, reduced
from regbench.plots.curve_panels import CurvePanel, curve_panels
from regbench.records import TUNING_SEED, Candidate, Problem, Schedule


def figures(size: Size) -> list[PaperFigure]:
    """One figure a network."""
    return [_deep_mlp(size), _cnn(size)]


def _staged(epochs: int, factors: Sequence[float]) -> Schedule:
    """Constant learning rates over stages of equal length, each a new optimizer's; `factors` of all but the first."""
    length = epochs // (len(factors) + 1)
    starts = tuple(length * number for number in range(1, len(factors) + 1))
    return Schedule(name="step", epochs=starts, factors=tuple(factors), restart=True)


def _network(
    name: str, title: str, source: str, published: Mapping[str, float], departures: Sequence[str],
    runs: Mapping[str, Sequence[Run]],
) -> PaperFigure:  # fmt: skip
    """Curves of a network over steps and epochs, for each label."""
    panels = {
        "train_steps": CurvePanel("training, average of 100 steps", "step", "training loss"),
        "train_epochs": CurvePanel("training", "epoch", "training loss"),
        "train_accuracy": CurvePanel("training", "epoch", "training accuracy", is_share=True),
        "test_loss": CurvePanel("test", "epoch", "test loss"),
        "test_accuracy": CurvePanel("test", "epoch", "test accuracy", is_share=True),
    }
    curves = {
        "train_epochs": "train_losses",
        "train_accuracy": "train_accuracies",
        "test_loss": "test_losses",
        "test_accuracy": "test_accuracies",
    }

    def draw(find: Find) -> Drawing:
        rows, findings = [], []
        for label, of_label in runs.items():
            results = available_results(of_label, find)
            rows.append(over_seeds("train_steps", label, *moving_average(*step_losses(results), 100)))
            rows += [over_seeds(panel, label, *epoch_values(results, curve)) for panel, curve in curves.items()]
            finals = epoch_values(results, "test_accuracies")[1][:, -1]
            findings.append(
                f"{label}: final test accuracy {finals.mean():.4f} (seeds from {finals.min():.4f} to "
                f"{finals.max():.4f}); the source has {published[label]:.3f}."
            )
        numbers = pd.concat(rows, ignore_index=True)
        spread = SPREAD if len(results) > 1 else ""
        return Drawing(curve_panels(numbers, panels, spread=spread), numbers, findings)

    return PaperFigure(
        name=name,
        title=title,
        shows="Loss (with its L2 term) and accuracy in training and on the test set; mean over seeds, band from the "
        "lowest to the highest.",
        source=source,
        departures=[
            "The source's pictures labelled validation or testing are training curves too; only its final accuracies "
            "are of the test set, which is its validation set. Here what is labelled test is of the test set.",
            "Training accuracy is evaluated after each epoch, not recorded step by step.",
            "The training loss over epochs is evaluated after each epoch, without dropout, on as many training samples "
            "as the test set has; the source has the running mean of the epoch.",
            *departures,
        ],
        runs=lambda _: [run for of_label in runs.values() for run in of_label],
        draw=draw,
    )


def _deep_mlp(size: Size) -> PaperFigure:
    problem = catalog.problem("mnist_deep_mlp")
    depth = len(list(problem.model.arguments["units"]))  # type: ignore[arg-type]
    departures = [
        "The L2 term is on the kernel of the logits, too.",
        "The source's curve `momentum` of this network is plain Adam.",
        "The source's Keras 2.1.6 draws he_normal without dividing by 0.8796, the deviation of a truncated normal: its "
        "kernels start 12 % smaller.",
    ]
    if size == Size.QUICK:
        depth = 8
        model = problem.model.model_copy(update={"arguments": problem.model.arguments | {"units": [128] * depth}})
        problem = reduced(problem.model_copy(update={"name": "mnist_mlp_8", "model": model}), 250, 50)
        departures.append(f"{depth} hidden layers instead of 30.")
    epochs, seeds = {Size.QUICK: (12, 2), Size.DEFAULT: (30, 3), Size.FULL: (30, 10)}[size]
    makers = {
        "NSGD (max)": nsgd("max", 0.01),
        "normalized Adam (max)": normalized_adam("max", 0.01),
        "Adam": adam(0.01),
    }
    schedule = _staged(epochs, (0.1, 0.01))
    return _network(
        "mnist_deep_mlp",
        f"MNIST: MLP of {depth} hidden layers with batch normalization and dropout, learning rates 0.01, 0.001, 0.0001",
        f"{SOURCE}: deep MLP on MNIST, three stages of 10 epochs; final test accuracy 0.772 (NSGD), 0.946 (normalized "
        "Adam), 0.943 (Adam), one run each.",
        dict(zip(makers, (0.772, 0.946, 0.943), strict=True)),
        departures,
        {label: _runs(problem, _with_l2(one), epochs, seeds, schedule) for label, one in makers.items()},
    )


def _cnn(size: Size) -> PaperFigure:
    problem = catalog.problem("cifar10_cnn")
    if size == Size.QUICK:
        problem = reduced(problem, 64, 20)
    seeds = {Size.QUICK: 1, Size.DEFAULT: 1, Size.FULL: 3}[size]
    share = {Size.QUICK: 1 / 5, Size.DEFAULT: 1 / 5, Size.FULL: 1.0}[size]
    stages = {
        "NSGD (l2)": (nsgd("l2", 0.01), round(60 * share), (0.5, 0.1, 0.01)),
        "normalized Adam (l2)": (normalized_adam("l2", 0.001), round(45 * share), (0.5, 0.1)),
        "Adam": (adam(0.001), round(45 * share), (0.5, 0.1)),
    }
    shortened = [f"Stages last {round(15 * share)} epochs instead of 15."] if share < 1 else []
    return _network(
        "cifar10_cnn",
        "CIFAR-10: CNN of the Keras examples, staged learning rates",
        f"{SOURCE}: CNN on CIFAR-10, NSGD 4 stages of 15 epochs at 0.01, 0.005, 0.001, 0.0001, normalized Adam and "
        "Adam 3 stages of 15 epochs at 0.001, 0.0005, 0.0001; final test accuracy 0.795 (NSGD), 0.815 (normalized "
        "Adam), 0.815 (Adam), one run each.",
        dict(zip(stages, (0.795, 0.815, 0.815), strict=True)),
        ["The source stretches one axis: 60 and 45 epochs onto 0 to 30.", *shortened],
        {
            label: _runs(problem, one, epochs, seeds, _staged(epochs, factors))
            for label, (one, epochs, factors) in stages.items()
        },
    )


def _with_l2(one: Candidate) -> Candidate:
    """The candidate with the L2 term of the problem."""
    return candidate(one.name, one.source, one.optimizer, decay={"coupling": "l2", "strength": "problem"})


def _runs(problem: Problem, one: Candidate, epochs: int, seeds: int, schedule: Schedule) -> list[Run]:
    of_seeds = range(TUNING_SEED, TUNING_SEED + seeds)
    return [Run(problem, one, seed, epochs, schedule=schedule, with_steps=True) for seed in of_seeds]
