"""The runs of specs: found in the results tree, copied there from what comes with regbench, or computed and written."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from regbench.benchmark import machine_speed
from regbench.benchmark.finding import Finder
from regbench.catalog import own_code
from regbench.execution import Machine, failed_because
from regbench.records import Origin, Role, RunResult, RunSpec
from regbench.store.bundle import Bundle
from regbench.store.folder import Folder
from regbench.store.run_locks import RunLocks

Report = Callable[[RunResult, bool], None]
"""Called with a run as soon as it is there, and whether it was there already: in the results tree or with regbench."""

_LOOKS_EVERY_SECONDS = 0.5


def complete(
    specs: Sequence[RunSpec],
    folder: Folder,
    machine: Machine,
    report: Report,
    *,
    bundle: Bundle | None = None,
    origins: Sequence[Origin] | None = None,
    minibatch: bool = False,
    brief: bool = False,
) -> list[RunResult]:
    """The runs of the specs, in their order: what the results tree has is taken from there, the others are computed.

    A run that comes with regbench is copied into the tree in place of being computed; its environment says so.

    Two equal specs are one run. Every run is written as soon as it is there. What another process is computing for the
    same tree is left to it and waited for.

    Args:
        specs: of the runs.
        folder: the results tree, which exists.
        machine: computes what is missing.
        report: called with every run, with equal ones once.
        bundle: what comes with regbench; None computes all that was not computed for this tree.
        origins: what goes on record of what made each run, should it be made now; by hand unless given.
        minibatch: also read the losses of the steps; runs that come with regbench have none, and are not taken.
        brief: give back only the last value of each curve (`RunResult.brief`), so that thousands fit into memory.

    Raises:
        RegbenchError: the input is at fault, a run cannot be written, or the workers are gone.
        KeyboardInterrupt: it was interrupted.
    """
    if origins is None:
        origins = [Origin(role=Role.BY_HAND, sources=sources_of(spec)) for spec in specs]
    first = {spec.digest(): origin for spec, origin in reversed(list(zip(specs, origins, strict=True)))}
    with RunLocks(folder.path, folder.warn) as locks:
        finder = Finder(folder, machine.conditions, bundle, minibatch)
        return _Completion(folder, machine, report, first, finder, brief, locks).of(specs)


def tell_different_data(results: Sequence[RunResult], folder: Folder) -> None:
    """Warn where runs of one search were made on different data, which no spec tells."""
    if len({result.data_digest for result in results if result.data_digest}) > 1:
        spec = results[0].spec
        told = f"runs of {spec.candidate} on {spec.problem.name} were made on different data ({spec.problem.dataset})"
        folder.warn(f"{folder.path}: {told}; for other data use another results tree")


def sources_of(spec: RunSpec) -> dict[str, str]:
    """The digests of the user's own code that takes part in a run."""
    return own_code.source_digests(*own_code.parts_of(spec.problem), spec.optimizer, spec.regularizer)


class _Completion:
    def __init__(
        self,
        folder: Folder,
        machine: Machine,
        report: Report,
        origins: Mapping[str, Origin],
        finder: Finder,
        brief: bool,
        locks: RunLocks,
    ) -> None:
        self._folder, self._machine, self._report, self._locks = folder, machine, report, locks
        self._origins = origins
        self._finder, self._brief = finder, brief
        self._results: dict[str, RunResult] = {}
        self._missing: dict[str, RunSpec] = {}
        self._failures_before: dict[str, set[Path]] = {}

    def of(self, specs: Sequence[RunSpec]) -> list[RunResult]:
        for spec in specs:
            digest = spec.digest()
            if digest not in self._results and digest not in self._missing and not self._is_found(spec):
                self._missing[digest] = spec
        self._compute()
        while self._missing:
            # Another process has them; when it ends without them, they are ours.
            self._folder.warn(f"{self._folder.path}: another process computes runs of this search; waiting for them")
            time.sleep(_LOOKS_EVERY_SECONDS)
            self._compute()
        return [self._results[spec.digest()] for spec in specs]

    def _compute(self) -> None:
        is_loaded, started = "tensorflow" in sys.modules, time.perf_counter()
        for computed in self._machine.compute(self._claimed()):
            if not is_loaded and "tensorflow" in sys.modules:  # the first run of this process has loaded it
                waited = time.perf_counter() - started
                machine_speed.record(start_seconds=max(0.0, waited - computed.timings.total_seconds))
                is_loaded = True
            digest = computed.spec.digest()
            result = computed.model_copy(update={"origin": self._origins[digest]})
            self._folder.write(result)
            self._note(result, was_found=False)
            self._locks.release(digest)

    def _claimed(self) -> Iterator[RunSpec]:
        """Those that are still missing and that no other process has, each claimed for this one."""
        for digest, spec in list(self._missing.items()):
            if not self._locks.take(digest):
                self._failures_before.setdefault(digest, set(self._folder.failures(spec)))
            # By the one who had it until now, it may have been computed or tried.
            elif self._is_found(spec) or self._is_copied(spec) or self._has_failed_elsewhere(spec):
                self._locks.release(digest)
            else:
                yield spec

    def _is_found(self, spec: RunSpec) -> bool:
        found = self._finder.in_tree(spec, self._origins[spec.digest()].sources)
        if found is not None:
            self._note(found, was_found=True)
        return found is not None

    def _is_copied(self, spec: RunSpec) -> bool:
        """Whether the run came with regbench, and is written into the results tree as any other."""
        found = self._finder.in_bundle(spec)
        if found is not None:
            self._folder.write(found)
            self._note(found, was_found=True)
        return found is not None

    def _has_failed_elsewhere(self, spec: RunSpec) -> bool:
        """Whether another process tried this run while we waited for it, and failed: then we need not fail too."""
        before = self._failures_before.get(spec.digest())
        new = set() if before is None else set(self._folder.failures(spec)) - before
        if new:
            self._note(failed_because(spec, self._folder.reason_of_failure(max(new))), was_found=True)
        return bool(new)

    def _note(self, result: RunResult, was_found: bool) -> None:
        digest = result.spec.digest()
        self._results[digest] = result.brief() if self._brief else result
        self._missing.pop(digest, None)
        self._report(result, was_found)
