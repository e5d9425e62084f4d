"""The runs that were asked for, by each of the names that they have."""

import pytest

from regbench.analysis.labels import with_labels
from regbench.analysis.selection import select
from regbench.errors import UnknownNameError


@pytest.fixture
def runs(make_runs):
    """Two candidates with one optimizer on one problem and one of them on another; one of them from two sources."""
    return make_runs(
        [
            {"problem": problem, "candidate": candidate, "optimizer": "SGD", "source": source, "seed": seed}
            for problem, candidate, source in (
                ("p", "plain", "ours"),
                ("p", "plain", "theirs"),
                ("p", "powered", "ours"),
                ("q", "plain", "ours"),
            )
            for seed in (42, 43)
        ]
    )


def chosen(frame):
    return sorted(set(zip(frame["problem"], frame["candidate"], frame["source"], strict=True)))


def test_all_are_chosen_where_nothing_is_asked_for(runs):
    found = select(runs, [], [])
    assert len(found) == len(runs)
    assert list(found["label"]) == list(with_labels(runs)["label"])


def test_problems_and_candidates_must_both_be_asked_for(runs):
    assert chosen(select(runs, ["q"], [])) == [("q", "plain", "ours")]
    assert chosen(select(runs, ["p"], ["powered"])) == [("p", "powered", "ours")]
    assert chosen(select(runs, ["q", "p"], ["plain"])) == [
        ("p", "plain", "ours"),
        ("p", "plain", "theirs"),
        ("q", "plain", "ours"),
    ]


def test_candidates_go_by_the_name_of_their_optimizer_and_by_their_label_too(runs):
    assert len(select(runs, ["p"], ["SGD"])) == 6
    assert chosen(select(runs, [], ["plain (theirs)"])) == [("p", "plain", "theirs")]
    assert chosen(select(runs, [], ["plain (theirs)", "powered"])) == [
        ("p", "plain", "theirs"),
        ("p", "powered", "ours"),
    ]


def test_labels_are_those_of_all_runs_of_the_problems(runs):
    """Alone nothing would have to tell it apart, but a page names it as the others of the page do."""
    assert set(select(runs, ["p"], ["plain (theirs)"])["label"]) == {"plain (theirs)"}
    assert set(select(runs, ["q"], ["plain"])["label"]) == {"plain"}


def test_chosen_rows_are_numbered_anew_in_their_order(runs):
    found = select(runs, ["q"], ["plain"])
    assert list(found.index) == [0, 1]
    assert list(found["run"]) == [6, 7]


@pytest.mark.parametrize(
    "problems, candidates, message",
    [
        (["r"], [], "There is no problem `r`"),
        (["p", "r"], [], "There is no problem `r`"),
        ([], ["powerd"], "There is no candidate `powerd`.* Did you mean `powered`"),
        # It is there, but not on that problem.
        (["q"], ["powered"], "There is no candidate `powered`"),
    ],
)
def test_a_name_that_no_run_has_is_refused(runs, problems, candidates, message):
    with pytest.raises(UnknownNameError, match=message):
        select(runs, problems, candidates)
