"""Figures that `regbench figures` made, as links from a page."""

import os
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote


class LinkedFigure(NamedTuple):
    """A figure of a paper: its size and paper, its title, and where picture and caption lie, seen from the page."""

    size: str
    paper: str
    title: str
    picture: str
    caption: str


def paper_figures(folder: Path, page: Path) -> list[LinkedFigure]:
    """The figures in a folder that `regbench figures` wrote into: `<size>/<paper>/<name>.svg` with a caption beside.

    Args:
        folder: it need not exist.
        page: the page that links to them.
    """
    linked = []
    for caption in sorted(folder.glob("*/*/*.txt")):
        picture = caption.with_suffix(".svg")
        if picture.is_file():
            title, _, _ = caption.read_text(encoding="utf-8", errors="replace").partition("\n")
            size, paper = caption.parts[-3:-1]
            linked.append(LinkedFigure(size, paper, title, _link(picture, page), _link(caption, page)))
    return linked


def _link(file: Path, page: Path) -> str:
    return quote(Path(os.path.relpath(file.resolve(), page.resolve().parent)).as_posix())
