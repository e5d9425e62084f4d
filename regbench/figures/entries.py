"""The entries that figures of searches show: of declared searches, and of trees from other sources."""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from regbench.analysis import curves, entries
from regbench.analysis.labels import ENTRY, with_labels
from regbench.comparison import Comparison
from regbench.figures.plan import Drawing, Find, Run
from regbench.figures.searches import FigureSearch
from regbench.records import DEEPOBS_METRICS, SPLITS
from regbench.trees import frames
from regbench.trees.dialects import DIALECTS
from regbench.trees.searches import BY_HAND, runs_of

OURS = DIALECTS[0]
SPREAD = "middle half of the seeds; line: their mean"
SUSPICIOUS = 0.05
"""By how much the accuracy on the validation set may be above that on the test set."""

UNTOLD = ("decay", "epsilon", "nesterov", "use_nesterov")
"""Hyperparameters that nobody tuned, or that the name of the entry tells."""


def read(trees: Sequence[Path]) -> frames.Results:
    """All runs in those of the trees that exist."""
    return frames.merge([frames.load(tree) for tree in trees if tree.exists()])


def is_foreign(runs: pd.DataFrame) -> pd.Series:
    """A mask of the runs that regbench did not write."""
    return runs["dialect"] != OURS


def searched(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs of entries of which several settings were tried."""
    runs = runs[runs["search"] != BY_HAND]
    settings = runs.groupby(ENTRY, observed=True, dropna=False)["setting"].transform("nunique")
    return runs[settings > 1]


class Entries:
    """The entries that several figures of a paper share, read and compared once.

    Args:
        trees: results trees; the runs of `searches` are written into the first one.
        problems: names.
        candidates: names; None takes all.
        searches: that are shown, beside what others have run of the same; None shows all that is in the trees.
    """

    def __init__(
        self,
        trees: Sequence[Path],
        problems: Collection[str],
        candidates: Collection[str] | None,
        searches: Sequence[FigureSearch] | None = None,
    ) -> None:
        """Keep the arguments; trees are read when a figure is drawn."""
        self.problems = list(problems)
        self._trees, self._candidates, self._searches = trees, candidates, searches
        self._comparison: Comparison | None = None

    def runs(self, find: Find) -> list[Run]:
        """The runs that have to be there."""
        return [run for search in self._searches or () for run in search.runs(find)]

    def comparison(self, find: Find) -> Comparison:
        """The winners of all entries, once the runs are there."""
        if self._comparison is None:
            results = read(self._trees)
            kept = results.runs["problem"].isin(self.problems)
            if self._candidates is not None:
                kept &= results.runs["candidate"].isin(self._candidates)
            shown_runs = results.runs[kept]
            if self._searches is not None:
                manifests = [search.manifest(find) for search in self._searches]
                each_once = results.runs.drop_duplicates(["source", "file"])
                declared = runs_of(each_once, manifests)
                shown_runs = pd.concat([declared, shown_runs[is_foreign(shown_runs)]], ignore_index=True)
            runs = with_labels(searched(shown_runs).reset_index(drop=True))
            shown = entries.reported(runs)
            summaries = curves.summaries(results.curves(shown["run"].tolist()), shown)
            self._comparison = Comparison(runs, results.irregularities, summaries, "final", None)
        return self._comparison

    def drawn(self, draw: Callable[[Comparison], Drawing], find: Find) -> Drawing:
        """The drawing of the comparison, with the runs that it shows."""
        comparison = self.comparison(find)
        return replace(draw(comparison), runs=comparison.runs)


def learning_curves(comparison: Comparison) -> pd.DataFrame:
    """The curves of the winners that are comparable with each other, with `low` and `high`, quartiles over seeds.

    On logarithmic axes what lies a deviation below the mean has no place. Losses that contain a penalty
    are left out where others' do not.
    """
    shown = comparison.reported[comparison.reported["comparable"]]
    summaries = curves.comparable(comparison.summaries, shown).merge(shown[["problem", "label"]].drop_duplicates())
    return summaries.assign(low=summaries["q25"], high=summaries["q75"])


def curve_numbers(summaries: pd.DataFrame) -> pd.DataFrame:
    """The numbers of a figure of learning curves: a row an epoch of a curve."""
    columns = ["problem", "label", "candidate", "coupling", "source", "setting"]
    return summaries[[*columns, "metric", "epoch", "n", "mean", "sd", "low", "high"]]


def cautions(comparison: Comparison) -> list[str]:
    """Sentences on what limits the comparison of curves and values of entries."""
    table = comparison.table
    shown = table[table["comparable"]]
    mixed = shown.groupby("problem")["loss_has_penalty"].transform("nunique") > 1
    sentences = []
    for problem, labels in shown[mixed & shown["loss_has_penalty"].astype(bool)].groupby("problem")["label"]:
        sentences.append(
            f"{problem}: losses of {', '.join(labels)} contain an L2 penalty, those of the others do not: no curves of "
            "these losses are shown."
        )
    noted = table[table["note"] != ""]
    for note, labels in noted.groupby("note", sort=False)["label"]:
        sentences.append(f"{', '.join(dict.fromkeys(labels))}: {note}.")
    return sentences


def result_table(comparison: Comparison) -> pd.DataFrame:
    """A row an entry, best first: its setting, and mean and deviation over seeds of all final values."""
    columns = ["problem", "label", "candidate", "coupling", "decay", "source", "protocol", "epochs", "batch_size"]
    table = comparison.table[[*columns, "n_seeds", "rank", "speed", "trials", "diverged", "comparable", "note"]].copy()
    values = [
        json.dumps({name: value for name, value in (setting or {}).items() if name != "decay"})
        for setting in comparison.table["setting"]
    ]
    table.insert(columns.index("source"), "setting", values)
    for split in SPLITS:
        for metric in DEEPOBS_METRICS:
            shown = entries.reported(comparison.runs, "final", metric, split)
            moments = shown.groupby(["problem", "label"])["value"].agg(["mean", "std"])
            names = {"mean": f"{split}_{metric}_mean", "std": f"{split}_{metric}_sd"}
            table = table.merge(moments.rename(columns=names).reset_index(), on=["problem", "label"], how="left")
    return table.dropna(axis="columns", how="all")


def suspicious_validation(comparison: Comparison) -> list[str]:
    """Entries whose samples for validation are recognised far better than those for testing."""
    table = result_table(comparison)
    if "valid_accuracy_mean" not in table:
        return []
    return [
        f"{row['label']} on {row['problem']}: validation accuracy {row['valid_accuracy_mean']:.3f}, test accuracy "
        f"{row['test_accuracy_mean']:.3f}. Validation samples that were held out would not be recognised so much "
        "better: read its validation curves and the choice of its winner with care."
        for row in table.to_dict("records")
        if row["valid_accuracy_mean"] - row["test_accuracy_mean"] > SUSPICIOUS
    ]


def setting_text(setting: dict[str, object] | None) -> str:
    """A setting as a sentence says it; what is fixed by the problem is left out."""
    shown = {name: value for name, value in (setting or {}).items() if name not in UNTOLD}
    known = {name: value for name, value in shown.items() if isinstance(value, int | float)}
    return ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in known.items())
