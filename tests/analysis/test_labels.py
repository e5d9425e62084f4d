"""The labels of entries: short, and no two of a problem alike."""

import pandas as pd

from regbench.analysis.labels import ENTRY, SEARCH, with_labels


def test_a_lone_candidate_is_labelled_by_its_name(make_study):
    assert set(with_labels(make_study("sgd", {0.1: 0.5}))["label"]) == {"sgd"}


def test_labels_name_only_what_tells_entries_apart(make_runs):
    rows = [
        {"candidate": "sgd"},
        {"candidate": "adam", "coupling": "l2"},
        {"candidate": "adam", "coupling": "decoupled_momentum"},
        {"candidate": "adam", "coupling": "none"},
        {"candidate": "muon", "protocol": "strict", "schedule": "cosine"},
        {"candidate": "muon", "protocol": "deepobs", "schedule": "cosine", "epochs": 50},
        {"candidate": "lion", "schedule": "cosine", "batch_size": 32},
        {"candidate": "lion", "schedule": "none", "batch_size": 32},
        {"candidate": "lion", "schedule": "none", "batch_size": 64, "epochs": 50},
        {"candidate": "nag", "epochs": 50},
        {"candidate": "nag", "epochs": 60},
    ]
    assert list(with_labels(make_runs(rows))["label"]) == [
        "sgd",
        "adam · l2",
        "adam · decoupled momentum",
        "adam · no decay",
        "muon · strict",
        "muon · deepobs",
        "lion · cosine · 100 epochs",
        "lion · constant rate · 100 epochs",
        "lion · constant rate · 50 epochs",
        "nag · 50 epochs",
        "nag · 60 epochs",
    ]


def test_several_sources_are_named_but_ours(make_runs):
    rows = [{"source": source} for source in ("ours", "published", "trees/theirs", "a/same", "b/same", "/")]
    named = list(with_labels(make_runs(rows))["label"])
    assert named == ["sgd", "sgd (published)", "sgd (theirs)", "sgd (a/same)", "sgd (b/same)", "sgd (/)"]


def test_an_entry_has_the_same_label_on_every_problem(make_runs):
    couplings = [("a", "l2"), ("a", "decoupled"), ("b", "l2"), ("c", "none")]
    runs = make_runs({"problem": problem, "coupling": coupling} for problem, coupling in couplings)
    assert list(with_labels(runs)["label"]) == ["sgd · l2", "sgd · decoupled", "sgd · l2", "sgd · no decay"]


def test_entries_whose_labels_would_be_equal_are_numbered(make_runs):
    runs = make_runs([{"candidate": "x", "coupling": c} for c in ("l2", "decoupled")] + [{"candidate": "x · l2"}])
    assert sorted(with_labels(runs)["label"]) == ["x · decoupled", "x · l2", "x · l2 #2"]


def test_labelling_keeps_rows_order_and_index(make_runs):
    runs = make_runs([{"candidate": name} for name in "cab"]).set_axis([7, 3, 5])
    labelled = with_labels(runs)
    pd.testing.assert_frame_equal(labelled.drop(columns="label"), runs)
    assert list(labelled["label"]) == list("cab")


def recorded(search, budget=4, sampler="random", seed=42, further=9):
    return {"search": search * 64, "budget": budget, "sampler": sampler, "study_seed": seed, "further_seeds": further}


def test_searches_of_one_candidate_are_named_by_all_in_which_they_differ(make_runs):
    rows = [recorded("a"), recorded("b", budget=8, sampler="qmc"), {**recorded("c"), "candidate": "adam"}]
    assert list(with_labels(make_runs(rows))["label"]) == ["sgd · 4 trials · random", "sgd · 8 trials · qmc", "adam"]
    rows = [recorded("a"), recorded("b", seed=43), recorded("c", further=2)]
    assert list(with_labels(make_runs(rows))["label"]) == [
        "sgd · study seed 42 · 9 re-runs",
        "sgd · study seed 43 · 9 re-runs",
        "sgd · study seed 42 · 2 re-runs",
    ]


def test_search_that_is_inferred_is_named_so_beside_one_on_record(make_runs):
    labels = list(with_labels(make_runs([recorded("a"), {}]))["label"])
    assert labels[0].startswith("sgd · 4 trials")
    assert labels[1].startswith("sgd · search inferred")


def test_runs_by_hand_are_no_entry_and_name_none(make_runs):
    rows = [recorded("a"), {"search": "by hand", "role": "by hand"}]
    assert list(with_labels(make_runs(rows))["label"]) == ["sgd", "by hand"]
    assert set(SEARCH).isdisjoint(ENTRY)
