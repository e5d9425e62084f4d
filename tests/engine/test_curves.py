"""When a run counts as diverged, and what its curves hold then."""

import numpy as np
import pytest

from regbench.engine.curves import Curves
from regbench.engine.evaluate import Evaluation
from regbench.records import ABSURD_LOSS_FACTOR

STEPS = np.array([1.0, 0.5], np.float32)


def evaluation(loss, penalty=0.0):
    return {"train": Evaluation(loss, penalty, 0.5), "test": Evaluation(loss + 1, penalty, 0.25)}


def loss_of(split):
    return split.loss


def test_curves_hold_the_value_before_training_and_one_after_each_epoch():
    curves = Curves(evaluation(4.0))
    for loss in (3.0, 2.0):
        curves.add_epoch(STEPS, evaluation(loss))
    assert curves.diverged_epoch is None
    assert curves.values("losses", loss_of, 2) == {"train_losses": [4.0, 3.0, 2.0], "test_losses": [5.0, 4.0, 3.0]}
    assert curves.minibatch_losses == [1.0, 0.5, 1.0, 0.5]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), ABSURD_LOSS_FACTOR * 5.1])
def test_loss_of_a_step_that_is_not_finite_or_absurd_is_a_divergence(bad):
    curves = Curves(evaluation(4.0))
    curves.add_epoch(np.array([1.0, bad], np.float32), evaluation(3.0))
    assert curves.diverged_epoch == 1


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), ABSURD_LOSS_FACTOR * 5.1])
def test_loss_after_an_epoch_that_is_not_finite_or_absurd_is_a_divergence(bad):
    curves = Curves(evaluation(4.0))
    curves.add_epoch(STEPS, evaluation(3.0))
    curves.add_epoch(STEPS, evaluation(bad))
    assert curves.diverged_epoch == 2


def test_penalty_that_is_absurd_is_a_divergence():
    curves = Curves(evaluation(4.0))
    curves.add_epoch(STEPS, evaluation(3.0, penalty=ABSURD_LOSS_FACTOR * 5.1))
    assert curves.diverged_epoch == 1


def test_absurd_is_meant_relative_to_the_loss_before_training():
    large = Curves(evaluation(1e5))
    large.add_epoch(STEPS, evaluation(1e5 * ABSURD_LOSS_FACTOR / 2))
    small = Curves(evaluation(1e-9))
    small.add_epoch(STEPS, evaluation(ABSURD_LOSS_FACTOR / 2))
    assert large.diverged_epoch is None
    assert small.diverged_epoch is None


def test_curves_are_filled_with_the_values_before_training_from_the_divergence_on():
    curves = Curves(evaluation(4.0))
    curves.add_epoch(STEPS, evaluation(3.0))
    curves.add_epoch(STEPS, evaluation(float("nan")))
    assert curves.values("losses", loss_of, 5)["train_losses"] == [4.0, 3.0, 4.0, 4.0, 4.0, 4.0]


def test_curves_that_are_not_filled_go_on_as_those_of_a_network_that_trains_on():
    curves = Curves(evaluation(4.0))
    curves.add_epoch(STEPS, evaluation(3.0))
    curves.add_epoch(STEPS, {name: Evaluation(float("inf"), 0.0, 0.125) for name in ("train", "test")})
    losses = curves.values("losses", loss_of, 4, filled=False)
    assert losses["test_losses"][:3] == [5.0, 4.0, float("inf")]
    assert np.isnan(losses["test_losses"][3:]).all()
    accuracies = curves.values("accuracies", lambda split: split.accuracy, 4, filled=False)
    assert accuracies["test_accuracies"] == [0.25, 0.25, 0.125, 0.125, 0.125]
