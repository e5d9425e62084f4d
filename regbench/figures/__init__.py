"""Figures of the papers that regbench brings together: one module a paper, each with `figures(size)`.

A figure declares the runs that it needs as data. Those that lie in the results tree are taken from there, the others
are trained by `regbench.benchmark`; then frames, analysis, plots. Nothing here trains by itself.
"""

import importlib
from collections.abc import Sequence
from pathlib import Path

from regbench.errors import UnknownNameError
from regbench.figures.plan import PaperFigure, Size

PAPERS = {
    "nonlinear": "optimizers on signed powers of the gradient beside those on the gradient itself",
    "normalized": "optimizers on normalized gradients: a convex function, a deep MLP, a CNN",
    "eigenvalue": "eigenvalue decay: accuracy with and without, and the singular values of dense kernels",
    "orthogonal": "orthogonal regularization: deviation from orthonormality and accuracy over the factor",
    "skreg": "smooth-kernel regularization: a prior learned on some classes and used on others",
    "decay": "weight decay: ridges, schedules, strengths and norms, for every coupling",
    "deepobs": "DeepOBS's own: performance panel, sensitivity panel and table for any set of problems",
}
"""What `regbench figures` can make; each is a module of this package."""

FROM_TREES = ("nonlinear", "deepobs")
"""Papers that are also drawn from the result files of others: `figures(size, trees)`."""


def of_paper(paper: str, size: Size, trees: Sequence[Path] = ()) -> Sequence[PaperFigure]:
    """The figures of a paper in a size; `trees` are results trees, which need not exist.

    Raises:
        ResultsError: a tree cannot be read.
        UnknownNameError: there is no such paper.
    """
    if paper not in PAPERS:
        raise UnknownNameError("paper", paper, [*PAPERS, "all"])
    module = importlib.import_module(f"{__name__}.{paper}")
    figures: Sequence[PaperFigure] = module.figures(size, trees) if paper in FROM_TREES else module.figures(size)
    return figures
