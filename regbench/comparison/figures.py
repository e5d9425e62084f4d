"""The figures of a comparison, by name; one for which there are no data is left out."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from regbench import catalog
from regbench.analysis import curves, stability
from regbench.comparison.comparison import Comparison
from regbench.plots.critical_difference import critical_difference
from regbench.plots.decay_map import decay_map
from regbench.plots.dots import ranked_dots
from regbench.plots.generalisation import generalisation
from regbench.plots.learning_curves import learning_curves
from regbench.plots.profiles import performance_profile
from regbench.plots.rank_map import rank_map
from regbench.plots.sensitivity import sensitivity, sensitivity_map
from regbench.plots.style import NothingToDrawError
from regbench.plots.tuning_curves import tuning_curves
from regbench.store.paths import folder_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RATE = "learning_rate"
SPREAD = "middle half of the seeds; line: their median"
MOST_MAPS = 4
"""Hyperparameters that are mapped against the learning rate."""

MOST_ENTRIES, MOST_DECAYS = 6, 12


def draw(comparison: Comparison) -> "Iterator[tuple[str, Figure]]":
    """Draw one figure after the other, so that only one at a time is in memory."""
    for name, figure in _figures(comparison).items():
        try:
            yield name, figure()
        except NothingToDrawError:
            continue


def _figures(comparison: Comparison) -> "dict[str, Callable[[], Figure]]":
    table, best = comparison.table, comparison.best_first
    ranked = table["problem"].nunique() > 1
    drawn = curves.comparable(comparison.summaries, comparison.reported)
    drawn = curves.deciding(drawn, comparison.reported)
    # On logarithmic axes a mean is where its worst seed is, and what lies a deviation below it has no place.
    drawn = drawn.assign(mean=drawn["q50"], low=drawn["q25"], high=drawn["q75"])
    optima = _optima(drawn["problem"].unique())
    figures: dict[str, Callable[[], Figure]] = {
        "ranking": lambda: ranked_dots(table),
        "learning_curves": lambda: learning_curves(drawn, best=best, spread=SPREAD, optima=optima),
    }
    if drawn["coupling"].nunique() > 1:
        figures["learning_curves_by_coupling"] = lambda: learning_curves(
            drawn, best=best, by_coupling=True, spread=SPREAD, optima=optima
        )
    if ranked:
        figures |= {
            "ranks": lambda: rank_map(table),
            "critical_difference": lambda: critical_difference(comparison.ranks),
            "performance_profile": lambda: performance_profile(comparison.profile, best=best),
        }
    figures |= {
        "tuning_curves": lambda: tuning_curves(comparison.tuning, comparison.flips, best=best),
        "learning_rate": lambda: sensitivity(stability.sensitivity(comparison.trials, RATE), RATE, best=best),
        "generalisation": lambda: generalisation(comparison.reported_on_train, comparison.reported, best=best),
    }
    for second in _mapped(comparison):
        # The name becomes that of a file, and a hyperparameter is called as somebody's result file says.
        figures[f"learning_rate_and_{folder_name(second)}"] = partial(_map, comparison, second)
    if comparison.ridges:
        figures["decay"] = partial(_decay_map, comparison)
    return figures


def _optima(problems: Iterable[object]) -> dict[tuple[str, str], float]:
    """The best that there can be on those problems of the catalogue of which it is known."""
    known = [catalog.problem(name) for name in catalog.problem_names() if name in set(map(str, problems))]
    best = {(problem.name, f"test_{problem.metric}"): problem.optimum for problem in known}
    return {key: value for key, value in best.items() if value is not None}


def _mapped(comparison: Comparison) -> list[str]:
    """Hyperparameters tuned with the learning rate alone, most common first; decay has its own map."""
    others = Counter(
        next(name for name in tuned if name != RATE)
        for tuned in comparison.cards["tuned"]
        if len(tuned) == 2 and RATE in tuned and "decay" not in tuned
    )
    return [name for name, _ in others.most_common(MOST_MAPS)]


def _map(comparison: Comparison, second: str) -> "Figure":
    """Learning rate and a second hyperparameter."""
    frame = stability.sensitivity(comparison.trials, RATE, second)
    return sensitivity_map(_of_the_best(comparison, frame, MOST_ENTRIES), RATE, second)


def _decay_map(comparison: Comparison) -> "Figure":
    """Learning rate and decay, of the entries that searched both."""
    searched = {label for _, label in comparison.ridges}
    trials = comparison.trials[comparison.trials["label"].isin(searched)]
    return decay_map(_of_the_best(comparison, trials, MOST_DECAYS), comparison.ridges)


def _of_the_best(comparison: Comparison, frame: pd.DataFrame, most: int) -> pd.DataFrame:
    """The rows of the best entries that there are: maps take room."""
    there = set(frame["label"])
    labels = [label for label in comparison.best_first if label in there][:most]
    return frame[frame["label"].isin(labels)]
