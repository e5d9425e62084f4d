"""The user's own code, `module:name`, which may lie in the working directory.

That directory is on the module path only while such a name is resolved, and last: a file in it that happens to be
called like something that a library tries to import (`brotli.py`, `colorama.py`) is not run.
"""

import contextlib
import importlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from regbench.errors import DefinitionError
from regbench.records import Candidate, Part


def names_in(*parts: Part | None) -> set[str]:
    """What of the user's own the parts name."""
    return {name for part in parts if part is not None for name in _names(part) if ":" in name}


def names_of(candidate: Candidate) -> set[str]:
    """What of the user's own a candidate names."""
    return names_in(candidate.optimizer, candidate.regularizer)


@contextlib.contextmanager
def findable() -> Iterator[None]:
    """Have the working directory on the module path inside the block."""
    try:
        directory = str(Path.cwd())
    except FileNotFoundError:  # it was removed: then there is nothing in it
        yield
        return
    sys.path.append(directory)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # the module itself may have changed the path
            # The last one: it may be there for other reasons too, and several threads may be here.
            del sys.path[len(sys.path) - 1 - sys.path[::-1].index(directory)]


def load(names: Iterable[str]) -> None:
    """Import the modules of the names, so that each name can be resolved from now on.

    Raises:
        DefinitionError: a module cannot be imported.
    """
    for name in sorted(names):
        module = name.partition(":")[0]
        if module in sys.modules:
            continue
        try:
            with findable():
                importlib.import_module(module)
        except Exception as error:  # own modules may raise anything
            raise DefinitionError(f"{name} cannot be imported: {' '.join(str(error).split())}") from error


def _names(part: Part) -> Iterator[str]:
    yield part.name
    for argument in part.arguments.values():
        if isinstance(argument, Part):
            yield from _names(argument)
