"""Entries: what is ranked. Their names, trials, winners, and the runs that are reported of them.

An entry is one candidate's search: the runs that are equal in `ENTRY`, which has the digest of the search where that is
on record. Where it is not (trees of others and of earlier versions) the search is inferred: trials are the runs of one
seed. Runs by hand belong to no entry. Superseded runs count nowhere.
"""

import json
import sys
from itertools import product
from typing import Any, Literal

import numpy as np
import pandas as pd

from regbench import catalog
from regbench.analysis.labels import ENTRY, SEARCH, with_labels
from regbench.records import METRICS, SPLITS, TUNING_SEED, Role, goal_of
from regbench.trees.searches import BY_HAND, INFERRED

Mode = Literal["final", "best", "most", "test", "train"]
MODES: tuple[Mode, ...] = ("final", "best", "most", "test", "train")

USUAL_SHARE = 0.8
"""Where so many trials share a decay, it was not searched: settings with another decay were tried aside."""

_ENDED = ("completed", "diverged")


def hyperparameters(runs: pd.DataFrame) -> pd.DataFrame:
    """The values in `setting` as columns, one a hyperparameter; NaN where a setting has no such value.

    Lists and tables stand as JSON, and so do whole numbers beyond all floats: every value can be compared.
    """
    parsed = {text: {name: _plain(value) for name, value in json.loads(text).items()} for text in set(runs["setting"])}
    return pd.DataFrame([parsed[text] for text in runs["setting"]], index=runs.index)


def learning_rates(runs: pd.DataFrame) -> pd.Series:
    """The learning rate of each run, `learning_rate` in Keras and optax, `lr` in PyTorch; NaN where it has none."""
    values = hyperparameters(runs).reindex(columns=["learning_rate", "lr"])
    return numbers(values["learning_rate"]).fillna(numbers(values["lr"]))


def numbers(values: pd.Series) -> pd.Series:
    """The values as floats; NaN for what is no finite number."""
    floats = pd.to_numeric(values, errors="coerce").astype(float)
    return floats.where(np.isfinite(floats))


def _plain(value: Any) -> Any:
    is_huge = isinstance(value, int) and abs(value) > sys.float_info.max
    return json.dumps(value) if is_huge or isinstance(value, list | dict) else value


def sign(goal: pd.Series) -> pd.Series:
    """1 where more is better, -1 where less is better."""
    return pd.Series(np.where(goal == "maximize", 1.0, -1.0), index=goal.index)


def judged_by(frame: pd.DataFrame, metric: str | None) -> pd.DataFrame:
    """The same rows with this metric and its goal in `metric` and `goal`; None keeps what decides on each problem."""
    if metric is None:
        return frame
    return frame.assign(goal=frame["goal"].where(frame["metric"] == metric, goal_of(metric)), metric=metric)


def values_of(runs: pd.DataFrame, when: str, split: str, metric: pd.Series | None = None) -> pd.Series:
    """The values of a metric of each run.

    Args:
        runs: as `trees.frames.RUNS`.
        when: "final" or "best".
        split: "train", "valid" or "test".
        metric: its name by row; that which decides on the problem unless given.

    Returns:
        NaN where a run does not have it. Metrics other than loss and accuracy are at hand only where they decide.
    """
    asked = runs["metric"] if metric is None else metric
    own = runs[f"{when}_{split}_metric"].where(asked == runs["metric"])
    known = own.mask(asked == "loss", runs[f"{when}_{split}_loss"])
    return known.mask(asked == "accuracy", runs[f"{when}_{split}_accuracy"])


def trials(runs: pd.DataFrame, mode: Mode = "final") -> pd.DataFrame:
    """The trials of each entry, with what decides on them.

    Where the search is inferred they are the runs of the tuning seed, one a setting: the seed with which the most
    settings were run; of several `TUNING_SEED`, else the lowest. Where at least four fifths of its settings share a
    decay, the decay was not searched, and settings with another one are no trials.

    Returns:
        The columns of `runs`, `label`, and: `score`, the value that decides; `decided_by`, its name (`valid_accuracy`);
        `score_goal`. What decides is the same for all trials of an entry: the first of the validation metric of the
        problem, the validation loss, the test metric, the test loss that any completed trial has (in the modes `test`
        and `train` only those of that split). The value is that after the last epoch, in mode `best` of the best epoch.
    """
    return tried_runs(live_runs(runs), mode).drop(columns=["entry", "aside"])


