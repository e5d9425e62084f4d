"""The search: which setting is tried next, and which one wins.

Random, grid and quasi-random points are known before the first run. TPE looks at what came of the earlier trials: each
of its trials is asked of an Optuna study that is built anew from what was told, with a sampler seeded from the study's
seed and the number of the trial. So a search that was interrupted goes on by telling again what is stored; nothing of
Optuna's is ever kept.
"""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, QMCSampler, TPESampler
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from regbench.errors import DefinitionError, UnknownNameError
from regbench.records import Candidate, Choices, Outcome, RunResult, Scalar, Searched
from regbench.tuning import draws, narrowing, space
from regbench.tuning.narrowing import Ranges

Goal = Literal["maximize", "minimize"]
Setting = dict[str, Scalar]

_SAMPLERS = {
    "random": "the points of the budgets, the same for every problem and schedule",
    "narrowed": "50 random points, then points between the extremes of the ten best of them (the budget large)",
    "grid": "a full factorial grid with at most as many points as the budget",
    "qmc": "a random point, then a scrambled Sobol sequence (Optuna's QMCSampler)",
    "tpe": "a tree-structured Parzen estimator (Optuna's TPESampler), which learns from earlier trials",
}


def samplers() -> dict[str, str]:
    """The samplers by name, each with one line on what it does."""
    return dict(_SAMPLERS)


class Study:
    """A search that is asked for settings and told what came of them.

    A budget of one trial means the candidate's defaults, whatever the sampler: there is nothing to be tuned with it.
    A candidate that searches nothing is one trial, whatever the budget.

    Args:
        candidate: what is searched.
        goal: the direction of the scores.
        sampler: one of `samplers()`.
        seed: of the study, from 0 to 2**32 - 1.
        trials: the budget.
        ranges: of `narrowed`, those of the trials after the first 50, in place of the study's own.

    Attributes:
        trials: how many trials there are: the budget, or less (grid, nothing to search).
        ranges: of `narrowed`: from what the trials after the first 50 are drawn; None as long as that is not known.

    Raises:
        UnknownNameError: there is no such sampler.
        DefinitionError: the budget does not suit the candidate or the sampler.
    """

    def __init__(
        self, candidate: Candidate, goal: Goal, sampler: str, seed: int, trials: int, ranges: Ranges | None = None
    ) -> None:
        """Draw the points, where they are known in advance."""
        if sampler not in _SAMPLERS:
            raise UnknownNameError("sampler", sampler, _SAMPLERS)
        if trials < 1:
            raise DefinitionError(f"A budget must be at least 1 trial. Received: {trials!r}")
        if not 0 <= seed < 2**32:
            raise DefinitionError(f"The seed of a study must be from 0 to 2**32 - 1. Received: {seed!r}")
        self._candidate = candidate
        self._searched = candidate.searched()
        self._goal = goal
        self._seed = seed
        self._pending: dict[int, Setting] = {}
        self._told: dict[int, tuple[Setting, float | None]] = {}
        self._losses: dict[int, float | None] = {}
        self.ranges = ranges
        self._points = self._points_in_advance(candidate, sampler, trials)
        is_narrowed = sampler == "narrowed" and len(self._points or ()) == narrowing.FIRST
        self.trials = trials if self._points is None or is_narrowed else len(self._points)

    @property
    def is_known_in_advance(self) -> bool:
        """Whether no trial depends on what came of earlier ones."""
        return self._points is not None and len(self._points) == self.trials

    def rounds(self, capacity: int) -> list[range]:
        """The numbers of the trials in groups: all of a group are asked for before any of it is told.

        Where points are known in advance there is one group; where they are narrowed, groups of 50, the first ones and
        then others; else a group is what is computed at a time, `capacity`, so that what is asked does not depend on
        which run ends first.
        """
        size = capacity if self._points is None else max(1, len(self._points))
        return [range(first, min(first + size, self.trials)) for first in range(0, self.trials, size)]

    def ask(self, trial: int) -> Setting:
        """The setting of a trial, counting from 0.

        It is a function of the seed and the number of the trial alone; for `tpe` also of what is known of the trials
        before it: their settings and scores, or that they were asked for and are not yet told; for `narrowed`, from
        the 51st on, of the losses of the first 50.
        """
        if not 0 <= trial < self.trials:
            raise IndexError(f"`trial` must be from 0 to {self.trials - 1}. Received: trial={trial!r}")
        if self._points is not None:
            if trial >= len(self._points):
                self._narrow(self.trials)
            return dict(self._points[trial])
        sampler_seed = int(np.random.SeedSequence([self._seed, trial]).generate_state(1)[0])
        study = self.to_optuna(before=trial, sampler=TPESampler(seed=sampler_seed))
        setting = self._setting(study.ask(self._distributions()).params)
        if trial not in self._told:
            self._pending[trial] = setting
        return dict(setting)

    def _narrow(self, trials: int) -> None:
        """Draw the trials after the first, whose losses are known."""
        numbers = [number for number in range(narrowing.FIRST) if number in self._told]
        first = [(self._told[number][0], self._losses[number]) for number in numbers]
        self.ranges = self.ranges or narrowing.ranges_of(self._candidate, first)
        count = trials - narrowing.FIRST
        self._points = [
            *(self._points or []),
            *narrowing.points(self._candidate, self._seed, count, self.ranges, first),
        ]

    def tell(self, trial: int, setting: Mapping[str, Scalar], score: float | None, loss: float | None = None) -> None:
        """What came of a trial, also of one that this object was never asked for.

        Args:
            trial: its number.
            setting: what was run.
            score: see `score_of`; None, NaN and infinities mean that the trial failed.
            loss: see `loss_of`; only `narrowed` looks at it.
        """
        self._losses[trial] = loss
        self._pending.pop(trial, None)
        self._told[trial] = dict(setting), score if score is not None and math.isfinite(score) else None

    def to_optuna(self, before: int | None = None, sampler: BaseSampler | None = None) -> optuna.Study:
        """An Optuna study of what was told and, as running trials, of what was asked for and is not yet told.

        Its trials stand in their order and carry their number as the user attribute `trial`. A `one_minus` range
        appears as the distance to 1 that is searched.

        Args:
            before: only the trials before this one.
            sampler: of the study, for asking it.
        """
        study = _silent_study(self._goal, sampler)
        known = sorted(self._told.keys() | self._pending.keys())
        study.add_trials([self._frozen(trial) for trial in known if before is None or trial < before])
        return study

    def _points_in_advance(self, candidate: Candidate, sampler: str, trials: int) -> list[Setting] | None:
        if trials == 1:
            return [space.defaults(candidate)]
        if not self._searched:
            return [{}]
        if sampler in ("random", "narrowed"):
            first = trials if sampler == "random" else min(trials, narrowing.FIRST)
            points: list[Setting] = draws.points(candidate, self._seed, first)
            if self.ranges is not None and trials > first:
                points += narrowing.points(candidate, self._seed, trials - first, self.ranges)
            return points
        if sampler == "grid":
            return draws.grid(candidate, trials)
        return self._quasi_random_points(trials) if sampler == "qmc" else None

    def _quasi_random_points(self, trials: int) -> list[Setting]:
        with warnings.catch_warnings():
            # "Experimental" concerns the sampler's interface; the points are those of SciPy's Sobol sequence.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = QMCSampler(scramble=True, seed=self._seed)
        study = _silent_study(self._goal, sampler)
        settings = []
        for _ in range(trials):
            trial = study.ask(self._distributions())
            settings.append(self._setting(trial.params))
            study.tell(trial, 0.0)
        return settings

    def _distributions(self) -> dict[str, BaseDistribution]:
        return {name: distribution(searched) for name, searched in self._searched.items()}

    def _setting(self, parameters: Mapping[str, Scalar]) -> Setting:
        return {
            name: parameters[name] if isinstance(searched, Choices) else space.value(searched, float(parameters[name]))
            for name, searched in self._searched.items()
        }

    def _frozen(self, trial: int) -> FrozenTrial:
        if trial in self._told:
            setting, score = self._told[trial]
            state = TrialState.FAIL if score is None else TrialState.COMPLETE
        else:
            setting, score, state = self._pending[trial], None, TrialState.RUNNING
        parameters = {}
        for name, searched in self._searched.items():
            chosen = setting[name]
            parameters[name] = chosen if isinstance(searched, Choices) else space.drawn(searched, float(chosen))
        return create_trial(
            state=state,
            value=score,
            params=parameters,
            distributions=self._distributions(),
            user_attrs={"trial": trial},
        )


