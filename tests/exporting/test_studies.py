"""Trees as Optuna studies: which runs are trials, and what stands on them."""

import json
import math
from collections import Counter

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import TrialState

from regbench import catalog
from regbench.exporting import StudySummary, export
from regbench.records import Range
from regbench.store.folder import Folder
from regbench.tuning import draws

COMPLETE, FAIL = TrialState.COMPLETE, TrialState.FAIL
RATE = "optimizer.learning_rate"


@pytest.fixture
def studies(tree, tmp_path):
    """Exports the tree; gives the studies by name and what `export` said."""

    def read(**options):
        path = tmp_path / "some.journal"
        exported = export(tree, optuna=path, **options)
        storage = JournalStorage(JournalFileBackend(str(path)))
        found = {
            name: optuna.load_study(study_name=name, storage=storage) for name in optuna.get_all_study_names(storage)
        }
        assert list(found) == [study.name for study in exported.studies]
        return found, exported

    return read


def test_study_holds_the_trials_of_the_search_in_their_order(search, studies):
    results = search(shuffled=True)[:12]
    found, exported = studies()
    (study,) = found.values()
    assert exported.studies == [StudySummary("digits_mlp/sgd", trials=12, diverged=1, unfinished=2, seeds=4)]
    assert study.direction == StudyDirection.MAXIMIZE
    assert study.metric_names == ["valid_accuracy"]
    assert [trial.params for trial in study.trials] == [result.spec.setting for result in results]
    low, high = catalog.candidate("sgd").searched()[RATE].ends()
    assert study.trials[0].distributions == {RATE: FloatDistribution(low, high, log=True)}
    assert study.user_attrs["observed_ranges"] == []
    assert study.user_attrs["coupling"] == "none"
    assert (study.user_attrs["epochs"], study.user_attrs["tuning_seed"]) == (3, 42)


def test_outcomes_become_states_values_and_attributes(search, studies):
    results = search()
    (study,) = studies()[0].values()
    trials = study.trials
    states = [COMPLETE] * 12
    states[5] = states[7] = FAIL
    assert [trial.state for trial in trials] == states
    outcomes = ["completed"] * 12
    outcomes[3], outcomes[5], outcomes[7] = "diverged", "timed_out", "failed"
    assert [trial.user_attrs["outcome"] for trial in trials] == outcomes
    assert [trial.user_attrs.get("reason") for trial in trials[2:8]] == [
        None,
        "it diverged",
        None,
        "it timed_out",
        None,
        "it failed",
    ]
    assert trials[3].value == results[3].spec.problem.chance  # what the search is told
    assert trials[3].user_attrs["diverged_epoch"] == 2
    assert "wall_seconds" not in trials[7].user_attrs
    others = [number for number in range(12) if number not in (3, 5, 7)]
    assert [trials[number].value for number in others] == [results[number].score() for number in others]


def test_trial_tells_its_curve_seed_seconds_and_decay(search, studies):
    results = search(candidate="sgd+l2")
    (study,) = studies()[0].values()
    assert study.user_attrs["coupling"] == "l2"
    for trial, result in zip(study.trials, results[:12], strict=True):
        if result.outcome != "failed":
            assert trial.intermediate_values == dict(enumerate(result.curves["valid_accuracies"]))
            assert trial.user_attrs["wall_seconds"] == 1.5
            assert trial.duration.total_seconds() == 1.5
            assert trial.user_attrs["test_accuracy"] == result.curves["test_accuracies"][-1]
        assert trial.user_attrs["seed"] == 42
        assert trial.user_attrs["decay_coupling"] == "l2"
        assert trial.user_attrs["decay_strength"] == result.spec.setting["decay.strength"]
        assert (trial.user_attrs["problem"], trial.user_attrs["candidate"]) == ("digits_mlp", "sgd+l2")
        assert json.loads(trial.user_attrs["setting"])["decay"] == result.spec.setting["decay.strength"]
        assert trial.user_attrs["file"].startswith("digits_mlp/sgd+l2/")


def test_further_seeds_are_no_trials_but_stand_on_the_winner(search, studies):
    results = search()
    found, exported = studies()
    (study,) = found.values()
    reported = [result for result in results if result.spec.setting == study.best_params]
    assert [result.spec.seed for result in reported] == [42, 43, 44, 45]
    values = [result.curves["test_accuracies"][-1] for result in reported]
    attributes = study.best_trial.user_attrs
    assert attributes["winner"] is True
    assert attributes["seeds"] == "42, 43, 44, 45"
    # Two ways of adding four numbers.
    assert attributes["test_accuracy_mean"] == pytest.approx(np.mean(values), rel=1e-14)
    assert attributes["test_accuracy_sd"] == pytest.approx(np.std(values, ddof=1), rel=1e-9)
    assert [number for number, trial in enumerate(study.trials) if "winner" in trial.user_attrs] == [
        study.best_trial.number
    ]
    assert {reason.split(":")[0]: count for reason, count in exported.no_trials.items()} == {
        "further seeds of a winner": 3
    }


