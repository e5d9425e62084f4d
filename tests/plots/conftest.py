"""Made-up results with the columns of the frames, all figures of them, and what is written where on a figure."""

import json
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Affine2D

from regbench.analysis import across, decay, entries, ranking, stability, tuning
from regbench.plots.critical_difference import critical_difference
from regbench.plots.decay_map import decay_map
from regbench.plots.dots import ranked_dots
from regbench.plots.generalisation import generalisation
from regbench.plots.learning_curves import learning_curves
from regbench.plots.profiles import performance_profile
from regbench.plots.rank_map import rank_map
from regbench.plots.sensitivity import sensitivity, sensitivity_map
from regbench.plots.tuning_curves import tuning_curves

PROBLEMS = (
    "digits_mlp", "quadratic_deep", "cifar10_3c3d", "two_d_rosenbrock", "fmnist_2c2d", "mnist_mlp", "svhn_3c3d",
    "cifar100_3c3d",
)  # fmt: skip
LOSSES = ("quadratic_deep", "two_d_rosenbrock")
COUPLINGS = ("none", "l2", "none", "decoupled", "none", "decoupled_momentum")


def _names(count):
    return [f"{COUPLINGS[index % len(COUPLINGS)]}_candidate_{index}" for index in range(count)]


@pytest.fixture(scope="session")
def make_runs() -> Callable[..., pd.DataFrame]:
    """Runs of searches over learning rate, momentum and (with a coupling) decay, and re-runs of the winners."""

    def make(candidates, problems: int = 1, trials: int = 30, seeds: int = 4) -> pd.DataFrame:
        names = _names(candidates) if isinstance(candidates, int) else candidates
        found = [
            row
            for place, problem in enumerate(PROBLEMS[:problems])
            for index, name in enumerate(names)
            for row in _search(np.random.default_rng([place, index]), problem, index, name, trials, seeds)
        ]
        return pd.DataFrame(found).assign(
            run=range(len(found)), file=[f"file_{number}" for number in range(len(found))]
        )

    return make


def _search(generator, problem, index, name, trials, seeds) -> Iterator[dict]:
    """The trials of one search, every seventh candidate's second seed diverges; a fifth of the trials do."""
    coupling, best_rate = COUPLINGS[index % len(COUPLINGS)], 10 ** generator.uniform(-3, -1)
    tried = []
    for _ in range(trials):
        setting = {"learning_rate": 10 ** generator.uniform(-5, 1), "momentum": generator.uniform(0.1, 0.99)}
        if coupling != "none":
            setting["weight_decay"] = 10 ** generator.uniform(-5, -1)
        off = math.log10(setting["learning_rate"] / best_rate * (setting.get("weight_decay", 1e-3) / 1e-3) ** 0.5)
        tried.append((max(0.05 + 0.03 * off**2 + 0.01 * generator.random(), 0.02), off > 1.5, setting))
    best = min((one for one in tried if not one[1]), default=tried[0], key=lambda one: one[0])
    runs = [(*one, 42) for one in tried] + [(*best, 43 + number) for number in range(seeds - 1)]
    for error, diverged, setting, seed in runs:
        diverged = diverged or (seed == 44 and index % 7 == 3)
        yield _run(problem, name, coupling, setting, seed, diverged, error + generator.normal(0, 0.004))


def _run(problem, name, coupling, setting, seed, diverged, error) -> dict:
    is_loss = problem in LOSSES
    values = {}
    for split, factor in (("train", 0.8), ("valid", 1.0), ("test", 1.1)):
        loss = 2.3 if diverged else 3 * factor * abs(error)
        accuracy = math.nan if is_loss else 0.1 if diverged else min(1 - factor * abs(error), 1.0)
        for when in ("final", "best"):
            values |= {f"{when}_{split}_loss": loss * (100 if is_loss else 1), f"{when}_{split}_accuracy": accuracy}
            values[f"{when}_{split}_metric"] = math.nan
    return values | {
        "source": "ours", "dialect": "regbench", "problem": problem, "optimizer": name, "candidate": name,
        "coupling": coupling, "decay": setting.get("weight_decay", 0.0), "setting": json.dumps(setting, sort_keys=True),
        "protocol": "deepobs", "schedule": "none", "epochs": 20, "batch_size": 64, "seed": seed,
        "moment": pd.Timestamp(2024, 1, 1), "outcome": "diverged" if diverged else "completed",
        "outcome_inferred": False, "diverged_epoch": math.nan, "metric": "loss" if is_loss else "accuracy",
        "goal": "minimize" if is_loss else "maximize", "loss_has_penalty": False, "epochs_to_convergence": math.nan,
        "training_seconds": 1.0, "step_seconds": 0.01, "digest": "", "superseded": False, "irregular": "",
        "problem_digest": "", "data_digest": "", "search": "", "role": "", "trial": math.nan, "sampler": "",
        "budget": math.nan, "study_seed": math.nan, "further_seeds": math.nan, "planned": math.nan, "definition": "",
        "searches": math.nan, "won": False, "code": "", "network": "", "release": "", "instance": "",
    }  # fmt: skip


