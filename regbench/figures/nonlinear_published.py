"""What the result files of non-linear weight updates say of themselves: published results, and what is irregular."""

import json

import pandas as pd

from regbench.comparison import Comparison
from regbench.figures import entries
from regbench.figures.published import Published
from regbench.records import TUNING_SEED
from regbench.trees.irregularities import MARKED

DECOUPLED = ("power_sgd_decoupled", "power_momentum_decoupled_momentum", "power_nesterov_decoupled_momentum")
PLAIN = ("power_sgd", "power_momentum", "power_nesterov")


def _of(
    problem: str, candidates: tuple[str, ...], *rows: tuple[str, str, float, float]
) -> dict[tuple[str, str], Published]:
    return {
        (problem, candidate): Published(mean, sd, {"learning_rate": rate, "power": power})
        for candidate, (mean, sd, rate, power) in zip(candidates, rows, strict=True)
    }


PUBLISHED = {
    **_of(
        "quadratic_deep",
        PLAIN,
        ("87.688", "0.104", 0.0068706, 0.8),
        ("87.143", "0.061", 0.0029204, 0.9),
        ("87.173", "0.060", 0.0017654, 0.9),
    ),
    **_of(
        "fmnist_2c2d",
        PLAIN,
        ("0.9204", "0.002", 0.0244, 0.5),
        ("0.9216", "0.002", 0.00576, 0.7),
        ("0.9220", "0.002", 0.00576, 0.7),
    ),
    **_of(
        "cifar10_3c3d",
        DECOUPLED,
        ("0.8323", "0.0079", 0.00576, 0.7),
        ("0.8383", "0.0035", 0.000839, 0.7),
        ("0.8426", "0.0056", 0.000839, 0.7),
    ),
    **_of(
        "cifar100_allcnnc",
        DECOUPLED,
        ("0.5505", "", 0.0254, 0.6),
        ("0.5832", "", 0.0246, 0.9),
        ("0.5744", "", 0.00687, 0.8),
    ),
    **_of(
        "svhn_wrn164",
        DECOUPLED,
        ("0.9630", "", 0.0126, 0.5),
        ("0.9629", "", 0.000291, 0.4),
        ("0.9640", "", 0.000608, 0.4),
    ),
    **_of(
        "tolstoi_char_rnn",
        PLAIN,
        ("0.6186", "", 0.6245, 0.7),
        ("0.6142", "", 0.0234, 0.6),
        ("0.6158", "", 0.0254, 0.6),
    ),
    **_of("mnist_vae", PLAIN[:1], ("28.34", "", 0.00149, 0.6)),
    **_of("fmnist_vae", PLAIN[:1], ("23.72", "0.17", 0.00292, 0.9)),
}
"""Final test accuracy, or loss where there are no accuracies (quadratic_deep, the two vae), over 10 seeds, the tuning
seed among them; the deviation is empty where none is given."""

TOLD = ("cut_short", "repeated_seed", "split_setting", "mixed_specs")
"""Kinds of irregularities that a search does not leave by itself."""


def irregular(comparison: Comparison) -> list[str]:
    """Sentences on what in the files of the entries is not as a search leaves it."""
    runs = comparison.runs
    kinds = comparison.irregularities.merge(runs[["file", "source"]].drop_duplicates(), on=["file", "source"])["kind"]
    counts = kinds[kinds.isin(TOLD)].value_counts().sort_index()
    sentences = [f"Irregular: {count} files {kind} ({MARKED[kind]})." for kind, count in counts.items()]
    for label, of_entry in runs.groupby("label", sort=True, observed=True):
        sentences += _searched_otherwise(str(label), of_entry)
    return sentences


def _searched_otherwise(label: str, runs: pd.DataFrame) -> list[str]:
    """What an entry holds besides the trials of one search and the seeds of its winner."""
    sentences = []
    decays = sorted(decay for decay in runs["decay"].dropna().unique() if decay > 0)
    if len(decays) > 1:
        usual = runs["decay"].mode().iloc[0]
        others = ", ".join(f"{decay:g}" for decay in decays if decay != usual)
        sentences.append(
            f"Irregular: {label} holds runs with other decays ({others}) than that of the search, {usual:g}."
        )
    again = runs[runs["seed"] != TUNING_SEED].groupby("setting", observed=True)["seed"].nunique()
    if len(again) > 1:
        settings = "; ".join(
            f"{entries.setting_text(json.loads(setting))}, {seeds} seeds" for setting, seeds in again.items()
        )
        sentences.append(
            f"Irregular: {label} has further seeds of {len(again)} settings, as after two searches: {settings}."
        )
    return sentences
