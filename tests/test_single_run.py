"""A run by itself, and how it is found again; with a function in place of the training."""

import pytest

from regbench import benchmark
from regbench.errors import DataError, DefinitionError
from regbench.records import Outcome, Schedule
from regbench.store.folder import Folder

RATE = "optimizer.learning_rate"


def test_single_run_takes_defaults_where_no_value_is_given(use_machine, by_score, tmp_path):
    machine = use_machine(by_score(valid=lambda spec: 0.5))
    given = {"optimizer.momentum": 0.5, "optimizer.nesterov": True, "decay.coupling": "decoupled", "decay.strength": 1}
    result = benchmark.run("digits_mlp", "nag", setting=given, epochs=2, schedule="cosine", output=tmp_path)
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
    first = benchmark.run("digits_mlp", "sgd", epochs=2, output=tmp_path)
    machine = use_machine(by_score(valid=lambda spec: 0.5))
    assert benchmark.run("digits_mlp", "sgd", epochs=2, output=tmp_path) == first
    assert machine.computed == []
    assert len(list(Folder(tmp_path).runs())) == 1


def test_single_run_is_also_the_only_trial_of_a_search_with_budget_one(use_machine, by_score, tmp_path):
    machine = use_machine(by_score(valid=lambda spec: 0.5))
    benchmark.run("digits_mlp", "sgd", epochs=2, output=tmp_path)
    benchmark.search("digits_mlp", ["sgd"], budget=1, reruns=0, epochs=2, output=tmp_path)
    assert len(machine.computed) == 1


def test_missing_data_show_before_the_first_run(use_machine, by_score, tmp_path):
    machine = use_machine(by_score(valid=lambda spec: 0.5))
    with pytest.raises(DataError, match="mnist"):
        benchmark.run("mnist_mlp", "sgd", data_dir=tmp_path, output=tmp_path / "results")
    with pytest.raises(DataError, match="mnist"):
        benchmark.search("mnist_mlp", ["sgd"], data_dir=tmp_path, output=tmp_path / "results")
    assert machine.computed == []


@pytest.mark.parametrize(("limit", "runs_again"), [(1.0, False), (5.0, False), (6.0, True), (None, True)])
def test_run_that_timed_out_is_tried_again_with_more_time_only(
    limit, runs_again, use_machine, by_score, make_result, tmp_path
):
    too_late = {"valid_accuracies": 0.5, "test_accuracies": 0.5}
    use_machine(lambda spec: make_result(spec, Outcome.TIMED_OUT, seconds=5.0, **too_late), max_seconds=4.0)
    benchmark.run("digits_mlp", "sgd", epochs=2, output=tmp_path)
    machine = use_machine(by_score(valid=lambda spec: 0.5), max_seconds=limit)
    result = benchmark.run("digits_mlp", "sgd", epochs=2, output=tmp_path)
    assert len(machine.computed) == runs_again
    assert result.outcome == (Outcome.COMPLETED if runs_again else Outcome.TIMED_OUT)