def winners(runs: pd.DataFrame, mode: Mode = "final") -> pd.DataFrame:
    """The setting that stands for each entry.

    `final`: the winner on record; where there is none, the best score after the last epoch of the completed trials with
    a finite score. `best`: the best score in any epoch. `most`: the setting that was run with the most seeds, of
    several the one with the best final score. `test` and `train`: as `final`, whatever is on record, by the test split
    or the samples on which the training loss is evaluated: to see what validation that cannot be trusted has changed.
    Of equal scores the setting with the most seeds wins (the search chose it), then the first by its text.

    Departure: DeepOBS's modes of the same names score a setting by the mean over all its seeds (in `best`, by the best
    epoch of the mean curve). Then the winner is the only one that is judged by ten seeds and has lost the luck by which
    it was chosen, and another setting with one lucky seed may overtake it. Here the tuning seed alone decides, as it
    did when the search chose.

    Returns:
        A row an entry: `ENTRY`, `label`; `setting` (None where nothing can win, and `reason` says why), its `decay` and
        `dialect`; `tuning_seed`, `score`, `decided_by` ("seeds" in mode `most`); `seeds`, how many the winner was run
        with, and `most_seeds`, the most of any setting; `trials`, how many, of them `diverged` and `unfinished`, and of
        these `missing_trials`, of which there is no run;
        `SEARCH` of the entry: `budget` is the number of trials that was asked for, or of those that are there where
        the search is inferred.
    """
    return _winners(live_runs(runs), mode).drop(columns="entry")


def reported(runs: pd.DataFrame, mode: Mode = "final", metric: str | None = None, split: str = "test") -> pd.DataFrame:
    """The runs by which each entry is judged: those of its winner, one a seed, completed or diverged.

    Where the protocol has fresh seeds (`strict`), the run of the tuning seed is left out, unless there is no other.

    Args:
        runs: of any number of entries.
        mode: how winners are chosen; in mode `best` the values are those of the epoch with each run's best validation
            metric (DeepOBS: the best epoch of the mean curve on `split`, the test set too), else those after the last.
        metric: "accuracy" or "loss"; what decides on the problem unless given.
        split: "train", "valid" or "test".

    Returns:
        A row a run: `ENTRY`, `label`, `run`, `setting`, `seed`, `is_tuning_seed`, `outcome`, `value`, `goal`, `metric`,
        `loss_has_penalty`, `epochs_to_convergence`, `budget`, `sampler`, `definition`.
    """
    live = live_runs(runs)
    return _reported(live, _winners(live, mode), mode, metric, split).drop(columns="entry")


