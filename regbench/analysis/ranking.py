"""The ranked table: a row an entry, with what its reported seeds say and how far that may be compared."""

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from regbench.analysis import notes, scores
from regbench.analysis.entries import Mode, judged_by, reported, sign, winners
from regbench.analysis.intervals import Interval, bounds, interquartile_mean, interquartile_mean_interval, mean_interval
from regbench.analysis.labels import with_labels
from regbench.analysis.moments import mean, standard_deviation
from regbench.analysis.searched import NO_SCORE, AnySearched, Key
from regbench.trees.irregularities import LEAK

ROW = ["problem", "label"]
COLUMNS = [
    *["problem", "candidate", "label", "source", "dialect", "coupling", "decay", "setting"],
    *["protocol", "schedule", "epochs", "batch_size", "release", "instance"],
    *["seeds", "n_seeds", "metric", "split", "goal"],
    *["rank", "score", "score_low", "score_high"],
    *["mean", "sd", "iqm", "low", "high", "iqm_low", "iqm_high", "clean_mean", "clean_sd", "speed"],
    *["budget", "sampler", "study_seed", "search", "definition", "searches", "trials_counted", "group", "mode"],
    *["trials", "diverged", "unfinished", "diverged_seeds", "irregular"],
    *["decided_by", "loss_has_penalty", "comparable", "note"],
]
_RULES = {"protocol": "protocol", "schedule": "schedule", "epochs": "epochs", "batch_size": "batch size"}
_DIGESTS = {"problem": "problem_digest", "source of the network": "network", "data": "data_digest"}
_USUAL_VALIDATION = "as the protocol says"
_UNTOLD = ("", "none", _USUAL_VALIDATION, "0")


def ranked_entries(
    runs: pd.DataFrame,
    *,
    mode: Mode = "final",
    metric: str | None = None,
    split: str = "test",
    level: float = 0.95,
    seed: int = 0,
    searched: Mapping[Key, AnySearched] | None = None,
    together: Collection[str] = (),
) -> pd.DataFrame:
    """A row an entry, sorted by problem and rank.

    The rank is by the score: what the candidate is worth when it is tuned anew with its budget (`scores`).

    Compared with each other are, on one problem, the entries with the same definition of the problem, network (where it
    is of own code, by its source), data, published space, protocol, schedule, epochs, batch size, validation and metric
    (what is not known counts as the same); where the metric is a loss that contains a penalty, only those with a
    penalty of the same strength. Of these groups the one with the most entries that have a finite mean is ranked (then
    the one with the most seeds, then one whose validation is in order, then the first by its rules), never one on
    another instance of the problem; the others keep their figures, have no rank, `comparable` is False, and `note` says
    in what they differ.

    Searches of unequal budget are not ranked as they stand: all are cut to the first trials of the number of which the
    most entries can be ranked (then the greatest such number). Cut can be what was searched at random or by TPE, where
    the order of the trials is on record; others with another budget are apart.

    Equal scores share the better rank. Entries of which no trial can win come last; one whose metric is missing has no
    rank.

    Args:
        runs: of any number of problems and sources.
        mode: how winners are chosen (`entries.winners`).
        metric: "accuracy" or "loss"; what decides on each problem unless given.
        split: "train", "valid" or "test".
        level: of the intervals.
        seed: of the intervals' bootstrap.
        searched: `scores.searched` of the same, if that is known already.
        together: protocols that are ranked together on the test split, with a note and without claims.

    Returns:
        `COLUMNS`. `score`, from `score_low` to `score_high` at `level`: see `scores`; of `trials_counted` trials.
        `group`: the rules by which entries are compared. `setting` is a dict, None where nothing won. `sd` has
        ddof 1 and is NaN for a single seed, like the
        intervals `low` to `high` of the mean and `iqm_low` to `iqm_high` of the interquartile mean. `clean_mean` and
        `clean_sd` leave out the tuning seed. `speed`: mean number of epochs to the problem's convergence performance,
        as DeepOBS counts (epochs + 1 where never reached). `budget`, `sampler`, `study_seed`, `search`: see
        `trees.searches`; of an inferred search `budget` is the number of its trials. `diverged`, `unfinished`: of the
        trials. `irregular`: kind -> number of files, of all runs, superseded ones too.
    """
    labelled = with_labels(runs)
    found = scores.searched(labelled, mode, metric, split) if searched is None else searched
    shown = reported(labelled, mode, metric, split)
    metrics = shown[["problem", "metric"]].drop_duplicates().itertuples(index=False)
    within = {(problem, name): bounds(name, problem) for problem, name in metrics}
    figures = pd.DataFrame(
        [
            {
                **dict(zip(ROW, row, strict=True)),
                **_figures(group, level, seed, within[row[0], group["metric"].iloc[0]]),
            }
            for row, group in shown.groupby(ROW)
        ],
        columns=[*ROW, *_FIGURES],
    )
    rows = winners(labelled, mode).rename(columns={"seeds": "winner_seeds"}).merge(figures, on=ROW, how="left")
    rows = rows.merge(_about(labelled, metric), on=ROW)
    rows["split"], rows["mode"] = split, mode
    rows["dialect"] = rows["dialect"].where(rows["dialect"].notna(), rows.pop("first_dialect"))
    rows["setting"] = [json.loads(text) if isinstance(text, str) else None for text in rows["setting"]]
    for column, kind in _EMPTY.items():
        rows[column] = [
            kind() if isinstance(value, float) and np.isnan(value) else kind(value) for value in rows[column]
        ]
    for column in ("budget", "study_seed", "searches"):
        rows[column] = pd.Series([None if np.isnan(value) else int(value) for value in rows[column]], dtype=object)
    rows = _cut(_compared(rows, together), found)
    rows = _ranked(_scored(rows, found, level))
    rows["note"] = notes.notes(rows)
    rows = rows.sort_values(["problem", "comparable", "rank", "label"], ascending=[True, False, True, True])
    return rows[COLUMNS].reset_index(drop=True)


