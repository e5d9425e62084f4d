"""How much address space is needed where it is limited (`ulimit -v`, `RLIMIT_AS`); nothing heavy is imported here.

Libraries that get too little of it fail in the middle of their imports, or abort the process.
"""

import importlib.abc
import resource
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

from regbench.errors import DefinitionError

LEAST_MIB = {"numpy": 900, "tensorflow": 3500}
"""What a command needs that loads a library, measured on two cores; each further core takes more, for its threads."""


def check(library: str) -> None:
    """Make sure, before a library is loaded, that there is room for it and what comes with it.

    Raises:
        DefinitionError: there is not, for want of memory.
    """
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    least = LEAST_MIB[library]
    if limit != resource.RLIM_INFINITY and limit < least * 2**20:
        raise DefinitionError(
            f"address space (`ulimit -v`) must be at least {least} MiB to load {library}. "
            f"Received: {limit // 2**20} MiB"
        ) from MemoryError()


class _Guard(importlib.abc.MetaPathFinder):
    """Checks before NumPy is loaded, by whomever."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if fullname == "numpy":
            check(fullname)
        return None  # others find it


def guard() -> None:
    """From now on refuse to load NumPy where there is no room for it, and for what loads it."""
    if "numpy" not in sys.modules and not any(isinstance(finder, _Guard) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Guard())
