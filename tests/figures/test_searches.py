"""A search as runs of a figure."""

import pytest

from regbench import benchmark
from regbench.benchmark.searches import Search
from regbench.figures.runs import FigureRuns
from regbench.figures.searches import FigureSearch
from regbench.records import Outcome

RATE = "optimizer.learning_rate"


@pytest.fixture
def search():
    return FigureSearch(Search.of("digits_mlp", "sgd", budget=4, reruns=2, epochs=1))


def test_runs_are_those_of_the_search_command(search, use_machine, by_score, tmp_path):
    machine = use_machine(by_score(valid=lambda spec: spec.setting[RATE]))
    results = FigureRuns([tmp_path])
    assert [results.find(run) for run in search.runs(results.find)] == [None] * 6
    assert [run.is_settled for run in search.runs(results.find)] == [True] * 4 + [False] * 2
    benchmark.search("digits_mlp", "sgd", budget=4, reruns=2, epochs=1, results=tmp_path)
    results = FigureRuns([tmp_path])
    runs = search.runs(results.find)
    assert [run.spec for run in runs] == machine.computed[:4] + machine.computed[4:]
    assert all(results.find(run) is not None for run in runs)
    assert search.winner(results.find).spec.setting == max((run.setting for run in runs), key=lambda one: one[RATE])


def test_where_all_trials_diverge_nothing_is_run_again(search, make_result):
    def diverged(run):
        return make_result(run.spec, Outcome.DIVERGED, valid_accuracies=0.1, test_accuracies=0.1)

    assert search.winner(diverged) is None
    assert len(search.runs(diverged)) == 4
