"""How long runs will take."""

import pytest

from regbench import catalog
from regbench.figures.estimate import MEASURED, OVERHEAD, Speed, samples_passed
from regbench.figures.plan import Run, reduced
from regbench.records import Timings


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


def test_first_run_of_a_network_is_compiled_and_the_table_counts(digits_run):
    runs = [Run(catalog.problem("digits_2c2d"), digits_run().candidate, seed, 20) for seed in range(42, 142)]
    start, step = MEASURED["conv_2c2d"]
    expected = start + 100 * (OVERHEAD + step * 20 * (1_197 + 2 * 300 / 3))
    assert Speed().total(runs).total_seconds() == pytest.approx(expected, abs=0.5)  # whole seconds


def test_runs_that_were_computed_here_count_more_than_the_table(digits_run, make_result):
    run = digits_run()
    timings = Timings(compile_seconds=9, training_seconds=60, evaluation_seconds=40, total_seconds=110)
    speed = Speed([make_result(run.spec).model_copy(update={"timings": timings})])
    assert speed.total([digits_run(seed=43)]).total_seconds() == pytest.approx(100, rel=0.06)
