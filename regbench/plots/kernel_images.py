"""Convolution kernels as images, and their covariances as heat-maps."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from regbench.plots.style import style

COLOURS = "RdBu_r"


def kernel_grid(images: Mapping[str, Mapping[str, np.ndarray]], across: int = 6) -> Figure:
    """Draw kernels as images: a row of blocks for each layer, a block for each kind.

    Args:
        images: by layer and kind, arrays (n, height, width); every layer has the same kinds. The colours of a layer
            span the same numbers, white is 0.
        across: images side by side in a block.
    """
    kinds = list(next(iter(images.values())))
    with style():
        figure = Figure(figsize=(0.4 + 2.4 * len(kinds), 0.3 + 1.3 * len(images)))
        grid = figure.subplots(len(images), len(kinds), squeeze=False, gridspec_kw={"wspace": 0.06})
        for row, (layer, of_layer) in zip(grid, images.items(), strict=True):
            limit = max(float(np.abs(block).max()) for block in of_layer.values())
            row[0].set_ylabel(layer.replace("_", " "))
            for axes, block in zip(row, of_layer.values(), strict=True):
                axes.imshow(_tiled(block, across), cmap=COLOURS, vmin=-limit, vmax=limit)
                _bare(axes)
        for axes, kind in zip(grid[0], kinds, strict=True):
            axes.set_title(kind)
    return figure


def _tiled(block: np.ndarray, across: int) -> np.ndarray:
    """The images of a block side by side, gaps between them NaN."""
    count, height, width = block.shape
    down = -(-count // across)
    tiled = np.full((down * (height + 1) - 1, across * (width + 1) - 1), np.nan)
    for number, image in enumerate(block):
        top, left = number // across * (height + 1), number % across * (width + 1)
        tiled[top : top + height, left : left + width] = image
    return tiled


def covariance_maps(covariances: Mapping[str, np.ndarray], titles: Sequence[str], quantity: str) -> Figure:
    """Draw covariances as heat-maps, side by side, on the same colours; white is 0, the diagonal may lie beyond.

    Args:
        covariances: square matrices by name.
        titles: of the panels, in their order.
        quantity: what the colours mean.
    """
    limit = max(float(np.abs(matrix - np.diag(np.diag(matrix))).max()) for matrix in covariances.values())
    with style():
        figure = Figure(figsize=(0.9 + 2.5 * len(covariances), 2.9))
        row = figure.subplots(1, len(covariances), squeeze=False)[0]
        for axes, matrix, title in zip(row, covariances.values(), titles, strict=True):
            image = axes.imshow(matrix, cmap=COLOURS, vmin=-limit, vmax=limit)
            axes.set_title(title)
            axes.grid(False)
            axes.set_xlabel("entry of the kernel")
        row[0].set_ylabel("entry of the kernel")
        figure.colorbar(image, ax=list(row), label=quantity, shrink=0.8, extend="max")
    return figure


def _bare(axes: Axes) -> None:
    axes.grid(False)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
