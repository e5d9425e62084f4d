"""The runs of ours that come with regbench, found by their specs as in a results tree."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from regbench import catalog
from regbench.errors import ResultsError
from regbench.records import RunResult, RunSpec
from regbench.store import paths

if TYPE_CHECKING:
    from regbench.store.bundle_file import BundleFile

SUFFIX = ".parquet"


def source_folder(source: str) -> Path:
    """Where the files of a source lie, a file a problem: "ours", or "published" for results of others."""
    return catalog.data_folder("results/bundled") / source


def file_of(folder: Path, problem: str) -> Path:
    """Where the runs of a problem lie."""
    return folder / f"{paths.folder_name(problem)}{SUFFIX}"


class Bundle:
    """A folder of files with runs, each opened when a run of its problem is first looked for.

    Args:
        folder: a file a problem; that of our own runs unless given.
        warn: called with a line on every file that cannot be read; its runs are not found.
    """

    def __init__(self, folder: Path | None = None, warn: Callable[[str], None] | None = None) -> None:
        """Read nothing yet."""
        self._folder = folder or source_folder("ours")
        self._warn = warn
        self._files: dict[str, BundleFile | None] = {}

    def find(self, spec: RunSpec) -> RunResult | None:
        """The run of exactly this spec, without minibatch losses and kernels; None where there is none."""
        problem = spec.problem.name
        try:
            if problem not in self._files:
                self._files[problem] = self._opened(problem)
            file = self._files[problem]
            return None if file is None else file.find(spec)
        except ResultsError as error:
            self._files[problem] = None
            if self._warn is not None:
                self._warn(str(error))
            return None

    def _opened(self, problem: str) -> "BundleFile | None":
        path = file_of(self._folder, problem)
        if not path.exists():
            return None
        # The library that reads it is loaded only where there is something to read.
        from regbench.store.bundle_file import BundleFile

        return BundleFile(path)
