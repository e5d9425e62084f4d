"""Claims on searches of known truth, drawn from recorded and from made surfaces, through the code of real ones."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from regbench.analysis.calibration import Surface, claimed, searches

SURFACES = sorted((Path(__file__).parents[2] / "results" / "surfaces").glob("digits_mlp__*.npz"))
REPETITIONS = 40


def false_families(surface, question, copies=2, budget=25):
    rows = claimed(searches([surface] * copies, budget, REPETITIONS, seed=1), question)
    assert rows["problem"].nunique() == REPETITIONS
    return int(rows.groupby("problem")["claimed"].any().sum())


@pytest.fixture(scope="module")
def peak():
    """A surface of one narrow peak, on which the error of a score is often far too small."""
    generator = np.random.default_rng(0)
    x = generator.random(300)
    level = 0.97 - 0.87 * (1 - np.exp(-(((x - 0.6) / 0.03) ** 2)))
    valid, test = (level[:, None] + 0.006 * generator.standard_normal((300, 10)) for _ in range(2))
    return Surface("made__peak", "maximize", valid, test, 0.1)


def test_surfaces_are_there():
    assert len(SURFACES) >= 2


@pytest.mark.parametrize("path", SURFACES, ids=lambda path: path.stem)
def test_one_optimizer_tuned_apart_is_claimed_different_no_more_often_than_the_level(path):
    surface = Surface.load(path)
    # A rate at the level gives more with a probability below 1e-4.
    assert false_families(surface, "budget") <= stats.binom.ppf(1 - 1e-4, REPETITIONS, 0.05)
    # The rule that looks at the two winners alone fails the same test by far.
    assert false_families(surface, "settings") / REPETITIONS > 0.1


def test_copies_with_a_narrow_peak_are_held_back_by_the_division_of_trials(peak):
    assert false_families(peak, "budget", budget=10) <= stats.binom.ppf(1 - 1e-4, REPETITIONS, 0.05)


def test_difference_far_beyond_the_luck_of_the_draw_is_claimed():
    generator = np.random.default_rng(0)
    valid, test = (0.9 + 0.005 * generator.standard_normal((300, 10)) for _ in range(2))
    flat = Surface("made__flat", "maximize", valid, test, 0.1)
    rows = claimed(searches([flat.shifted(0.02), flat], 25, 20))
    assert rows["claimed"].all()
    assert set(rows["better"]) == {"c0"}


def test_loss_is_claimed_like_the_accuracy_that_is_its_negative(peak):
    down = Surface("made__down", "minimize", -peak.valid, -peak.test, -peak.untrained)
    up, negative = (claimed(searches([one, one], 10, 5)) for one in (peak, down))
    np.testing.assert_allclose(up["p"], negative["p"])


def test_expected_winner_of_a_surface_without_noise_is_the_best_of_the_draw():
    """Of 100 settings worth 0, 0.01, ... the best of five is worth .99 less 95 steps over six gaps: by hand."""
    level = np.arange(100)[:, None] / 100 + np.zeros((1, 3))
    surface = Surface("made__line", "maximize", level, level, 0.0)
    # The expected greatest of k of 1 ... N drawn without replacement is k (N + 1) / (k + 1).
    assert surface.expected_winner(5) == pytest.approx((5 * 101 / 6 - 1) / 100, abs=0.005)
