"""The runs of figures: found in results trees, or trained into the first of them."""

from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

from regbench import benchmark
from regbench.errors import ResultsError
from regbench.figures.entries import is_foreign
from regbench.figures.plan import PaperFigure, Run
from regbench.records import MINIBATCH, Outcome, RunResult
from regbench.store.folder import Folder
from regbench.trees import frames


class FigureRuns:
    """Runs by their specs; each is read once.

    Args:
        trees: folders with results; runs are written into the first one, unless it holds some of others.
        data_dir: where the data files lie; None searches the usual places.
        warn: called with a line on every file that had to be skipped.
    """

    def __init__(
        self, trees: Sequence[Path], data_dir: Path | None = None, warn: Callable[[str], None] | None = None
    ) -> None:
        """Open the trees; no run is read yet."""
        self.trees = list(trees)
        self._folders = [Folder(tree, warn) for tree in trees]
        self._data_dir = data_dir
        self._known: dict[str, RunResult] = {}

    def find(self, run: Run) -> RunResult | None:
        """The run, if it is there whole and with all that is wanted."""
        if not run.is_settled:
            return None
        if not _suffices(self._known.get(run.digest), run):
            for folder in self._folders:
                result = folder.find(run.spec, minibatch=run.with_steps)
                if result is not None and _suffices(result, run):
                    self._known[run.digest] = result
                    break
            else:
                return None
        return self._known[run.digest]

    def runs(self, figure: PaperFigure) -> list[Run]:
        """The runs of a figure, each once, as far as what is there tells."""
        return list({run.digest: run for run in figure.runs(self.find)}.values())

    def train(self, runs: Sequence[Run], report: Callable[[RunResult], None] = lambda _: None) -> None:
        """Train runs, which are settled; `report` is called with each as soon as it is there.

        Raises:
            ResultsError: one crashed, or the tree for them holds results that regbench did not write.
            RegbenchError: the input is at fault.
        """
        tree = self._folders[0].path
        if tree.exists() and is_foreign(frames.load(tree).runs).any():
            raise ResultsError(
                f"{tree}: holds results of others, nothing is written there: name a tree of your own first"
            )

        def take(result: RunResult, was_found: bool) -> None:
            del was_found
            if result.outcome == Outcome.FAILED:
                spec = result.spec
                raise ResultsError(f"{spec.candidate} on {spec.problem.name}, seed {spec.seed}: {result.reason}")
            self._known[result.spec.digest()] = result
            report(result)

        for keep_kernels, with_steps in product((True, False), (True, False)):
            kind = (keep_kernels, with_steps)
            wanted = [run for run in runs if (run.keep_kernels, run.with_steps) == kind]
            if wanted:
                benchmark.run_all(
                    [run.spec for run in wanted],
                    origins=[run.origin for run in wanted],
                    results=tree,
                    data_dir=self._data_dir,
                    keep_kernels=keep_kernels,
                    minibatch=with_steps,
                    report=take,
                )


def _suffices(result: RunResult | None, run: Run) -> bool:
    if result is None or result.outcome == Outcome.TIMED_OUT:
        return False
    return (bool(result.kernels) or not run.keep_kernels) and (MINIBATCH in result.curves or not run.with_steps)
