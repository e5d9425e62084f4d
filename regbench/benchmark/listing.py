"""The searches in a results tree: how far each is, and which setting won."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from regbench.errors import ResultsError, printable
from regbench.records import Manifest, Outcome, Role, RunResult, code_of
from regbench.store import deepobs, manifests
from regbench.store.files import UnreadableFileError, read_bytes
from regbench.store.folder import RUN_SUFFIX

_LEARN = ("tpe", "narrowed")  # samplers whose trials get known one after the other


@dataclass(frozen=True)
class ListedSearch:
    """One search and how far it is.

    Attributes:
        manifest: what is on record of it.
        trials: how many there are in all, as far as that is known; `trials_there`: those that lie in the tree.
        reruns: likewise.
        winner: the winning trial, with the last value of each curve; None where it is not known or not there.
    """

    manifest: Manifest
    trials: int
    trials_there: int
    reruns: int
    reruns_there: int
    winner: RunResult | None

    @property
    def is_complete(self) -> bool:
        """Whether it has ended, and all its runs are still there."""
        are_there = (self.trials_there, self.reruns_there) == (self.trials, self.reruns)
        return self.manifest.is_complete and are_there


@dataclass(frozen=True)
class Listing:
    """What is in a results tree.

    Attributes:
        searches: by problem, candidate and budget.
        runs_of_no_search: how many runs are neither trial nor re-run of any of them; files of one run count once.
        by_hand: how many of these were made by hand.
    """

    searches: list[ListedSearch]
    runs_of_no_search: int
    by_hand: int


_Key = tuple[Path, str, str, str]
"""The folder of a candidate, the digest of a run in it, the own code that took part (`code_of`), the data or ""."""


def list_searches(tree: str | Path, warn: Callable[[str], None]) -> Listing:
    """The searches whose manifests lie in a results tree.

    Args:
        tree: the tree, or the folder of a problem or a candidate in it.
        warn: called with a line on every manifest that cannot be read, and with one on all other such files.

    Raises:
        ResultsError: there is no such folder.
    """
    tree = Path(tree)
    try:
        next(tree.iterdir(), None)
    except OSError as error:
        raise ResultsError(f"{printable(str(tree))}: it cannot be read as results: {error.strerror}") from error
    found = list(_manifests(tree, warn))
    known = {
        _key(folder, digest, manifest) for folder, manifest in found for digest in (*manifest.trials, *manifest.again)
    }
    winning = {_key(folder, digest, manifest) for folder, manifest in found if (digest := _winner(manifest))}
    there: set[_Key] = set()
    others: dict[_Key, bool] = {}
    winners: dict[_Key, RunResult] = {}
    for folder, run in _runs(tree, warn):
        code = "" if run.origin is None else code_of(run.origin.sources)
        with_data, without = ((folder, run.spec.digest(), code, data) for data in (run.data_digest, ""))
        there |= {with_data, without}  # for records that tell the data, and those that do not
        for key in {with_data, without} & winning:
            if run.outcome == Outcome.COMPLETED:
                winners[key] = run.brief()
        if not {with_data, without} & known:
            is_by_hand = run.origin is not None and run.origin.role == Role.BY_HAND
            others[with_data] = others.get(with_data, False) or is_by_hand
    listed = [_listed(folder, manifest, there, winners) for folder, manifest in found]
    return Listing(sorted(listed, key=_rank), len(others), sum(others.values()))


def _manifests(tree: Path, warn: Callable[[str], None]) -> Iterator[tuple[Path, Manifest]]:
    """Those that can be read, each with its folder."""
    for path in manifests.find(tree):
        try:
            manifest = manifests.read(path)
        except ResultsError as error:
            warn(str(error))
        else:
            yield path.parent, manifest


def _runs(tree: Path, warn: Callable[[str], None]) -> Iterator[tuple[Path, RunResult]]:
    """Those that regbench wrote, each with the folder of its candidate."""
    skipped: list[str] = []
    for folder, inner, files in os.walk(tree):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        for path in (Path(folder, name) for name in sorted(files) if name.endswith(RUN_SUFFIX)):
            try:
                run = deepobs.read(read_bytes(path), minibatch=False)
            except UnreadableFileError as error:
                skipped.append(f"{path}: {error.detail}")
            except ResultsError as error:
                skipped.append(f"{path}: {error}")
            else:
                yield path.parent.parent, run
    if skipped:
        files_are = "1 file is no run" if len(skipped) == 1 else f"{len(skipped)} files are no runs"
        warn(printable(f"{files_are} of regbench's and not counted, the first of them {skipped[0]}"))


def _key(folder: Path, digest: str, manifest: Manifest) -> _Key:
    data = manifest.data_digests[0] if len(manifest.data_digests) == 1 else ""
    return folder, digest, code_of(manifest.sources), data


def _winner(manifest: Manifest) -> str | None:
    """The digest of the winning trial."""
    number = manifest.winner
    return manifest.trials[number] if number is not None and 0 <= number < len(manifest.trials) else None


def _listed(folder: Path, manifest: Manifest, there: set[_Key], winners: dict[_Key, RunResult]) -> ListedSearch:
    trials, reruns, winner = len(manifest.trials), len(manifest.again), _winner(manifest)
    if winner is None and not manifest.is_complete:
        trials = max(trials, manifest.budget) if manifest.sampler in _LEARN else trials
        reruns = manifest.reruns
    return ListedSearch(
        manifest=manifest,
        trials=trials,
        trials_there=sum(_key(folder, digest, manifest) in there for digest in manifest.trials),
        reruns=reruns,
        reruns_there=sum(_key(folder, digest, manifest) in there for digest in manifest.again),
        winner=None if winner is None else winners.get(_key(folder, winner, manifest)),
    )


def _rank(listed: ListedSearch) -> tuple[str, str, int, str, int, str]:
    manifest = listed.manifest
    return (
        *(manifest.problem, manifest.candidate, manifest.budget),
        *(manifest.sampler, manifest.seed, manifest.digest),
    )
