"""How long runs will take: closed forms over runs that are made up."""

import platform
from pathlib import Path

import pytest

from regbench import catalog, models
from regbench.benchmark import estimate, machine_speed, penalty_time
from regbench.benchmark.estimate import (
    COMPILING_EVALUATION,
    WRITING,
    Estimator,
    programs_of,
    samples_passed,
    wall_seconds,
)
from regbench.benchmark.machine_speed import MEASURED, Measured, Speed
from regbench.figures.plan import reduced
from regbench.records import Origin, Outcome, Part, Role, Timings

START = 6.0


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """One that nothing is on record of, half as fast as that of the table in both ways."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(machine_speed, "_slowness", lambda: machine_speed._Slowness(2.0, 2.0))
    monkeypatch.setattr(machine_speed, "START_SECONDS", 2.0)
    monkeypatch.setattr(machine_speed, "PROGRAM_SECONDS", 1.0)


@pytest.fixture
def make_spec(make_task):
    def make(candidate="sgd", rate=0.1, seed=42, problem="quadratic_deep", **options):
        setting = {"optimizer.learning_rate": rate} | ({"optimizer.momentum": 0.9} if candidate == "momentum" else {})
        return make_task(problem, candidate, **options).spec(setting, seed)

    return make


@pytest.fixture
def make_run(make_result):
    def make(spec, compiling=0.0, besides=0.5, epoch=1.0, is_here=True, outcome=Outcome.COMPLETED, **changes):
        """Half of an epoch's seconds are of its evaluation."""
        trained = (changes.get("diverged_epoch") or spec.epochs) * epoch
        timings = Timings(
            compile_seconds=compiling,
            training_seconds=trained / 2,
            evaluation_seconds=trained / 2,
            total_seconds=compiling + besides + trained,
        )
        environment = {"platform": platform.platform() if is_here else "another"}
        new = {"timings": timings, "environment": environment} | changes
        return make_result(spec, outcome).model_copy(update=new)

    return make


def diverged(epoch):
    return {"outcome": Outcome.DIVERGED, "diverged_epoch": epoch}


@pytest.mark.parametrize(
    ("name", "validation", "expected"),
    [
        ("mnist_mlp", False, 60_000 + 2 * 10_000 / 3),
        ("mnist_mlp", True, 60_000 + (2 * 10_000 + 10_000) / 3),
        ("digits_cnn_sk", False, (1_197 + 2 * 300 / 3) / 2),
        ("digits_cnn_sk_few", False, 8 * 5 + 2 * 150 / 3),
        ("convex_quadratic", False, 100 + 2 / 3),
    ],
)
def test_samples_are_those_that_are_selected(name, validation, expected):
    assert samples_passed(catalog.problem(name), 3, validation) == pytest.approx(3 * expected)


def test_reduced_problem_has_fewer_samples_and_another_name():
    problem = reduced(catalog.problem("mnist_cnn_sk"), 100, 10)
    assert samples_passed(problem, 1, False) == pytest.approx(500 + 2 * 50 / 3)
    assert problem.name == "mnist_cnn_sk_100_10_per_class"
    assert problem.selection.classes == (0, 1, 2, 3, 4)


# What a process takes


def test_process_starts_compiles_once_a_candidate_and_makes_run_after_run(make_spec, make_run):
    estimator = Estimator([make_run(make_spec(epochs=4), compiling=10.0), make_run(make_spec(rate=0.2, epochs=4))])
    specs = [make_spec(rate=rate, epochs=8) for rate in (1, 2, 3)]
    # A run takes 0.5 s and 8 epochs of 1 s.
    runs = 3 * (0.5 + 8.0 + WRITING)
    assert estimator.seconds(specs) == pytest.approx(START + 10.0 + runs)
    after = {programs_of(specs[0])}
    assert estimator.seconds(specs, after) == pytest.approx(runs)
    assert estimator.seconds([]) == 0.0


def test_second_candidate_on_a_problem_compiles_its_training_alone(make_spec, make_run):
    first, second = make_spec(epochs=4), make_spec("momentum", epochs=4)
    estimator = Estimator([make_run(first, compiling=10.0), make_run(second, compiling=20.0)])
    expected = START + 10.0 + (1 - COMPILING_EVALUATION) * 20.0 + 2 * (4.5 + WRITING)
    assert estimator.seconds([first, second]) == pytest.approx(expected)
    after = {programs_of(make_spec(problem="digits_mlp"))}
    assert estimator.seconds([first], after) == pytest.approx(10.0 + 4.5 + WRITING)  # it has started


def test_processes_share_runs_evenly_but_no_run(make_spec, make_run):
    estimator = Estimator([make_run(make_spec(epochs=4), compiling=10.0)])
    costs = [estimator.cost(make_spec(rate=rate, epochs=4)) for rate in (1, 2, 3, 4)]
    assert wall_seconds(costs, 2) == pytest.approx(START + 10.0 + 2 * (4.5 + WRITING))
    assert wall_seconds(costs, 100) == pytest.approx(START + 10.0 + 4.5 + WRITING)


