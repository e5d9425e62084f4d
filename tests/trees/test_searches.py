"""Which search each run of a tree belongs to, from frames and manifests made by hand."""

import numpy as np
import pandas as pd
import pytest

from regbench.records import Manifest, code_of
from regbench.trees.frames import RUNS
from regbench.trees.searches import BY_HAND, runs_of, with_searches

ENTRY = {
    "problem": "p", "candidate": "sgd", "coupling": "none", "protocol": "deepobs", "schedule": "none",
    "epochs": 1, "batch_size": 2,
}  # fmt: skip


def digest(letter):
    return letter * 64


def make_runs(*rows):
    """Runs by the letter of their digest; what is not told is that of a plain run of an earlier version."""
    columns = {name: [] for name in RUNS}
    for number, row in enumerate(rows):
        empty = {"str": "", "int64": 0, "float64": np.nan, "bool": False, "datetime64[s]": np.datetime64("2024-01-01")}
        plain = (
            {name: empty[kind] for name, (kind, _) in RUNS.items()} | ENTRY | {"run": number, "outcome": "completed"}
        )
        for name, value in (plain | row).items():
            columns[name].append(value)
    return pd.DataFrame({name: pd.Series(columns[name], dtype=kind) for name, (kind, _) in RUNS.items()})


def make_manifest(letter, trials, again="", winner=0, **others):
    return Manifest(
        **{"digest": digest(letter), "problem": "p", "candidate": "sgd", "sampler": "random", "budget": 9, "seed": 42}
        | {"reruns": 3, "epochs": 1, "batch_size": 2, "schedule": "none", "protocol": "deepobs"}
        | {"problem_digest": digest("0"), "space_digest": digest("1"), "winner": winner}
        | {"trials": tuple(map(digest, trials)), "again": tuple(map(digest, again))}
        | others
    )


def told(runs):
    return [
        (row["digest"][:1], row["search"][:1], row["role"], None if np.isnan(row["trial"]) else int(row["trial"]))
        for row in runs.to_dict("records")
    ]


def test_run_stands_once_for_each_search_that_lists_it():
    runs = make_runs({"digest": digest("a")}, {"digest": digest("b")})
    both = with_searches(runs, [make_manifest("e", "ab", winner=1), make_manifest("f", "b")])
    assert told(both) == [("a", "e", "trial", 0), ("b", "e", "trial", 1), ("b", "f", "trial", 0)]
    assert list(both["won"]) == [False, True, True]
    assert list(both["budget"]) == [9.0] * 3


def test_setting_that_was_drawn_twice_is_two_trials_and_re_runs_follow():
    runs = make_runs({"digest": digest("a")}, {"digest": digest("b")})
    listed = runs_of(runs, [make_manifest("e", "aa", again="b")])
    assert told(listed) == [("a", "e", "trial", 0), ("a", "e", "trial", 1), ("b", "e", "re-run", None)]


def test_runs_that_are_not_there_are_left_out_and_counted():
    listed = runs_of(make_runs({"digest": digest("a")}), [make_manifest("e", "abc", again="d")])
    assert told(listed) == [("a", "e", "trial", 0)]
    assert list(listed["planned"]) == [3.0]


@pytest.mark.parametrize("late", [False, True])
def test_newest_run_of_a_spec_counts_and_one_that_timed_out_only_where_no_other_is(late):
    moments = [np.datetime64("2024-01-01"), np.datetime64("2024-01-02")]
    outcomes = ["completed", "timed_out" if late else "completed"]
    rows = [
        {"digest": digest("a"), "moment": moment, "outcome": outcome, "seed": number, "superseded": number == int(late)}
        for number, (moment, outcome) in enumerate(zip(moments, outcomes, strict=True))
    ]
    (row,) = with_searches(make_runs(*rows), [make_manifest("e", "a")]).to_dict("records")
    assert row["seed"] == (0 if late else 1)


def test_run_by_hand_stays_one_unless_a_search_found_it():
    hand = {"search": BY_HAND, "role": BY_HAND}
    runs = make_runs({"digest": digest("a"), **hand}, {"digest": digest("b"), **hand})
    assert told(with_searches(runs, [make_manifest("e", "a")])) == [("a", "e", "trial", 0), ("b", "b", BY_HAND, None)]
    assert told(with_searches(runs, [])) == [("a", "b", BY_HAND, None), ("b", "b", BY_HAND, None)]


def test_older_runs_stay_an_inferred_search_unless_a_recorded_one_has_found_all_of_it():
    runs = make_runs({"digest": digest("a")}, {"digest": digest("b")}, {"digest": digest("c")})
    some = with_searches(runs, [make_manifest("e", "ab")])
    assert told(some) == [
        ("a", "", "", None), ("a", "e", "trial", 0), ("b", "", "", None), ("b", "e", "trial", 1), ("c", "", "", None),
    ]  # fmt: skip
    whole = with_searches(runs, [make_manifest("e", "abc")])
    assert told(whole) == [("a", "e", "trial", 0), ("b", "e", "trial", 1), ("c", "e", "trial", 2)]


def test_decay_of_strength_zero_is_a_trial_of_the_search_like_any_other():
    runs = make_runs({"digest": digest("a"), "coupling": "none"}, {"digest": digest("b"), "coupling": "decoupled"})
    assert list(runs_of(runs, [make_manifest("e", "ab")])["coupling"]) == ["decoupled", "decoupled"]


def test_run_of_other_code_or_data_belongs_to_the_search_that_is_on_record_with_them():
    first, second = {"m:Mine": "0" * 64}, {"m:Mine": "1" * 64}
    old, new = code_of(first), code_of(second)
    made = {"search": digest("9"), "role": "trial"}
    runs = make_runs(
        {"digest": digest("a"), "code": old, "data_digest": "x", "seed": 1, **made},
        {"digest": digest("a"), "code": new, "data_digest": "x", "seed": 2, **made},
        {"digest": digest("a"), "code": new, "data_digest": "y", "seed": 3, **made},
        {"digest": digest("a"), "code": "", "data_digest": "x", "seed": 4, "search": BY_HAND, "role": BY_HAND},
    )
    listed = with_searches(
        runs,
        [
            make_manifest("e", "a", sources=first, data_digests=("x",)),
            make_manifest("f", "a", sources=second, data_digests=("x",)),
            make_manifest("0", "a", sources=second, data_digests=("y",)),
            make_manifest("1", "aa", sources=second),  # not known yet: the newest of any
        ],
    )
    belongs = [(row["search"][:1], row["seed"]) for row in listed.to_dict("records")]
    assert sorted(belongs) == [("0", 3), ("1", 3), ("1", 3), ("b", 4), ("e", 1), ("f", 2)]
