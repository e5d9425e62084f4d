"""Curves of one run: what they end with, and what they say about how the run ended."""

import math
from typing import Any

import numpy as np
import pytest

from regbench.trees.run_curves import final_and_best, first_reaching, infer_ending, read_curves

NAN, INF = math.nan, math.inf


def ending(epochs: int = 4, **losses: Any) -> tuple[str, float, str | None]:
    found = infer_ending(read_curves(losses, epochs, {}), epochs)
    return found.outcome, found.diverged_epoch, found.why and found.why.kind


def test_a_run_with_all_its_evaluations_is_completed() -> None:
    outcome, epoch, why = ending(train_losses=[5, 4, 3, 2, 1.0], test_losses=[5, 4, 3, 3, 2.0])
    assert (outcome, why) == ("completed", None)
    assert math.isnan(epoch)


def test_a_run_with_fewer_evaluations_is_cut_short() -> None:
    assert ending(train_losses=[5, 4, 3.0], test_losses=[5, 4, 3.0])[0] == "cut_short"


@pytest.mark.parametrize("bad", [NAN, INF, None, 10**400])
def test_a_loss_that_is_not_finite_after_training_began_means_diverged(bad: float | None) -> None:
    assert ending(train_losses=[5, 4, bad, 3, 2], test_losses=[5, 4, 3, 3, 2.0]) == ("diverged", 2, None)


def test_a_loss_that_is_not_finite_before_training_alone_does_not() -> None:
    assert ending(train_losses=[NAN, 4, 3, 3, 2], test_losses=[5, 4, 3, 3, 2.0])[0] == "completed"


def test_a_diverged_run_that_was_also_cut_short_is_diverged() -> None:
    assert ending(train_losses=[5, NAN], test_losses=[5, NAN])[:2] == ("diverged", 1)


@pytest.mark.parametrize(("start", "limit"), [(5.0, 5e6), (0.01, 1e6)])
def test_a_loss_a_million_times_that_before_training_or_than_1_is_absurd(start: float, limit: float) -> None:
    curve = [start, 1, limit, 1, 1.0]
    assert ending(train_losses=curve, test_losses=[start] * 4 + [0.5])[0] == "completed"
    curve[2] = limit * 1.01
    assert ending(train_losses=curve, test_losses=[start] * 4 + [0.5]) == ("diverged", 2, "diverged_absurd")


def test_losses_that_end_as_they_began_were_filled_after_a_divergence() -> None:
    filled = ending(train_losses=[5, 4, 3, 5, 5.0], test_losses=[6, 4, 6, 6, 6.0])
    assert filled == ("diverged", 3, "diverged_flat")


def test_losses_that_never_change_were_filled_from_the_first_epoch_on() -> None:
    assert ending(train_losses=[5.0] * 5, test_losses=[6.0] * 5) == ("diverged", 1, "diverged_flat")


def test_one_loss_alone_that_ends_as_it_began_means_nothing() -> None:
    assert ending(train_losses=[5, 4, 3, 2, 5.0], test_losses=[6, 4, 3, 2, 1.0])[0] == "completed"


def test_a_plateau_at_another_value_is_no_divergence() -> None:
    assert ending(train_losses=[5, 2.3, 2.3, 2.3, 2.3], test_losses=[5, 2.3, 2.3, 2.3, 2.3])[0] == "completed"


def test_the_validation_loss_decides_where_a_loss_is_missing() -> None:
    assert ending(valid_losses=[5, NAN, 3, 2, 1.0])[:2] == ("diverged", 1)
    assert ending(train_losses=[5, 4, 3, 2, 1.0], test_losses=[5, 4, 3, 2, 1], valid_losses=[NAN] * 5)[0] == "completed"


def test_a_run_without_losses_is_completed_or_cut_short() -> None:
    assert ending(test_accuracies=[0.5] * 5)[0] == "completed"
    assert ending(test_accuracies=[0.5] * 4)[0] == "cut_short"


def test_a_run_of_no_epochs_is_completed() -> None:
    assert ending(0, train_losses=[5.0], test_losses=[5.0])[0] == "completed"


