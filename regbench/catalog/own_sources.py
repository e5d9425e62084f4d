"""The source of the user's own modules: the files of one and of all of one's own that it imports, and their digest.

Nothing is run for it. Files are found as an import finds them, and imports are read off the source, wherever in it they
stand. Of one's own are modules that lie neither in Python's own folders nor in `site-packages`, and those of the same
package. What a module reads or makes up while it runs (data files, names of modules) is not seen.
"""

import ast
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

MAIN = "__main__"
_NOT_OWN = {"regbench", "keras", "tensorflow"}
"""Their versions are on record with each run."""

_INSTALLED = {"site-packages", "dist-packages"}


def digest_of(module: str) -> str | None:
    """SHA-256 of the source of a module: of its file, or of all files where it imports modules of one's own.

    None where it has no file, or cannot be found.
    """
    found = files_of(module)
    if module not in found:
        return None
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}
    if len(digests) == 1:
        return digests[module]
    return hashlib.sha256("\n".join(f"{name} {digests[name]}" for name in sorted(digests)).encode()).hexdigest()


def files_of(module: str) -> dict[str, bytes]:
    """The source of a module, of the packages that it is in, and of all of one's own that these import, by their names.

    Paths do not count, so that a folder may be moved.
    """
    importlib.invalidate_caches()  # a file may be newer than what Python knows of its folder
    package = module.partition(".")[0]
    found: dict[str, bytes] = {}
    coming, seen = [*_with_packages(module)], set()
    while coming:
        name = coming.pop()
        if name in seen:
            continue
        seen.add(name)
        spec = _spec(name)
        if spec is None or not (name == module or _is_own(name, spec, package)):
            continue
        try:
            found[name] = Path(str(spec.origin)).read_bytes()
        except OSError:  # a package without a file, or what is built in
            continue
        coming += [one for imported in _imports(found[name], name, spec) for one in _with_packages(imported)]
    return found


def imported_by(module: str) -> set[str]:
    """The packages and modules at the top that a module and those of one's own that it imports import, in any line."""
    found = set()
    for name, source in files_of(module).items():
        spec = _spec(name)
        if spec is not None:
            found |= {imported.partition(".")[0] for imported in _imports(source, name, spec)}
    return found


def _with_packages(module: str) -> Iterator[str]:
    """`a.b.c`: `a`, `a.b`, `a.b.c`, all of which are run when it is imported."""
    parts = module.split(".")
    return (".".join(parts[: end + 1]) for end in range(len(parts)))


def _spec(module: str) -> ModuleSpec | None:
    """Where a module would be imported from; the packages that it is in are not run."""
    if module == MAIN:
        file = getattr(sys.modules[MAIN], "__file__", None)
        return None if file is None else ModuleSpec(MAIN, None, origin=file)
    folders = None
    spec = None
    for name in _with_packages(module):
        try:
            spec = PathFinder.find_spec(name, folders)
            if spec is None and "." not in name:
                spec = importlib.util.find_spec(name)  # what finders of editable installations know
        except (ImportError, ValueError, AttributeError):
            return None
        if spec is None:
            return None
        folders = list(spec.submodule_search_locations or ())
    return spec


def _is_own(module: str, spec: ModuleSpec, package: str) -> bool:
    top = module.partition(".")[0]
    if top in _NOT_OWN or top in sys.stdlib_module_names:
        return False
    return top == package or not _INSTALLED & set(Path(str(spec.origin)).parts)


def _imports(source: bytes, module: str, spec: ModuleSpec) -> Iterator[str]:
    """The names of what a source imports; of `from a import b` both `a` and `a.b`, of which one may be no module."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # no Python, or none that can be run
        return
    inside = module if spec.submodule_search_locations is not None else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = inside.split(".")[: len(inside.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" if base else alias.name for alias in node.names)
