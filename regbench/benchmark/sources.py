"""Which code of the user's own takes part in a search, and the digest of its source."""

import hashlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

from regbench.records import Candidate, Part, Problem

UNKNOWN = "unknown"


def source_digests(problem: Problem, candidate: Candidate) -> dict[str, str]:
    """SHA-256 of the source file of each `module:attribute` that a problem and a candidate name, by that name.

    Only the file of the module itself counts, not what it imports. The module is not run to find it, only the packages
    that it lies in are. `UNKNOWN` stands for a module that has no source file or cannot be found; a run that needs it
    says so.
    """
    names = own_code(candidate) | {name for name in _names(problem.model) if ":" in name}
    return {name: _digest(name.partition(":")[0]) for name in sorted(names)}


def own_code(candidate: Candidate) -> set[str]:
    """The classes of the user's own that a candidate names, as `module:attribute`."""
    parts = [candidate.optimizer, *([candidate.regularizer] if candidate.regularizer else [])]
    return {name for part in parts for name in _names(part) if ":" in name}


def _names(part: Part) -> Iterator[str]:
    yield part.name
    for argument in part.arguments.values():
        if isinstance(argument, Part):
            yield from _names(argument)


def _digest(module: str) -> str:
    try:
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None or not spec.has_location:
            return UNKNOWN
        return hashlib.sha256(Path(spec.origin).read_bytes()).hexdigest()
    except Exception:  # noqa: BLE001  packages of the user's own may raise anything
        return UNKNOWN
