"""Which code of the user's own takes part in a search, and the digest of its source."""

import hashlib
import importlib.util
from pathlib import Path

from regbench.catalog import own_code
from regbench.records import Part

UNKNOWN = "unknown"


def source_digests(*parts: Part | None) -> dict[str, str]:
    """SHA-256 of the source file of each `module:attribute` that parts name, by that name.

    Only the file of the module itself counts, not what it imports. The module is not run to find it, only the packages
    that it lies in are. `UNKNOWN` stands for a module that has no source file or cannot be found; a run that needs it
    says so.
    """
    names = own_code.names_in(*parts)
    with own_code.findable():
        return {name: _digest(name.partition(":")[0]) for name in sorted(names)}


def _digest(module: str) -> str:
    try:
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None or not spec.has_location:
            return UNKNOWN
        return hashlib.sha256(Path(spec.origin).read_bytes()).hexdigest()
    except Exception:  # noqa: BLE001  packages of the user's own may raise anything
        return UNKNOWN
