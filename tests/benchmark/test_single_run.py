"""A run by itself, and how it is found again; with a function in place of the training."""

import contextlib

import numpy as np
import pytest

from regbench import benchmark, catalog, execution
from regbench.errors import DataError, DefinitionError
from regbench.records import Kernel, Outcome, Schedule
from regbench.store.folder import Folder

RATE = "optimizer.learning_rate"


def test_single_run_takes_defaults_where_no_value_is_given(use_machine, by_score, tmp_path):
    machine = use_machine(by_score(valid=lambda spec: 0.5))
    given = {"optimizer.momentum": 0.5, "optimizer.nesterov": True, "decay.coupling": "decoupled", "decay.strength": 1}
    result = benchmark.run("digits_mlp", "nag", setting=given, epochs=2, schedule="cosine", results=tmp_path)
    (spec,) = machine.computed
    assert spec.optimizer.arguments == {"nesterov": True, "learning_rate": 0.01, "momentum": 0.5}
    assert (spec.decay_strength, spec.schedule, spec.seed) == (1.0, Schedule(name="cosine"), 42)
    assert result.spec == spec


def test_single_run_needs_no_default_for_what_is_given(use_machine, by_score, tmp_path, monkeypatch):
    (tmp_path / "search_spaces").mkdir()
    (tmp_path / "search_spaces" / "mine.toml").write_text(
        'summary = ""\nsource = ""\n[optimizer]\nname = "sgd"\nlearning_rate = { low = 0.1, high = 1.0 }'
    )
    monkeypatch.chdir(tmp_path)
    use_machine(by_score(valid=lambda spec: 0.5))
    assert benchmark.run("digits_mlp", "mine", setting={RATE: 0.2}, epochs=2).outcome == Outcome.COMPLETED
    with pytest.raises(DefinitionError, match="has no `default`"):
        benchmark.run("digits_mlp", "mine", epochs=2)


def test_single_run_that_is_in_the_tree_is_not_run_again(use_machine, by_score, tmp_path):
    use_machine(by_score(valid=lambda spec: 0.5))
    first = benchmark.run("digits_mlp", "sgd", epochs=2, results=tmp_path)
    machine = use_machine(by_score(valid=lambda spec: 0.5))
    assert benchmark.run("digits_mlp", "sgd", epochs=2, results=tmp_path) == first
    assert machine.computed == []
    assert len(list(Folder(tmp_path).runs())) == 1


def test_single_run_is_also_the_only_trial_of_a_search_with_budget_one(use_machine, by_score, tmp_path):
    machine = use_machine(by_score(valid=lambda spec: 0.5))
    benchmark.run("digits_mlp", "sgd", epochs=2, results=tmp_path)
    benchmark.search("digits_mlp", ["sgd"], budget=1, reruns=0, epochs=2, results=tmp_path)
    assert len(machine.computed) == 1


def test_missing_data_show_before_the_first_run(use_machine, by_score, tmp_path):
    machine = use_machine(by_score(valid=lambda spec: 0.5))
    with pytest.raises(DataError, match="mnist"):
        benchmark.run("mnist_mlp", "sgd", data_dir=tmp_path, results=tmp_path / "results")
    with pytest.raises(DataError, match="mnist"):
        benchmark.search("mnist_mlp", ["sgd"], data_dir=tmp_path, results=tmp_path / "results")
    assert machine.computed == []


@pytest.mark.parametrize(("limit", "runs_again"), [(1.0, False), (5.0, False), (6.0, True), (None, True)])
def test_run_that_timed_out_is_tried_again_with_more_time_only(
    limit, runs_again, use_machine, by_score, make_result, tmp_path
):
    too_late = {"valid_accuracies": 0.5, "test_accuracies": 0.5}
    use_machine(lambda spec: make_result(spec, Outcome.TIMED_OUT, seconds=5.0, **too_late), max_seconds=4.0)
    benchmark.run("digits_mlp", "sgd", epochs=2, results=tmp_path)
    machine = use_machine(by_score(valid=lambda spec: 0.5), max_seconds=limit)
    result = benchmark.run("digits_mlp", "sgd", epochs=2, results=tmp_path)
    assert len(machine.computed) == runs_again
    assert result.outcome == (Outcome.COMPLETED if runs_again else Outcome.TIMED_OUT)


