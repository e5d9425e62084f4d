"""Why nothing is claimed of two entries, whatever their numbers say."""

from collections.abc import Mapping
from typing import cast

from regbench.analysis.moments import standard_deviation
from regbench.analysis.searched import FEWEST_FRESH_SEEDS, AnySearched, SeveralSearches, counted
from regbench.analysis.sentences import Question
from regbench.catalog import BUDGETS, NARROWED
from regbench.trees.irregularities import LEAK

Row = Mapping[str, object]

UNLIKE_SPREADS = 3.0
"""By how much deviations of two samples may differ before a difference of their means may be one of skewness."""

SEEDS_APART = 9
"""Of each, where no run of one lies among those of the other: then spreads are no objection (docs/claims.md)."""


def why_silent(one: tuple[Row, AnySearched], other: tuple[Row, AnySearched], question: Question) -> str:
    """The first reason that there is, in words; empty where there is none.

    Args:
        one: a row of `ranking.ranked_entries`, and its search.
        other: likewise.
        question: that would be answered.
    """
    reasons = [
        _why_apart(one[0], other[0]),
        *(_why_dependent(row, question) for row, _ in (one, other)),
        *(_why_uncertain(row, search, question) for row, search in (one, other)),
        _why_unlike(one, other) if question == "settings" else "",
    ]
    return next(filter(None, reasons), "")


def _why_apart(one: Row, other: Row) -> str:
    """Why two searches are not compared; empty where they are. An inferred search has no sampler."""
    if one["budget"] != other["budget"] and one["trials_counted"] != other["trials_counted"]:
        return f"{one['trials_counted']:.0f} trials against {other['trials_counted']:.0f}"
    is_another = any(one[name] != other[name] for name in ("definition", "release"))
    if one["candidate"] == other["candidate"] and is_another:
        return "another definition of the candidate"
    if one["sampler"] and other["sampler"] and one["sampler"] != other["sampler"]:
        return f"sampler {one['sampler']} against {other['sampler']}"
    if one["protocol"] != other["protocol"]:
        return f"protocol {one['protocol']} against {other['protocol']}"
    if one["mode"] != "final":
        return f"winners were chosen by mode {one['mode']}, which claims nothing"
    if any(LEAK in cast(dict[str, int], row["irregular"]) for row in (one, other)):
        return "winners were chosen by validation that overlaps training"
    return ""


def _why_dependent(row: Row, question: Question) -> str:
    """Why trials cannot be drawn anew one by one.

    Those of tpe follow from all before them; those of the budget large after the 50th from the first 50.
    """
    if question != "budget" or row["searches"] not in (None, 1):
        return ""
    if row["sampler"] == "tpe":
        return f"the trials of {row['label']} depend on each other (tpe), so one search does not tell its luck"
    if row["sampler"] == NARROWED and cast(int, row["trials_counted"]) > BUDGETS["medium"]:
        return f"the last trials of {row['label']} depend on the first, so one search does not tell its luck"
    return ""


def _why_uncertain(row: Row, search: AnySearched, question: Question) -> str:
    """Why nothing is known well enough of a search."""
    label = row["label"]
    if search.score.why_silent:
        return f"{label} has {search.score.why_silent}"
    seeds = len(search.fresh_of_winner)
    if question == "settings" and isinstance(search, SeveralSearches):
        return f"{label} has the winners of several searches"
    if question == "settings" and seeds < FEWEST_FRESH_SEEDS:
        return f"the winner of {label} has {counted(seeds, 'fresh seed')}, {FEWEST_FRESH_SEEDS} are needed"
    return ""


def _why_unlike(one: tuple[Row, AnySearched], other: tuple[Row, AnySearched]) -> str:
    """Why the means of two samples may mislead: one spreads much farther, and they overlap."""
    if min(len(search.fresh_of_winner) for _, search in (one, other)) < FEWEST_FRESH_SEEDS:
        return ""
    (near, narrow), (far, wide) = sorted(
        ((row["label"], search.fresh_of_winner) for row, search in (one, other)),
        key=lambda named: standard_deviation(named[1]),
    )
    least, most = standard_deviation(narrow), standard_deviation(wide)
    is_apart = narrow.max() < wide.min() or wide.max() < narrow.min()
    if not most > UNLIKE_SPREADS * least or (is_apart and min(len(narrow), len(wide)) >= SEEDS_APART):
        return ""
    return f"runs of {far} spread more than {UNLIKE_SPREADS:g} times as far as those of {near}: means alone may mislead"