_FIGURES = [
    *["seeds", "n_seeds", "mean", "sd", "iqm", "low", "high", "iqm_low", "iqm_high", "clean_mean", "clean_sd"],
    *["speed", "diverged_seeds", "missing", "failed", "is_stale"],
]
_EMPTY: dict[str, Callable[..., Any]] = {
    **{"seeds": list, "n_seeds": int, "diverged_seeds": int, "missing": int},
    **{"failed": bool, "is_stale": bool},
}


def _figures(group: pd.DataFrame, level: float, seed: int, within: Interval) -> dict[str, Any]:
    """Mean, deviation and intervals of the reported runs of one entry."""
    values = group["value"].to_numpy(float)
    bad, diverged = ~np.isfinite(values), (group["outcome"] == "diverged").to_numpy()
    tuned = group["is_tuning_seed"].to_numpy(bool)
    mean_low, mean_high = mean_interval(values, level, within=within, diverged=int(diverged.sum()))
    iqm_low, iqm_high = interquartile_mean_interval(values, level=level, seed=seed)
    return {
        "seeds": [int(number) for number in group["seed"]],
        "n_seeds": len(values),
        "mean": mean(values),
        "sd": standard_deviation(values),
        "iqm": interquartile_mean(values),
        "low": mean_low,
        "high": mean_high,
        "iqm_low": iqm_low,
        "iqm_high": iqm_high,
        "clean_mean": mean(values[~tuned]),
        "clean_sd": standard_deviation(values[~tuned]),
        "speed": group["epochs_to_convergence"].mean(skipna=False),
        "diverged_seeds": int(diverged.sum()),
        "missing": int(bad.sum()),
        "failed": bool(bad.any() and (diverged | np.isinf(values))[bad].all()),
        "is_stale": bool(tuned.all()),
    }


