"""Results trees for other programs: Optuna's dashboard, TensorBoard, and whatever reads Parquet.

`export` is what the command of this name does. Trees are read by the rules of `store.frames`; trials, winners and
re-runs are those of `analysis.entries`, so that every program shows what `regbench compare` ranks.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from regbench.analysis.selection import select
from regbench.errors import DefinitionError, ResultsError
from regbench.exporting import studies
from regbench.exporting.failures import with_failures
from regbench.exporting.studies import StudySummary
from regbench.store import targets
from regbench.trees import frames
from regbench.trees.frames import Results

__all__ = ["Exported", "StudySummary", "export"]

_PACKAGES = {"tensorboard": "tensorboardX"}
"""What an option needs; the extra that brings it has the option's name."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        paths: the files and folders.
        runs: how many runs were chosen, superseded ones among them.
        studies: of the Optuna journal; none where none was asked for.
        no_trials: how many of the runs are no trials in it, by the reason.
    """

    paths: list[Path]
    runs: int
    studies: list[StudySummary]
    no_trials: dict[str, int]


def export(
    tree: str | Path,
    *,
    optuna: str | Path | None = None,
    tensorboard: str | Path | None = None,
    parquet: str | Path | None = None,
    problems: Sequence[str] = (),
    candidates: Sequence[str] = (),
    warn: Callable[[str], None] | None = None,
) -> Exported:
    """Write the runs of a results tree for other programs; nothing that exists is overwritten.

    Args:
        tree: a results tree of any dialect, at whatever level.
        optuna: a new journal file for Optuna and optuna-dashboard, with a study for each entry; see `studies`.
        tensorboard: a new folder for TensorBoard, in it a folder for each run; needs tensorboardX.
        parquet: a new file for the runs; one beside it that ends in `.curves.parquet` gets the curves.
        problems: names; all unless given.
        candidates: names or labels; all unless given.
        warn: called with a line on everything that has to be skipped.

    Raises:
        DefinitionError: nothing is to be written, or a package is missing.
        UnknownNameError: a problem or candidate is not in the tree.
        ResultsError: the tree cannot be read or has no runs; what is to be written cannot be, exists or lies in the
            tree.
    """
    wanted = {"optuna": optuna, "tensorboard": tensorboard, "parquet": parquet}
    paths = {name: Path(path) for name, path in wanted.items() if path is not None}
    if not paths:
        raise DefinitionError("Nothing would be written: --optuna, --tensorboard or --parquet must be given.")
    _check_packages(paths)
    if "parquet" in paths:
        paths["curves"] = targets.beside(paths["parquet"], ".curves.parquet")
    warn = warn or (lambda _: None)
    results = _read(tree, problems, candidates, warn)
    files = [path for name, path in paths.items() if name != "tensorboard"]
    targets.check(files, [paths["tensorboard"]] if "tensorboard" in paths else [], tree)
    measured = replace(results, runs=results.runs[results.runs["run"] >= 0].drop(columns="label"))
    exported = Exported(list(paths.values()), len(measured.runs), [], {})
    if "optuna" in paths:
        with targets.new_files(paths["optuna"]) as (file,):
            summaries, no_trials = studies.write(results, file, warn)
        exported = replace(exported, studies=summaries, no_trials=no_trials)
    if "tensorboard" in paths:
        from regbench.exporting import events

        with targets.new_folder(paths["tensorboard"]) as folder:
            events.write(measured, folder)
    if "parquet" in paths:
        from regbench.exporting import columns

        with targets.new_files(paths["parquet"], paths["curves"]) as (runs, curves):
            columns.write(measured, runs, curves)
    return exported


def _check_packages(options: Iterable[str]) -> None:
    for option in options:
        package = _PACKAGES.get(option)
        if package is not None and find_spec(package) is None:
            raise DefinitionError(
                f"--{option} needs the package {package}, which is not installed: pip install 'regbench[{option}]'"
            )


def _read(tree: str | Path, problems: Sequence[str], candidates: Sequence[str], warn: Callable[[str], None]) -> Results:
    """The chosen runs, with `label`, crashed ones among them."""
    found = with_failures(frames.load(tree), tree, warn)
    if found.runs.empty:
        raise ResultsError(f"{tree}: there are no runs to export")
    return replace(found, runs=select(found.runs, problems, candidates))
