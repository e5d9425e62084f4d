"""Reasons why nothing is claimed, each alone."""

import numpy as np
import pytest

from regbench.analysis.searched import Searched, SeveralSearches
from regbench.analysis.silence import why_silent
from regbench.catalog import NARROWED
from regbench.trees.irregularities import LEAK

ROW = {
    "label": "a",
    "candidate": "a",
    "budget": 25.0,
    "trials_counted": 25,
    "definition": "",
    "release": "",
    "sampler": "random",
    "protocol": "deepobs",
    "mode": "final",
    "irregular": {},
    "searches": 1,
}


def search(fresh=9):
    values = np.array([0.9, 0.8])
    again = np.linspace(0.89, 0.91, fresh)
    return Searched(
        sign=1.0,
        chosen_by=values,
        own=values,
        fresh=(again, np.empty(0)),
        failed=(np.zeros(fresh, bool), np.empty(0, bool)),
        spread=1e-4,
        spread_freedom=8,
        decided_by="valid_accuracy",
        settings=None,
    )


def reason(question="budget", *, fresh=9, **other):
    return why_silent((ROW, search()), (ROW | {"label": "b", "candidate": "b"} | other, search(fresh)), question)


def test_two_searches_by_the_same_rules_are_compared():
    assert reason() == reason("settings") == ""


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"budget": 5.0, "trials_counted": 5}, "25 trials against 5"),
        ({"candidate": "a", "definition": "another"}, "another definition of the candidate"),
        ({"candidate": "a", "release": "2"}, "another definition of the candidate"),
        ({"sampler": "tpe"}, "sampler random against tpe"),
        ({"protocol": "strict"}, "protocol deepobs against strict"),
        ({"irregular": {LEAK: 3}}, "winners were chosen by validation that overlaps training"),
    ],
)
def test_searches_by_other_rules_are_not(other, said):
    assert reason(**other) == reason("settings", **other) == said


def test_modes_but_the_last_epoch_claim_nothing():
    row = ROW | {"mode": "best"}
    assert why_silent((row, search()), (row, search()), "budget").startswith("winners were chosen by mode best")


def test_trials_that_depend_on_the_first_answer_no_question_of_the_budget():
    narrowed = ROW | {"sampler": NARROWED, "budget": 75.0, "trials_counted": 75}
    said = why_silent((narrowed, search()), (narrowed, search()), "budget")
    assert said.startswith("the last trials of a depend on the first")
    assert why_silent((narrowed, search()), (narrowed, search()), "settings") == ""
    learned = ROW | {"sampler": "tpe"}
    said = why_silent((learned, search()), (learned, search()), "budget")
    assert said == "the trials of a depend on each other (tpe), so one search does not tell its luck"
    several = learned | {"searches": 3}
    assert why_silent((several, search()), (several, search()), "budget") == ""
    cut = narrowed | {"trials_counted": 50}
    assert why_silent((cut, search()), (cut, search()), "budget") == ""


def test_the_same_budget_after_a_cut_is_compared():
    assert reason(budget=50.0) == ""


def test_few_fresh_seeds_answer_no_question():
    assert reason(fresh=3) == "b has 3 fresh seeds, 5 are needed"
    assert reason("settings", fresh=3) == "b has 3 fresh seeds, 5 are needed"


def test_several_searches_have_no_one_setting():
    several = SeveralSearches((search(),) * 3)
    rows = (ROW, search()), (ROW | {"label": "b", "candidate": "b"}, several)
    assert why_silent(*rows, "settings") == "b has the winners of several searches"
    assert why_silent(*rows, "budget") == ""


def spread(values):
    values = np.asarray(values, float)
    return search(len(values)).__class__(
        sign=1.0,
        chosen_by=np.array([0.9, 0.8]),
        own=np.array([0.9, 0.8]),
        fresh=(values, np.empty(0)),
        failed=(np.zeros(len(values), bool), np.empty(0, bool)),
        spread=1e-4,
        spread_freedom=8,
        decided_by="valid_accuracy",
        settings=None,
    )


@pytest.mark.parametrize(
    ("factor", "shift", "seeds", "is_silent"),
    [
        (2.9, 0.0, 9, False),
        (3.1, 0.0, 9, True),
        (3.1, 5.0, 9, False),
        (3.1, 5.0, 8, True),
        (0.3, 0.0, 9, True),
    ],
)
def test_settings_with_unlike_spreads_that_overlap_are_not_compared_by_their_means(factor, shift, seeds, is_silent):
    values = np.linspace(-1, 1, seeds)
    told = why_silent((ROW, spread(values)), (ROW | {"label": "b"}, spread(factor * values + shift)), "settings")
    far = "b" if factor > 1 else "a"
    assert told.startswith(f"runs of {far} spread more than 3 times as far") == is_silent
    assert bool(told) == is_silent
    assert why_silent((ROW, spread(values)), (ROW | {"label": "b"}, spread(factor * values)), "budget") == ""


def test_settings_without_any_spread_are_no_reason():
    both = spread(np.full(9, 0.9)), spread(np.full(9, 0.8))
    assert why_silent((ROW, both[0]), (ROW | {"label": "b"}, both[1]), "settings") == ""
