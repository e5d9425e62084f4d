"""A comparison: results trees and baselines side by side, ranked, and what the data support.

`compare` is what the command of this name does. All figures of a page come from one `Comparison`, so that every entry
has one name on it.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from regbench import catalog
from regbench.analysis import across, best, claims, curves, decay, fairness, ranking, scores, stability, tuning
from regbench.analysis.entries import MODES, Mode, reported, trials
from regbench.analysis.searched import AnySearched, Key
from regbench.analysis.selection import select
from regbench.analysis.sentences import QUESTIONS, Pair, Question
from regbench.comparison import departures
from regbench.errors import DefinitionError, ResultsError, UnknownNameError, printable
from regbench.records import METRICS
from regbench.trees import bundled, frames
from regbench.trees.searches import BY_HAND, INFERRED

LEVEL = 0.05
"""Chance of any false claim on a problem."""

CONFIDENCE = 0.8
"""Of the bands around tuning curves."""


@dataclass(frozen=True)
class Comparison:
    """The frames of a comparison; each is computed when it is first used.

    Args:
        runs: `store.frames`: all runs, with `label`, also superseded ones.
        irregularities: of the trees that were read, with `source`.
        summaries: `analysis.curves`: the curves of the reported runs.
        mode: how winners are chosen.
        metric: "accuracy", "loss" or None: what decides on each problem.
        question: that claims answer, "budget" or "settings" (`claims`).
        against: "best", or the label of an entry that was singled out beforehand.
        together: protocols that are ranked together.
    """

    runs: pd.DataFrame
    irregularities: pd.DataFrame
    summaries: pd.DataFrame
    mode: Mode
    metric: str | None
    question: Question = "budget"
    against: str = "best"
    together: tuple[str, ...] = ()

    @cached_property
    def table(self) -> pd.DataFrame:
        """`ranking.ranked_entries`: a row an entry, best first."""
        return ranking.ranked_entries(
            self.runs, mode=self.mode, metric=self.metric, searched=self.searched, together=self.together
        )

    @cached_property
    def searched(self) -> dict[Key, AnySearched]:
        """`scores.searched`: the trials of each entry."""
        return scores.searched(self.runs, self.mode, self.metric)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """One line for each thing that a reader must know of before the table."""
        return (
            *_entries_apart(self.table[self.table["instance"] == ""]),
            *departures.warnings(self.runs, self.table),
            *_runs_by_hand(self.runs),
            *_inferred_searches(self.table),
            *_irregular_sources(self.irregularities),
        )

    @cached_property
    def trials(self) -> pd.DataFrame:
        """`entries.trials`: the runs of the search."""
        return trials(self.runs, self.mode)

    @cached_property
    def reported(self) -> pd.DataFrame:
        """`entries.reported`, with `comparable` of their entry."""
        runs = reported(self.runs, self.mode, self.metric)
        return runs.merge(self.table[["problem", "label", "comparable"]], on=["problem", "label"])

    @cached_property
    def reported_on_train(self) -> pd.DataFrame:
        """The same runs with their values on the training set."""
        return reported(self.runs, self.mode, self.metric, "train")

    @cached_property
    def claims(self) -> pd.DataFrame:
        """`claims.claims`: the best of each problem, or `against`, against all others."""
        return self.claims_of(self.against)

    def claims_of(self, against: str = "all", question: Question | None = None) -> pd.DataFrame:
        """`claims.claims`, `with_runs`; the question is that of the comparison unless given."""
        asked = self.question if question is None else question
        pairs = self._pairs_given_the_budget if asked == "budget" else None
        rows = claims.claims(self.table, self.searched, question=asked, level=LEVEL, against=against, pairs=pairs)
        return claims.with_runs(rows, self._counted)

    @cached_property
    def best(self) -> pd.DataFrame:
        """`best.sets_of_the_best`: which entries of each problem cannot be excluded from being the best."""
        return best.sets_of_the_best(self.table, self._pairs_given_the_budget, LEVEL)

    @cached_property
    def _counted(self) -> dict[Key, AnySearched]:
        """The trials that count: those of the budget at which entries are compared."""
        counts = self.table.set_index(["problem", "label"])["trials_counted"]
        return {key: one.first(int(counts[key])) for key, one in self.searched.items()}

    @cached_property
    def _pairs_given_the_budget(self) -> dict[str, list[Pair]]:
        return claims.pairs_of(self.table, self.searched)

    @property
    def best_sentences(self) -> tuple[str, ...]:
        """The first lines of a comparison: which entries may be the best of each problem."""
        return best.sentences(self.best, LEVEL)

    @cached_property
    def cards(self) -> pd.DataFrame:
        """`fairness.cards`, with the columns of `stability.stability`."""
        stable = stability.stability(self.runs)
        columns = ["problem", "label", "largest_stable_learning_rate", "is_bounded"]
        return fairness.cards(self.runs, self.mode).merge(stable[columns], on=["problem", "label"], how="left")

    @cached_property
    def strength(self) -> pd.DataFrame:
        """`fairness.baseline_strength`: our and the user's sgd, momentum and adam beside the published ones."""
        table = self.table[self.table["instance"] == ""]
        is_published = table["source"] == "published"
        return fairness.baseline_strength(table[~is_published], table[is_published])

    @cached_property
    def tuning(self) -> pd.DataFrame:
        """`tuning.tuning_curves`."""
        return tuning.tuning_curves(self.trials, CONFIDENCE)

    @cached_property
    def flips(self) -> pd.DataFrame:
        """`tuning.flips`."""
        return tuning.flips(self.tuning[self.tuning["instance"] == ""])

    @cached_property
    def ranks(self) -> across.AverageRanks:
        """`across.average_ranks`."""
        return across.average_ranks(self.table, LEVEL)

    @cached_property
    def profile(self) -> pd.DataFrame:
        """`across.performance_profile`."""
        return across.performance_profile(self.table)

    @cached_property
    def ridges(self) -> dict[tuple[str, str], decay.Ridge]:
        """The ridge of each entry that searched learning rate and decay, by problem and label."""
        searched = {
            (str(problem), str(label)): rows
            for (problem, label), rows in self.trials.groupby(["problem", "label"], sort=True)
            if rows["decay"].nunique() > 1
        }
        return {key: decay.ridge(rows) for key, rows in searched.items()}

    @property
    def problems(self) -> list[str]:
        """The names of all problems, sorted."""
        return sorted(self.table["problem"].unique())

    @property
    def best_first(self) -> list[str]:
        """Labels, the best first: by average rank, then as in the table."""
        return list(dict.fromkeys([*self.ranks.ranks.index, *self.table["label"]]))