def score_of(result: RunResult) -> float | None:
    """What a study is told of a run.

    A diverged run has the problem's score of guessing, so that a sampler learns to stay away; a run that crashed or was
    cut short has none.
    """
    return result.score() if result.outcome in (Outcome.COMPLETED, Outcome.DIVERGED) else None


def loss_of(result: RunResult) -> float | None:
    """The final validation loss of a completed run, by which a narrowed search takes its ranges; else None.

    It is that of the result file, with the penalty term, as in the published ones; where trials differ in the penalty
    it is that without: else the weakest would be best. A protocol without validation goes by the test split.
    """
    if result.outcome != Outcome.COMPLETED:
        return None
    name = "valid_losses" if result.spec.protocol.validation else "test_losses"
    is_searched = any(not key.startswith("optimizer.") for key in result.spec.setting)
    curve = (result.losses_without_penalty if is_searched else result.curves).get(name)
    return curve[-1] if curve else None


def best(results: Sequence[RunResult], goal: Goal) -> int | None:
    """The position of the winner: the best score among the completed runs, the first of equals.

    Runs that diverged, failed or were cut short never win. None where no run can win.
    """
    scores = {
        position: result.score() for position, result in enumerate(results) if result.outcome == Outcome.COMPLETED
    }
    finite = {position: score for position, score in scores.items() if math.isfinite(score)}
    choose = max if goal == "maximize" else min
    return choose(finite, key=finite.__getitem__, default=None)


def distribution(searched: Searched) -> BaseDistribution:
    """What Optuna draws from where a value is searched: for `one_minus` the distance to 1."""
    if isinstance(searched, Choices):
        return CategoricalDistribution(searched.choices)
    low, high = searched.ends()
    if searched.integer:
        return IntDistribution(int(low), int(high), log=searched.log)
    return FloatDistribution(low, high, log=space.is_logarithmic(searched))


def _silent_study(goal: Goal, sampler: BaseSampler | None) -> optuna.Study:
    with quiet():
        return optuna.create_study(storage=InMemoryStorage(), sampler=sampler, direction=goal)


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna logs every study that is created, and one is created for each trial that is asked for."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(verbosity)
