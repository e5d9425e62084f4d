"""The rows of the table that ends a search, against numbers worked out by hand."""

import math

import pytest

from regbench import catalog
from regbench.benchmark import standings
from regbench.benchmark.searches import Search
from regbench.benchmark.standings import ranked
from regbench.execution import failed
from regbench.records import Coupling, Outcome

SETTING = {"optimizer.learning_rate": 0.1}


def standing(trials, winner, again):
    return standings.standing(Search.of("digits_mlp", "sgd", budget=7, sampler="qmc", seed=9), trials, winner, again)


@pytest.fixture
def run_of(make_task, make_result):
    """A run of sgd on digits_mlp with a test accuracy and half of it on the validation split."""

    def make(
        seed=42, test=0.5, outcome=Outcome.COMPLETED, protocol="deepobs", problem="digits_mlp", rate=0.1, **options
    ):
        spec = make_task(problem, protocol=protocol).spec({"optimizer.learning_rate": rate}, seed)
        values = {"test_accuracies": test, "test_losses": 10 * test}
        if spec.protocol.validation:
            values |= {"valid_accuracies": test / 2, "valid_losses": 5 * test}
        return make_result(spec, outcome, **values, **options)

    return make


def test_standing_holds_mean_and_deviation_over_the_reported_seeds(run_of):
    trials = [run_of(test=0.125, seconds=1.0, rate=0.2), run_of(test=0.25, seconds=2.0)]
    again = [run_of(43, 0.5, seconds=4.0), run_of(44, 0.75, seconds=8.0)]
    row = standing(trials, trials[1], again)
    # 1/4, 1/2, 3/4: mean 1/2, squared deviations 1/16, 0, 1/16 over 2 degrees of freedom: sd 1/sqrt(16)
    assert (row.test_mean, row.test_sd) == (0.5, 0.25)
    assert (row.valid_mean, row.valid_sd) == (0.25, 0.125)
    assert row.seeds == [42, 43, 44]
    assert row.runs == [trials[1], *again]
    assert (row.trials, row.diverged_trials, row.diverged_seeds, row.unfinished) == (2, 0, 0, 0)
    assert row.seconds == 15.0
    assert (row.problem, row.candidate, row.protocol) == ("digits_mlp", "sgd", "deepobs")
    assert (row.metric, row.goal, row.setting) == ("accuracy", "maximize", SETTING)
    assert (row.coupling, row.decay) == (Coupling.NONE, 0.0)  # the problem has no L2
    assert (row.sampler, row.budget, row.study_seed) == ("qmc", 7, 9)


def test_point_that_was_drawn_twice_took_its_seconds_once(run_of):
    trial = run_of(seconds=1.0, outcome=Outcome.TIMED_OUT)
    row = standing([trial, trial], None, [])
    assert (row.trials, row.unfinished, row.seconds) == (2, 1, 1.0)


def test_standing_without_tuning_seed_reports_the_re_runs_alone(run_of):
    winner = run_of(protocol="strict")
    row = standing([winner], winner, [run_of(43, 0.25, protocol="strict"), run_of(44, 0.75, protocol="strict")])
    assert (row.seeds, row.test_mean) == ([43, 44], 0.5)


def test_standing_on_a_loss_takes_the_losses(run_of):
    winner = run_of(problem="quadratic_deep", test=8.0)
    row = standing([winner], winner, [])
    assert (row.metric, row.goal, row.test_mean, row.valid_mean) == ("loss", "minimize", 80.0, 40.0)


def test_losses_are_judged_and_shown_without_the_penalty(run_of):
    winner = run_of(problem="quadratic_deep", test=8.0, penalty=30.0)
    assert winner.score() == 10.0
    row = standing([winner], winner, [])
    assert (row.test_mean, row.valid_mean) == (50.0, 10.0)


def test_standing_without_validation_split_has_no_validation_metric(run_of):
    winner = run_of(protocol="deepobs-1.1")
    row = standing([winner], winner, [run_of(43, protocol="deepobs-1.1")])
    assert (row.valid_mean, row.valid_sd) == (None, None)
    assert (row.test_mean, row.test_sd) == (0.5, 0.0)


def test_one_seed_has_no_deviation(run_of):
    row = standing([run_of()], run_of(), [])
    assert (row.test_mean, row.test_sd, row.valid_sd) == (0.5, None, None)


def test_diverged_re_run_counts_and_an_unfinished_one_does_not(run_of):
    winner = run_of(42, 0.25)
    again = [
        run_of(43, 0.75, Outcome.DIVERGED),
        run_of(44, 0.0, Outcome.TIMED_OUT),
        failed(run_of(45).spec, RuntimeError("crashed")),
    ]
    row = standing([winner, run_of(outcome=Outcome.DIVERGED)], winner, again)
    assert row.seeds == [42, 43]
    assert row.test_mean == 0.5
    assert (row.trials, row.diverged_trials, row.diverged_seeds, row.unfinished) == (2, 1, 1, 2)


def test_standing_without_winner_has_no_setting(run_of):
    trials = [run_of(outcome=Outcome.DIVERGED), failed(run_of().spec, RuntimeError("crashed"))]
    row = standing(trials, None, [])
    assert (row.setting, row.decay, row.test_mean, row.test_sd, row.seeds) == (None, None, None, None, [])
    assert (row.trials, row.diverged_trials, row.unfinished) == (2, 1, 1)


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_value_that_is_not_finite_is_shown_and_stops_nothing(value, run_of):
    winner = run_of(42, 0.5)
    row = standing([winner], winner, [run_of(43, value)])
    assert not math.isfinite(row.test_mean)
    assert math.isnan(row.test_sd)
    assert math.isnan(row.valid_sd)


@pytest.mark.parametrize(
    ("problem", "best_first"), [("digits_mlp", [0.75, 0.5, 0.25]), ("quadratic_deep", [2.5, 5.0, 7.5])]
)
def test_ranking_follows_the_goal_and_ends_with_those_without_finite_value(problem, best_first, run_of):
    def row(test):
        winner = run_of(test=test, problem=problem)
        return standing([winner], winner, [])

    without = standing([run_of(problem=problem)], None, [])
    rows = [without, row(math.nan), row(0.25), row(0.75), row(math.inf), row(0.5), row(-math.inf)]
    ordered = ranked(rows)
    assert [row.test_mean for row in ordered[:3]] == best_first
    assert all(row in ordered[3:] for row in (rows[0], rows[4], rows[6]))
    assert catalog.problem(problem).goal == ordered[0].goal


def test_rows_of_equal_rank_keep_their_order(run_of):
    rows = [standing([run_of(seed)], run_of(seed), []) for seed in (1, 2, 3)]
    assert ranked(rows) == rows