def test_fresh_seeds_of_strict_stand_on_the_winner_without_the_tuning_seed(search, studies):
    search(protocol="strict")
    (study,) = studies()[0].values()
    assert study.best_trial.user_attrs["seeds"] == "43, 44, 45"


def test_of_equal_scores_the_trial_that_optuna_calls_the_best_is_the_winner(tree, make_task, make_result, studies):
    task = make_task("digits_mlp", "sgd")
    specs = [task.spec(setting, 42) for setting in draws.points(task.candidate, 42, 6)]
    for spec in reversed(specs):  # as workers might finish
        Folder(tree).write(make_result(spec, train_losses=1.0, test_losses=1.0, valid_losses=1.0, valid_accuracies=0.5))
    Folder(tree).write(
        make_result(task.spec(specs[0].setting, 43), train_losses=1.0, test_losses=1.0, valid_accuracies=0.5)
    )
    (study,) = studies()[0].values()
    assert study.best_trial.params == specs[0].setting
    assert study.best_trial.user_attrs["winner"] is True


def test_loss_is_minimized_and_without_the_penalty(search, studies):
    results = search("quadratic_deep", "sgd+l2", endings={})
    (study,) = studies()[0].values()
    assert (study.direction, study.metric_names) == (StudyDirection.MINIMIZE, ["valid_loss"])
    assert [trial.value for trial in study.trials] == [
        result.losses_without_penalty["valid_losses"][-1] for result in results[:12]
    ]
    # The conftest's penalty stands on the last value alone.
    assert study.trials[0].intermediate_values[3] == results[0].curves["valid_losses"][-1] - 0.25


def test_protocol_without_validation_is_judged_on_the_test_split(search, studies):
    results = search(protocol="deepobs-1.1", endings={})
    (study,) = studies()[0].values()
    assert study.metric_names == ["test_accuracy"]
    assert study.trials[0].intermediate_values == dict(enumerate(results[0].curves["test_accuracies"]))


def test_searches_that_differ_in_protocol_schedule_epochs_or_batch_size_are_apart(search, studies):
    search()
    search(protocol="strict")
    search(schedule="cosine")
    search(batch_size=32)
    search(candidate="momentum")
    found, exported = studies()
    assert sorted(found) == [
        "digits_mlp/momentum",
        "digits_mlp/sgd · deepobs · constant rate · batch 32",
        "digits_mlp/sgd · deepobs · constant rate · batch 64",
        "digits_mlp/sgd · deepobs · cosine · batch 64",
        "digits_mlp/sgd · strict · constant rate · batch 64",
    ]
    assert {len(study.trials) for study in found.values()} == {12}
    assert exported.runs == 5 * (11 + 3)  # failures have no file with a run


def test_chosen_problems_and_candidates_alone_are_exported(search, studies):
    search()
    search(candidate="momentum")
    search("quadratic_deep", "momentum")
    assert list(studies(problems=["digits_mlp"], candidates=["momentum"])[0]) == ["digits_mlp/momentum"]


def test_crash_that_was_followed_by_a_run_is_forgotten(search, studies, tree):
    search()
    search(endings={})
    (study,) = studies()[0].values()
    assert Counter(trial.user_attrs["outcome"] for trial in study.trials) == {"completed": 12}


def test_search_of_which_every_trial_crashed_is_a_study(tree, make_task, studies):
    task = make_task("digits_mlp", "sgd")
    for rate in (0.1, 0.2, 0.2):
        Folder(tree).record_failure(task.spec({RATE: rate}, 42), "it exploded")
    found, exported = studies()
    assert exported.studies == [StudySummary("digits_mlp/sgd", trials=2, diverged=0, unfinished=2, seeds=0)]
    (study,) = found.values()
    assert [trial.state for trial in study.trials] == [FAIL, FAIL]
    assert {trial.params[RATE] for trial in study.trials} == {0.1, 0.2}
    assert exported.runs == 0


def test_note_of_a_crash_that_cannot_be_read_is_skipped_with_a_warning(search, studies, tree):
    search()
    (note,) = tree.rglob("*.failed")
    content = json.loads(note.read_text())
    del content["regbench"]["spec"]["seed"]
    note.write_text(json.dumps(content))
    (note.parent / "a.failed").write_text("{")
    warnings = []
    (study,) = studies(warn=warnings.append)[0].values()
    assert len(study.trials) == 11
    assert len(warnings) == 2
    assert all(f"{path.relative_to(tree)}: skipped: " in "".join(warnings) for path in (note, note.parent / "a.failed"))