def _about(runs: pd.DataFrame, metric: str | None) -> pd.DataFrame:
    """The columns that each entry has with or without a winner: metric, goal, counts of irregular files, ..."""
    about = runs.sort_values([*ROW, "dialect"]).drop_duplicates(ROW)[[*ROW, "metric", "goal", "dialect", "decay"]]
    about = about.rename(columns={"dialect": "first_dialect", "decay": "first_decay"})
    penalty = runs.groupby(ROW, as_index=False)["loss_has_penalty"].any()
    digests = runs.groupby(ROW, as_index=False)[list(_DIGESTS.values())].agg(_one_or_mixed)
    about = judged_by(about.merge(penalty, on=ROW).merge(digests, on=ROW), metric)
    kinds = runs.loc[runs["irregular"] != "", [*ROW, "irregular"]]
    kinds = kinds.assign(irregular=kinds["irregular"].str.split(",")).explode("irregular")
    sizes = kinds.groupby([*ROW, "irregular"], as_index=False).size()
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for problem, label, kind, count in zip(*(sizes[name] for name in sizes.columns), strict=True):
        counts.setdefault((problem, label), {})[kind] = int(count)
    rows = zip(about["problem"], about["label"], strict=True)
    return about.assign(irregular=pd.Series([counts.get(row, {}) for row in rows], index=about.index, dtype=object))


def _one_or_mixed(digests: pd.Series) -> str:
    """The digest that all runs share of which one is known; empty where none is."""
    known = sorted(set(digests) - {""})
    return known[0] if len(known) == 1 else "mixed" if known else ""


def _compared(rows: pd.DataFrame, together: Collection[str]) -> pd.DataFrame:
    """Adds `comparable`, `group`, and `apart`: in what an entry differs from those that are ranked."""
    rules = rows[list(_RULES)].astype(object).rename(columns=_RULES)
    if (rows["split"] == "test").all():
        rules["protocol"] = rules["protocol"].replace(dict.fromkeys(together, " or ".join(together)))
    rules["metric"], rules["goal"] = rows["metric"].astype(object), rows["goal"].astype(object)
    leaks = [LEAK in kinds for kinds in rows["irregular"]]
    rules["validation"] = np.where(leaks, "overlapping training", _USUAL_VALIDATION)
    rules["instance"] = rows["instance"].replace("", "0").astype(object)
    # What tells no space was drawn from the same in both releases.
    rules["space"] = rows["release"].where(rows["release"] != "", rows.groupby("problem")["release"].transform("max"))
    within = rows["loss_has_penalty"].astype(bool) & (rows["metric"] == "loss")
    strength = rows["decay"].fillna(rows["first_decay"])
    known = strength.astype(object).where(strength.notna(), "unknown, of " + rows["label"])
    for name, column in _DIGESTS.items():
        rules[name] = _told_apart(rows, column)
    rules["penalty in the loss"] = known.where(within, "none")
    group = pd.Series(list(rules.astype(str).itertuples(index=False, name=None)), index=rows.index, dtype=object)
    sizes = pd.DataFrame({"problem": rows["problem"], "group": group, "seeds": rows["n_seeds"]})
    sizes["finite"] = np.isfinite(rows["mean"].astype(float))
    sizes["other"], sizes["leaks"] = rows["instance"] != "", leaks
    sizes = sizes.groupby(["problem", "other", "leaks", "group"], as_index=False)[["finite", "seeds"]].sum()
    order = ["problem", "other", "finite", "seeds", "leaks", "group"]
    sizes = sizes.sort_values(order, ascending=[True, True, False, False, True, True])
    main = rows["problem"].map(sizes.drop_duplicates("problem").set_index("problem")["group"])
    apart = [
        ", ".join(
            f"{name} {mine} (ranked: {theirs})"
            for name, mine, theirs in zip(rules.columns, own, ranked, strict=True)
            if mine != theirs
        )
        or (f"instance {number}, another problem" if number else "")
        for own, ranked, number in zip(group, main, rows["instance"], strict=True)
    ]
    told = [", ".join(str(value) for value in own if value not in _UNTOLD) for own in group]
    return rows.assign(comparable=(group == main) & (rows["instance"] == ""), apart=apart, group=told)


