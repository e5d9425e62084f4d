"""The table of a comparison as text: JSON, CSV, Markdown, LaTeX, and cells for people."""

import json
import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from tabulate import tabulate

from regbench.analysis.resolution import described

JSON_COLUMNS = [
    *("problem", "candidate", "label", "source", "dialect", "coupling", "decay", "setting", "protocol", "schedule"),
    *("epochs", "batch_size", "seeds", "n_seeds", "metric", "split", "goal", "mean", "sd", "low", "high", "iqm"),
    *("iqm_low", "iqm_high", "clean_mean", "clean_sd", "rank", "speed", "trials", "diverged", "unfinished"),
    *("diverged_seeds", "irregular", "comparable", "note", "budget", "sampler", "study_seed", "search"),
    *("score", "score_low", "score_high", "trials_counted", "searches", "group", "release", "instance"),
]
COLUMNS = [
    *["#", "candidate", "coupling", "score", "95 % interval", "winner", "clean mean", "seeds", "speed", "trials"],
    "diverged",
]
LEGEND = (
    "Score: what the candidate is worth when it is tuned anew with these trials (its expected winner); the interval "
    "covers the draw of the trials and the seeds. Winner: mean +- standard deviation of the one setting that was "
    "found; clean mean: without the tuning seed. Speed: epochs to the problem's convergence performance; diverged: of "
    "the trials."
)


def rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of `ranking.ranked_entries` as plain data; what is not finite is None."""
    return [{name: _plain(row[name]) for name in JSON_COLUMNS} for row in table.to_dict("records")]


def to_json(table: pd.DataFrame) -> str:
    """An array of objects, one an entry."""
    return json.dumps(rows(table), indent=2, allow_nan=False)


def to_csv(table: pd.DataFrame) -> str:
    """A line an entry; objects and lists as JSON."""
    flat = [
        {name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in row.items()}
        for row in rows(table)
    ]
    return pd.DataFrame(flat, columns=JSON_COLUMNS).to_csv(index=False)


CLAIM_COLUMNS = [
    *("problem", "better", "worse", "question", "difference", "low", "high", "level", "p", "comparisons", "n_better"),
    *("n_worse", "claimed", "detectable", "reason", "probability", "probability_low", "probability_high"),
    *("failed_better", "failed_worse", "failed_p", "sentence"),
]


def claims_json(pairs: pd.DataFrame) -> str:
    """`claims.claims`, `with_runs`: an array of objects, one a pair."""
    return json.dumps(
        [{name: _plain(row[name]) for name in CLAIM_COLUMNS} for row in pairs.to_dict("records")],
        indent=2,
        allow_nan=False,
    )


def claims_csv(pairs: pd.DataFrame) -> str:
    """The same, a line a pair."""
    return pairs[CLAIM_COLUMNS].to_csv(index=False)


def to_markdown(table: pd.DataFrame) -> str:
    """A table for each problem, for a page or an issue."""
    return "\n\n".join(
        f"**{_markdown(title(entries))}**\n\n"
        + tabulate(
            [[_markdown(cell) for cell in line] for line in cells(entries)],
            headers=COLUMNS,
            tablefmt="pipe",
            disable_numparse=True,
        )
        for _, entries in table.groupby("problem", sort=True)
    )


def to_latex(table: pd.DataFrame) -> str:
    """A booktabs table for each problem, for a paper."""
    return "\n".join(
        f"% {' '.join(title(entries).split())}\n"
        + tabulate(cells(entries), headers=COLUMNS, tablefmt="latex_booktabs", disable_numparse=True)
        .replace("+-", r"$\pm$")
        .replace("\N{MIDDLE DOT}", r"$\cdot$")
        for _, entries in table.groupby("problem", sort=True)
    )


def title(entries: pd.DataFrame) -> str:
    """The heading of a problem: its name, split, metric and goal, and the size of its test set where that is known."""
    first = entries.iloc[0]
    sizes = described(entries[entries["comparable"]])
    return f"{first['problem']}: {first['split']} {first['metric']} ({first['goal']})" + (f"; {sizes}" if sizes else "")


def cells(entries: pd.DataFrame) -> list[list[str]]:
    """The rows of one problem as `COLUMNS`, for people."""
    return [
        [
            "" if _plain(row["rank"]) is None else f"{row['rank']:.0f}",
            row["label"],
            row["coupling"].replace("_", " "),
            number(row["score"]),
            "" if _plain(row["score_low"]) is None else f"[{number(row['score_low'])}, {number(row['score_high'])}]",
            mean_and_deviation(row["mean"], row["sd"]),
            number(row["clean_mean"]),
            str(row["n_seeds"]),
            number(row["speed"], 3),
            trials(row),
            f"{row['diverged']:.0f}/{row['trials']:.0f}",
        ]
        for row in entries.to_dict("records")
    ]


def trials(row: Mapping[Any, Any]) -> str:
    """How many trials a score is of, and where that is fewer than there are, of how many."""
    counted, searches = int(row["trials_counted"]), int(row["searches"] or 1)
    there = int(row["trials"]) // searches
    told = str(there) if counted >= there else f"{counted} of {there}"
    return told if searches == 1 else f"{searches} x {told}"


def number(value: float, digits: int = 5) -> str:
    """A number with so many significant digits; nothing for what is not finite."""
    return f"{value:.{digits}g}" if math.isfinite(value) else ""


def mean_and_deviation(mean: float, deviation: float) -> str:
    """`mean +- deviation`, with as many decimals as show two digits of the deviation."""
    if not math.isfinite(mean):
        return "none"
    if not math.isfinite(deviation):
        return number(mean)
    if deviation == 0:
        return f"{number(mean)} +- 0"
    decimals = min(max(0, 1 - math.floor(math.log10(deviation))), 12)
    return f"{mean:.{decimals}f} +- {deviation:.{decimals}f}"


def _markdown(text: str) -> str:
    return "".join(f"\\{one}" if one in r"\`*_|<>[]" else one for one in text)


def _plain(value: Any) -> Any:
    """The value as JSON has it."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, bool | str) or value is None:
        return value
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return None if not math.isfinite(value) else value
    return value