@pytest.mark.parametrize("change", [("timings", "total_seconds", "long"), ("spec", "setting", None)])
def test_file_whose_rest_does_not_fit_is_skipped_with_a_warning(change, search, studies, tree):
    search()
    path = next(path for path in sorted(tree.rglob("random_seed__42*.json")))
    content = json.loads(path.read_text())
    table, key, value = change
    content["regbench"][table][key] = value
    del content["regbench"]["checksum"]
    path.write_text(json.dumps(content))
    warnings = []
    (study,) = studies(warn=warnings.append)[0].values()
    assert len(study.trials) == 11
    assert len(warnings) == 1
    assert f"`{key}`" in warnings[0]


def test_candidate_that_is_not_known_here_has_the_ranges_of_its_values(
    make_task, make_candidate, make_result, tree, studies
):
    task = make_task("digits_mlp", make_candidate("sgd", learning_rate=Range(low=1e-3, high=1.0)))
    for rate in (0.01, 0.5):
        Folder(tree).write(make_result(task.spec({RATE: rate}, 42), train_losses=1.0, valid_accuracies=rate))
    (study,) = studies()[0].values()
    assert study.user_attrs["observed_ranges"] == [RATE]
    assert study.trials[0].distributions == {RATE: FloatDistribution(0.01, 0.5)}


def test_setting_that_was_run_by_hand_is_a_trial_with_what_was_set(search, make_task, make_result, tree, studies):
    search(candidate="adam", trials=3, endings={})
    setting = {RATE: 5.0, "optimizer.beta_1": 0.75, "optimizer.beta_2": 0.9, "optimizer.epsilon": 1e-3}
    result = make_result(make_task("digits_mlp", "adam").spec(setting, 42), train_losses=1.0, valid_accuracies=0.9)
    Folder(tree).write(result)
    (study,) = studies()[0].values()
    assert study.trials[-1].params == setting
    assert study.trials[0].params.keys() == setting.keys() - {"optimizer.epsilon"}
    assert sorted(study.user_attrs["observed_ranges"]) == ["optimizer.epsilon", RATE]


def test_runs_of_others_have_the_hyperparameters_that_differ_as_parameters(foreign, studies):
    foreign((0.001, 0.6, 42), (0.1, 0.8, 42), (0.01, 0.7, 42), (0.1, 0.9, 43))
    (study,) = studies()[0].values()
    assert study.study_name == "their_problem/TheirOptimizer"
    assert [trial.params for trial in study.trials] == [
        {"learning_rate": 0.001},
        {"learning_rate": 0.1},
        {"learning_rate": 0.01},
    ]
    assert study.trials[0].distributions == {"learning_rate": FloatDistribution(0.001, 0.1, log=True)}
    assert study.user_attrs["observed_ranges"] == ["learning_rate"]
    assert study.best_value == 0.8
    assert study.best_trial.intermediate_values == {0: 0.125, 1: 0.25, 2: 0.8}
    assert study.best_trial.user_attrs["seeds"] == "42, 43"
    assert study.best_trial.user_attrs["test_accuracy_mean"] == pytest.approx(0.85, rel=1e-14)


def test_diverged_run_of_others_has_the_value_before_training(foreign, studies):
    foreign((0.1, 0.8, 42))
    foreign((1.0, 0.9, 42), train_losses=[2.0, math.nan, math.nan])
    (study,) = studies()[0].values()
    diverged = next(trial for trial in study.trials if trial.user_attrs["outcome"] == "diverged")
    assert (diverged.state, diverged.value) == (COMPLETE, 0.125)


def test_lists_null_and_huge_numbers_of_others_are_text(foreign, studies):
    for rate, betas, mask, steps in ((0.1, [0.9], None, 10**30), (0.2, [0.5], True, 1)):
        hyperparameters = {"learning_rate": rate, "betas": betas, "mask": mask, "steps": steps, "same": "same"}
        foreign((rate, 0.5, 42), optimizer_hyperparams=hyperparameters)
    (study,) = studies()[0].values()
    assert [trial.params for trial in study.trials] == [
        {"learning_rate": 0.1, "betas": "[0.9]", "mask": "null", "steps": str(10**30)},
        {"learning_rate": 0.2, "betas": "[0.5]", "mask": "True", "steps": "1"},
    ]


def test_superseded_runs_are_counted(foreign, studies, tree):
    foreign((0.1, 0.8, 42), (0.1, 0.7, 42), (0.2, 0.6, 42), (0.2, 0.6, 7))
    found, exported = studies()
    (study,) = found.values()
    assert [trial.value for trial in study.trials] == [0.7, 0.6]
    assert {reason.split()[0]: count for reason, count in exported.no_trials.items()} == {"superseded": 1, "other": 1}


def test_tree_is_not_touched(search, studies, tree):
    search()
    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    studies()
    assert {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()} == before
