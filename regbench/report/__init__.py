"""The report of a comparison: one HTML page that needs no network, no script and no other file.

Whatever comes from result files (names, settings, paths) is escaped; a policy in the page forbids all network and every
script but the one for sorting tables.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from regbench.errors import ResultsError
from regbench.report.page import render
from regbench.report.papers import paper_figures
from regbench.report.provenance import called

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
    with _replaced(Path(path)) as file:
        page = render(
            comparison,
            command=called() if command is None else command,
            moment=moment or datetime.now(UTC),
            papers=paper_figures(Path(figures), Path(path)),
        )
        file.write(page.encode())


@contextmanager
def _replaced(path: Path) -> Iterator[BinaryIO]:
    """A new file that gets the name `path` at the end, if all went well."""
    target = Path(os.path.realpath(path))
    temporary = target.parent / f".{secrets.token_hex(8)}.tmp"
    try:
        if target.exists() and not target.is_file():
            raise ResultsError(f"{path}: the report cannot be written here: it is no plain file")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                yield file
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise ResultsError(f"{path}: the report cannot be written here: {error.strerror or error}") from error
