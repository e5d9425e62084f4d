"""The figures of a page: where each stands, what it shows, and the drawing as inline SVG."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from regbench.comparison.figures import draw
from regbench.plots.style import inline_svg

if TYPE_CHECKING:
    from regbench.comparison import Comparison

MAP_PREFIX = "learning_rate_and_"
MAP_CAPTION = (
    "The best entries for which the learning rate and one other hyperparameter were tuned. Colour is the score of a "
    "trial, on one scale for each problem; a ring marks the best, crosses and hatching mark trials that diverged."
)


class Caption(NamedTuple):
    """The section of the page that a figure belongs to, its title, and the text below it."""

    section: str
    title: str
    text: str


CAPTIONS = {
    "ranking": Caption(
        "problems",
        "Ranked results",
        "The mean of each entry over its reported seeds, with its interval by Student's t, best on top, on one scale "
        "for each problem. Each decay coupling has a panel of its own. The stroke is the mean without the tuning seed; "
        "where it lies apart from the dot, the winner owes part of its rank to the luck by which it was chosen. Open "
        "dots have diverged seeds, grey entries were run by other rules and have no rank. Far worse entries lie at the "
        "edge.",
    ),
    "ranks": Caption(
        "across",
        "Ranks on each problem",
        "Dark is the best rank on a problem, light the last. A cell is hatched where an entry was not run, or was not "
        "ranked with the others.",
    ),
    "critical_difference": Caption(
        "across",
        "Average ranks",
        "Average rank over the problems on which every entry has a result. Each bar joins the entries at its dots, of "
        "which no two are told apart by signed-rank tests of their values; where the Iman-Davenport test does not "
        "reject, that is all of them.",
    ),
    "performance_profile": Caption(
        "across",
        "Performance profile",
        "The share of problems on which an entry is within a factor of the best: higher is better. What is divided is "
        "the mean loss, or 1 less the mean accuracy. Lines are shifted a little so that none hides another.",
    ),
    "learning_curves": Caption(
        "figures",
        "Learning curves",
        "The reported seeds of each winner; the legend says what line and band are. Losses are without the penalty "
        "term; where it cannot be taken out, the curve is left out beside those of others. A cross is where a curve "
        "stops being finite. The ten best entries have colours.",
    ),
    "learning_curves_by_coupling": Caption(
        "decay",
        "Learning curves by decay coupling",
        "The curves from above, each decay coupling in panels of its own on the same scale.",
    ),
    "learning_rate": Caption(
        "figures",
        "Sensitivity to the learning rate",
        "Each line joins the best trials nearby: how much an entry loses when its learning rate is off, if all else is "
        "tuned. Crosses below a panel are trials that diverged, a row an entry.",
    ),
    "generalisation": Caption(
        "figures",
        "Training against test",
        "Each reported run at its training value and its test value. On a dashed line the generalisation gap is the "
        "same; on the thick one it is zero. Crosses diverged.",
    ),
    "decay": Caption(
        "decay",
        "Learning rate and decay",
        "The score of trials over learning rate and decay strength; the dashed ridge is the best decay at each "
        "learning rate, drawn where the interval of its slope supports a statement. A slope of \N{MINUS SIGN}1 says "
        "that the product of both matters, a slope of 0 that they are decoupled.",
    ),
    "tuning_curves": Caption(
        "tuning",
        "Tuning curves",
        "What the best of k trials reaches in half of all searches, with a band that holds for all k together. Marks "
        "show where another entry takes the lead; open ones may be chance.",
    ),
}


class PageFigure(NamedTuple):
    """One figure of the page.

    Args:
        name: its identifier on the page.
        width: in points, as drawn.
        svg: the drawing.
    """

    name: str
    caption: Caption
    width: float
    svg: Markup


def figures(comparison: "Comparison") -> Iterator[PageFigure]:
    """All figures that there are data for, in their order."""
    for index, (name, drawing) in enumerate(draw(comparison), 1):
        identifier = f"figure-{index}"
        width = float(drawing.get_size_inches()[0]) * 72
        yield PageFigure(identifier, caption_of(name), width, Markup(inline_svg(drawing, identifier)))  # noqa: S704 - we drew it


def caption_of(name: str) -> Caption:
    """The caption of a figure, by the name that `comparison.figures.draw` gives it."""
    if name in CAPTIONS:
        return CAPTIONS[name]
    title = name.replace("_", " ")
    return Caption("figures", title[:1].upper() + title[1:], MAP_CAPTION if name.startswith(MAP_PREFIX) else "")
