"""The set of the best: how often the best lies in it, whom it excludes, and its sentences."""

import numpy as np
import pytest
from scipy import stats

from regbench.analysis import best, scores
from regbench.analysis.calibration import Surface, searches
from regbench.analysis.claims import pairs_of
from regbench.analysis.ranking import ranked_entries


@pytest.fixture(scope="module")
def sets_of(make_runs):
    """The sets of simulated problems: (problem, candidate) -> values of seeds 42, 43, ..."""

    def make(values):
        rows = [
            {"problem": problem, "candidate": candidate, "seed": 42 + number, "valid": value, "test": value}
            for (problem, candidate), seeds in values.items()
            for number, value in enumerate(seeds)
        ]
        runs = make_runs(rows, metric="loss", goal="maximize")
        searched = scores.searched(runs)
        table = ranked_entries(runs, searched=searched)
        return best.sets_of_the_best(table, pairs_of(table, searched))

    return make


def simulated(means, repetitions, seed):
    generator = np.random.default_rng(seed)
    return {
        (f"p{number:03}", f"c{place:02}"): mean + generator.normal(size=10)
        for number in range(repetitions)
        for place, mean in enumerate(means)
    }


@pytest.mark.parametrize("means, repetitions", [((0, 0), 100), ((0,) * 10, 30)])
def test_best_lies_in_the_set_as_often_as_is_said(sets_of, means, repetitions):
    """Where all are equal the first is as good a best as any."""
    rows = sets_of(simulated(means, repetitions, 1))
    excluded = (~rows.loc[rows["label"] == "c00", "is_possible"].astype(bool)).sum()
    assert excluded <= stats.binom.ppf(1 - 1e-4, repetitions, 0.05)


def test_candidates_two_deviations_behind_are_mostly_excluded(sets_of):
    rows = sets_of(simulated((2, *[0] * 9), 20, 2))
    assert rows.loc[rows["label"] == "c00", "is_possible"].all()
    others = rows[rows["label"] != "c00"]
    assert (~others["is_possible"].astype(bool)).mean() > 0.5
    assert (others.loc[~others["is_possible"].astype(bool), "excluded_by"] == "c00").mean() > 0.9


def test_one_sided_p_is_adjusted_for_all_others(sets_of):
    generator = np.random.default_rng(3)
    values = {("p", name): mean + generator.normal(size=10) for name, mean in zip("abc", (3, 1, 0), strict=True)}
    rows = sets_of(values).set_index("label")
    for label in "bc":
        raw = stats.ttest_ind(values["p", "a"][1:], values["p", label][1:], equal_var=False, alternative="greater")
        assert rows.loc[label, "p"] == pytest.approx(min(1, 2 * raw.pvalue), rel=1e-9)
    assert np.isnan(rows.loc["a", "p"])


def test_set_of_two_asks_the_second_test_where_the_first_alone_would_exclude():
    """One-sided at 5 % is two-sided at 10 %: a p value between 5 and 10 % must have been held against divisions."""
    generator = np.random.default_rng(0)
    x = generator.random(300)
    level = 0.97 - 0.87 * (1 - np.exp(-(((x - 0.6) / 0.03) ** 2)))
    valid, test = (level[:, None] + 0.006 * generator.standard_normal((300, 10)) for _ in range(2))
    peak = Surface("made__peak", "maximize", valid, test, 0.1)
    runs = searches([peak, peak], 25, 60, seed=3)
    searched = scores.searched(runs)
    table = ranked_entries(runs, searched=searched)
    pairs = pairs_of(table, searched)
    excluded = (~best.sets_of_the_best(table, pairs)["is_possible"].astype(bool)).sum()
    by_the_first_alone = sum(one.difference.p_value() < 0.1 for (one,) in pairs.values())
    assert by_the_first_alone > 12
    # Either of two may be excluded: at most 10 % of the repetitions, more with a probability below 1e-4.
    assert excluded <= stats.binom.ppf(1 - 1e-4, 60, 0.1)
    assert excluded < by_the_first_alone


def test_sentences_name_the_best_or_those_that_may_be(sets_of):
    clear = {("p", "a"): np.arange(10) / 100 + 5, ("p", "b"): np.arange(10) / 100, ("q", "a"): np.arange(10.0)}
    open_ = {("q", "b"): np.arange(10) + 0.1}
    assert best.sentences(sets_of(clear | open_)) == (
        "p: a is the best of 2 when each is tuned anew (95 % confidence).",
        "q: any of 2 may be the best when each is tuned anew (95 % confidence): b, a.",
    )
