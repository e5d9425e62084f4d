"""How often claims err: searches of known truth, drawn from recorded surfaces, through the same code as real ones.

A surface is a table of many settings of one candidate, each trained with many seeds (`scripts/record_surface.py`). From
it searches can be drawn again and again without training: of one candidate tuned apart, so that every claim is false,
or of candidates whose expected winners are made equal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd

from regbench.analysis import claims, ranking, scores
from regbench.analysis.sentences import Question
from regbench.records import Role
from regbench.trees.frames import RUNS, frame

FRESH_SEEDS = 9
"""With which a winner is run again, as DeepOBS does."""


@dataclass(frozen=True)
class Surface:
    """Final values of settings, each with several seeds.

    Args:
        name: of the problem and candidate.
        goal: "maximize" or "minimize".
        valid: shape (settings, seeds), by which a search chooses; NaN for a run that diverged. `test`: likewise, what
            is reported.
        untrained: the metric before training.
    """

    name: str
    goal: str
    valid: np.ndarray
    test: np.ndarray
    untrained: float

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `scripts/record_surface.py` wrote."""
        with np.load(path) as table:
            parts = (table["valid"].astype(float), table["test"].astype(float), float(table["chance"]))
            return cls(Path(path).stem, str(table["goal"]), *parts)

    @property
    def sign(self) -> float:
        """1 where more is better, else -1."""
        return 1.0 if self.goal == "maximize" else -1.0

    @property
    def worth(self) -> np.ndarray:
        """The test values as they count in a score; shape (settings, seeds)."""
        values = np.where(np.isfinite(self.test), self.test, self.untrained)
        return np.fmax(values, self.untrained) if self.sign > 0 else np.fmin(values, self.untrained)

    @property
    def seed_deviation(self) -> float:
        """Standard deviation over seeds, of the twenty best settings."""
        chosen = np.where(np.isfinite(self.valid), self.sign * self.valid, -np.inf).mean(axis=1)
        best = np.argsort(-chosen, kind="stable")[:20]
        return float(np.sqrt(self.worth[best].var(axis=1, ddof=1).mean()))

    def expected_winner(self, budget: int, searches: int = 10_000, seed: int = 0) -> float:
        """The mean test value, over other seeds, of the setting that a search of so many trials ends with."""
        generator = np.random.default_rng(seed)
        count, seeds = self.valid.shape
        score = np.where(np.isfinite(self.valid), self.sign * self.valid, -np.inf)
        found = []
        for _ in range(searches):
            trials, tuning = generator.choice(count, budget, replace=False), generator.integers(seeds)
            winner = trials[np.argmax(score[trials, tuning])]
            found.append((self.worth[winner].sum() - self.worth[winner, tuning]) / (seeds - 1))
        return float(np.mean(found))

    def shifted(self, by: float) -> Self:
        """The same with another level: what was better by `by` is."""
        finite = self.valid + by, self.test + by
        return type(self)(self.name, self.goal, *finite, self.untrained + by)


def searches(
    surfaces: Sequence[Surface],
    budget: int,
    repetitions: int,
    seed: int = 0,
    *,
    fresh_seeds: int = FRESH_SEEDS,
    several: int = 1,
) -> pd.DataFrame:
    """The runs of searches drawn from surfaces: a problem for each repetition, an entry for each surface in it.

    All entries of a repetition choose with the same seeds and run their winners again with the same others; copies of
    one surface never share a setting, as long as there are enough.

    Args:
        surfaces: one for each entry.
        budget: trials of a search.
        repetitions: number of problems.
        seed: of the draws.
        fresh_seeds: with which each winner is run again.
        several: how many searches make up an entry.

    Returns:
        `frames.RUNS`, as of a tree with records of the searches, and the metric before training.
    """
    generator = np.random.default_rng(seed)
    parts = []
    for number in range(repetitions):
        orders = [generator.permutation(min(one.valid.shape[1] for one in surfaces)) for _ in range(several)]
        drawn = _drawn(surfaces, budget, several, generator)
        for place, (surface, each) in enumerate(drawn):
            for study, (settings, seeds) in enumerate(zip(each, orders, strict=True)):
                entry = _Entry(f"p{number:05}", f"c{place}", study, several)
                parts.append(_search(surface, settings, entry, seeds, fresh_seeds))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    size = len(columns["seed"])
    whole = {name: np.full(size, _NOTHING[dtype]) for name, (dtype, _) in RUNS.items()}
    whole |= columns | {"run": np.arange(size), "metric": np.full(size, "accuracy", object)}
    whole["goal"] = np.full(size, surfaces[0].goal, object)
    untrained = {f"untrained_{metric}": surfaces[0].untrained for metric in ("accuracy", "loss")}
    return frame(RUNS, whole).assign(**untrained)