def _cut(rows: pd.DataFrame, searched: Mapping[Key, AnySearched]) -> pd.DataFrame:
    """Adds `trials_counted`, and puts apart what cannot be cut to the budget at which the others are compared."""
    keys = list(zip(rows["problem"], rows["label"], strict=True))
    trials = pd.Series([searched[key].trials if key in searched else 0 for key in keys], index=rows.index)
    is_ordered = np.array([key in searched and searched[key].can_be_cut for key in keys], bool)
    can_be_cut = rows["sampler"].isin(_RANDOM_ORDER) & is_ordered
    counted, apart = trials.copy(), rows["apart"].copy()
    for _, entries in rows[rows["comparable"] & (trials > 0)].groupby("problem"):
        budgets = entries["budget"].astype(float)
        # A candidate of which nothing is searched has one trial, whatever the budget.
        is_searched = ((trials[entries.index] > 1) | (budgets == 1)) & entries["setting"].notna()
        usable = {
            budget: ((budgets == budget) | ~is_searched | (can_be_cut[entries.index] & (budgets > budget))).sum()
            for budget in budgets[is_searched]
        }
        if not usable:
            continue
        common = max(usable, key=lambda budget: (usable[budget], budget))
        for index in entries.index[is_searched & (budgets != common)]:
            if can_be_cut[index] and budgets[index] > common:
                counted[index] = min(trials[index], int(common))
            else:
                apart[index] = f"{budgets[index]:.0f} trials (ranked: {common:.0f})"
    return rows.assign(trials_counted=counted, apart=apart, comparable=rows["comparable"] & (apart == ""))


_RANDOM_ORDER = ("random", "tpe", "narrowed")
"""Samplers of which the first trials are a search of that budget."""


def _scored(rows: pd.DataFrame, searched: Mapping[Key, AnySearched], level: float) -> pd.DataFrame:
    """Adds the score and its interval, which stays inside the bounds of the metric."""
    columns: dict[str, list[float]] = {"score": [], "score_low": [], "score_high": []}
    metrics = rows[["problem", "metric"]].drop_duplicates().itertuples(index=False)
    within = {(problem, metric): bounds(metric, problem) for problem, metric in metrics}
    for row in rows.to_dict("records"):
        key = row["problem"], row["label"]
        score = searched[key].first(row["trials_counted"]).score if key in searched else NO_SCORE
        low, high = score.interval(level)
        ends = np.clip((low, high), *within[row["problem"], row["metric"]])
        for name, value in zip(columns, (score.value, *ends), strict=True):
            columns[name].append(float(value))
    return rows.assign(**columns)


def _told_apart(rows: pd.DataFrame, column: str) -> pd.Series:
    """Digests in short; one that is not known is taken for the most common one of the problem."""
    known = rows[column].where(rows[column] != "")
    usual = known.groupby(rows["problem"]).agg(lambda digests: next(iter(digests.mode()), ""))
    return known.fillna(rows["problem"].map(usual)).astype(object).str[-8:]


def _ranked(rows: pd.DataFrame) -> pd.DataFrame:
    score = rows["score"].astype(float)
    worth = (score * sign(rows["goal"])).where(np.isfinite(score))
    failed = rows["setting"].isna() & (rows["diverged"] == rows["trials"])
    worth = worth.mask(failed, -np.inf).where(rows["comparable"])
    return rows.assign(rank=worth.groupby(rows["problem"]).rank(ascending=False, method="min"))