def load(*trees: str | Path) -> frames.Results:
    """Read results trees of any DeepOBS dialect into one `Results`: `runs`, `curves()` and `irregularities`.

    Raises:
        ResultsError: a tree cannot be read.
    """
    return frames.merge([frames.load(tree) for tree in trees])


def compare(
    problems: Sequence[str] = (),
    *,
    results: Sequence[str | Path] = (),
    baselines: str | Path = "bundled",
    candidates: Sequence[str] = (),
    metric: str | None = None,
    mode: Mode = "final",
    budget: int | None = None,
    question: Question = "budget",
    against: str = "best",
    together: Sequence[str] = (),
) -> Comparison:
    """Compare the entries of results trees with each other and with baselines.

    Args:
        problems: names; all that are in the trees, or where there are no trees in the baselines, unless given.
        results: results trees.
        baselines: "bundled", "none" or a results tree.
        candidates: names or labels; all unless given.
        metric: "accuracy" or "loss"; what decides on each problem unless given.
        mode: how winners are chosen: "final", "best", "most", "test" or "train" (`entries.winners`).
        budget: only searches with so many trials asked for; all unless given.
        question: that claims answer: "budget" (is the candidate better when tuned anew?) or "settings" (is the setting
            that was found for it better?).
        against: "best" compares with the best entry; the label of one that was singled out before the results were
            seen, with that one: there are fewer comparisons to adjust for.
        together: protocols that are ranked together on the test split, with a note and without claims.

    Raises:
        DefinitionError: `results` is a single path.
        ResultsError: a tree is a file or cannot be read, or nothing is left to compare.
        UnknownNameError: a problem or candidate is in none of the trees, or there is no such metric or mode.
    """
    _check(metric, mode, question, together)
    if isinstance(results, str | Path):
        raise DefinitionError(f"`results` must be a list of folders. Received: results={str(results)!r}")
    compared = _each_once(results)
    trees = _each_once([*compared, *([] if baselines in ("bundled", "none") else [baselines])])
    for tree in trees:
        if Path(tree).is_file():
            raise ResultsError(f"{printable(str(tree))}: must be a folder of results. Received: a file")
    read = [frames.load(tree, source=_source(tree)) for tree in trees]
    own = {problem for one in read[: len(compared)] for problem in one.runs["problem"]}
    asked = list(problems) or sorted(own)
    sources = bundled.SOURCES if baselines == "bundled" else ()
    found = frames.merge([*read, *(bundled.load(source, problems=asked) for source in sources)])
    runs = found.runs
    if runs.empty:
        told = "".join(f"; {line}" for line in _irregular_sources(found.irregularities))
        raise ResultsError(f"{', '.join(map(str, trees)) or 'no results'}: there are no runs to compare{told}")
    runs = select(runs, asked or sorted(set(runs["problem"])), candidates, budget)
    shown = reported(runs, mode, metric)
    drawn = curves.summaries(found.curves(shown["run"].tolist()), shown)
    if against != "best" and against not in set(runs["label"]):
        raise UnknownNameError("entry", against, sorted(set(runs["label"])), where="the comparison")
    runs = runs.assign(**curves.before_training(drawn[drawn["instance"] == ""], runs["problem"]))
    return Comparison(runs, found.irregularities, drawn, mode, metric, question, against, tuple(together))


