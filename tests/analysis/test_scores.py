"""Scores of entries by hand, what counts as a trial's value, and searches cut to a smaller budget."""

import json

import numpy as np
import pytest

from regbench.analysis import expected_winner, scores
from regbench.analysis.searched import FREEDOM, Searched, SeveralSearches

SEARCH = "s" * 64


@pytest.fixture(scope="module")
def recorded(make_runs):
    """A recorded search: trials as (validation, test) or None for one that diverged, and runs with fresh seeds."""

    def make(trials, again=(), **common):
        search = {
            **{"search": SEARCH, "sampler": "random", "budget": float(len(trials)), "study_seed": 42.0},
            **{"planned": float(len(trials)), "further_seeds": 9.0, "untrained": 0.1},
        }
        untrained = search.pop("untrained")
        rows = []
        for number, trial in enumerate(trials):
            ended = {"outcome": "diverged"} if trial is None else {"valid": trial[0], "test": trial[1]}
            rows.append({"setting": {"x": number}, "seed": 42, "role": "trial", "trial": float(number), **ended})
        for number, seed, value in again:
            ended = {"outcome": "diverged", "test": 0.99} if value is None else {"test": value}
            rows.append({"setting": {"x": number}, "seed": seed, "role": "re-run", **ended})
        return make_runs(rows, **search | common).assign(untrained_accuracy=untrained)

    return make


def only(runs, **arguments):
    ((_, searched),) = scores.searched(runs, **arguments).items()
    return searched


def test_score_is_the_weighted_mean_with_fresh_seeds_in_place_of_the_winners_own_value(recorded):
    runs = recorded([(0.7, 0.71), (0.9, 0.99), (0.8, 0.85)], again=[(1, 43, 0.9), (1, 44, 0.94), (1, 45, 0.92)])
    searched = only(runs)
    chances = expected_winner.weights(3)
    assert searched.winner == 1
    assert searched.score.value == pytest.approx(chances @ [0.92, 0.85, 0.71])
    spread = np.var([0.9, 0.94, 0.92], ddof=1)
    seeds = chances[0] ** 2 * spread / 3 + (chances[1] ** 2 + chances[2] ** 2) * spread
    assert searched.seed_variance == pytest.approx(seeds)
    draws = expected_winner.draw_variance(np.array([0.92, 0.85, 0.71]))
    assert searched.score.error == pytest.approx(np.sqrt(draws + seeds))
    assert searched.score.freedom == FREEDOM


def test_diverged_crashed_and_worse_than_untrained_count_as_before_training(recorded):
    runs = recorded([(0.9, 0.9), None, (0.2, 0.05), (0.3, 0.3)], again=[(0, 43, 0.9), (0, 44, None)])
    runs = runs.assign(planned=5.0, budget=5.0)
    searched = only(runs)
    assert searched.trials == 5
    np.testing.assert_allclose(searched.values, [0.5, 0.1, 0.1, 0.3, 0.1])
    assert list(searched.order[:3]) == [0, 3, 2]
    assert np.isinf(searched.chosen_by[[1, 4]]).all()
    assert searched.failed[0].sum() == 1


def test_loss_is_oriented_and_comes_back_in_its_own_units(recorded):
    runs = recorded([(3.0, 3.1), (2.0, 2.1)], metric="loss", goal="minimize").assign(untrained_loss=9.0)
    score = only(runs).score
    assert score.value == pytest.approx(expected_winner.weights(2) @ [2.1, 3.1])
    assert np.isnan(score.error)
    assert score.why_silent == "no fresh seed, 5 are needed"


def test_search_cut_to_its_first_trials_is_the_search_of_that_budget(recorded):
    trials = [(0.7, 0.71), (0.8, 0.85), (0.9, 0.95), (0.6, 0.6)]
    again = [(2, 43, 0.96), (2, 44, 0.94)]
    cut = only(recorded(trials, again)).first(2)
    alone = only(recorded(trials[:2]))
    assert cut.score.value == alone.score.value
    assert (cut.trials, cut.winner, cut.fresh_seeds) == (2, 1, 0)
    assert cut.spread == pytest.approx(np.var([0.96, 0.94], ddof=1))
    assert only(recorded(trials, again)).first(3).fresh_seeds == 2


def test_trials_without_a_recorded_order_are_not_cut(make_study):
    runs = make_study("a", {0.1: 0.5, 0.2: 0.6, 0.3: 0.7}, [0.7, 0.71])
    searched = only(runs)
    assert searched.settings is None
    assert searched.first(1) is searched


def test_setting_that_was_drawn_twice_is_two_trials_and_its_fresh_seeds_count_once(recorded):
    runs = recorded([(0.9, 0.9), (0.9, 0.9), (0.5, 0.5)], again=[(0, seed, 0.9) for seed in range(43, 48)])
    runs.loc[runs["trial"] == 1, "setting"] = json.dumps({"x": 0})
    searched = only(runs)
    assert (searched.trials, searched.fresh_seeds) == (3, 5)
    assert searched.score.why_silent == ""


def test_entry_without_the_metric_has_no_score(recorded):
    runs = recorded([(0.9, 0.9), (0.8, 0.8)])
    assert np.isnan(only(runs, split="train").score.value)
    assert only(runs, split="train").score.why_silent == "no trial can win"


def test_one_trial_alone_has_the_freedom_of_its_seeds(make_study):
    score = only(make_study("a", {0.1: 0.5}, [0.4, 0.5, 0.6])).score
    assert (score.value, score.freedom, score.is_approximate) == (pytest.approx(0.5), 2, False)
    assert score.error == pytest.approx(0.1 / np.sqrt(3))
    low, high = score.interval()
    assert (low, high) == pytest.approx((0.5 - 4.3027 * score.error, 0.5 + 4.3027 * score.error), rel=1e-4)


def test_searches_are_several_on_the_problem_where_they_were_declared_so(recorded, join):
    common = {"problem": "p", "searches": 2.0, "search": "t" * 64}
    together = [recorded([(0.9, 0.9), (0.8, 0.8)], **common).assign(study_seed=seed) for seed in (42.0, 1042.0)]
    alone = recorded([(0.9, 0.9), (0.8, 0.8)], problem="q", searches=1.0)
    found = {problem: one for (problem, _), one in scores.searched(join(*together, alone)).items()}
    assert isinstance(found["p"], SeveralSearches)
    assert isinstance(found["q"], Searched)
