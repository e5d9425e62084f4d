"""What must not change in silence: code, definitions, search spaces and data behind results that are there."""

from collections.abc import Iterator
from dataclasses import replace

from regbench.benchmark.data import digest_here
from regbench.benchmark.searches import Search
from regbench.benchmark.tasks import as_in_tree
from regbench.errors import DefinitionError, ResultsError
from regbench.execution import Conditions
from regbench.records import Manifest
from regbench.store import manifests
from regbench.store.folder import Folder


def check_unchanged(search: Search, folder: Folder, data: str | None = None) -> None:
    """Make sure that the searches of this candidate on this problem that are on record are of the same things.

    One that is makes further ones welcome: whoever began anew once is not asked again.

    Args:
        search: which is about to begin.
        folder: the results tree.
        data: digest of the data that are here; None where it is not known.

    Raises:
        DefinitionError: all are of another definition of the problem, another search space, other code or other data.
    """
    differences: list[tuple[int, str]] = []
    for path, theirs in _on_record(search, folder):
        changed = list(_changed(search, theirs, data))
        if not changed:
            return
        told = f"{path}: {theirs.candidate} was searched on {theirs.problem} with another {', '.join(changed)}"
        differences.append((len(changed), told))
    if differences:
        _, nearest = min(differences)
        ways = "give it another name, or search anew beside what is there (`--fresh`)"
        raise DefinitionError(f"{nearest}: {ways}")


def checked_changes(search: Search, folder: Folder, conditions: Conditions, fresh: bool) -> Search:
    """The search as it goes on record, once it is sure that nothing changed in silence since others were.

    Args:
        search: which is about to begin.
        folder: the results tree.
        conditions: say where the data are.
        fresh: it is meant to begin anew.

    Raises:
        DefinitionError: as `check_unchanged`, unless `fresh`.
    """
    search = replace(search, task=as_in_tree(search.task, folder.path))
    record = manifests.path_of(folder.path, search.manifest())
    is_first = not any(record.parent.glob(f"*{manifests.MANIFEST_SUFFIX}"))
    if is_first or conditions.data_are_elsewhere:
        data = None  # which may take seconds to read
    else:
        data = digest_here(search.task.problem.dataset, conditions.data_dir)
    if not fresh:
        check_unchanged(search, folder, data)
    return apart_by_data(search, folder, data)


def apart_by_data(search: Search, folder: Folder, data: str | None) -> Search:
    """The search, told apart by its data from one that is on record and differs in nothing else.

    Which data a search is on is not known before they are read, so that its digest holds them only where it must.
    """
    for _, theirs in _on_record(search, folder):
        if theirs.digest == search.digest and _is_of_other_data(theirs, data):
            return replace(search, data=data or "")
    return search


def _on_record(search: Search, folder: Folder) -> Iterator[tuple[object, Manifest]]:
    """The searches of this candidate on this problem, each with the file of its record."""
    for path in sorted(manifests.path_of(folder.path, search.manifest()).parent.glob(f"*{manifests.MANIFEST_SUFFIX}")):
        try:
            yield path, manifests.read(path)
        except ResultsError:
            continue  # `compare` and `lint` tell of it


def _changed(search: Search, theirs: Manifest, data: str | None) -> Iterator[str]:
    mine = search.manifest()
    if mine.problem_digest != theirs.problem_digest:
        yield "definition of the problem"
    if mine.space_digest != theirs.space_digest:
        yield "definition of the candidate"
    # One that only one of them names is told by a definition above, or measures what the other did not record.
    for name in sorted(mine.sources.keys() & theirs.sources.keys()):
        if mine.sources[name] != theirs.sources[name]:
            yield f"source of {name}"
    if _is_of_other_data(theirs, data):
        yield f"content of the data set {search.task.problem.dataset}"


def _is_of_other_data(theirs: Manifest, data: str | None) -> bool:
    """Whether it was made on other data than these; what is not known is not other."""
    return data is not None and bool(theirs.data_digests) and data not in theirs.data_digests