@pytest.fixture(scope="session")
def make_summaries() -> Callable[..., pd.DataFrame]:
    """Learning curves over 20 epochs; that of every seventh candidate explodes."""

    def make(candidates, problems: int = 1) -> pd.DataFrame:
        names = _names(candidates) if isinstance(candidates, int) else candidates
        epoch = np.arange(21)
        frames = []
        for place, problem in enumerate(PROBLEMS[:problems]):
            for index, name in enumerate(names):
                generator = np.random.default_rng([place, index])
                floor, rate = generator.uniform(0.02, 0.3), generator.uniform(0.1, 0.6)
                loss = floor + 2.3 * np.exp(-rate * epoch)
                if index % 7 == 6:
                    loss = np.where(epoch < 9, 2.3 * 10.0 ** (3 * epoch), np.nan)
                drawn = {"train_loss": loss, "test_loss": 1.2 * loss}
                if problem not in LOSSES:
                    drawn["test_accuracy"] = np.where(np.isnan(loss), 0.1, 1 / (1 + 0.5 * loss))
                frames += [
                    pd.DataFrame(
                        {
                            "problem": problem,
                            "label": name,
                            "coupling": COUPLINGS[index % len(COUPLINGS)],
                            "metric": metric,
                            "epoch": epoch,
                            "mean": mean,
                            "low": 0.95 * mean,
                            "high": 1.05 * mean,
                        }
                    )
                    for metric, mean in drawn.items()
                ]
        return pd.concat(frames, ignore_index=True)

    return make


@pytest.fixture(scope="session")
def make_figure(make_runs, make_summaries) -> Callable[..., Figure]:
    """A figure by its name, of so many candidates (or of these) on so many problems, through the real analysis."""
    cached_runs: dict[tuple, pd.DataFrame] = {}

    def runs_of(candidates, problems):
        key = (candidates if isinstance(candidates, int) else tuple(candidates), problems)
        if key not in cached_runs:
            cached_runs[key] = make_runs(candidates, problems)
        return cached_runs[key]

    def make(name: str, candidates, problems: int) -> Figure:
        if name.startswith("learning_curves"):
            return learning_curves(make_summaries(candidates, problems), by_coupling=name.endswith("by_coupling"))
        runs = runs_of(candidates, problems)
        return FROM_RUNS[name](runs)

    return make


def _tuning_curves(runs):
    curves = tuning.tuning_curves(entries.trials(runs))
    return tuning_curves(curves, tuning.flips(curves))


def _decay_map(runs):
    tried = entries.trials(runs)
    ridges = {key: decay.ridge(rows) for key, rows in tried.groupby(["problem", "label"]) if rows["decay"].any()}
    return decay_map(tried, ridges)


FROM_RUNS = {
    "dots": lambda runs: ranked_dots(ranking.ranked_entries(runs)),
    "rank_map": lambda runs: rank_map(ranking.ranked_entries(runs)),
    "critical_difference": lambda runs: critical_difference(across.average_ranks(ranking.ranked_entries(runs))),
    "tuning_curves": _tuning_curves,
    "sensitivity": lambda runs: sensitivity(
        stability.sensitivity(entries.trials(runs), "learning_rate"), "learning_rate"
    ),
    "sensitivity_map": lambda runs: sensitivity_map(
        stability.sensitivity(entries.trials(runs), "learning_rate", "momentum"), "learning_rate", "momentum"
    ),
    "decay_map": _decay_map,
    "profiles": lambda runs: performance_profile(across.performance_profile(ranking.ranked_entries(runs))),
    "generalisation": lambda runs: generalisation(
        entries.reported(runs, split="train"), entries.reported(runs, split="test")
    ),
}


@pytest.fixture(scope="session")
def figures_of_runs() -> dict[str, Callable[[pd.DataFrame], Figure]]:
    """Every figure that is drawn from runs, through the real analysis."""
    return FROM_RUNS


class Written(NamedTuple):
    """A text as it was drawn: its outline on the canvas, and the axes that it belongs to."""

    text: str
    outline: np.ndarray
    axes: Axes | None

    def meets(self, other: np.ndarray) -> bool:
        """Whether two convex outlines overlap by more than a pixel (separating axes)."""
        for polygon in (self.outline, other):
            edges = np.roll(polygon, -1, axis=0) - polygon
            for normal in edges[:, ::-1] * (1, -1) / np.linalg.norm(edges, axis=1, keepdims=True):
                mine, others = self.outline @ normal, other @ normal
                if mine.max() <= others.min() + 1 or others.max() <= mine.min() + 1:
                    return False
        return True


@pytest.fixture
def written(monkeypatch) -> Callable[[Figure], list[Written]]:
    """Returns a function that draws a figure and tells which texts were drawn where."""
    drawn: list[Text] = []
    original = Text.draw

    def draw(self, renderer, *args, **kwargs):
        if self.get_visible() and self.get_text().strip():
            drawn.append(self)
        return original(self, renderer, *args, **kwargs)

    def look(figure: Figure) -> list[Written]:
        drawn.clear()
        FigureCanvasAgg(figure).draw()
        return [Written(text.get_text(), _outline(text), text.axes) for text in dict.fromkeys(drawn)]

    monkeypatch.setattr(Text, "draw", draw)
    return look


def _outline(text: Text) -> np.ndarray:
    """The corners of a text's rectangle, turned as the text is."""
    box = text.get_window_extent()
    angle = text.get_rotation()
    text.set_rotation(0)
    flat = text.get_window_extent()
    text.set_rotation(angle)
    centre = ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)
    half = (flat.width / 2, flat.height / 2)
    corners = np.array([(-half[0], -half[1]), (half[0], -half[1]), half, (-half[0], half[1])])
    return Affine2D().rotate_deg(angle).translate(*centre).transform(corners)