class _Entry(NamedTuple):
    problem: str
    label: str
    study: int
    searches: int


_NOTHING: dict[str, Any] = {
    **{"int64": 1, "float64": np.nan, "str": "", "bool": False},
    "datetime64[s]": np.datetime64("NaT", "s"),
}


def _drawn(
    surfaces: Sequence[Surface], budget: int, several: int, generator: np.random.Generator
) -> list[tuple[Surface, list[np.ndarray]]]:
    """The settings of each search of each entry, by number."""
    left: dict[str, np.ndarray] = {}
    drawn = []
    for surface in surfaces:
        each = []
        for _ in range(several):
            if len(left.get(surface.name, ())) < budget:
                left[surface.name] = generator.permutation(len(surface.valid))
            each.append(left[surface.name][:budget])
            left[surface.name] = left[surface.name][budget:]
        drawn.append((surface, each))
    return drawn


def _search(
    surface: Surface, settings: np.ndarray, entry: _Entry, seeds: np.ndarray, fresh_seeds: int
) -> dict[str, np.ndarray]:
    tuning, fresh = seeds[0], seeds[1 : 1 + fresh_seeds]
    valid, test = surface.valid[settings, tuning], surface.test[settings, tuning]
    completed = np.isfinite(valid) & np.isfinite(test)
    winner = int(np.argmax(np.where(completed, surface.sign * valid, -np.inf)))
    again = surface.test[settings[winner], fresh]
    size, count = len(settings) + len(fresh), len(settings)
    is_trial = np.arange(size) < count
    value = np.concatenate([test, again])
    return {
        "problem": np.full(size, entry.problem, object),
        "candidate": np.full(size, entry.label, object),
        "source": np.full(size, "simulated", object),
        "coupling": np.full(size, "none", object),
        "protocol": np.full(size, "deepobs", object),
        "schedule": np.full(size, "none", object),
        "setting": np.array([f'{{"x": {x}}}' for x in [*settings, *[settings[winner]] * len(fresh)]], object),
        "seed": np.concatenate([np.full(count, tuning), fresh]),
        "outcome": np.where(np.isfinite(value), "completed", "diverged").astype(object),
        "final_valid_accuracy": np.concatenate([valid, np.full(len(fresh), np.nan)]),
        "final_test_accuracy": value,
        "search": np.full(size, f"{entry.problem}/{entry.label}", object),
        "role": np.where(is_trial, Role.TRIAL.value, Role.RERUN.value).astype(object),
        "trial": np.where(is_trial, np.arange(size), np.nan),
        "sampler": np.full(size, "random", object),
        "budget": np.full(size, float(count)),
        "study_seed": np.full(size, float(1000 * entry.study)),
        "further_seeds": np.full(size, float(len(fresh))),
        "searches": np.full(size, float(entry.searches)),
        "planned": np.full(size, float(count)),
        "definition": np.full(size, entry.label, object),
        "won": is_trial & (np.arange(size) == winner),
    }


def claimed(runs: pd.DataFrame, *questions: Question, level: float = 0.05) -> pd.DataFrame:
    """All pairs of the entries of each problem, for each question (given the budget, unless others are named)."""
    searched = scores.searched(runs)
    table = ranking.ranked_entries(runs, searched=searched)
    return pd.concat(
        [
            claims.claims(table, searched, question=question, level=level, against="all")
            for question in questions or ("budget",)
        ],
        ignore_index=True,
    )
