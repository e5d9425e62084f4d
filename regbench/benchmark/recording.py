"""The record of a search while it goes on: its manifest in the results tree."""

from collections.abc import Mapping, Sequence

from regbench.benchmark.searches import Search
from regbench.records import Manifest, Outcome, RunResult, RunSpec
from regbench.store import manifests
from regbench.store.folder import Folder


class SearchRecord:
    """Keeps the manifest of one search as far as the search is.

    What it writes depends on the search and its runs alone, so that a search that was killed and taken up again ends
    with the same bytes.

    Args:
        search: the search.
        folder: the results tree.
    """

    def __init__(self, search: Search, folder: Folder) -> None:
        """Write nothing yet."""
        self._folder = folder
        self._manifest = search.manifest()
        self._written: Manifest | None = None

    def add_trials(self, specs: Sequence[RunSpec]) -> None:
        """Further trials are about to be run; nothing is written before the first of them is there."""
        self._change(trials=(*self._manifest.trials, *(spec.digest() for spec in specs)))

    def keep(self, result: RunResult | None = None) -> None:
        """Write what is not written yet: a trial, `result`, is there, so the input was not at fault."""
        if result is not None and result.data_digest:
            self._change(data_digests=tuple(sorted({*self._manifest.data_digests, result.data_digest})))
        if self._written != self._manifest:
            manifests.write(self._folder.path, self._manifest)
            self._written = self._manifest

    def narrow(self, ranges: Mapping[str, tuple[float, float]] | None) -> None:
        """The ranges of a narrowed search are known; nothing is written before the next trial is there."""
        self._change(ranges=None if ranges is None else dict(ranges))

    def choose(self, winner: int | None, reruns: Sequence[RunSpec]) -> None:
        """All trials have ended; the winner, by its number, is about to be run with further seeds."""
        self._change(winner=winner, again=tuple(spec.digest() for spec in reruns))
        self.keep()

    def close(self, results: Sequence[RunResult]) -> None:
        """All trials and re-runs have ended, `results` in all."""
        digests = sorted({result.data_digest for result in results if result.data_digest})
        is_complete = all(result.outcome != Outcome.FAILED for result in results)
        self._change(data_digests=tuple(digests), is_complete=is_complete)
        self.keep()

    def _change(self, **news: object) -> None:
        self._manifest = Manifest.model_validate(self._manifest.model_dump() | news)