def live_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs that count, with `label` and `entry`, the number of the entry in the order of `ENTRY`.

    Settings that were tried aside do not count; `aside` is their number in the entry.
    """
    frame = with_labels(runs)
    frame = frame[~frame["superseded"].astype(bool) & (frame["search"] != BY_HAND)]
    frame = frame.assign(entry=frame.groupby(ENTRY, observed=True, dropna=False, sort=True).ngroup())
    usual = frame["entry"].map(_usual_decays(frame))
    is_aside = (frame["search"] == INFERRED) & usual.notna() & (frame["decay"] != usual)
    aside = frame[is_aside].groupby("entry")["setting"].nunique()
    frame = frame.assign(aside=frame["entry"].map(aside).fillna(0).astype(int))
    return frame[~is_aside]


def _usual_decays(live: pd.DataFrame) -> pd.Series:
    """The decay that the trials of an entry share, for entries whose decay was not searched."""
    tried = live[live["seed"] == _tuning_seeds(live)].drop_duplicates(["entry", "setting"])
    counts = tried.groupby(["entry", "decay"]).size().rename("settings").reset_index()
    counts["share"] = counts["settings"] / counts["entry"].map(tried.groupby("entry").size())
    return counts[counts["share"] >= USUAL_SHARE].set_index("entry")["decay"]


def tried_runs(live: pd.DataFrame, mode: Mode = "final") -> pd.DataFrame:
    """Those of `live_runs` that are trials, with the columns that `trials` adds."""
    return _with_score(live[_are_trials(live)], mode)


def value_of(runs: pd.DataFrame, mode: Mode, metric: str | None, split: str) -> dict[str, pd.Series]:
    """Columns by which runs are reported: `value`, and `value_metric` and `value_goal`; arguments as for `reported`."""
    judged = judged_by(runs[["metric", "goal"]], metric)
    value = values_of(runs, "best" if mode == "best" else "final", split, judged["metric"])
    return {"value": value, "value_metric": judged["metric"], "value_goal": judged["goal"]}


def _are_trials(live: pd.DataFrame) -> pd.Series:
    is_recorded = live["search"] != INFERRED
    return (is_recorded & (live["role"] == Role.TRIAL)) | (~is_recorded & (live["seed"] == _tuning_seeds(live)))


def _tuning_seeds(live: pd.DataFrame) -> pd.Series:
    """The seed of each row's entry with which the most settings were run."""
    settings = live.groupby(["entry", "seed"])["setting"].nunique().rename("settings").reset_index()
    settings["other"] = settings["seed"] != TUNING_SEED
    settings = settings.sort_values(["entry", "settings", "other", "seed"], ascending=[True, False, True, True])
    return live["entry"].map(settings.drop_duplicates("entry").set_index("entry")["seed"])


def _with_score(chosen: pd.DataFrame, mode: Mode) -> pd.DataFrame:
    if mode not in MODES:
        raise ValueError(f"`mode` must be one of {', '.join(MODES)}. Received: mode={mode!r}")
    when = "best" if mode == "best" else "final"
    is_another = chosen["metric"] != "loss"

    score = pd.Series(np.nan, index=chosen.index)
    name = pd.Series("", index=chosen.index, dtype=object)
    goal = chosen["goal"].astype(object)
    splits = (mode,) if mode in ("test", "train") else ("valid", "test")
    for split, of_problem in product(splits, (True, False)):
        value = values_of(chosen, when, split) if of_problem else chosen[f"{when}_{split}_loss"]
        there = value.notna() & (chosen["outcome"] == "completed")
        new = (name == "") & there.groupby(chosen["entry"]).transform("any")
        score = score.mask(new, value)
        name = name.mask(new, f"{split}_" + chosen["metric"].astype(str) if of_problem else f"{split}_loss")
        if not of_problem:
            goal = goal.mask(new & is_another, "minimize")
    return chosen.assign(score=score, decided_by=name, score_goal=goal)


