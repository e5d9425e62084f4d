"""What tells entries apart, and their labels: short texts by which tables, figures and claims name them."""

from pathlib import PurePath

import pandas as pd

from regbench.trees.searches import BY_HAND

ENTRY = [
    *["source", "problem", "candidate", "coupling", "protocol", "schedule", "epochs", "batch_size"],
    *["release", "instance", "search"],
]
SEARCH = ["searches", "budget", "sampler", "study_seed", "further_seeds", "definition"]
"""What tells apart the searches of one candidate."""

OURS = "ours"


def with_labels(runs: pd.DataFrame) -> pd.DataFrame:
    """The same runs with `label`, a short text: no two entries of a problem share it.

    It is the candidate's name and what tells apart its entries: coupling, protocol, schedule, epochs, batch size,
    published space, instance of the problem, and budget, sampler, study seed and further seeds of the search, each only
    where two entries of the candidate on one problem differ in it, and the source wherever there are several (ours is
    not named). Runs by hand are no entry; the label of them all is "by hand". A frame that has labels already keeps
    them, so that a page can be labelled as a whole and then be cut into pieces.
    """
    if "label" in runs.columns:
        return runs
    of_searches = runs[runs["search"] != BY_HAND]
    entries = of_searches[[*ENTRY, *SEARCH]].drop_duplicates(ENTRY).sort_values(ENTRY, kind="stable")
    label = entries["candidate"].astype(str)
    known = ["problem", "candidate", "source"]
    for column in ("coupling", "protocol", "schedule", "epochs", "batch_size", "release", "instance", *SEARCH):
        differ = entries.groupby(known, observed=True, dropna=False)[column].transform("nunique", dropna=False) > 1
        told = entries["candidate"].isin(entries["candidate"][differ])
        label = label.where(~told, label + " · " + entries[column].map(lambda value, c=column: _spoken(c, value)))
        if column not in SEARCH:  # of searches all is told in which they differ
            known.append(column)
    label += entries["source"].map(_spoken_sources(entries["source"])).astype(str)
    twin = label.groupby([entries["problem"], label], observed=True).cumcount()
    entries["label"] = label.where(twin == 0, label + " #" + (twin + 1).astype(str))
    labelled = runs.merge(entries[[*ENTRY, "label"]], on=ENTRY, how="left", sort=False).set_axis(runs.index)
    return labelled.assign(label=labelled["label"].fillna(BY_HAND))


def _spoken(column: str, value: object) -> str:
    if column == "coupling":
        return "no decay" if value == "none" else str(value).replace("_", " ")
    if column == "schedule":
        return "constant rate" if value == "none" else str(value)
    if column in SEARCH and (value == "" or value != value):
        return "search inferred"
    if column == "instance":
        return "another Hessian" if value == "unknown" else f"instance {value or 0}"
    number = f"{value:.0f}" if isinstance(value, float) else value
    spoken = {
        "epochs": f"{number} epochs",
        "release": f"space of {number}" if number else "space not told",
        "batch_size": f"batch {number}",
        "budget": f"{number} trials",
        "study_seed": f"study seed {number}",
        "further_seeds": f"{number} re-runs",
        "searches": "one search" if number == "1" else f"{number} searches",
        "definition": f"definition {number}",
    }
    return spoken.get(column, str(value))


def _spoken_sources(sources: pd.Series) -> dict[str, str]:
    """The suffix of a label for each source: none for the only one and ours, of folders the last name if unique."""
    names = list(sources.unique())
    if len(names) == 1:
        return {names[0]: ""}
    last = [PurePath(str(name)).name for name in names]
    return {
        name: "" if name == OURS else f" ({short if short and last.count(short) == 1 else name})"
        for name, short in zip(names, last, strict=True)
    }
