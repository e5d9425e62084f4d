"""The whole search, with a function in place of the trainings."""

import json
import logging
import math

import optuna
import pytest
from optuna.trial import TrialState

from regbench import catalog
from regbench.errors import DefinitionError, UnknownNameError
from regbench.records import Candidate, Choices, Outcome, Part, Problem, Range, RunResult, RunSpec, Timings
from regbench.tuning import draws, space, tune

RATE = Range(low=1e-4, high=1.0, log=True, default=0.01)
CANDIDATE = Candidate(
    name="mine",
    summary="",
    source="",
    optimizer=Part(
        name="sgd",
        arguments={
            "learning_rate": RATE,
            "momentum": Range(low=1e-4, high=1.0, log=True, one_minus=True, default=0.99),
            "k": Range(low=1.0, high=19.0, integer=True, default=5),
            "nesterov": Choices(choices=(True, False), default=False),
        },
    ),
)
LEARNING = "tpe"
ALL = sorted(tune.samplers())


def fake_run(setting):
    """Best at a learning rate of 0.1; diverges above 0.5 (score of guessing 0.1), crashes below 0.0002."""
    rate = setting["optimizer.learning_rate"]
    if rate < 2e-4:
        return None
    return 0.1 if rate > 0.5 else 1 - 0.2 * abs(math.log10(rate) + 1)


def search(sampler, trials=30, seed=42, told=()):
    """The settings and scores of a search that knows the first trials already."""
    study = tune.Study(CANDIDATE, "maximize", sampler, seed, trials)
    results = list(told)
    for trial, (setting, score) in enumerate(told):
        study.tell(trial, setting, score)
    for trial in range(len(results), study.trials):
        setting = study.ask(trial)
        score = fake_run(setting)
        study.tell(trial, setting, score)
        results.append((setting, score))
    return results


def candidate_of(**arguments):
    return Candidate(name="mine", summary="", source="", optimizer=Part(name="sgd", arguments=arguments))


def result(outcome, accuracy=math.nan):
    problem = Problem(
        name="toy",
        summary="",
        source="",
        dataset="toy",
        model=Part(name="toy"),
        loss="sparse_categorical_crossentropy",
        metric="accuracy",
        goal="maximize",
        chance=0.1,
        batch_size=1,
        epochs=1,
    )
    spec = RunSpec(
        problem=problem,
        candidate="mine",
        setting={},
        optimizer=Part(name="sgd"),
        regularizer=None,
        decay=CANDIDATE.decay,
        seed=42,
        protocol=catalog.protocol("deepobs"),
        epochs=1,
        batch_size=1,
    )
    curves = {} if outcome == Outcome.FAILED else {"valid_accuracies": [0.1, accuracy]}
    timings = Timings(compile_seconds=0.0, training_seconds=0.0, evaluation_seconds=0.0, total_seconds=0.0)
    # Without validation: a curve that holds a NaN cannot be built by the record, but must not win if it ever comes.
    return RunResult.model_construct(
        spec=spec, outcome=outcome, curves=curves, losses_without_penalty={}, timings=timings, environment={}
    )


@pytest.mark.parametrize("sampler", ALL)
def test_search_stays_in_the_space_and_repeats_itself(sampler):
    results = search(sampler)
    assert results == search(sampler)
    assert (sampler == "grid") == (results == search(sampler, seed=43))
    assert len(results) == (24 if sampler == "grid" else 30)  # 3 * 2 * 2 * 2; the next level would make 36.
    assert len({json.dumps(setting) for setting, _ in results}) == len(results)
    for setting, _ in results:
        assert list(setting) == list(CANDIDATE.searched())
        assert {type(value) for value in setting.values()} == {float, int, bool}
        assert 1e-4 <= setting["optimizer.learning_rate"] <= 1.0
        assert 0.0 <= setting["optimizer.momentum"] <= 0.9999
        assert 1 <= setting["optimizer.k"] <= 19


@pytest.mark.parametrize("sampler", ALL)
def test_interrupted_search_goes_on_as_if_it_had_not_been(sampler):
    whole = search(sampler)
    for stop in (1, 13):
        stored = [(setting, score) for setting, score in json.loads(json.dumps(whole[:stop]))]
        assert search(sampler, told=stored) == whole


def test_random_search_tries_the_points_of_the_budgets():
    assert [setting for setting, _ in search("random")] == draws.points(CANDIDATE, 42, 30)


@pytest.mark.parametrize("sampler", ["random", "qmc", LEARNING])
def test_smaller_budget_is_the_beginning_of_a_larger_one(sampler):
    assert search(sampler, trials=12) == search(sampler, trials=20)[:12]


def test_learning_sampler_looks_at_scores():
    def distance(results):
        return sum(abs(math.log10(setting["optimizer.learning_rate"]) + 1) for setting, _ in results[30:]) / 20

    # A uniform draw is on average 1.25 decades from 0.1: (3**2 + 1**2) / 2 / 4.
    assert distance(search(LEARNING, trials=50)) < 0.6 < 1 < distance(search("random", trials=50))


def test_learning_sampler_asks_the_same_again_whatever_came_of_later_trials():
    results = search(LEARNING, trials=20)
    study = tune.Study(CANDIDATE, "maximize", LEARNING, 42, 20)
    for trial, (setting, score) in reversed(list(enumerate(results))):
        study.tell(trial, setting, score)
    assert [study.ask(trial) for trial in range(20)] == [setting for setting, _ in results]