def test_run_gives_up_when_its_time_is_over(make_spec, make_run):
    estimator = Estimator([make_run(make_spec(epochs=4))])
    assert estimator.cost(make_spec(epochs=100), max_seconds=60.0).seconds == 60.0
    assert estimator.cost(make_spec(epochs=100), max_seconds=600.0).seconds == 100.5


# What runs tell


def test_pace_is_the_longest_compilation_and_medians_of_the_rest(make_spec, make_run):
    runs = [
        make_run(make_spec(rate=rate, epochs=4), compiling, besides, epoch)
        for rate, compiling, besides, epoch in ((1, 0.1, 9.0, 50.0), (2, 3.0, 2.0, 2.0), (3, 0.0, 1.0, 1.0))
    ]
    pace = Estimator(runs).pace(make_spec())
    assert (pace.speed.compile_seconds, pace.speed.run_seconds, pace.runs) == (3.0, 2.0, 3)
    assert Estimator(runs).cost(make_spec()).epoch_seconds == pytest.approx(2.0)


def test_smaller_selection_of_the_same_data_takes_less(make_spec, make_run):
    whole = make_spec(problem="digits_mlp", epochs=1)
    few = make_spec(problem=reduced(catalog.problem("digits_mlp"), 10), epochs=1)
    cost = Estimator([make_run(whole, epoch=60.0)]).cost(few)
    share = samples_passed(few.problem, 1, True) / samples_passed(whole.problem, 1, True)
    assert cost.epoch_seconds == pytest.approx(60.0 * share)


def test_trials_that_diverged_shorten_trials_and_not_reruns(make_spec, make_run):
    runs = [
        make_run(make_spec(rate=1, epochs=10)),
        make_run(make_spec(rate=2, epochs=10), **diverged(2)),
        make_run(make_spec(rate=3, epochs=10), **diverged(3)),
        make_run(make_spec(rate=1, seed=43, epochs=10), origin=Origin(role=Role.RERUN)),
    ]
    estimator = Estimator(runs)
    assert estimator.cost(make_spec(epochs=10)).seconds == pytest.approx(10.5)
    trial = estimator.cost(make_spec(epochs=10), is_trial=True)
    assert trial.pace.trained_share == pytest.approx((10 + 2 + 3) / 30)
    assert trial.seconds == pytest.approx(0.5 + 5.0)
    other = estimator.cost(make_spec("momentum", epochs=10), is_trial=True)
    assert other.seconds == pytest.approx(10.5)  # it may diverge less, or more


def test_epoch_of_a_run_that_diverged_counts_only_where_no_other_is_known(make_spec, make_run):
    short = make_run(make_spec(rate=1, epochs=10), epoch=100.0, **diverged(1))
    assert Estimator([short]).cost(make_spec(epochs=10)).epoch_seconds == pytest.approx(100.0)
    whole = make_run(make_spec(rate=2, epochs=10))
    assert Estimator([short, short, whole]).cost(make_spec(epochs=10)).epoch_seconds == pytest.approx(1.0)


@pytest.mark.parametrize(("epochs", "outcome"), [(0, Outcome.COMPLETED), (4, Outcome.TIMED_OUT), (4, Outcome.FAILED)])
def test_run_that_did_not_end_tells_nothing(make_spec, make_run, epochs, outcome):
    estimator = Estimator()
    assert not estimator.learn(make_run(make_spec(epochs=epochs), outcome=outcome))
    assert estimator.pace(make_spec()).source == "table"


# Which of them count


def test_own_runs_count_more_than_those_of_others_and_other_batch_sizes_do_not(make_spec, make_run):
    other = make_run(make_spec("momentum", epochs=1), epoch=7.0)
    another_size = make_run(make_spec(epochs=1, batch_size=64), epoch=99.0)
    estimator = Estimator([other, another_size])
    assert estimator.cost(make_spec()).epoch_seconds == pytest.approx(7.0)
    assert (estimator.pace(make_spec()).source, estimator.pace(make_spec()).of_candidate) == ("runs", False)
    estimator.learn(make_run(make_spec(epochs=1), epoch=3.0))
    assert estimator.cost(make_spec()).epoch_seconds == pytest.approx(3.0)
    assert estimator.pace(make_spec()).of_candidate


def test_runs_of_this_machine_count_then_its_record_then_runs_of_others(make_spec, make_run):
    far = make_run(make_spec(epochs=1), epoch=100.0, is_here=False)
    found = Estimator([far]).cost(make_spec())
    assert (found.epoch_seconds, found.pace.this_machine) == (pytest.approx(100.0), False)

    estimate.record([far, make_run(make_spec("momentum", epochs=1), epoch=5.0)])
    found = Estimator([far]).cost(make_spec())
    assert (found.epoch_seconds, found.pace.source) == (pytest.approx(5.0), "record")

    found = Estimator([far, make_run(make_spec("momentum", epochs=1), epoch=2.0)]).cost(make_spec())
    assert (found.epoch_seconds, found.pace.source, found.pace.runs) == (pytest.approx(2.0), "runs", 1)


# The record of this machine