def _winners(live: pd.DataFrame, mode: Mode) -> pd.DataFrame:
    tried = tried_runs(live, mode)
    finite = (tried["outcome"] == "completed") & np.isfinite(tried["score"])
    tried["worth"] = (tried["score"] * sign(tried["score_goal"])).where(finite)
    tried["is_diverged"], tried["is_unfinished"] = tried["outcome"] == "diverged", ~tried["outcome"].isin(_ENDED)
    ended = live[live["outcome"].isin(_ENDED)]
    settings = (
        ended.assign(is_completed=ended["outcome"] == "completed")
        .groupby(["entry", "setting"])
        .agg(
            seeds=("seed", "nunique"),
            completed=("is_completed", "any"),
            decay=("decay", "first"),
            dialect=("dialect", "min"),
        )
    )
    # A setting that was drawn twice is two trials.
    by_setting = tried.sort_values("won", ascending=False, kind="stable").drop_duplicates(["entry", "setting"])
    columns = ["worth", "score", "decided_by", "won"]
    settings = settings.join(by_setting.set_index(["entry", "setting"])[columns]).reset_index()
    settings["won"] = settings["won"].eq(True) & (mode == "final")
    settings["most_seeds"] = settings.groupby("entry")["seeds"].transform("max")
    settings = settings[settings["completed"] if mode == "most" else settings["worth"].notna()]
    order = ["seeds", "worth"] if mode == "most" else ["worth", "seeds"]
    settings = settings.sort_values(["entry", "won", *order, "setting"], ascending=[True, False, False, False, True])
    entries = live.sort_values("entry").drop_duplicates("entry")[["entry", *ENTRY, *SEARCH, "label"]]
    counts = tried.groupby("entry").agg(
        tuning_seed=("seed", "first"),
        trials=("outcome", "size"),
        diverged=("is_diverged", "sum"),
        unfinished=("is_unfinished", "sum"),
        aside=("aside", "first"),
        planned=("planned", "first"),
    )
    # A trial on record that has no run crashed, or is yet to be made.
    counts["missing_trials"] = (counts.pop("planned") - counts["trials"]).clip(lower=0).fillna(0).astype(int)
    counts["trials"] += counts["missing_trials"]
    counts["unfinished"] += counts["missing_trials"]
    first = settings.drop_duplicates("entry").drop(columns=["completed", "worth", "won"])
    winning = entries.merge(first, on="entry", how="left").join(counts, on="entry")
    winning = winning.fillna({"decided_by": "", "seeds": 0, "most_seeds": 0}).astype({"seeds": int, "most_seeds": int})
    winning["budget"] = winning["budget"].fillna(winning["trials"])
    if mode == "most":
        winning["decided_by"] = winning["decided_by"].where(winning["setting"].isna(), "seeds")
    winning["reason"] = _reasons(winning)
    winning["setting"] = winning["setting"].astype(object).where(winning["setting"].notna(), None)
    return winning.sort_values(["problem", "label"]).reset_index(drop=True)


def _reasons(winning: pd.DataFrame) -> pd.Series:
    """The reason why an entry has no winner; "" where it has one."""
    trials, diverged = winning["trials"].astype(str), winning["diverged"].astype(str)
    why = pd.Series("no completed trial has a finite value", index=winning.index)
    none = winning["diverged"] + winning["unfinished"] == winning["trials"]
    why = why.mask(none, diverged + " of " + trials + " trials diverged, the others were not finished")
    why = why.mask(winning["diverged"] == winning["trials"], "all " + trials + " trials diverged")
    why = why.mask(winning["unfinished"] == winning["trials"], "none of " + trials + " trials was finished")
    return why.where(winning["setting"].isna(), "")


def _reported(live: pd.DataFrame, chosen: pd.DataFrame, mode: Mode, metric: str | None, split: str) -> pd.DataFrame:
    if not (metric is None or metric in METRICS or ":" in metric):
        raise ValueError(f"`metric` must be one of {', '.join(METRICS)}. Received: metric={metric!r}")
    if split not in SPLITS:
        raise ValueError(f"`split` must be train, valid or test. Received: split={split!r}")
    won = chosen.loc[chosen["setting"].notna(), ["entry", "setting", "tuning_seed", "budget"]]
    picked = live.drop(columns="budget").merge(won, on=["entry", "setting"])
    picked = picked[picked["outcome"].isin(_ENDED)].sort_values(["entry", "seed"], kind="stable")
    of_trial = (picked["search"] != INFERRED) & (picked["role"] == Role.TRIAL)
    picked["is_tuning_seed"] = of_trial | ((picked["search"] == INFERRED) & (picked["seed"] == picked["tuning_seed"]))
    picked = picked.drop_duplicates(["entry", "seed"])  # a setting that was drawn twice is two trials, and one run
    fresh = [name for name, protocol in catalog.PROTOCOLS.items() if not protocol.tuning_seed_counts]
    alone = picked.groupby("entry")["is_tuning_seed"].transform("all")
    picked = picked[~(picked["protocol"].isin(fresh) & picked["is_tuning_seed"] & ~alone)].reset_index(drop=True)
    known = value_of(picked, mode, metric, split)
    picked = picked.assign(value=known["value"], metric=known["value_metric"], goal=known["value_goal"])
    columns = ["run", "setting", "seed", "is_tuning_seed", "outcome", "value", "goal", "metric"]
    further = ["loss_has_penalty", "epochs_to_convergence", "budget", "sampler", "definition"]
    return picked[["entry", *ENTRY, "label", *columns, *further]]
