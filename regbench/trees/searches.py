"""Which search each run of a results tree belongs to, as columns beside those of the run.

A run belongs to every search whose manifest lists it, whoever made it, and stands once for each; but only where it was
made by the code of the user's own and on the data that the manifest tells of. One that no manifest lists belongs to the
search that it says made it, or was made by hand. Files of others, and those of earlier versions of regbench, do not
tell: their search is inferred from what they have in common.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from regbench.records import Coupling, Manifest, Role, code_of, digest_of

INFERRED = ""
BY_HAND = Role.BY_HAND.value

SEARCH_COLUMNS = {
    "search": (
        "str",
        "digest of the search, or of those that were declared as one; `by hand` for a run of none; empty where the "
        "search is inferred",
    ),
    "searches": ("float64", "how many were declared as one; NaN where the search is inferred"),
    "role": ("str", "trial, re-run or by hand; empty where the search is inferred"),
    "trial": ("float64", "number of the trial, counting from 0; NaN for other runs"),
    "sampler": ("str", "of the search; empty where it is inferred"),
    "budget": ("float64", "trials that were asked for; NaN where the search is inferred"),
    "study_seed": ("float64", "of the search; NaN where it is inferred"),
    "further_seeds": ("float64", "seeds that the winner is run again with; NaN where that is not on record"),
    "planned": ("float64", "trials of the search, whether their runs are there or not; NaN where not on record"),
    "definition": ("str", "8 digits on the candidate's file and the source of own code; empty where not on record"),
    "won": ("bool", "the trial that won, as recorded"),
}
"""Columns of `frames.RUNS` on the search of a run: type and meaning."""

_OF_SEARCHES = (*SEARCH_COLUMNS, "problem_digest")
"""Columns in which the record of a search counts: the metric, say, may have changed since a run was made."""

_IDENTITY = ["digest", "code", "data_digest"]
"""What tells runs apart: the spec, the user's own code and the data."""


def with_searches(runs: pd.DataFrame, manifests: Sequence[Manifest]) -> pd.DataFrame:
    """The runs with the searches that the manifests tell of, each run once for each search that it belongs to.

    Args:
        runs: `frames.RUNS`, with what the files say of themselves in `SEARCH_COLUMNS`.
        manifests: of the tree.

    Returns:
        Rows of `runs`; those of one file have the same number `run`.
    """
    if not manifests:
        return runs
    listed = runs_of(runs, manifests)
    alone = runs[~runs["run"].isin(set(listed["run"])) | (runs["search"] == INFERRED)]
    # Older runs of the same spec, code and data are superseded by one that is listed, and need no place of their own.
    known = pd.MultiIndex.from_frame(listed[_IDENTITY])
    alone = alone[~(pd.MultiIndex.from_frame(alone[_IDENTITY]).isin(known) & (alone["search"] != INFERRED))]
    alone = alone[~_is_listed_as_a_whole(alone, listed)]
    return pd.concat([alone, listed]).sort_values("run", kind="stable").reset_index(drop=True)


def runs_of(runs: pd.DataFrame, manifests: Sequence[Manifest]) -> pd.DataFrame:
    """The runs that manifests list, as far as they are there: trials in their order, then re-runs, search by search.

    Of several runs of one spec the newest counts; one that timed out only where no other is.
    """
    members = _frame([row for manifest in manifests for row in _members(manifest)])
    data: dict[str, set[str]] = {}
    for manifest in manifests:
        data.setdefault(_name(manifest), {""}).update(manifest.data_digests)
    counted = runs[runs["digest"] != ""].assign(is_late=runs["outcome"] == "timed_out").drop(columns=[*_OF_SEARCHES])
    found = members.assign(member=range(len(members))).merge(counted, on=["digest", "code"], how="inner", sort=False)
    is_on_its_data = [
        len(data[search]) == 1 or digest in data[search]
        for search, digest in zip(found["search"], found["data_digest"], strict=True)
    ]
    found = found[np.array(is_on_its_data, dtype=bool)]
    found = found.sort_values(["member", "is_late", "moment"], ascending=[True, False, True], kind="stable")
    found = found.drop_duplicates("member", keep="last")
    # Where the strength of a decay is searched, one of 0 is a trial like any other.
    acting = found["coupling"].where(found["coupling"] != Coupling.NONE.value)
    found["coupling"] = acting.groupby(found["search"]).transform("first").fillna(Coupling.NONE.value)
    return found.assign(superseded=False)[list(runs.columns)].astype(runs.dtypes)


def _name(manifest: Manifest) -> str:
    return manifest.together or manifest.digest


def _members(manifest: Manifest) -> Iterable[Mapping[str, object]]:
    about = {
        "search": _name(manifest),
        "searches": manifest.searches,
        "sampler": manifest.sampler,
        "budget": manifest.budget,
        "study_seed": manifest.seed,
        "further_seeds": manifest.reruns,
        "planned": len(manifest.trials),
        "code": code_of(manifest.sources),
        "definition": digest_of([manifest.space_digest, manifest.sources])[:8],
        "problem_digest": manifest.problem_digest,
    }
    for number, digest in enumerate(manifest.trials):
        won = number == manifest.winner
        yield {**about, "digest": digest, "role": Role.TRIAL.value, "trial": number, "won": won}
    for digest in manifest.again:
        yield {**about, "digest": digest, "role": Role.RERUN.value, "trial": np.nan, "won": False}


def _frame(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    names = ("digest", "code", *_OF_SEARCHES)
    types = {name: SEARCH_COLUMNS[name][0] if name in SEARCH_COLUMNS else "str" for name in names}
    return pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=dtype) for name, dtype in types.items()})


def _is_listed_as_a_whole(runs: pd.DataFrame, listed: pd.DataFrame) -> pd.Series:
    """Runs whose search is inferred, where a recorded search has found all of it: it need not be told twice."""
    entry = ["problem", "candidate", "coupling", "protocol", "schedule", "epochs", "batch_size"]
    is_inferred = runs["search"] == INFERRED
    is_new = ~runs["run"].isin(set(listed["run"])) & ~runs["superseded"].astype(bool)
    has_more = is_new.groupby([runs[name] for name in entry], dropna=False).transform("any")
    is_listed = runs["digest"].isin(set(listed["digest"]))
    listed_there = is_listed.groupby([runs[name] for name in entry], dropna=False).transform("any")
    return is_inferred & ~has_more & listed_there
