"""One look for all figures: colour-blind safe, readable in print, byte-identical SVG and PDF for identical data."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
import seaborn as sns
from matplotlib.figure import Figure

from regbench.errors import ResultsError
from regbench.plots.text import FONT
from regbench.store import targets

SETTINGS = {
    "axes.formatter.useoffset": False,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": "medium",
    "figure.constrained_layout.use": True,
    "font.family": "sans-serif",
    "font.sans-serif": [FONT, "Verdana", "Arial"],  # what follows the first only matters to who opens an SVG
    "grid.color": "0.9",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "savefig.dpi": 200,
    "svg.fonttype": "none",
    "svg.hashsalt": "regbench",
    "text.parse_math": False,
    "text.usetex": False,
}

PLACES = 6
"""Decimals of a place in a figure: far less than can be seen."""

# A date in a file would make every drawing differ; an SVG without any metadata is valid inside an HTML page too.
METADATA: dict[str, dict[str, None] | None] = {
    "png": None,
    "svg": dict.fromkeys(("Date", "Creator", "Format", "Type")),
    "pdf": {"CreationDate": None},
}


class NothingToDrawError(ResultsError):
    """The results hold nothing of what a figure shows: that figure is not made."""


@contextmanager
def style() -> Iterator[None]:
    """Draw in regbench's style inside the block, and leave the caller's settings as they were."""
    with mpl.rc_context(), sns.axes_style("whitegrid"), sns.plotting_context("paper", font_scale=0.95):
        mpl.rcParams.update(SETTINGS)
        yield


def save(figure: Figure, *paths: Path) -> None:
    """Write a figure; the endings say the formats. The same figure gives the same files, byte for byte.

    Raises:
        ResultsError: a file cannot be written.
    """
    with _laid_out(figure):
        for path in paths:
            form, content = path.suffix.removeprefix("."), io.BytesIO()
            figure.savefig(content, format=form, metadata=METADATA.get(form))
            try:
                targets.replace(path, content.getvalue())
            except OSError as error:
                raise ResultsError(f"{path}: the figure cannot be written here: {error.strerror or error}") from error


def save_all(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write a figure as PNG, SVG and PDF; returns where."""
    paths = [folder / f"{name}.{ending}" for ending in METADATA]
    save(figure, *paths)
    return paths


@contextmanager
def _laid_out(figure: Figure) -> Iterator[None]:
    """Keep everything in its place inside the block, whatever the format and its resolution."""
    engine = figure.get_layout_engine()
    with style():
        if engine is not None:
            engine.execute(figure)
        # No engine at all, not even "none": for that one a figure is drawn once more before each file.
        mpl.rcParams["figure.constrained_layout.use"] = False
        figure.set_layout_engine(None)
        try:
            # The layout's solver does not find the same last digits in every process.
            for axes in figure.axes:
                axes.set_position([round(float(end), PLACES) for end in axes.get_position(original=True).bounds])
            yield
        finally:
            figure.set_layout_engine(engine)


def inline_svg(figure: Figure, name: str) -> str:
    """The figure as an `<svg>` element for an HTML page, with identifiers that no other figure of the page has.

    Args:
        figure: the figure.
        name: what all identifiers begin with; letters, digits and hyphens.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", name):
        raise ValueError(f"`name` must be letters, digits and hyphens. Received: name={name!r}")
    file = io.StringIO()
    with _laid_out(figure):
        figure.savefig(file, format="svg", metadata=METADATA["svg"])
    text = file.getvalue()
    text = text[text.index("<svg") :]
    return re.sub(r"<[^>]+>", lambda tag: _renamed(tag.group(), name), text)


def _renamed(tag: str, name: str) -> str:
    """A tag whose identifiers, and references to them, begin with `name`."""
    tag = re.sub(r'(\sid=")', rf"\1{name}-", tag)
    return re.sub(r'(href="#|url\(#)', rf"\1{name}-", tag)
