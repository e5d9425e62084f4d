"""What regbench raises when the input is at fault.

RegbenchError               everything below; the command line prints it as one line and exits with code 2, or 1 where
│                           it was raised from an error of the machine: a full disk, no memory
├── DefinitionError         a problem, candidate or option that does not hold together
│   └── UnknownNameError    a name that is not in the catalogue, with "did you mean"
├── DataError               a data file that is missing, truncated or not what it should be
├── ResultsError            a results tree that cannot be read or written
└── ClusterError            the workers are gone (exit code 1: the same command goes on from there)

A training that diverges, times out or crashes is no error: it is an outcome (see `records.Outcome`).
"""

import difflib
from collections.abc import Iterable
from typing import Any


def printable(text: str) -> str:
    r"""Text from outside, fit for tables and terminals: what cannot be printed becomes `\x1b`, `\udcff`, ..."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


class RegbenchError(Exception):
    """The input is at fault; the message names the place, the rule and the value received, in one line."""

    def __str__(self) -> str:
        """The message, without what would act on a terminal: it may quote anything from a file."""
        return printable(super().__str__())


class DefinitionError(RegbenchError):
    """A problem, a candidate or an option does not hold together."""


class UnknownNameError(DefinitionError):
    """A name is not among those that exist.

    Args:
        kind: the kind of thing, as the user would say it ("problem", "candidate").
        name: the name received.
        known: the names that exist.
        where: the file or option in which the name stands.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], where: str = "") -> None:
        """Build the message, with the closest known names."""
        known = sorted(known)
        close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
        alternatives = " or ".join(f"`{match}`" for match in close)
        hint = f" Did you mean {alternatives}?" if close else f" Known: {', '.join(known)}."
        prefix = f"{where}: " if where else ""
        super().__init__(f"{prefix}There is no {kind} `{name}`.{hint}")

    def __reduce__(self) -> tuple[type[DefinitionError], tuple[Any, ...]]:
        """Travel between processes as the message, which cannot be built again from itself."""
        return DefinitionError, self.args


class DataError(RegbenchError):
    """A data file is missing, truncated or not what it should be."""


class ResultsError(RegbenchError):
    """A results tree cannot be read or written."""


class ClusterError(RegbenchError):
    """The workers are gone. Finished runs are kept, and the same command goes on from there."""
