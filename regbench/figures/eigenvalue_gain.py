"""The figure of eigenvalue decay with few images: gains over no penalty, over L2, and over dropout alone."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from regbench.figures.effects import accuracy_gain, final_accuracy
from regbench.figures.eigenvalue_few import DROPOUTS, NONE, PENALTIES, FewImages, Key
from regbench.figures.plan import Drawing, Find, PaperFigure, Run, available_results
from regbench.plots.gains import gains
from regbench.records import RunResult

NAMES = {NONE: "none", "eigenvalue_decay": "eigenvalue decay", "l2": "L2"}


def few_figure(experiment: FewImages) -> PaperFigure:
    """Panel A of the source's question: does it help where there is something to gain?"""

    def runs(find: Find) -> list[Run]:
        stages = [*experiment.tuning().values(), *experiment.final(find).values()]
        return [run for stage in stages for run in stage]

    selection = experiment.problem.selection
    images = 10 * (selection.train_per_class or 0) if selection else 0
    return PaperFigure(
        name="mnist_few_gain",
        title=f"A: MNIST, {images:,} images, MLP 784-515-515-10: eigenvalue decay beside L2 and dropout",
        shows="Differences of final test accuracy, each on the same seed (same images, which the seed draws, same "
        "initial weights, same order), with the mean and its 95 % interval, not corrected for their number. Each "
        f"penalty has {len(experiment.factors['l2'])} factors, tuned on {experiment.tuning_seeds} other seeds by "
        "validation accuracy, at each share of dropout. `Dropout alone` is the share that is best by validation "
        "accuracy without a penalty.",
        source=f"{experiment.source}: MNIST, all images. This experiment is ours.",
        departures=[
            "Few images, SGD with Nesterov's momentum and half a cosine in place of all images and RMSprop: with all "
            "images there are some tenths of a point to gain at most, and RMSprop, which divides by the size of the "
            "gradient, scales the penalty up once the loss is near zero: with few images some seeds collapse.",
            "The same factor on all three layers.",
        ],
        runs=runs,
        draw=lambda find: _draw(experiment, find),
    )


def _draw(experiment: FewImages, find: Find) -> Drawing:
    results = {key: available_results(of_key, find) for key, of_key in experiment.final(find).items()}
    alone = experiment.best_dropout(find)
    effects = [
        accuracy_gain(
            f"minus {NAMES[other]}, dropout {dropout:g}", results[PENALTIES[0], dropout], results[other, dropout]
        )
        for other in (NONE, "l2")
        for dropout in DROPOUTS
    ]
    effects += [
        accuracy_gain(
            f"dropout {dropout:g} minus dropout alone ({alone:g})", results[PENALTIES[0], dropout], results[NONE, alone]
        )
        for dropout in DROPOUTS
        if dropout != alone
    ]
    numbers = pd.concat([effect.frame() for effect in effects], ignore_index=True)
    findings = [f"Eigenvalue decay {effect.sentence(effect.name)}" for effect in effects]
    findings += [_finding(experiment, find, key, some) for key, some in results.items()]
    return Drawing(gains(numbers, "points of test accuracy, eigenvalue decay minus the other"), numbers, findings)


def _finding(experiment: FewImages, find: Find, key: Key, results: Sequence[RunResult]) -> str:
    penalty, dropout = key
    factor = experiment.best_factor(find, penalty, dropout)
    at = f" at factor {factor:g}" if factor else ""
    accuracy = 100 * np.mean([final_accuracy(run) for run in results])
    loss = np.mean([run.losses_without_penalty["test_losses"][-1] for run in results])
    finals = f"test accuracy {accuracy:.2f} %, loss {loss:.3g}"
    return f"{NAMES[penalty]}, dropout {dropout:g}{at}: {finals}, {measured(results)}."


def measured(results: Sequence[RunResult]) -> str:
    """Mean weight norm, largest singular values and margins of trained networks."""
    norms = [run.final_weight_norm for run in results if run.final_weight_norm is not None]
    layers = dict.fromkeys(layer for run in results for layer in run.singular_values)
    largest = ", ".join(f"{layer} {np.mean([run.singular_values[layer] for run in results]):.3g}" for layer in layers)
    margins = ", ".join(
        f"{split} {np.mean([run.margins[split] for run in results if split in run.margins]):.3g}"
        for split in ("train", "test")
        if any(split in run.margins for run in results)
    )
    return f"weight norm {np.mean(norms):.3g}, largest singular values {largest}, mean margins {margins}"
