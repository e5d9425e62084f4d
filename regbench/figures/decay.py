"""Weight decay: what each coupling does, what a schedule makes of it, and how strong it should be.

All experiments are ours; the sources are those of the couplings (docs/decay.md).
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter

import numpy as np
import pandas as pd

from regbench import catalog
from regbench.figures.curves import SPREAD, over_seeds
from regbench.figures.decay_ridge import ridge_figure
from regbench.figures.effects import accuracy_gain, final_accuracy
from regbench.figures.plan import Drawing, Find, PaperFigure, Run, Size, available_results, candidate, part
from regbench.plots.curve_panels import CurvePanel, curve_panels
from regbench.records import TUNING_SEED, Candidate, Coupling, Decay, RunResult

SOURCE = (
    "Loshchilov and Hutter 2019, arXiv 1711.05101 (decoupled); Chen et al. 2025, arXiv 2510.12402 (cautious); Defazio "
    "2025, arXiv 2506.02285, and Chou 2025, arXiv 2512.08217 (lr squared); Wang and Aitchison 2024, arXiv 2405.13698 "
    "(timescale). The experiment is ours"
)
DEEPOBS = catalog.protocol("deepobs")
RATE = 0.01
SCHEDULES = ("none", "cosine", "warmup_cosine", "wsd")
OPTIMIZERS = {
    "sgd": part("sgd", learning_rate=0.1),
    "momentum": part("sgd", learning_rate=0.03, momentum=0.9),
    "adam": part("adam", learning_rate=RATE),
}
NONE = "no decay"
LINES = ("l2", "decoupled", "decoupled constant", "lr squared", "cautious", NONE)
"""What has the same look in every figure."""

Key = tuple[str, str, float]
"""A panel, a line in it, and where on the line."""


def figures(size: Size) -> list[PaperFigure]:
    """One figure a question."""
    return [ridge_figure(SOURCE, size), _strengths(size), _schedules(size), _modular(size), _norms(size)]


def decayed(name: str, coupling: str, strength: float) -> Candidate:
    """An optimizer of `OPTIMIZERS` with a decay; with strength 0, without one."""
    decay = Decay(coupling=Coupling(coupling), strength=strength) if strength else Decay()
    return candidate(f"{name}_{coupling}" if strength else name, SOURCE, OPTIMIZERS[name], decay=decay.model_dump())


def _strengths(size: Size) -> PaperFigure:
    epochs, seeds, strengths = {
        Size.QUICK: (4, 1, (1e-3, 1e-1)),
        Size.DEFAULT: (40, 3, (1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1)),
        Size.FULL: (150, 10, (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)),
    }[size]
    problem = catalog.problem("mnist1d_mlp")
    runs = {
        (name, line, strength): _runs(problem.name, decayed(name, coupling, strength), epochs, seeds)
        for name in OPTIMIZERS
        for line, coupling in (("l2", "l2"), ("decoupled", "decoupled"))
        for strength in strengths
    } | {(name, NONE, 0.0): _runs(problem.name, decayed(name, "l2", 0.0), epochs, seeds) for name in OPTIMIZERS}
    panels = {name: CurvePanel(name, "strength", "test accuracy") for name in OPTIMIZERS}
    rates = ", ".join(f"{name} {one.arguments['learning_rate']}" for name, one in OPTIMIZERS.items())
    return PaperFigure(
        name="mnist1d_mlp_strength",
        title="mnist1d_mlp: test accuracy over the strength of L2 and of decoupled decay, for three optimizers",
        shows=f"Final test accuracy after {epochs} epochs at a constant rate ({rates}). {_of(seeds)} The line across "
        "is the same optimizer without decay.",
        source=SOURCE,
        departures=["The learning rates are fixed, not tuned anew for each strength."],
        runs=lambda _: _all(runs),
        draw=lambda find: _draw(runs, find, panels),
    )


def _schedules(size: Size) -> PaperFigure:
    epochs, seeds, strengths = {
        Size.QUICK: (4, 1, (0.03, 1.0)),
        Size.DEFAULT: (20, 2, (0.03, 0.1, 0.3, 1.0)),
        Size.FULL: (150, 10, (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)),
    }[size]
    couplings = {"decoupled": 1.0, "decoupled_constant": RATE, "lr_squared": 1.0, "cautious": 1.0}
    runs: dict[Key, list[Run]] = {}
    for schedule in SCHEDULES:
        runs |= _lines(schedule, "mnist1d_mlp", couplings, strengths, epochs, seeds, schedule)
    panels = {name: CurvePanel(f"schedule {name}", "strength at the peak rate", "test accuracy") for name in SCHEDULES}
    return PaperFigure(
        name="mnist1d_mlp_schedules",
        title="mnist1d_mlp, Adam: what a schedule makes of each coupling",
        shows="Final test accuracy over the strength. Along the axis is the strength of `decoupled`; each coupling has "
        "the setting that at a constant rate does step for step the same (cautious: that decays all entries as much). "
        f"{_of(seeds)} Peak rate {RATE}, {epochs} epochs; the line across is Adam without decay.",
        source=SOURCE,
        departures=["The learning rate is fixed, not tuned anew for each strength and schedule."],
        runs=lambda _: _all(runs),
        draw=lambda find: _draw(runs, find, panels),
    )


def _modular(size: Size) -> PaperFigure:
    epochs, seeds, strengths = {
        Size.QUICK: (10, 1, (0.1, 1.0)),
        Size.DEFAULT: (60, 2, (0.1, 0.3, 1.0, 3.0)),
        Size.FULL: (60, 10, (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)),
    }[size]
    couplings = {"l2": 1e-3, "decoupled": 1.0, "decoupled_constant": RATE, "lr_squared": 1.0, "cautious": 1.0}
    runs = _lines("held out", "modular_addition", couplings, strengths, epochs, seeds, "cosine")
    axis = "strength (of l2 a thousandth)"
    return PaperFigure(
        name="modular_addition_strength",
        title="modular_addition, Adam: accuracy on pairs that were held out, over the strength of each coupling",
        shows=f"Final test accuracy under a cosine from {RATE}, {epochs} epochs. Along the axis is the strength of "
        "`decoupled`; the others have the setting that at a constant rate does the same, l2 a thousandth of it. "
        f"{_of(seeds)} The line across is Adam without decay.",
        source=f"{SOURCE}; Power et al. 2022, arXiv 2201.02177, for the problem",
        departures=["The learning rate is fixed, not tuned anew for each strength."],
        runs=lambda _: _all(runs),
        draw=lambda find: _draw(
            runs, find, {"held out": CurvePanel("modular_addition", axis, "test accuracy", is_share=True)}
        ),
    )


def _norms(size: Size) -> PaperFigure:
    lengths, seeds = {
        Size.QUICK: ((1, 2, 4), 1),
        Size.DEFAULT: ((1, 2, 4, 8, 16, 32), 2),
        Size.FULL: ((1, 2, 4, 8, 16, 32, 64, 128), 10),
    }[size]
    strengths = {NONE: ("l2", 0.0), "l2": ("l2", 1e-3), "decoupled": ("decoupled", 1.0), "cautious": ("cautious", 1.0)}
    runs = {
        (line, epochs): _runs("digits_mlp", decayed("adam", *setting), epochs, seeds)
        for line, setting in strengths.items()
        for epochs in lengths
    }

    def draw(find: Find) -> Drawing:
        panels = {
            "norm": CurvePanel("norm of all weights", "epochs", "norm", markers=True),
            "left": CurvePanel("left of a weight by the decay alone", "epochs", "share", is_share=True, markers=True),
            "share": CurvePanel("decay in all changes", "epochs", "decay share", markers=True),
        }
        rows = [
            over_seeds(panel, line, np.array([epochs]), values[:, None])
            for (line, epochs), of_key in runs.items()
            for panel, values in _measured(available_results(of_key, find)).items()
            if len(values)
        ]
        numbers = pd.concat(rows, ignore_index=True)
        spread = SPREAD if seeds > 1 else ""
        return Drawing(curve_panels(numbers, panels, spread=spread, known=LINES), numbers, _ends(numbers))

    return PaperFigure(
        name="digits_mlp_norm",
        title="digits_mlp, Adam: norm of the weights and what the decay leaves of them, over the epochs",
        shows="Euclidean norm of all weights; what the decay alone leaves of a weight (of cautious, measured: what it "
        "leaves of the norm); the decay's share in all changes, for l2 that of its gradient. Each point is the end of "
        f"runs of so many epochs, which at a constant rate are the beginning of longer ones. {_of(seeds)}",
        source=SOURCE,
        departures=[f"Adam with a constant rate of {RATE}, strength 1 outside of the loss and 0.001 as L2."],
        runs=lambda _: _all(runs),
        draw=draw,
    )


def _lines(
    panel: str,
    problem: str,
    couplings: Mapping[str, float],
    strengths: Sequence[float],
    epochs: int,
    seeds: int,
    schedule: str,
) -> dict[Key, list[Run]]:
    """The runs of a panel: Adam with each coupling, of which a strength is multiplied by its number, and without."""
    plain = {(panel, NONE, 0.0): _runs(problem, decayed("adam", "l2", 0.0), epochs, seeds, schedule)}
    return {
        (panel, coupling.replace("_", " "), strength): _runs(
            problem, decayed("adam", coupling, factor * strength), epochs, seeds, schedule
        )
        for coupling, factor in couplings.items()
        for strength in strengths
    } | plain


def _runs(problem: str, one: Candidate, epochs: int, seeds: int, schedule: str = "none") -> list[Run]:
    of_problem, factors = catalog.problem(problem), catalog.schedule(schedule)
    return [
        Run(of_problem, one, seed, epochs, schedule=factors, protocol=DEEPOBS)
        for seed in range(TUNING_SEED, TUNING_SEED + seeds)
    ]


def _all(runs: Mapping[Key, list[Run]] | Mapping[tuple[str, int], list[Run]]) -> list[Run]:
    return [run for of_key in runs.values() for run in of_key]


def _of(seeds: int) -> str:
    return f"Mean over {seeds} seeds, band from the lowest to the highest." if seeds > 1 else "One seed."


def _draw(runs: Mapping[Key, list[Run]], find: Find, panels: Mapping[str, CurvePanel]) -> Drawing:
    """Accuracy over the strength, with that without decay across."""
    results = {key: available_results(of_key, find) for key, of_key in runs.items()}
    rows = [
        over_seeds(panel, line, np.array([strength]), np.array([[final_accuracy(run)] for run in some]))
        for (panel, line, strength), some in results.items()
    ]
    numbers = pd.concat(rows, ignore_index=True)
    plain = numbers[numbers["label"] == NONE].set_index("panel")["mean"]
    marked = {name: panel._replace(markers=True, levels={NONE: float(plain[name])}) for name, panel in panels.items()}
    several = len(next(iter(results.values()))) > 1
    drawn = numbers[numbers["label"] != NONE]
    widest = 2 if len(panels) == 4 else 3
    figure = curve_panels(drawn, marked, spread=SPREAD if several else "", widest=widest, known=LINES)
    return Drawing(figure, numbers, [_finding(results, panel) for panel in panels])


def _finding(results: Mapping[Key, Sequence[RunResult]], panel: str) -> str:
    """The best strength of each line, and what it gains over no decay."""
    plain = results[panel, NONE, 0.0]
    said = []
    for line in dict.fromkeys(key[1] for key in results if key[0] == panel and key[1] != NONE):
        some = {key[2]: of_key for key, of_key in results.items() if key[:2] == (panel, line)}
        means = {strength: np.mean([final_accuracy(run) for run in of_key]) for strength, of_key in some.items()}
        best = max(means.items(), key=itemgetter(1))[0]
        gain = accuracy_gain(line, some[best], plain)
        said.append(f"{line} {100 * means[best]:.1f} % at {best:g}, over none {gain.described()}")
    base = 100 * np.mean([final_accuracy(run) for run in plain])
    return f"{panel}: without decay {base:.1f} %; best of each, chosen by the same numbers: {'; '.join(said)}."


def _measured(results: Sequence[RunResult]) -> dict[str, np.ndarray]:
    pairs = {
        "norm": [run.final_weight_norm for run in results],
        "left": [run.shrinkage for run in results],
        "share": [run.decay_share for run in results],
    }
    return {name: np.array([value for value in values if value is not None]) for name, values in pairs.items()}


def _ends(numbers: pd.DataFrame) -> list[str]:
    """What each line has at its end."""
    last = numbers[numbers["x"] == numbers["x"].max()]
    words = {"norm": "norm of the weights", "left": "left by the decay alone", "share": "decay's share in all changes"}
    return [
        f"After {last['x'].iloc[0]:g} epochs, {words[panel]}: "
        + ", ".join(f"{row['label']} {row['mean']:.3g}" for row in rows.to_dict("records"))
        + "."
        for panel, rows in last.groupby("panel", sort=False)
    ]
