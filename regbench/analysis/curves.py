"""Learning curves of entries: the mean over seeds and the spread around it."""

import numpy as np
import pandas as pd

from regbench.analysis.labels import ENTRY
from regbench.records import DEEPOBS_METRICS

KEYS = [*ENTRY, "label", "setting", "metric", "epoch"]
COLUMNS = [*KEYS, "n", "mean", "sd", "q25", "q50", "q75"]


def summaries(curves: pd.DataFrame, reported: pd.DataFrame) -> pd.DataFrame:
    """Summarise the curves of the reported runs of each entry.

    Args:
        curves: `run`, `metric`, `epoch`, `value`, of these runs at least.
        reported: `entries.reported`.

    Returns:
        `COLUMNS`: a row an entry, metric ("train_loss", ...) and epoch (0 is before training); `n` runs have a value
        there, `sd` has ddof 1 and is NaN for one run. Metrics are the loss, the accuracy and that which decides.
    """
    known = reported[["run", *ENTRY, "label", "setting"]].assign(decides=reported["metric"].astype(str))
    values = curves.assign(metric=curves["metric"].astype(str)).merge(known, on="run")
    names = values["metric"].str.partition("_")[2] if len(values) else values["metric"]
    values = values[names.isin(DEEPOBS_METRICS) | (names == values["decides"])]
    if values.empty:
        return pd.DataFrame(columns=COLUMNS)
    groups = values.groupby(KEYS, observed=True, dropna=False, sort=True)["value"]
    moments = groups.agg(n="count", mean="mean", sd="std")
    quartiles = groups.quantile([0.25, 0.5, 0.75]).unstack()
    return moments.join(quartiles.set_axis(["q25", "q50", "q75"], axis="columns")).reset_index()[COLUMNS]


def comparable(summarized: pd.DataFrame, reported: pd.DataFrame) -> pd.DataFrame:
    """Leave out losses that contain a penalty term on problems where others' do not: they measure another thing.

    Args:
        summarized: what `summaries` gives.
        reported: `entries.reported`; says of each entry whether its losses contain a penalty.
    """
    penalty = reported.groupby(["problem", "label"])["loss_has_penalty"].any().rename("penalty").reset_index()
    mixed = penalty.groupby("problem")["penalty"].nunique() > 1
    known = summarized.merge(penalty, on=["problem", "label"], how="left")
    left_out = known["penalty"].eq(True) & known["problem"].map(mixed).eq(True) & known["metric"].str.endswith("loss")
    return summarized[~left_out.to_numpy()]


def deciding(summarized: pd.DataFrame, reported: pd.DataFrame) -> pd.DataFrame:
    """Of the test metrics of a problem, leave those that decide, if there is a curve of them.

    Args:
        summarized: what `summaries` gives.
        reported: `entries.reported`; says which metric decides.
    """
    names = reported[["problem", "metric"]].drop_duplicates().astype(str)
    decides = set(zip(names["problem"], "test_" + names["metric"], strict=True))
    pairs = pd.Series(list(zip(summarized["problem"].astype(str), summarized["metric"].astype(str), strict=True)))
    is_deciding = pairs.isin(decides).to_numpy(bool)
    is_told = summarized["problem"].isin(summarized.loc[is_deciding, "problem"]).to_numpy(bool)
    is_of_test = summarized["metric"].astype(str).str.startswith("test_").to_numpy(bool)
    return summarized[is_deciding | ~is_of_test | ~is_told]


def before_training(summarized: pd.DataFrame, problems: pd.Series) -> dict[str, pd.Series]:
    """The test metrics before training, the median over the entries of each problem.

    Args:
        summarized: what `summaries` gives.
        problems: names.

    Returns:
        `untrained_accuracy`, `untrained_loss` and so on, beside the names; NaN where no curve tells.
    """
    first = summarized[(summarized["epoch"] == 0) & np.isfinite(summarized["mean"].astype(float))]
    columns = {}
    of_test = summarized.loc[summarized["metric"].str.startswith("test_"), "metric"].str.removeprefix("test_")
    for metric in dict.fromkeys([*DEEPOBS_METRICS, *of_test]):
        values = first[first["metric"] == f"test_{metric}"].groupby("problem")["mean"].median()
        columns[f"untrained_{metric}"] = problems.map(values.astype(float)).astype(float)
    return columns
