"""The convex function of the source itself, drawn from its seed: its printed losses, and true normalized Adam."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from regbench import catalog
from regbench.figures.curves import WINDOWS, step_losses, windows
from regbench.figures.normalized_candidates import SOURCE, nsgd
from regbench.figures.plan import Drawing, Find, PaperFigure, Run, available_results
from regbench.plots.curve_panels import CurvePanel, curve_panels
from regbench.records import TUNING_SEED, Candidate, Problem, RunResult

PRINTED = {0: 94.4129, 99: -186.5157, 198: -248.3904, 1485: -429.9427}
"""Losses that the source prints of NSGD (l2, 0.1), by the number of steps before."""

MINIMUM = -453.0813
STEPS, STEPS_OF_NSGD, STEPS_AN_EPOCH = 1000, 1500, 100
PRINTING = "NSGD (l2), as printed"

Key = tuple[str, str]
"""Panel and label of a curve."""


def problem() -> Problem:
    """The convex function with Q, b and start of the source."""
    ours = catalog.problem("convex_quadratic")
    arguments = {"dimension": 100, "seed": 0, "one_stream": True}
    model = ours.model.model_copy(update={"arguments": arguments})
    return ours.model_copy(update={"name": "convex_quadratic_source", "model": model})


def source_instance(optimizers: Mapping[str, Callable[[float], Candidate]], rates: Sequence[float]) -> PaperFigure:
    """A panel for what the source prints, and one for each optimizer with all learning rates; one run each."""
    runs = {(PRINTING, "0.1"): _run(nsgd("l2", 0.1), STEPS_OF_NSGD)}
    runs |= {(name, f"{rate:g}"): _run(make(rate), STEPS) for name, make in optimizers.items() for rate in rates}

    def draw(find: Find) -> Drawing:
        results = {key: available_results([run], find) for key, run in runs.items()}
        rows = []
        for (panel, label), some in results.items():
            steps, losses = step_losses(some)
            rows.append(windows(panel, label, steps, losses - MINIMUM))
        numbers = pd.concat(rows, ignore_index=True)
        panels = {panel: CurvePanel(panel, "step", "loss \N{MINUS SIGN} minimum") for panel, _ in runs}
        spread = f"lowest to highest of {STEPS // WINDOWS} steps"
        return Drawing(curve_panels(numbers, panels, spread=spread, same_y=True), numbers, _findings(results))

    return PaperFigure(
        name="convex_source",
        title="Convex function: the source's own instance, one panel an optimizer, learning rates",
        shows=f"Loss before each step, above the minimum {MINIMUM:.2f}; one run each, from the source's start; {STEPS} "
        f"steps, {STEPS_OF_NSGD} in the first panel.",
        source=f"{SOURCE}: convex experiment, whose Q, b and start come in this order from numpy.random.seed(0). It "
        f"prints of NSGD (l2, 0.1): {', '.join(f'{loss} at step {step}' for step, loss in PRINTED.items())}.",
        departures=[
            "In float32, as the source, on another machine and with other sums: the last digits differ.",
            "The source's panels of normalized Adam show one curve six times (its NSGD object); that its end does not "
            "depend on the learning rate is an artefact. Here each is normalized Adam.",
        ],
        runs=lambda _: list(runs.values()),
        draw=draw,
    )


def _run(one: Candidate, steps: int) -> Run:
    return Run(problem(), one, TUNING_SEED, steps // STEPS_AN_EPOCH, with_steps=True)


def _findings(results: Mapping[Key, Sequence[RunResult]]) -> list[str]:
    losses = step_losses(results[PRINTING, "0.1"])[1][0]
    beside = ", ".join(f"{losses[step]:.4f} (printed {loss}) at step {step}" for step, loss in PRINTED.items())
    ends: dict[str, list[str]] = {}
    for (panel, label), some in results.items():
        if panel != PRINTING:
            ends.setdefault(panel, []).append(f"{label} {np.mean([_end(run) for run in some]):.1f}")
    return [
        f"NSGD (l2, 0.1): loss {beside}.",
        *(f"{panel}, loss after {STEPS} steps by learning rate: {', '.join(some)}." for panel, some in ends.items()),
    ]


def _end(run: RunResult) -> float:
    """The loss after the last step."""
    return run.curves["test_losses"][-1]
