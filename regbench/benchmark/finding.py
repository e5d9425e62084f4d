"""Where a run is found that need not be computed: in the results tree, or among what comes with regbench."""

from collections.abc import Callable, Mapping
from typing import Literal, get_args

from regbench.benchmark.data import digest_here
from regbench.catalog import former_name
from regbench.catalog.own_code import UNKNOWN
from regbench.errors import UnknownNameError
from regbench.execution import Conditions
from regbench.records import BUNDLED, Outcome, OwnData, RunResult, RunSpec
from regbench.store.bundle import Bundle
from regbench.store.folder import Folder

Baselines = Literal["bundled", "none"]


def bundle_of(baselines: Baselines, warn: Callable[[str], None]) -> Bundle | None:
    """What comes with regbench, if it is wanted.

    Raises:
        UnknownNameError: the word is another one.
    """
    if baselines not in get_args(Baselines):
        raise UnknownNameError("choice of baselines", baselines, get_args(Baselines))
    return Bundle(warn=warn) if baselines == "bundled" else None


class Finder:
    """Finds the runs of specs, as far as they have what is wanted now.

    A run is found only where it was made on the data that are here, and by the code of the user's own that is here.

    Args:
        folder: the results tree.
        conditions: what runs are told besides their specs.
        bundle: what comes with regbench; None passes by its runs, also those that were copied into the tree.
        minibatch: also find the losses of the steps, which no run from the bundle has.
    """

    def __init__(
        self, folder: Folder, conditions: Conditions, bundle: Bundle | None = None, minibatch: bool = False
    ) -> None:
        """Look for nothing yet."""
        self._folder, self._conditions, self._minibatch = folder, conditions, minibatch
        self._bundle = None if minibatch else bundle
        self._data: dict[str | OwnData, str | None] = {}

    def find(self, spec: RunSpec, sources: Mapping[str, str]) -> RunResult | None:
        """The run, wherever it is; None where it has to be computed. `sources` as for `in_tree`."""
        found = self.in_tree(spec, sources)
        return self.in_bundle(spec) if found is None else found

    def in_tree(self, spec: RunSpec, sources: Mapping[str, str]) -> RunResult | None:
        """The run in the results tree; None where it has to be run, or copied, in any case.

        Args:
            spec: the run that is looked for.
            sources: the digests of the user's own code that takes part, as they are now.
        """

        def accepts(result: RunResult) -> bool:
            is_wanted = not (result.is_bundled and self._bundle is None)
            return is_wanted and self._is_of(sources, result) and self._is_on_data_here(result)

        return self._if_it_suffices(self._folder.find(spec, minibatch=self._minibatch, accepts=accepts), spec)

    def in_bundle(self, spec: RunSpec) -> RunResult | None:
        """The run that comes with regbench, unless it was made on other data than those that are here.

        Its environment says where it comes from.
        """
        found = None if self._bundle is None else self._bundle.find(spec) or self._under_former_name(spec)
        found = self._if_it_suffices(found, spec)
        if found is None:
            return None
        if self._is_on_data_here(found):
            return found.model_copy(update={"environment": found.environment | {BUNDLED: True}})
        name = spec.problem.dataset
        self._folder.warn(f"runs that come with regbench were made on other data than those that are here ({name})")
        return None

    def _under_former_name(self, spec: RunSpec) -> RunResult | None:
        former = former_name(spec.candidate)
        if former is None or self._bundle is None:
            return None
        return self._bundle.find(spec.model_copy(update={"candidate": former}))

    def _is_of(self, sources: Mapping[str, str], result: RunResult) -> bool:
        """Whether a run was made by the code that is here now; of the user's own code that must be on record."""
        if not sources:
            return True
        if result.origin is None or UNKNOWN in result.origin.sources.values():
            names = ", ".join(sources)
            self._folder.warn(f"{self._folder.path}: runs of {names} without a digest of the source are not used again")
            return False
        return result.origin.sources == sources

    def _is_on_data_here(self, result: RunResult) -> bool:
        """Whether a run was made on the data that are here; what is not known of either is no reason against it."""
        name = result.spec.problem.dataset
        if not result.data_digest or self._conditions.data_are_elsewhere:
            return True
        if name not in self._data:
            self._data[name] = digest_here(name, self._conditions.data_dir)
        return self._data[name] in (None, result.data_digest)

    def _if_it_suffices(self, found: RunResult | None, spec: RunSpec) -> RunResult | None:
        if found is None or self._conditions.must_repeat(found):
            return None
        there = found.metrics.keys() | ({"test_accuracy"} if "test_accuracies" in found.curves else set())
        if found.outcome != Outcome.FAILED and any(f"test_{name}" not in there for name in spec.problem.recorded):
            return None  # what is recorded of a run is no part of its identity
        # What cannot change a curve may have changed since: the metric by which a run is scored, say.
        return found.model_copy(update={"spec": spec})
