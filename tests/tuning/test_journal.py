"""Searches written as a journal file and read back by Optuna."""

import math
from datetime import datetime, timedelta

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import TrialState

from regbench.records import Choices, Range
from regbench.tuning import journal
from regbench.tuning.journal import StoredStudy, StoredTrial

ENDED = datetime(2026, 1, 2, 3, 4, 5)
RATE = Range(low=1e-4, high=1.0, log=True)
FAR = Range(low=1e-4, high=1.0, log=True, one_minus=True)
SEARCHED = {
    "optimizer.learning_rate": RATE,
    "optimizer.momentum": FAR,
    "optimizer.steps": Range(low=1.0, high=20.0, integer=True),
    "optimizer.power": Choices(choices=(0.4, 0.5)),
    "optimizer.nesterov": Choices(choices=(True, False)),
}
SETTING = {
    "optimizer.learning_rate": 0.1,
    "optimizer.momentum": 1 - 1e-4,  # whose distance to 1 is by rounding a little less than the lower end
    "optimizer.steps": 7,
    "optimizer.power": 0.5,
    "optimizer.nesterov": False,
}


def trial(setting=None, value=0.5, curve=(0.1, 0.3, 0.5), ended=ENDED, seconds=2.5, **attributes):
    return StoredTrial(SETTING if setting is None else setting, value, curve, ended, seconds, attributes)


def stored(*trials, name="toy/mine", goal="maximize", searched=SEARCHED, **attributes):
    return StoredStudy(name, goal, "valid_accuracy", searched, trials, attributes)


@pytest.fixture
def read_back(tmp_path):
    """Writes studies and returns what Optuna reads, by name."""

    def read(*studies):
        path = tmp_path / "some.journal"
        journal.write(studies, path)
        assert list(tmp_path.iterdir()) == [path]  # no lock stays behind
        storage = JournalStorage(JournalFileBackend(str(path)))
        names = optuna.get_all_study_names(storage)
        return {name: optuna.load_study(study_name=name, storage=storage) for name in names}

    return read


def observed(values, read_back):
    """The distribution of values whose range is not known."""
    study = read_back(stored(*(trial({"x": value}) for value in values), searched={}))["toy/mine"]
    assert study.user_attrs["observed_ranges"] == ["x"]
    distributions = [one.distributions["x"] for one in study.trials]
    assert distributions == distributions[:1] * len(values)
    return distributions[0], [one.params["x"] for one in study.trials]


def test_study_is_read_as_it_was_written(read_back):
    study = read_back(stored(trial(outcome="completed", seed=42), problem="toy"))["toy/mine"]
    (read,) = study.trials
    assert study.direction == StudyDirection.MAXIMIZE
    assert study.metric_names == ["valid_accuracy"]
    assert study.user_attrs == {"problem": "toy", "observed_ranges": []}
    assert (read.state, read.value, study.best_value) == (TrialState.COMPLETE, 0.5, 0.5)
    assert read.intermediate_values == {0: 0.1, 1: 0.3, 2: 0.5}
    assert read.user_attrs == {"outcome": "completed", "seed": 42}
    assert (read.datetime_complete, read.duration) == (ENDED, timedelta(seconds=2.5))


def test_parameters_stand_as_they_were_searched(read_back):
    (read,) = read_back(stored(trial()))["toy/mine"].trials
    assert read.params == {
        "optimizer.learning_rate": 0.1,
        "1 - optimizer.momentum": 1e-4,
        "optimizer.steps": 7,
        "optimizer.power": 0.5,
        "optimizer.nesterov": False,
    }
    assert read.distributions == {
        "optimizer.learning_rate": FloatDistribution(1e-4, 1.0, log=True),
        "1 - optimizer.momentum": FloatDistribution(1e-4, 1.0, log=True),
        "optimizer.steps": IntDistribution(1, 20),
        "optimizer.power": CategoricalDistribution((0.4, 0.5)),
        "optimizer.nesterov": CategoricalDistribution((True, False)),
    }


