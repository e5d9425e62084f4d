"""A results tree on disk: finds the run of a spec, writes runs whole or not at all, never overwrites or deletes one."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from regbench.errors import ResultsError, printable
from regbench.records import Outcome, RunResult, RunSpec
from regbench.store import deepobs, paths
from regbench.store.files import UnreadableFileError, read_bytes
from regbench.store.targets import make_folder, publish, sync_folder, write_temporary

RUN_SUFFIX = ".json"
FAILURE_SUFFIX = ".failed"  # readers of DeepOBS trees take only files with "json" in the name


class Folder:
    """A results tree: `<results>/<testproblem>/<candidate>/<setting>/random_seed__<seed>__<time>.json`.

    Several processes may use the same tree at the same time.

    Args:
        results_path: the folder; it need not exist yet.
        warn: called with every new line of `warnings`.

    Attributes:
        path: the folder.
        warnings: one line for each file or folder that was skipped, with the reason, and for what else was told.
    """

    def __init__(self, results_path: str | Path, warn: Callable[[str], None] | None = None) -> None:
        """Touch nothing yet."""
        self.path = Path(results_path)
        self.warnings: list[str] = []
        self._report_warning = warn

    def check_writable(self) -> None:
        """Make sure early that runs can be written, creating the folder where it is missing.

        Raises:
            ResultsError: the path is a file, cannot be created or is read-only.
        """
        try:
            make_folder(self.path)
            write_temporary(self.path, b"").unlink()
        except OSError as error:
            must = "the results folder must be a folder that can be created and written to"
            raise ResultsError(f"{self.path}: {must}. Received: {_came(error)}") from error

    def write(self, result: RunResult) -> Path:
        """Write a run under a name of its own; a run with outcome failed goes to `record_failure`.

        Returns:
            The path of the new file.

        Raises:
            ResultsError: the disk is full, or the permission is missing; nothing is left behind.
        """
        if result.outcome == Outcome.FAILED:
            return self.record_failure(result.spec, result.reason)
        return self._write(result.spec, RUN_SUFFIX, deepobs.write_json(result))

    def record_failure(self, spec: RunSpec, reason: str) -> Path:
        """Note that a run crashed, beside the runs of its setting; `find` does not see it. Errors as for `write`."""
        return self._write(spec, FAILURE_SUFFIX, deepobs.write_failure(spec, reason))

    def find(
        self,
        spec: RunSpec,
        *,
        minibatch: bool = False,
        accepts: Callable[[RunResult], bool] = lambda _: True,
    ) -> RunResult | None:
        """The newest run of exactly this spec, None where there is none; one that timed out only where no other is.

        Args:
            spec: the run that is looked for.
            minibatch: also read `minibatch_train_losses`, which is most of a file.
            accepts: says whether a run will do; others are passed by.
        """
        found = self._find(spec, minibatch, accepts)
        return None if found is None else found[1]

    def path_of(self, spec: RunSpec) -> Path | None:
        """The file of the run that `find` gives; where there is none, that of the last failure."""
        found = self._find(spec, False, lambda _: True)
        if found is not None:
            return found[0]
        return max(self.failures(spec), default=None)

    def failures(self, spec: RunSpec) -> list[Path]:
        """The notes on crashes of a run; the last one has the greatest name."""
        return list((self.path / paths.run_folder(spec)).glob(f"{paths.seed_prefix(spec.seed)}*{FAILURE_SUFFIX}"))

    def reason_of_failure(self, path: Path) -> str:
        """What a note on a crash says, in one line."""
        try:
            return printable(str(deepobs.load(read_bytes(path))["regbench"]["reason"]))
        except (UnreadableFileError, ResultsError, KeyError, TypeError):
            return "it crashed in another process"

    def _find(
        self, spec: RunSpec, minibatch: bool, accepts: Callable[[RunResult], bool]
    ) -> tuple[Path, RunResult] | None:
        folder = self.path / paths.run_folder(spec)
        prefix, digest = paths.seed_prefix(spec.seed), spec.digest()
        timed_out = None
        for path in reversed(self._entries(folder)):
            if not (path.name.startswith(prefix) and path.name.endswith(RUN_SUFFIX)):
                continue
            result = self._read(path, minibatch)
            if result is None or result.outcome == Outcome.FAILED:
                continue
            if result.spec.digest() != digest:
                self._skip(path, "it holds another run than its name and folder say")
            elif not accepts(result):
                continue
            elif result.outcome != Outcome.TIMED_OUT:
                return path, result
            else:
                timed_out = timed_out or (path, result)
        return timed_out

    def runs(self, *, minibatch: bool = False) -> Iterator[RunResult]:
        """All runs in the tree that regbench wrote, in the order of their paths; `minibatch` as for `find`."""
        folders = [self.path]
        for _level in ("testproblem", "candidate", "setting"):
            folders = [path for folder in folders for path in self._entries(folder)]
        for folder in folders:
            for path in self._entries(folder):
                result = self._read(path, minibatch) if path.name.endswith(RUN_SUFFIX) else None
                if result is not None:
                    yield result

    def _write(self, spec: RunSpec, suffix: str, data: bytes) -> Path:
        folder = self.path / paths.run_folder(spec)
        try:
            make_folder(folder)
            return _write_new(folder, spec.seed, suffix, data)
        except OSError as error:
            raise ResultsError(f"{folder}: the run cannot be written here: {_came(error)}") from error

    def _entries(self, folder: Path) -> list[Path]:
        try:
            return sorted(folder.iterdir())
        except OSError as error:
            is_stray_file = isinstance(error, NotADirectoryError) and folder != self.path
            if not (is_stray_file or isinstance(error, FileNotFoundError)):
                self._skip(folder, f"it cannot be listed: {_came(error)}")
            return []

    def _read(self, path: Path, minibatch: bool) -> RunResult | None:
        try:
            return deepobs.read(read_bytes(path), minibatch=minibatch)
        except UnreadableFileError as error:
            self._skip(path, f"it cannot be read: {error.detail}")
        except ResultsError as error:
            self._skip(path, str(error))
        return None

    def _skip(self, path: Path, reason: str) -> None:
        self.warn(f"{path}: skipped: {reason}")

    def warn(self, text: str) -> None:
        """Warn of something, once."""
        line = " ".join(text.split())
        if line not in self.warnings:
            self.warnings.append(line)
            if self._report_warning is not None:
                self._report_warning(line)


def _write_new(folder: Path, seed: int, suffix: str, data: bytes) -> Path:
    """Write a file under a name that no file has yet: the current second, or the next that is free."""
    temporary = write_temporary(folder, data)
    try:
        moment = datetime.now().astimezone()
        while True:
            path = folder / paths.run_name(seed, moment, suffix)
            try:
                publish(temporary, path)
            except FileExistsError:
                moment += timedelta(seconds=1)
            else:
                break
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(folder)
    return path


def _came(error: OSError) -> str:
    if isinstance(error, FileExistsError | NotADirectoryError):
        return f"a file ({error.filename})"
    return error.strerror or str(error)
