"""The first section of a page: sources, problems, and the rules of the comparison."""

from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from regbench.analysis.resolution import described
from regbench.comparison import tables
from regbench.report.cells import Cell, Table, figure, name, spoken, table_of

if TYPE_CHECKING:
    from regbench.comparison import Comparison

MODES = {
    "final": "Its winner is the setting with the best validation result after the last epoch, of the trials with the "
    "tuning seed; where there are no validation curves, the test result decides.",
    "best": "Its winner is the setting with the best validation result in any epoch, of the trials with the tuning "
    "seed; where there are no validation curves, the test result decides.",
    "most": "Its winner is the setting that was run with the most seeds.",
}
DIRECTIONS = {"maximize": "higher is better", "minimize": "lower is better"}
DEPARTURES = (
    "The winner is chosen by the tuning seed alone, as the search chose it; DeepOBS averages over all seeds of a "
    "setting, so its winner can change once re-runs are there.",
    "Standard deviations have n \N{MINUS SIGN} 1 in the denominator (DeepOBS: n).",
    "Candidates are ranked by their expected winner, not by the mean of the setting that was found; claims are about "
    "the same number. The run of the tuning seed, by which a setting was chosen, counts in neither.",
    "Of several runs of one seed and setting the newest complete one counts; DeepOBS averages them as if they were "
    "different seeds. Settings are told apart by the values in the files, not by the names of folders.",
    "Runs that were cut short are counted, and not reported. In the mean of the winner a diverged run counts with the "
    "values in its file, which DeepOBS 1.2 fills with those from before training; in the score always with the latter.",
    "Losses are those without the penalty term wherever the files have them; a loss that contains one is ranked only "
    "with those that contain the same.",
    "In mode best, each run shows its epoch with the best validation result; DeepOBS takes the best epoch of the mean "
    "test curve, which nobody could have known.",
)


class Overview(NamedTuple):
    """Counts of runs and entries, the rules, and the tables of sources and problems."""

    runs: int
    entries: int
    mode: str
    metric: str
    question: str
    sources: Table
    problems: Table


def overview(comparison: "Comparison") -> Overview:
    """Build the overview of a comparison."""
    return Overview(
        runs=len(comparison.runs),
        entries=len(comparison.table),
        mode=MODES[comparison.mode],
        metric=comparison.metric or "what decides on the problem",
        question=comparison.question,
        sources=_sources(comparison),
        problems=_problems(comparison),
    )


def rules(entries: pd.DataFrame) -> str:
    """The protocols, schedules, epochs and batch sizes of entries as text, each value once."""
    words = {
        "protocol": "protocol {}",
        "schedule": "learning rate {}",
        "epochs": "{} epochs",
        "batch_size": "batch size {}",
    }
    schedules = entries["schedule"].replace("none", "constant")
    values = {name: sorted(set(entries.assign(schedule=schedules)[name])) for name in words}
    return ", ".join(words[name].format(" or ".join(map(str, texts))) for name, texts in values.items())


def _sources(comparison: "Comparison") -> Table:
    runs, rows = comparison.runs, []
    for source, own in runs.groupby("source", sort=True):
        irregular = comparison.irregularities["source"] == source
        rows.append(
            [
                name(source),
                Cell(", ".join(sorted(own["dialect"].unique()))),
                Cell(", ".join(sorted(own["protocol"].unique())), is_name=True),
                figure(own["problem"].nunique()),
                figure(own[["problem", "label"]].drop_duplicates().shape[0]),
                figure(len(own), 9),
                figure(int(own["superseded"].sum()), 9),
                figure(int(irregular.sum() or (own["irregular"] != "").sum()), 9),
            ]
        )
    headings = ["source", "dialects", "protocols", "problems", "entries", "runs", "superseded", "irregularities"]
    return table_of(headings, rows)


def _problems(comparison: "Comparison") -> Table:
    rows = []
    for index, (problem, entries) in enumerate(comparison.table.groupby("problem", sort=True), 1):
        ranked, first = entries[entries["comparable"]], entries.iloc[0]
        rows.append(
            [
                name(problem, link=f"problem-{index}"),
                Cell(title(entries)),
                Cell(rules(ranked), is_name=True),
                figure(len(ranked)),
                figure(len(entries) - len(ranked)),
                name(first["label"] if first["rank"] == 1 else ""),
                figure(first["score"]),
                Cell(tables.mean_and_deviation(first["mean"], first["sd"]).replace("+-", "±"), float(first["mean"])),
                figure(first["n_seeds"]),
                Cell(_claimed(comparison.claims[comparison.claims["problem"] == problem]), is_name=True),
            ]
        )
    return table_of(
        ["problem", "decided by", "rules", "ranked", "apart", "best", "score", "winner, mean ± sd", "seeds", "claims"],
        rows,
    )


def _claimed(claims: pd.DataFrame) -> str:
    """How many others the best is claimed to beat, by the protocols that are compared."""
    wins = claims.groupby("better", sort=False)["claimed"].agg(["sum", "size"])
    return "; ".join(f"{label} beats {row['sum']} of {row['size']}" for label, row in wins.iterrows())


def title(entries: pd.DataFrame) -> str:
    """The metric by which a problem's entries are ranked, its direction, and the size of the test set, in words."""
    first, ranked = entries.iloc[0], entries[entries["comparable"]]
    size = described(ranked if len(ranked) else entries)
    return spoken(f"{first['split']} {first['metric']}, {DIRECTIONS[first['goal']]}") + (f"; {size}" if size else "")
