"""Optimizers on normalized gradients: a convex function, a deep MLP on MNIST, a CNN on CIFAR-10."""

from regbench.figures import normalized_convex, normalized_networks
from regbench.figures.plan import PaperFigure, Size


def figures(size: Size) -> list[PaperFigure]:
    """The figures of the source, and two over all norms."""
    return [*normalized_convex.figures(size), *normalized_networks.figures(size)]
