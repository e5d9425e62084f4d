"""From runs to curves of panels."""

import numpy as np
import pytest

from regbench.figures import curves
from regbench.figures.effects import Effect, accuracy_gain
from regbench.records import Outcome


@pytest.fixture
def run_with(make_result, digits_run):
    def make(seed=42, outcome=Outcome.COMPLETED, diverged_epoch=None, **values):
        result = make_result(digits_run(seed=seed).spec, outcome)
        update = {"curves": values, "losses_without_penalty": values, "diverged_epoch": diverged_epoch}
        return result.model_copy(update=update)

    return make


def test_curve_is_the_mean_with_a_band_from_the_lowest_to_the_highest_seed():
    frame = curves.over_seeds("p", "l", np.array([1, 2]), np.array([[1.0, 5.0], [3.0, 6.0]]))
    assert list(frame.columns) == ["panel", "label", "x", "mean", "low", "high"]
    assert frame.to_dict("list") == {
        "panel": ["p", "p"],
        "label": ["l", "l"],
        "x": [1, 2],
        "mean": [2.0, 5.5],
        "low": [1.0, 5.0],
        "high": [3.0, 6.0],
    }


def test_windows_hold_every_step_of_every_seed():
    values = np.arange(2 * 1500, dtype=float).reshape(2, 1500)
    frame = curves.windows("p", "l", np.arange(1, 1501), values)
    assert len(frame) == curves.WINDOWS
    np.testing.assert_array_equal(frame["x"], np.arange(6, 1501, 6))
    first = frame.iloc[0]
    assert (first["low"], first["high"], first["mean"]) == (0.0, 1505.0, np.mean([*range(6), *range(1500, 1506)]))
    # Fewer steps than windows: every step is one.
    np.testing.assert_array_equal(curves.windows("p", "l", np.arange(1, 4), values[:, :3])["low"], [0, 1, 2])


def test_losses_of_a_run_that_diverged_are_missing_after_its_end(run_with):
    runs = [run_with(minibatch_train_losses=[3.0, 2.0, 1.0]), run_with(minibatch_train_losses=[4.0, np.inf])]
    steps, losses = curves.step_losses(runs)
    np.testing.assert_array_equal(steps, [1, 2, 3])
    np.testing.assert_array_equal(losses, [[3, 2, 1], [4, np.inf, np.nan]])


def test_moving_average_is_over_the_last_steps():
    steps, averages = curves.moving_average(np.arange(1, 6), np.array([[1.0, 2.0, 6.0, 0.0, 3.0]]), 3)
    np.testing.assert_array_equal(steps, [1, 2, 3, 4, 5])
    np.testing.assert_allclose(averages, [[1, 1.5, 3, 8 / 3, 3]])


def test_values_over_epochs_end_where_a_run_diverged(run_with):
    runs = [
        run_with(test_losses=[3.0, 2.0, 1.0]),
        run_with(outcome=Outcome.DIVERGED, diverged_epoch=2, test_losses=[3.0, 9.0, 3.0]),
    ]
    epochs, values = curves.epoch_values(runs, "test_losses")
    np.testing.assert_array_equal(epochs, [0, 1, 2])
    np.testing.assert_array_equal(values, [[3, 2, 1], [3, 9, np.nan]])


def test_gain_pairs_the_seeds_that_both_sides_have(run_with):
    treated = [run_with(seed, test_accuracies=[0.0, value]) for seed, value in ((44, 0.9), (42, 0.8), (45, 0.1))]
    plain = [run_with(seed, test_accuracies=[0.0, value]) for seed, value in ((42, 0.7), (43, 0.2), (44, 0.6))]
    effect = accuracy_gain("x", treated, plain)
    assert list(effect.seeds) == [42, 44]
    np.testing.assert_allclose(effect.differences, [10, 30])
    assert effect.mean == pytest.approx(20)


def test_interval_of_an_effect_is_that_of_student():
    effect = Effect("x", [1, 2, 3], np.array([1.0, 2.0, 3.0]))
    # t(0.975, 2) = 4.303, standard error 1/sqrt(3).
    half = 4.302652729696142 / np.sqrt(3)
    np.testing.assert_allclose(effect.interval, [2 - half, 2 + half])
    assert effect.described() == "+2 (95 % interval -0.484 to +4.48, which contains 0)"
    frame = effect.frame(published=2.71)
    np.testing.assert_allclose(frame[["mean", "low", "high", "published"]].iloc[-1], [2, 2 - half, 2 + half, 2.71])


def test_gain_in_accuracy_stays_within_a_hundred_points_and_has_no_interval_where_a_run_diverged(run_with):
    treated = [run_with(seed, test_accuracies=[0.0, value]) for seed, value in ((42, 1.0), (43, 0.9))]
    plain = [run_with(seed, test_accuracies=[0.0, 0.1]) for seed in (42, 43)]
    assert accuracy_gain("x", treated, plain).interval[1] == 100.0
    plain[0] = run_with(42, outcome=Outcome.DIVERGED, diverged_epoch=1, test_accuracies=[0.1, 0.1])
    assert accuracy_gain("x", treated, plain).described() == "+85 (no interval: 1 diverged)"
    assert accuracy_gain("x", treated[1:], plain).diverged == 0  # the seed of the diverged run has no pair


def test_effect_of_one_seed_or_without_spread_has_no_interval(run_with):
    assert Effect("x", [1], np.array([1.0])).sentence("gain") == "gain, points over 1 seed: +1 (no interval)."
    # 0.3 - 0.2 and 0.8 - 0.7 differ by rounding only.
    pairs = [(42, 0.3, 0.2), (43, 0.8, 0.7)]
    treated = [run_with(seed, test_accuracies=[value]) for seed, value, _ in pairs]
    plain = [run_with(seed, test_accuracies=[value]) for seed, _, value in pairs]
    assert accuracy_gain("x", treated, plain).described() == "+10 (no interval)"