def test_studies_of_both_directions_share_a_file(read_back):
    studies = read_back(
        stored(trial(value=1.0), trial(value=2.0), goal="minimize", name="a"),
        stored(trial(value=1.0), trial(value=2.0), name="b"),
    )
    assert {name: study.best_value for name, study in studies.items()} == {"a": 1.0, "b": 2.0}
    assert [one.number for one in studies["b"].trials] == [0, 1]


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_trial_without_a_finite_value_is_failed_and_keeps_its_curve(value, read_back):
    study = read_back(stored(trial(value=value, curve=[0.1, math.nan, 0.2, math.inf]), trial()))["toy/mine"]
    assert [one.state for one in study.trials] == [TrialState.FAIL, TrialState.COMPLETE]
    assert study.trials[0].intermediate_values == {0: 0.1, 2: 0.2}
    assert study.best_trial.number == 1


def test_trial_of_which_neither_moment_nor_duration_is_known_takes_no_time(read_back):
    (read,) = read_back(stored(trial(ended=None, seconds=math.nan)))["toy/mine"].trials
    assert (read.datetime_complete, read.duration) == (datetime(1970, 1, 1), timedelta(0))


@pytest.mark.parametrize(
    ("name", "outside", "label", "expected"),
    [
        ("optimizer.learning_rate", 2.0, "optimizer.learning_rate", FloatDistribution(1e-4, 2.0, log=True)),
        ("optimizer.learning_rate", 0.0, "optimizer.learning_rate", FloatDistribution(0.0, 1.0)),
        ("optimizer.momentum", -1.0, "1 - optimizer.momentum", FloatDistribution(1e-4, 2.0, log=True)),
        ("optimizer.steps", 50, "optimizer.steps", IntDistribution(1, 50)),
        ("optimizer.steps", 0.5, "optimizer.steps", FloatDistribution(0.5, 20.0)),
        ("optimizer.power", 0.9, "optimizer.power", FloatDistribution(0.5, 0.9)),
        ("optimizer.learning_rate", "fast", "optimizer.learning_rate", CategoricalDistribution(("0.1", "fast"))),
    ],
)
def test_range_is_widened_where_a_value_lies_outside_and_the_study_says_so(name, outside, label, expected, read_back):
    study = read_back(stored(trial(), trial(SETTING | {name: outside})))["toy/mine"]
    assert [one.distributions[label] for one in study.trials] == [expected, expected]
    assert study.user_attrs["observed_ranges"] == [label]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.1, 0.9], FloatDistribution(0.1, 0.9)),
        ([0.01, 1.0], FloatDistribution(0.01, 1.0, log=True)),
        ([0, 0.99], FloatDistribution(0.0, 0.99)),
        ([-1.0, 1000.0], FloatDistribution(-1.0, 1000.0)),
        ([3, 5], IntDistribution(3, 5)),
        ([0.5, 0.5], FloatDistribution(0.5, 0.5)),
        (["b", "a"], CategoricalDistribution(("a", "b"))),
        ([True, False], CategoricalDistribution((False, True))),
    ],
)
def test_range_that_is_not_known_is_that_of_the_values(values, expected, read_back):
    assert observed(values, read_back) == (expected, values)


def test_values_of_several_kinds_are_text(read_back):
    assert observed([True, 1, "on"], read_back) == (CategoricalDistribution(("1", "True", "on")), ["True", "1", "on"])


def test_trials_may_have_different_parameters(read_back):
    study = read_back(stored(trial({"x": 0.5}), trial({"x": 0.25, "y": "a"}), trial({}), searched={}))["toy/mine"]
    assert [one.params for one in study.trials] == [{"x": 0.5}, {"x": 0.25, "y": "a"}, {}]


def test_journal_reaches_the_disk_in_one_piece(tmp_path, monkeypatch):
    pieces = []
    monkeypatch.setattr(JournalFileBackend, "append_logs", lambda _, logs: pieces.append(len(logs)))
    journal.write([stored(*[trial()] * 100), stored(*[trial()] * 100, name="other")], tmp_path / "some.journal")
    assert len(pieces) == 1
    assert pieces[0] > 200
