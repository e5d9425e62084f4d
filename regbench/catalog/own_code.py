"""The user's own code, `module:name`, which may lie in the working directory.

That directory is on the module path only while such a name is resolved, and last: a file in it that happens to be
called like something that a library tries to import (`brotli.py`, `colorama.py`) is not run.

What is run is what is on record: `load` imports a module anew where its source is another one than that with which it
was loaded, and refuses one whose source is not that which it is told.
"""

import contextlib
import importlib
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from regbench.catalog import own_sources
from regbench.catalog.libraries import library_of
from regbench.errors import DefinitionError
from regbench.records import Candidate, OwnData, Part, Problem

UNKNOWN = "unknown"
"""In place of the digest of a module that has no file."""

_loaded: dict[str, str] = {}
"""The digest of the source with which a module was loaded, as far as that is known."""

_loading = threading.RLock()


def names_in(*parts: Part | None) -> set[str]:
    """What of the user's own the parts name: not what is in a library (`libraries`)."""
    named = {name for part in parts if part is not None for name in _names(part) if ":" in name}
    return {name for name in named if not library_of(name)}


def parts_of(problem: Problem) -> list[Part]:
    """The parts of a problem that may name what is the user's own."""
    data = [problem.dataset.name] if isinstance(problem.dataset, OwnData) else []
    return [problem.model, *(Part(name=name) for name in (*data, problem.loss, problem.metric, *problem.metrics))]


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


def source_digests(*parts: Part | None) -> dict[str, str]:
    """The digest of the source of each `module:attribute` that parts name, by that name; `own_sources` says of what.

    `UNKNOWN` stands for a module that has no file or cannot be found.
    """
    names = names_in(*parts)
    if not names:
        return {}
    with findable():
        return {name: own_sources.digest_of(_module(name)) or UNKNOWN for name in sorted(names)}


def loaded_sources(*parts: Part | None) -> dict[str, str]:
    """As `source_digests`, of the source that was loaded, whatever the files hold now."""
    return {name: _loaded.get(_module(name), UNKNOWN) for name in sorted(names_in(*parts))}


def load(names: Iterable[str], sources: Mapping[str, str] | None = None) -> None:
    """Import the modules of the names, so that each name can be resolved from now on.

    Args:
        names: `module:attribute`.
        sources: the digests that their sources must have, by name, as `source_digests` gives them; any unless given.

    Raises:
        DefinitionError: a module cannot be imported, or its source is another one.
    """
    for name in sorted(names):
        wanted = (sources or {}).get(name, UNKNOWN)
        with _loading, findable():
            _load(name, None if wanted == UNKNOWN else wanted)


def resolve(key: str, name: str) -> Any:
    """What a name `module:attribute` stands for; its module has been loaded, or can be found.

    Raises:
        DefinitionError: it cannot be imported, or is neither a class nor a function.
    """
    module, colon, attribute = name.partition(":")
    if not colon:
        raise DefinitionError(f"{key}: must be library:name or module:name. Received: {name!r}")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # own modules may raise anything
        raise DefinitionError(f"{key}: {name} cannot be imported: {' '.join(str(error).split())}") from error
    if not callable(found):
        raise DefinitionError(f"{key}: {name} must be a class or a function. Received: {found!r}")
    return found


def check_sources(sources: Mapping[str, str]) -> None:
    """Refuse what has no file, which could change unnoticed.

    Raises:
        DefinitionError: so it is.
    """
    for name, digest in sources.items():
        if digest == UNKNOWN:
            raise DefinitionError(
                f"{name} must be in a file that can be found here, so that results can tell when it changes. "
                "Received: a module without one"
            )


def _load(name: str, wanted: str | None) -> None:
    module = _module(name)
    is_there = module in sys.modules
    if is_there and wanted is not None and _loaded.get(module) == wanted:
        return
    present = own_sources.digest_of(module)
    if wanted is not None and present != wanted:
        raise DefinitionError(
            f"{name}: its source must be the one with which the command began, on every machine that takes part. "
            f"Received: {'none' if present is None else f'one with SHA-256 {present[:8]}, not {wanted[:8]}'}"
        )
    if is_there and (present is None or _loaded.setdefault(module, present) == present):
        return
    if is_there:
        for one in own_sources.files_of(module).keys() - {own_sources.MAIN}:
            sys.modules.pop(one, None)
    _import(name, module)
    if present is not None:
        _loaded[module] = present


def _import(name: str, module: str) -> None:
    # Python takes a file for unchanged that has the size of before and was written within the same second.
    kept, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        importlib.import_module(module)
    except (Exception, SystemExit) as error:  # own modules may raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DefinitionError(f"{name} cannot be imported: {reason}") from error
    finally:
        sys.dont_write_bytecode = kept


def _module(name: str) -> str:
    return name.partition(":")[0]


def _names(part: Part) -> Iterator[str]:
    yield part.name
    for argument in part.arguments.values():
        if isinstance(argument, Part):
            yield from _names(argument)
