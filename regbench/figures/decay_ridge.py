"""The figure of the ridge: how the best strength of each coupling depends on the learning rate."""

import pandas as pd

from regbench.analysis.decay import ridge
from regbench.analysis.labels import ENTRY
from regbench.benchmark.searches import Search
from regbench.figures.plan import Drawing, Find, PaperFigure, Run, Size, available_results, candidate, part
from regbench.figures.searches import FigureSearch
from regbench.plots.decay_map import decay_map, points_of
from regbench.records import Coupling, Range, RunResult
from regbench.trees.settings import setting_text

RATES = Range(low=1e-3, high=1e-1, log=True)
STRENGTHS = {
    Coupling.L2: (1e-6, 1e-1),
    Coupling.DECOUPLED: (1e-3, 1e1),
    Coupling.DECOUPLED_MOMENTUM: (1e-4, 1.0),
    Coupling.DECOUPLED_CONSTANT: (1e-5, 1e-1),
    Coupling.CAUTIOUS: (1e-3, 1e1),
    Coupling.LR_SQUARED: (1e-3, 1e1),
    Coupling.TIMESCALE: (1.0, 3e3),
}
"""Wide enough for the score to fall off to both sides; of `timescale` in epochs."""

PROBLEM, SCHEDULE = "mnist1d_mlp", "cosine"


def ridge_figure(source: str, size: Size) -> PaperFigure:
    """Trials over learning rate and strength, and where the strength is best."""
    epochs, trials = {Size.QUICK: (2, 8), Size.DEFAULT: (20, 36), Size.FULL: (150, 200)}[size]
    searches = {
        coupling: FigureSearch(
            Search.of(
                PROBLEM,
                candidate(
                    f"adam_{coupling.value}_ridge",
                    source,
                    part("adam", learning_rate=RATES),
                    decay={"coupling": coupling, "strength": Range(low=low, high=high, log=True)},
                ),
                budget=trials,
                reruns=0,
                epochs=epochs,
                schedule=SCHEDULE,
            )
        )
        for coupling, (low, high) in STRENGTHS.items()
    }

    def runs(_: Find) -> list[Run]:
        return [run for search in searches.values() for run in search.trials()]

    return PaperFigure(
        name="mnist1d_mlp_ridge",
        title=f"{PROBLEM}, Adam under a {SCHEDULE}: score over learning rate and strength of each coupling",
        shows=f"Validation accuracy of {trials} trials a coupling, {epochs} epochs each, at points drawn over learning "
        "rate and strength. The dashed line is the ridge, where the strength is best at a rate; slope -1 means that "
        "their product matters, 0 that the strength does (of timescale, which is one over a product, the other way "
        "round), with its 95 % interval.",
        source=source,
        departures=["Betas as usual, not searched."],
        runs=runs,
        draw=lambda find: _draw(searches, find),
    )


def _draw(searches: dict[Coupling, FigureSearch], find: Find) -> Drawing:
    frames = []
    for coupling, search in searches.items():
        results = available_results(search.trials(), find)
        frames.append(pd.DataFrame([_row(coupling, result) for result in results]))
    trials = pd.concat(frames, ignore_index=True)
    ridges = {
        (PROBLEM, str(label)): ridge(rows.reset_index(drop=True)) for label, rows in trials.groupby("label", sort=False)
    }
    points = points_of(trials)[["label", "coupling", "x", "y", "value", "outcome"]]
    numbers = points.rename(columns={"x": "learning_rate", "y": "strength", "value": "score"})
    slopes = pd.DataFrame(
        [{"label": label, "slope": one.slope, "low": one.low, "high": one.high} for (_, label), one in ridges.items()]
    )
    findings = [f"{label}: {one.sentence}" for (_, label), one in ridges.items()]
    return Drawing(decay_map(trials, ridges), numbers.merge(slopes, on="label"), findings)


def _row(coupling: Coupling, result: RunResult) -> dict[str, object]:
    """A trial as the analysis has it."""
    spec = result.spec
    rate = {"learning_rate": spec.optimizer.arguments["learning_rate"]}
    about = dict.fromkeys(ENTRY, "") | {"problem": spec.problem.name, "candidate": spec.candidate}
    return about | {
        "label": coupling.value,
        "coupling": coupling.value,
        "decay": spec.decay_strength,
        "setting": setting_text(rate, coupling.value, spec.decay_strength)[0],
        "score": result.score(),
        "score_goal": spec.problem.goal,
        "decided_by": f"valid {spec.problem.metric}",
        "outcome": result.outcome.value,
    }