def test_single_run_takes_records_in_place_of_names(use_machine, by_score, make_candidate, tmp_path):
    machine = use_machine(by_score(valid=lambda spec: 0.5))
    problem = catalog.problem("digits_mlp").model_copy(update={"name": "digits_few"})
    protocol = catalog.protocol("strict").model_copy(update={"name": "mine", "reshuffle": False})
    candidate = make_candidate("sgd", learning_rate=0.5)
    benchmark.run(problem, candidate, protocol=protocol, epochs=2, results=tmp_path)
    (spec,) = machine.computed
    assert (spec.problem, spec.protocol, spec.candidate) == (problem, protocol, "mine")
    assert spec.optimizer.arguments == {"learning_rate": 0.5}


def test_run_without_kernels_is_run_again_where_they_are_wanted_and_found_where_not(use_machine, by_score, tmp_path):
    use_machine(by_score(valid=lambda spec: 0.5))
    benchmark.run("digits_mlp", "sgd", epochs=2, results=tmp_path)
    kernel = Kernel.from_array(np.ones((2, 3), np.float32))

    def with_kernels(spec):
        return by_score(valid=lambda spec: 0.5)(spec).model_copy(update={"kernels": {"dense_1": kernel}})

    for keep_kernels, computed in ((True, 1), (True, 0), (False, 0)):
        machine = use_machine(with_kernels, keep_kernels=keep_kernels)
        result = benchmark.run("digits_mlp", "sgd", epochs=2, keep_kernels=keep_kernels, results=tmp_path)
        assert len(machine.computed) == computed
        assert result.kernels == {"dense_1": kernel}


def test_runs_that_are_known_in_every_detail_come_in_their_order(use_machine, by_score, make_task, tmp_path):
    machine = use_machine(by_score(valid=lambda spec: spec.seed / 100))
    task = make_task("digits_mlp", epochs=2)
    specs = [task.spec({RATE: 0.1}, seed) for seed in (44, 42, 43, 42)]
    seen = []
    results = benchmark.run_all(specs, results=tmp_path, report=lambda result, was_found: seen.append(was_found))
    assert [result.spec for result in results] == specs
    assert [spec.seed for spec in machine.computed] == [44, 42, 43]
    assert seen == [False] * 3
    again = benchmark.run_all(specs[:2], results=tmp_path, report=lambda result, was_found: seen.append(was_found))
    assert again == results[:2]
    assert (len(machine.computed), seen[3:]) == (3, [True, True])
    with pytest.raises(DataError, match="mnist"):
        benchmark.run_all([make_task("mnist_mlp").spec({RATE: 0.1}, 42)], results=tmp_path, data_dir=tmp_path)


def test_error_names_the_run_that_is_at_fault(by_score, make_task, tmp_path, monkeypatch):
    def compute(spec, conditions):
        if spec.seed == 43:
            raise DefinitionError("there is no layer `dense_7`")
        return by_score(valid=lambda spec: 0.5)(spec)

    here = contextlib.nullcontext(execution.Machine(execution.InProcess(), function=compute))
    monkeypatch.setattr(execution, "machine", lambda *_, **__: here)
    specs = [
        make_task(name, epochs=2).spec({RATE: 0.1}, seed) for name, seed in (("digits_mlp", 42), ("digits_2c2d", 43))
    ]
    with pytest.raises(DefinitionError, match=r"^sgd on digits_2c2d: there is no layer"):
        benchmark.run_all(specs, results=tmp_path)