def _each_once(trees: Sequence[str | Path]) -> list[str | Path]:
    """The trees without those that are the same folder as one before."""
    return list({os.path.realpath(tree): tree for tree in reversed(trees)}.values())[::-1]


def _source(tree: str | Path) -> str:
    """The tree as the user named it, told apart from the bundled sources."""
    name = printable(os.fspath(tree))
    return f"./{name}" if name in bundled.SOURCES else name


def _check(metric: str | None, mode: str, question: str, together: Sequence[str]) -> None:
    if question not in QUESTIONS:
        raise UnknownNameError("question", question, QUESTIONS)
    for protocol in together:
        if protocol not in catalog.PROTOCOLS:
            raise UnknownNameError("protocol", protocol, sorted(catalog.PROTOCOLS))
    if not (metric is None or metric in METRICS or ":" in metric):
        raise UnknownNameError("metric", str(metric), METRICS)
    if mode not in MODES:
        raise UnknownNameError("mode", mode, MODES)


def _entries_apart(table: pd.DataFrame) -> Iterator[str]:
    for problem, rows in table[~table["comparable"]].groupby("problem", sort=True):
        for note, alike in rows.groupby("note", sort=True):
            labels = ", ".join(alike["label"])
            yield f"{problem}: {len(alike)} {'entry' if len(alike) == 1 else 'entries'} apart ({labels}): {note}"


def _runs_by_hand(runs: pd.DataFrame) -> Iterator[str]:
    by_hand = runs[runs["search"] == BY_HAND]
    for (problem, candidate), rows in by_hand.groupby(["problem", "candidate"], sort=True):
        count = "1 run by hand belongs" if len(rows) == 1 else f"{len(rows)} runs by hand belong"
        yield f"{problem}: {count} to no search of {candidate}, and count in none"


def _inferred_searches(table: pd.DataFrame) -> Iterator[str]:
    inferred = table[table["search"] == INFERRED]
    for source, entries in inferred.groupby("source", sort=True):
        count = "the search of 1 entry is" if len(entries) == 1 else f"the searches of {len(entries)} entries are"
        yield f"{source}: {count} inferred from the runs: there is no record of sampler and budget"


def _irregular_sources(irregularities: pd.DataFrame) -> Iterator[str]:
    for source, rows in irregularities.groupby("source", sort=True):
        counts = ", ".join(f"{kind} {count}" for kind, count in rows["kind"].value_counts().items())
        yield f"{source}: irregular: {counts} (`regbench lint` lists them)"
