"""What must not change in silence: code, definitions and search spaces behind results that are there."""

from collections.abc import Iterator

from regbench.benchmark.searches import Search
from regbench.errors import DefinitionError, ResultsError
from regbench.records import Manifest
from regbench.store import manifests
from regbench.store.folder import Folder


def check_unchanged(search: Search, folder: Folder) -> None:
    """Make sure that the searches of this candidate on this problem that are on record are of the same things.

    One that is makes further ones welcome: whoever began anew once is not asked again.

    Raises:
        DefinitionError: all are of another definition of the problem, another search space or other code.
    """
    mine = search.manifest()
    differences: list[str] = []
    for path in sorted(manifests.path_of(folder.path, mine).parent.glob(f"*{manifests.MANIFEST_SUFFIX}")):
        try:
            theirs = manifests.read(path)
        except ResultsError:
            continue  # `compare` and `lint` tell of it
        changed = ", ".join(_changed(mine, theirs))
        if not changed:
            return
        differences.append(f"{path}: {theirs.candidate} was searched on {theirs.problem} with another {changed}")
    if differences:
        ways = "give it another name, or search anew beside what is there (`--fresh`)"
        raise DefinitionError(f"{differences[-1]}: {ways}")


def _changed(mine: Manifest, theirs: Manifest) -> Iterator[str]:
    if mine.problem_digest != theirs.problem_digest:
        yield "definition of the problem"
    if mine.space_digest != theirs.space_digest:
        yield "definition of the candidate"
    for name in sorted(mine.sources.keys() | theirs.sources.keys()):
        if mine.sources.get(name) != theirs.sources.get(name):
            yield f"source of {name}"