def test_record_holds_what_was_made_last_and_the_longest_compilation(make_spec, make_run):
    first, second, other = make_spec(), make_spec(rate=0.2), make_spec(problem="digits_mlp")
    estimate.record([make_run(first, compiling=9.0), make_run(other, epoch=4.0)])
    machine_speed.record(start_seconds=30.0)
    estimate.record([make_run(second, besides=2.0, epoch=3.0)])
    cost = Estimator().cost(first)
    assert cost.pace.speed.compile_seconds == 9.0
    assert (cost.pace.speed.run_seconds, cost.epoch_seconds) == (2.0, pytest.approx(3.0))
    assert Estimator().cost(other).epoch_seconds == pytest.approx(4.0)
    assert machine_speed.start_seconds() == 30.0 + 2.0  # with what surrounds the loading of TensorFlow
    assert list(machine_speed.recorded().networks) == [estimate.network(other), estimate.network(first)]


def test_record_keeps_the_last_networks(monkeypatch):
    monkeypatch.setattr(machine_speed, "_KEPT", 2)
    speed = Speed(compile_seconds=1.0, run_seconds=1.0, sample_seconds=1.0)
    for name in ("a", "b", "a", "c"):
        machine_speed.record(networks={name: speed})
    assert list(machine_speed.recorded().networks) == ["a", "c"]


def test_runs_of_other_machines_are_not_put_on_record(make_spec, make_run):
    estimate.record([make_run(make_spec(), is_here=False)])
    assert machine_speed.recorded().networks == {}


@pytest.mark.parametrize("content", [b"", b"{", b'{"platform": 3}', b'{"platform": "another", "start_seconds": 9.0}'])
def test_record_that_is_broken_or_of_another_machine_is_passed_by(content):
    machine_speed.record(start_seconds=1.0)
    machine_speed._path().write_bytes(content)
    assert machine_speed.recorded().start_seconds is None
    machine_speed.record(start_seconds=2.0)
    assert machine_speed.recorded().start_seconds == 2.0


def test_cache_that_cannot_be_written_does_not_matter(tmp_path):
    (tmp_path / "cache").write_text("a file")
    machine_speed.record(start_seconds=1.0)
    assert machine_speed.recorded().start_seconds is None


def test_nothing_is_written_where_there_is_no_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(machine_speed, "cache_file", lambda: Path("~/.cache/regbench/results.sqlite"))
    machine_speed.record(start_seconds=1.0)
    assert list(tmp_path.iterdir()) == []


# The table


def test_table_has_every_model_and_every_bundled_problem_has_a_pace(make_task):
    assert {name for name, _ in MEASURED} == set(models.names())
    for name in catalog.problem_names():
        task = make_task(name, "sgd")
        assert Estimator().pace(task.spec({"optimizer.learning_rate": 0.1}, 42)).source == "table"


def test_table_is_scaled_by_the_machine_the_inputs_and_the_depth(monkeypatch):
    monkeypatch.setattr(machine_speed, "_slowness", lambda: machine_speed._Slowness(2.0, 3.0))
    monkeypatch.setattr(machine_speed, "RUN_SECONDS", 0.5)
    monkeypatch.setitem(MEASURED, ("mlp", (28, 28, 1)), Measured(1.0, 0.1, 0.01))
    found = machine_speed.from_table("mlp", (28, 28, 4), layers=16, batch_size=10)
    # Twice as deep; four times the inputs.
    assert found.compile_seconds == pytest.approx(2 * 2.0 * 1.0)
    assert found.run_seconds == pytest.approx(2 * 2.0 * 0.5)
    assert found.sample_seconds == pytest.approx(2 * (3.0 * 4 * 0.01 + 2.0 * 0.1 / 10))


def test_nothing_is_known_of_a_model_of_the_users_own(make_spec, make_run):
    problem = catalog.problem("digits_mlp").model_copy(update={"model": Part(name="mine:build")})
    spec = make_spec(problem=problem)
    assert Estimator().cost(spec) is None
    assert Estimator().seconds([spec]) == 0.0
    assert Estimator([make_run(spec)]).cost(spec).epoch_seconds == pytest.approx(1.0)


def test_speed_of_the_machine_is_measured(monkeypatch):
    monkeypatch.undo()
    assert all(0.0 < slowness < float("inf") for slowness in machine_speed._slowness())


@pytest.mark.parametrize(
    ("regularizer", "share"),
    [
        (None, 0.0),
        (Part(name="l2", arguments={"factor": 0.1}), 0.0),
        (
            Part(name="eigenvalue_decay", arguments={"factor": 0.1, "warm_start": True}),
            penalty_time.PENALTIES["eigenvalue_decay"],
        ),
        (Part(name="eigenvalue_decay", arguments={"factor": 0.1}), penalty_time.NINE_PRODUCTS),
        (
            Part(name="per_layer", arguments={"logits": Part(name="orthogonal", arguments={"factor": 0.1})}),
            penalty_time.PENALTIES["orthogonal"],
        ),
    ],
    ids=["none", "l2", "warm", "anew", "per_layer"],
)
def test_penalty_on_large_dense_layers_counts(regularizer, share):
    assert penalty_time.share(regularizer) == share
