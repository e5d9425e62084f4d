"""Performance profile: on which share of the problems an entry is within a factor of the best."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from regbench.plots.lines import MARKS_APART
from regbench.plots.looks import looks, ordered
from regbench.plots.panels import handles, legend_below
from regbench.plots.scales import Scale
from regbench.plots.style import NothingToDrawError, style
from regbench.plots.text import shown

FARTHEST = 1000.0  # factors beyond: an entry so far from the best has failed
SHIFT = 0.006  # between lines, which would hide each other where their shares are equal


def ranking_of(profile: pd.DataFrame) -> list[str]:
    """Labels, best first: by the area below the line over the logarithm of the factor."""
    end = np.log(min(profile["factor"].max(), FARTHEST))

    def area(rows: pd.DataFrame) -> float:
        rows = rows.sort_values("factor")
        edges = np.append(np.log(rows["factor"].clip(upper=FARTHEST)), end)
        return float(np.sum(rows["share"] * np.diff(edges)) if end else rows["share"].iloc[-1])

    areas = {label: area(rows) for label, rows in profile.groupby("label", sort=False, observed=True)}
    return sorted(areas, key=lambda label: -areas[label])


def end_of(profile: pd.DataFrame, names: Sequence[str]) -> float:
    """To which factor the axis goes: three times that within which half of the named entries have most problems."""
    reached = []
    for _, rows in profile[profile["label"].isin(names)].groupby("label", observed=True):
        reached.append(rows.loc[rows["share"] >= 0.8 * rows["share"].max(), "factor"].min())
    return float(np.clip(3 * np.median(reached), 1.05, max(1.05, min(FARTHEST, profile["factor"].max()))))


def performance_profile(profile: pd.DataFrame, *, best: Sequence[str] = ()) -> Figure:
    """Draw for each entry the share of problems on which it is within a factor of the best: higher is better.

    Lines are shifted apart a little, so that none hides another where shares are equal.

    Args:
        profile: `across.performance_profile`.
        best: labels, best first: the first ten have colours. Left out: by the area below the line.

    Raises:
        NothingToDrawError: there is no problem on which factors can be had.
    """
    if profile.empty:
        raise NothingToDrawError("There is no performance profile: no problem has positive values of all entries.")
    look = looks(ordered(list(profile["label"].unique()), best or ranking_of(profile)))
    end = end_of(profile, [label for label, one in look.items() if one.stands_out])
    with style():
        figure = Figure(figsize=(5.6, 3.2))
        axes = figure.subplots()
        Scale(True, end**-0.02, end**1.02).apply(axes, "x")
        Scale(False, -0.04, 1.05).apply(axes, "y")
        for place, (label, one) in enumerate(look.items()):
            rows = profile[profile["label"] == label].sort_values("factor")
            shift = SHIFT * ((min(len(look), 10) - 1) / 2 - place) if one.stands_out else 0.0
            marks = {**one.of_marker(5), "markevery": (MARKS_APART * (place % 10) / 10, MARKS_APART)}
            axes.step(
                [*rows["factor"], max(end**1.02, rows["factor"].max())],
                [*(rows["share"] + shift), rows["share"].iloc[-1] + shift],
                where="post",
                **{**one.of_line(), **(marks if one.stands_out else {})},
            )
        problems = int(profile["problems"].max())
        axes.set_ylabel(f"share of {problems} problem{'s' * (problems != 1)}")
        axes.set_xlabel("within this factor of the best loss (or error, 1 \N{MINUS SIGN} accuracy)")
        legend_below(figure, handles(look, shown(look)))
    return figure