def test_the_best_epoch_is_that_of_the_best_validation_metric() -> None:
    """What the test curve reaches in another epoch nobody could have known."""
    curves = read_curves(
        {"valid_accuracies": [0.1, 0.8, 0.8], "test_accuracies": [0.2, 0.7, 0.9], "test_losses": [3.0, 2.0, 1.0]}, 2, {}
    )
    values = final_and_best(curves, "accuracy", "maximize")
    assert values["best_valid_accuracy"] == 0.8
    assert (values["best_test_accuracy"], values["final_test_accuracy"]) == (0.7, 0.9)
    assert values["best_test_loss"] == 2.0
    losses = read_curves({"valid_losses": [3.0, NAN, 2.0], "test_losses": [3.0, 1.0, 2.5]}, 2, {})
    assert final_and_best(losses, "loss", "minimize")["best_test_loss"] == 2.5


def test_without_validation_the_best_loss_is_the_least_and_the_best_accuracy_the_greatest() -> None:
    curves = read_curves({"test_losses": [3.0, 1.0, 2.0], "test_accuracies": [0.1, 0.9, 0.8]}, 2, {})
    assert final_and_best(curves) == {
        "final_test_loss": 2.0,
        "best_test_loss": 1.0,
        "final_test_accuracy": 0.8,
        "best_test_accuracy": 0.9,
    }


def test_what_is_no_number_is_never_the_best() -> None:
    values = final_and_best(read_curves({"test_losses": [3.0, 1.0, NAN], "train_losses": [NAN] * 3}, 2, {}))
    assert values["best_test_loss"] == 1.0
    assert math.isnan(values["final_test_loss"])
    assert math.isnan(values["best_train_loss"])


def test_losses_whose_sum_overflows_are_finite() -> None:
    curves = read_curves({"train_losses": [1e308] * 3, "test_losses": [1e308] * 3}, 2, {})
    assert curves.not_finite == set()
    assert final_and_best(curves)["best_test_loss"] == 1e308


def test_uneven_curves_are_read_as_far_as_all_go_and_as_promised() -> None:
    curves = read_curves({"train_losses": [4, 3, 2, 1.0], "test_losses": [4, 3, 2.0]}, 3, {})
    assert {metric: len(curve) for metric, curve in curves.values.items()} == {"train_loss": 3, "test_loss": 3}
    assert [one.kind for one in curves.irregular] == ["uneven_curves"]
    curves = read_curves({"train_losses": [4, 3, 2, 1.0], "test_losses": [4, 3, 2, 1.0]}, 1, {})
    assert curves.values["train_loss"] == [4, 3]
    assert curves.irregular == [("uneven_curves", "4 evaluations where 2 were promised")]


def test_an_empty_or_missing_curve_is_none() -> None:
    curves = read_curves({"train_losses": [1.0], "valid_losses": [], "test_losses": None}, 0, {})
    assert curves.values == {"train_loss": [1.0]}
    assert curves.irregular == [("missing_curve", "test_loss")]


def test_the_first_evaluation_that_is_good_enough_counts() -> None:
    assert first_reaching([3.0, 2.0, 1.0, 2.0], 2.0, "minimize") == 1
    assert first_reaching([0.1, 0.5, 0.9], 0.6, "maximize") == 2
    assert first_reaching([0.1, 0.5, NAN], 0.6, "maximize") is None


def test_an_evaluation_that_is_exactly_as_good_counts() -> None:
    assert first_reaching([0.1, 0.6, 0.9], 0.6, "maximize") == 1
    assert first_reaching([3.0, 2.0, 1.0], 2.0, "minimize") == 1
    assert first_reaching([0.6], 0.6, "maximize") == first_reaching([0.6], 0.6, "minimize") == 0


def test_the_first_evaluation_is_that_of_numpy_on_curves_with_ties() -> None:
    generator = np.random.default_rng(0)
    for curve in generator.integers(0, 5, (200, 6)) / 4:
        for performance in np.arange(6) / 4:
            for goal, reached in (("maximize", curve >= performance), ("minimize", curve <= performance)):
                expected = int(np.argmax(reached)) if reached.any() else None
                assert first_reaching(list(curve), performance, goal) == expected
