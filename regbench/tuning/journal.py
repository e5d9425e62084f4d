"""Searches as an Optuna journal file, which optuna-dashboard and Optuna's own tools open."""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState, create_trial

from regbench.records import Choices, Range, Scalar, Searched
from regbench.tuning import space
from regbench.tuning.tune import distribution, quiet

WIDE = 100
"""Where ranges are not known: positive numbers whose largest is so many times the smallest are shown on a log scale."""

ONE_MINUS = "1 - "
"""Before the name of a parameter that stands as its distance to 1, on which it is searched."""

_SAME = 1e-9
_NO_MOMENT = datetime(1970, 1, 1)


@dataclass(frozen=True)
class StoredTrial:
    """A trial that was run.

    Attributes:
        setting: the values of what was searched, by name.
        value: the score; None where the trial has none: Optuna calls it failed.
        curve: the metric of the search before training and after each epoch.
        ended: when; None where that is not known.
        seconds: how long it took; NaN where that is not known.
        attributes: plain data by name.
    """

    setting: Mapping[str, Scalar]
    value: float | None
    curve: Sequence[float]
    ended: datetime | None
    seconds: float
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class StoredStudy:
    """A search that was run.

    Attributes:
        name: no two studies of a file share it.
        goal: the direction of the scores.
        metric: their name.
        searched: the ranges and choices by name, as far as they are known.
        trials: in their order.
        attributes: plain data by name.
    """

    name: str
    goal: Literal["maximize", "minimize"]
    metric: str
    searched: Mapping[str, Searched]
    trials: Sequence[StoredTrial]
    attributes: Mapping[str, Any]


def write(studies: Sequence[StoredStudy], path: Path) -> None:
    """Write studies into a new journal file.

    A range is the one that was searched, widened where values lie outside; where it is not known it is that of the
    values, and the study's attribute `observed_ranges` names it. Values of a curve that are not finite are left out.

    Args:
        studies: what is written.
        path: of the file, which must not exist.

    Raises:
        OSError: the file cannot be written.
    """
    journal = _Journal()
    storage = JournalStorage(journal)
    for study in studies:
        _add(study, storage)
    JournalFileBackend(str(path), lock_obj=_NoLock(str(path))).append_logs(journal.logs)


class _Journal(BaseJournalBackend):
    """Collects what is logged, so that it reaches the disk at once: a file is synchronised after every trial."""

    def __init__(self) -> None:
        self.logs: list[dict[str, Any]] = []

    def read_logs(self, log_number_from: int) -> list[dict[str, Any]]:
        return self.logs[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        self.logs += logs


class _NoLock(JournalFileOpenLock):
    """Nobody else writes into a new file; Optuna's own locks are files, and raise no OSError where they cannot go."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


def _add(study: StoredStudy, storage: JournalStorage) -> None:
    names = list(dict.fromkeys(name for trial in study.trials for name in trial.setting))
    axes = {
        name: _axis(name, study.searched.get(name), [t.setting[name] for t in study.trials if name in t.setting])
        for name in names
    }
    with quiet():
        stored = optuna.create_study(
            storage=storage, sampler=RandomSampler(), study_name=study.name, direction=study.goal
        )
    with warnings.catch_warnings():
        # "Experimental" concerns the method, not what it stores.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        stored.set_metric_names([study.metric])
    observed = [axis.label for axis in axes.values() if axis.is_observed]
    for name, value in {**study.attributes, "observed_ranges": observed}.items():
        stored.set_user_attr(name, value)
    stored.add_trials([_frozen(trial, axes) for trial in study.trials])


@dataclass(frozen=True)
class _Axis:
    """How the values of one name are shown."""

    label: str
    distribution: BaseDistribution
    searched: Searched | None
    is_observed: bool

    def shown(self, value: Scalar) -> Scalar:
        if isinstance(self.distribution, CategoricalDistribution):
            return value if value in self.distribution.choices else str(value)
        number = _drawn(self.searched, value)
        return int(number) if isinstance(self.distribution, IntDistribution) else float(number)


def _axis(name: str, searched: Searched | None, values: Sequence[Scalar]) -> _Axis:
    if isinstance(searched, Choices) and all(_is_among(value, searched.choices) for value in values):
        return _Axis(name, distribution(searched), searched, is_observed=False)
    if isinstance(searched, Range) and all(_is_number(value) for value in values):
        return _ranged_axis(name, searched, [_drawn(searched, value) for value in values])
    return _Axis(name, _observed_distribution(values), None, is_observed=True)


def _ranged_axis(name: str, searched: Range, numbers: Sequence[float]) -> _Axis:
    label = f"{ONE_MINUS}{name}" if searched.one_minus else name
    ends = searched.ends()
    low, high = min(*ends, *numbers), max(*ends, *numbers)
    if (low, high) == ends:
        return _Axis(label, distribution(searched), searched, is_observed=False)
    is_logarithmic = space.is_logarithmic(searched) and low > 0
    if searched.integer and all(float(number).is_integer() for number in numbers):
        return _Axis(label, IntDistribution(int(low), int(high), log=is_logarithmic), searched, is_observed=True)
    return _Axis(label, FloatDistribution(low, high, log=is_logarithmic), searched, is_observed=True)


def _drawn(searched: Searched | None, value: Any) -> float:
    """The number on the scale that is searched, between the ends if it misses one only by rounding."""
    if not isinstance(searched, Range):
        return value
    number = 1 - value if searched.one_minus else value
    drawn = space.drawn(searched, value)
    return drawn if math.isclose(drawn, number, rel_tol=_SAME) else number


def _observed_distribution(values: Sequence[Scalar]) -> BaseDistribution:
    if all(_is_number(value) for value in values):
        low, high = float(min(values)), float(max(values))
        is_wide = low > 0 and high >= WIDE * low
        if all(isinstance(value, int) for value in values):
            return IntDistribution(int(low), int(high), log=is_wide)
        return FloatDistribution(low, high, log=is_wide)
    kinds = {type(value) for value in values}
    return CategoricalDistribution(sorted(set(values) if len(kinds) == 1 else set(map(str, values))))


def _is_number(value: Scalar) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_among(value: Scalar, choices: Sequence[Scalar]) -> bool:
    """Whether it is one of the choices; true is not 1 here."""
    return any(value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in choices)


def _frozen(trial: StoredTrial, axes: Mapping[str, _Axis]) -> FrozenTrial:
    has_value = trial.value is not None and math.isfinite(trial.value)
    own = [axes[name] for name in trial.setting]
    frozen = create_trial(
        state=TrialState.COMPLETE if has_value else TrialState.FAIL,
        value=trial.value if has_value else None,
        params={axis.label: axis.shown(value) for axis, value in zip(own, trial.setting.values(), strict=True)},
        distributions={axis.label: axis.distribution for axis in own},
        user_attrs=dict(trial.attributes),
        intermediate_values={epoch: value for epoch, value in enumerate(trial.curve) if math.isfinite(value)},
    )
    ended = trial.ended or _NO_MOMENT
    frozen.datetime_start = ended - timedelta(seconds=trial.seconds if math.isfinite(trial.seconds) else 0)
    frozen.datetime_complete = ended
    return frozen
