"""The report of a comparison: one HTML page that needs no network, no script and no other file.

Whatever comes from result files (names, settings, paths) is escaped; a policy in the page forbids all network and every
script but the one for sorting tables.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from regbench.errors import ResultsError
from regbench.report.page import render
from regbench.report.papers import paper_figures
from regbench.report.provenance import called
from regbench.store import targets

if TYPE_CHECKING:
    from regbench.comparison import Comparison

__all__ = ["write"]


def write(
    comparison: "Comparison",
    path: str | Path,
    *,
    figures: str | Path = "figures",
    command: str | None = None,
    moment: datetime | None = None,
) -> None:
    """Write the report of a comparison.

    The same comparison gives the same page, byte for byte, but for the command and the moment.

    Args:
        comparison: what `regbench.compare` gives.
        path: of the page; folders are made, an existing file is replaced once the page is whole.
        figures: the folder that `regbench figures` wrote into; what is in it is linked.
        command: how the comparison was called; that of this process unless given.
        moment: when; now unless given.

    Raises:
        ResultsError: the page cannot be written there.
    """
    target = Path(os.path.realpath(path))  # a link stays one
    if target.exists() and not target.is_file():
        raise ResultsError(f"{path}: the report cannot be written here: it is no plain file")
    page = render(
        comparison,
        command=called() if command is None else command,
        moment=moment or datetime.now(UTC),
        papers=paper_figures(Path(figures), Path(path)),
    )
    try:
        targets.replace(target, page.encode())
    except OSError as error:
        raise ResultsError(f"{path}: the report cannot be written here: {error.strerror or error}") from error