def test_trials_asked_together_differ_and_count_as_running():
    study = tune.Study(CANDIDATE, "maximize", LEARNING, 42, 30)
    for trial, (setting, score) in enumerate(search(LEARNING, trials=15)):
        study.tell(trial, setting, score)
    together = [study.ask(trial) for trial in range(15, 19)]
    assert len({json.dumps(setting) for setting in together}) == 4
    states = [trial.state for trial in study.to_optuna().trials]
    assert states[15:] == [TrialState.RUNNING] * 4
    study.tell(16, together[1], 0.5)
    assert [trial.state for trial in study.to_optuna().trials][15:18] == [
        TrialState.RUNNING,
        TrialState.COMPLETE,
        TrialState.RUNNING,
    ]


@pytest.mark.parametrize("score", [None, math.nan, math.inf, -math.inf])
def test_failed_trial_is_told_as_failed(score):
    study = tune.Study(CANDIDATE, "maximize", "random", 42, 25)
    study.tell(0, study.ask(0), score)
    study.tell(1, study.ask(1), 0.1)
    trials = study.to_optuna().trials
    assert [(trial.state, trial.value) for trial in trials] == [(TrialState.FAIL, None), (TrialState.COMPLETE, 0.1)]


def test_optuna_sees_the_distance_to_one_that_is_searched():
    study = tune.Study(CANDIDATE, "minimize", "random", 42, 25)
    setting = study.ask(3) | {"optimizer.momentum": 1 - 1e-4}  # 1 - (1 - 1e-4) is below the lower end of 1e-4.
    study.tell(3, setting, 0.5)
    exported = study.to_optuna()
    (trial,) = exported.trials
    assert exported.direction == optuna.study.StudyDirection.MINIMIZE
    assert trial.user_attrs == {"trial": 3}
    assert trial.params == setting | {"optimizer.momentum": 1e-4}
    low, high = RATE.ends()
    assert trial.distributions["optimizer.learning_rate"] == optuna.distributions.FloatDistribution(low, high, log=True)
    assert trial.distributions["optimizer.k"] == optuna.distributions.IntDistribution(1, 19)


@pytest.mark.parametrize("sampler", ALL)
def test_budget_of_one_trial_is_the_defaults(sampler):
    study = tune.Study(CANDIDATE, "maximize", sampler, 42, catalog.budget_trials("one_shot"))
    assert study.trials == 1
    assert study.ask(0) == space.defaults(CANDIDATE)


def test_budget_of_one_trial_needs_defaults():
    with pytest.raises(DefinitionError, match="has no `default`"):
        tune.Study(candidate_of(learning_rate=Range(low=0.1, high=1.0)), "maximize", "random", 42, 1)


@pytest.mark.parametrize("sampler", ALL)
def test_candidate_that_searches_nothing_is_one_trial(sampler):
    study = tune.Study(candidate_of(learning_rate=0.1), "maximize", sampler, 42, 25)
    assert (study.trials, study.ask(0)) == (1, {})


def test_unknown_sampler_is_answered_with_the_nearest_one():
    with pytest.raises(UnknownNameError, match=r"no sampler `randon`\. Did you mean `random`"):
        tune.Study(CANDIDATE, "maximize", "randon", 42, 25)


@pytest.mark.parametrize(("seed", "trials"), [(-1, 25), (2**32, 25), (42, 0)])
def test_seed_and_budget_must_be_possible(seed, trials):
    with pytest.raises(DefinitionError, match="Received: "):
        tune.Study(CANDIDATE, "maximize", "random", seed, trials)


@pytest.mark.parametrize("sampler", ALL)
def test_there_is_no_trial_beyond_the_budget(sampler):
    study = tune.Study(CANDIDATE, "maximize", sampler, 42, 25)
    with pytest.raises(IndexError, match="Received: trial=25"):
        study.ask(25)


@pytest.mark.parametrize("sampler", ALL)
def test_search_logs_nothing_and_leaves_the_verbosity_of_optuna(sampler, caplog):
    optuna.logging.enable_propagation()
    try:
        search(sampler, trials=25)
    finally:
        optuna.logging.disable_propagation()
    assert not caplog.records
    assert optuna.logging.get_verbosity() == logging.INFO


def test_told_score_is_chance_for_a_diverged_run_and_none_for_one_without_an_end():
    assert tune.score_of(result(Outcome.COMPLETED, 0.7)) == 0.7
    assert tune.score_of(result(Outcome.DIVERGED, 0.2)) == 0.1
    assert tune.score_of(result(Outcome.TIMED_OUT, 0.7)) is None
    assert tune.score_of(result(Outcome.FAILED)) is None


@pytest.mark.parametrize(
    ("outcomes", "goal", "winner"),
    [
        ([(Outcome.COMPLETED, 0.5), (Outcome.COMPLETED, 0.7), (Outcome.COMPLETED, 0.7)], "maximize", 1),
        ([(Outcome.COMPLETED, 0.5), (Outcome.COMPLETED, 0.3), (Outcome.COMPLETED, 0.3)], "minimize", 1),
        ([(Outcome.FAILED, 0.9), (Outcome.TIMED_OUT, 0.9), (Outcome.COMPLETED, 0.05)], "maximize", 2),
        ([(Outcome.DIVERGED, 0.9), (Outcome.COMPLETED, 0.05)], "maximize", 1),
        ([(Outcome.COMPLETED, math.nan), (Outcome.COMPLETED, 0.05)], "maximize", 1),
        ([(Outcome.DIVERGED, 0.9), (Outcome.FAILED, 0.9)], "maximize", None),
        ([], "maximize", None),
    ],
)
def test_winner_is_the_first_of_the_best_completed_runs(outcomes, goal, winner):
    assert tune.best([result(outcome, accuracy) for outcome, accuracy in outcomes], goal) == winner
