"""Commands of regbench in this process, in a working directory of their own, and a small search to work on."""

import contextlib
import io
import os
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from regbench.cli import main
from regbench.store.folder import Folder

SEARCH = "search digits_mlp sgd momentum --budget 3 --reruns 2 --epochs 2 --baselines none"
RUNS = 10
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
_FINISHES = "what runs is finished first"


@dataclass(frozen=True)
class Answer:
    """How a command ended, and what it said."""

    code: int | str
    output: str
    errors: str

    def fault(self, code: int) -> str:
        """What is wrong with it, "" for nothing: it must end with this code and, unless that is 0, one line on why."""
        lines = [line for line in self.errors.splitlines() if line.strip() and _FINISHES not in line]
        why = [line for line in lines if line.startswith(("regbench: error: ", "regbench: interrupted: "))]
        strange = [line for line in lines if not line.startswith("regbench: ")]
        if self.code != code or strange or len(why) != (code != 0):
            return f"exit code {self.code} for {code}, {len(why)} lines on why, said: {self.errors.strip()[-2000:]}"
        return ""


def answer(command: str, errors: io.StringIO | None = None) -> Answer:
    """Run a command, given without `regbench`, in this process; `errors` takes what it says, in place of a buffer."""
    errors = errors or io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()) as output, contextlib.redirect_stderr(errors):
        try:
            code: int | str = main(shlex.split(command))
        except BaseException as error:  # noqa: BLE001  what nobody expected is a finding
            code = repr(error)
    return Answer(code, output.getvalue(), errors.getvalue())


@contextmanager
def workbench() -> Iterator[Path]:
    """Work in an empty folder, with a cache of its own."""
    os.environ.update(ONE_THREAD)
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        os.environ["XDG_CACHE_HOME"] = str(Path(name, "cache"))
        folder = Path(name, "work").resolve()
        folder.mkdir()
        os.chdir(folder)
        try:
            yield folder
        finally:
            os.chdir(before)


def searched(results: str = "results") -> None:
    """Make the runs of the small search.

    Raises:
        SystemExit: the search failed.
    """
    found = answer(f"{SEARCH} --results {results}")
    if found.fault(0) or len(list(Path(results).rglob("*.json"))) != RUNS:
        raise SystemExit(f"The search itself failed: {found}")


def runs_in(tree: Path) -> dict[str, object]:
    """The curves of all runs in a tree, by digest.

    Raises:
        ValueError: a file cannot be read, or a run is there twice.
    """
    warnings: list[str] = []
    runs = list(Folder(tree, warnings.append).runs(minibatch=True))
    if warnings:
        raise ValueError(f"unreadable: {warnings}")
    curves = {run.spec.digest(): (run.outcome, run.curves, run.losses_without_penalty) for run in runs}
    if len(curves) < len(runs):
        raise ValueError(f"{len(runs) - len(curves)} runs are there twice")
    return curves


def files_below(folder: Path) -> dict[Path, bytes]:
    """What lies in a folder, or the file itself, but for the empty file of claims."""
    paths = [folder] if folder.is_file() else [path for path in folder.rglob("*") if path.is_file()]
    return {path: path.read_bytes() for path in paths if path.name != ".claims"}


def table(heading: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    """Print a table in Markdown."""
    print(f"| {' | '.join(heading)} |", f"|{'--|' * len(heading)}", sep="\n")
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |")
