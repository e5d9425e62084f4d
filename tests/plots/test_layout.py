"""Every figure, drawn small and large: nothing is cut off, covered, empty or read as markup."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

FIGURES = (
    "learning_curves", "learning_curves_by_coupling", "dots", "rank_map", "critical_difference", "tuning_curves",
    "sensitivity", "sensitivity_map", "decay_map", "profiles", "generalisation",
)  # fmt: skip
SIZES = [
    (3, 3),
    pytest.param(1, 1, marks=pytest.mark.slow),
    pytest.param(10, 8, marks=pytest.mark.slow),
    pytest.param(46, 2, marks=pytest.mark.slow),
]
NEEDS = {"critical_difference": 2, "decay_map": 2, "learning_curves_by_coupling": 2}

HOSTILE = [
    "$\\frac{1}{$", "a$b$c", "_private", "<script>alert(1)</script>", "100 % & more", "nul\x00 bell\x07 \x1b[31mred",
    "new\nline\ttab", "rocket \U0001f680 smile \U0001f600", "\u4f60\u597d", "\u202eright to left", "\udc80 surrogate",
    "W" * 120, "a" * 60 + "b" + "a" * 59, "a" * 60 + "c" + "a" * 59, "^{x}_{y}\\$ {label} %s",
]  # fmt: skip


def corners(box: Bbox) -> np.ndarray:
    return np.array([(box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1)])


def near(outlines, others):
    """Which outlines may meet which others: the rectangles around them do, which is known of all pairs at once."""
    low, high = (find(outlines, axis=1)[:, np.newaxis] for find in (np.min, np.max))
    return ((low < np.max(others, axis=1)) & (np.min(others, axis=1) < high)).all(axis=2)


def faults(figure, texts):
    """What is wrong with a figure as it was drawn, in words."""
    width, height = figure.canvas.get_width_height()
    panels = [axes for axes in figure.axes if axes.axison]
    for one in texts:
        if one.outline.min() < -1 or (one.outline.max(axis=0) > (width + 1, height + 1)).any():
            yield f"{one.text!r} is cut off"
    outlines = [one.outline for one in texts]
    areas = [corners(axes.bbox) for axes in panels]
    for one, other in np.argwhere(near(outlines, areas)) if texts and panels else []:
        if panels[other] is not texts[one].axes and texts[one].meets(areas[other]):
            yield f"{texts[one].text!r} lies on a panel that is not its own"
    for one, other in np.argwhere(np.triu(near(outlines, outlines), 1)) if texts else []:
        if texts[one].meets(outlines[other]):
            yield f"{texts[one].text!r} and {texts[other].text!r} overlap"
    for axes in panels:
        if not (axes.lines or axes.collections or axes.patches):
            yield "a panel is empty"
        if axes.get_label() != "<colorbar>" and (axes.bbox.width < 60 or axes.bbox.height < 5):
            yield "a panel is too small"


def test_every_fault_is_seen(written):
    figure = Figure(figsize=(4, 3), layout="none")
    full, _ = figure.add_axes((0.1, 0.1, 0.4, 0.8)), figure.add_axes((0.6, 0.1, 0.05, 0.8))
    full.plot([0, 1])
    full.set_xticks([0, 1], ["wide label " * 3, "another label " * 3])
    full.set_title("title " * 12)
    figure.text(0.6, 0.5, "stray")
    found = set(faults(figure, written(figure)))
    for kind in ("is cut off", "overlap", "not its own", "is empty", "too small"):
        assert any(fault.endswith(kind) for fault in found), kind


@pytest.mark.parametrize("candidates, problems", SIZES)
@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_cut_off_covered_or_empty(make_figure, written, name, candidates, problems):
    figure = make_figure(name, max(candidates, NEEDS.get(name, 1)), problems)
    assert not list(faults(figure, written(figure)))


@pytest.mark.parametrize("name", FIGURES)
def test_hostile_names_are_text(make_figure, written, name):
    with pd.option_context("mode.string_storage", "python"):  # PyArrow's strings could not hold half a surrogate pair
        figure = make_figure(name, HOSTILE, 1)
        # Drawn outside of the style, as a notebook does; warnings (of missing glyphs) are errors, as is broken markup.
        texts = written(figure)
    assert not list(faults(figure, texts))
    if name in ("dots", "rank_map", "critical_difference"):
        joined = "\n".join(one.text for one in texts)
        for shown in ("$\\frac{1}{$", "a$b$c", "_private", "<script>alert(1)</script>", "100 % & more", "□ surrogate"):
            assert shown in joined
