"""One look for all figures: colour-blind safe, readable in print, byte-identical SVG for identical data."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
import seaborn as sns
from matplotlib.figure import Figure

SETTINGS = {
    "figure.constrained_layout.use": True,
    "savefig.dpi": 200,
    "svg.fonttype": "none",
    "svg.hashsalt": "regbench",
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in regbench's style inside the block, and leave the caller's settings as they were."""
    with mpl.rc_context(), sns.axes_style("whitegrid"), sns.plotting_context("paper", font_scale=1.1):
        mpl.rcParams.update(SETTINGS)
        yield


def colours(names: Sequence[str]) -> dict[str, tuple[float, float, float]]:
    """A colour for each name, in their order; distinct for up to ten (seaborn's "colorblind")."""
    return dict(zip(names, sns.color_palette("colorblind", len(names)), strict=True))


def save(figure: Figure, path: Path) -> None:
    """Write a figure; the ending says the format. The same figure gives the same SVG, byte for byte."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with style():
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
