"""Progress on stderr: bars where it is a terminal, else a line now and then."""

import time
from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, DownloadColumn, Progress, ProgressColumn, TaskID, TextColumn, TimeElapsedColumn

from regbench.cli import terminal
from regbench.records import Outcome

if TYPE_CHECKING:
    from regbench.benchmark.events import Event


class Bars:
    """Bars that are gone when the work is done.

    Args:
        columns: to the right of the description.
    """

    def __init__(self, *columns: ProgressColumn) -> None:
        """Show nothing yet."""
        console = terminal.console(stderr=True)
        self._are_shown = console.is_terminal and not console.is_dumb_terminal
        description = TextColumn("{task.description}", markup=False)
        self._bars = Progress(description, *columns, console=console, transient=True, disable=not self._are_shown)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def print_line(self, text: str) -> None:
        """Print a line above the bars."""
        self._bars.console.print(f"regbench: {' '.join(text.split())}", soft_wrap=True)

    def warn(self, text: str) -> None:
        """Print a line on something that does not stop the work."""
        self.print_line(f"warning: {text}")


class Waiting(Bars):
    """The seconds that something takes whose end is not known."""

    def __init__(self, description: str) -> None:
        """Show nothing yet."""
        super().__init__(TimeElapsedColumn())
        self._bars.add_task(description, total=None)


class Downloads(Bars):
    """How downloads go: called with a file's name, the bytes that are there and the bytes that it has."""

    def __init__(self) -> None:
        """Begin with no file."""
        super().__init__(BarColumn(), DownloadColumn())
        self._files: dict[str, tuple[TaskID, int]] = {}

    def __call__(self, name: str, present: int, total: int) -> None:
        """Show how much of a file is there."""
        tenths = present * 10 // total
        bar, tenths_said = self._files.get(name) or (self._bars.add_task(name, total=total), 0)
        self._bars.update(bar, completed=present)
        if not self._are_shown and tenths > tenths_said:
            self.print_line(f"{name}: {tenths}0 % of {total / 1e6:.1f} MB")
        self._files[name] = bar, tenths


class SearchBars(Bars):
    """How a search goes: called with every run that is there.

    Args:
        candidates: in the order of the search.
        trials: the budget of each; some may need less.
        reruns: how often each winner is run again.
    """

    def __init__(self, candidates: Sequence[str], trials: int, reruns: int) -> None:
        """Begin with no run."""
        super().__init__(BarColumn(bar_width=20), TextColumn("{task.percentage:.0f} %"), TimeElapsedColumn())
        self._candidates, self._trials, self._reruns = list(candidates), trials, reruns
        self._total = len(self._candidates) * (trials + reruns)
        self._bar = self._bars.add_task("loading", total=self._total)
        self._best: dict[str, float] = {}
        self._found: dict[tuple[str, str], int] = {}
        self._bundled: set[str] = set()
        self._done = 0
        self._computed = 0
        self._clock_started = 0.0
        self._failures: set[tuple[str, str]] = set()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if isinstance(error, KeyboardInterrupt):
            error.add_note(f"{self._done} of at most {self._total} runs are there")

    def __call__(self, event: "Event") -> None:
        """Show how far the search is."""
        self._done += 1
        self._count(event)
        self._note_best(event)
        self._note_failure(event)
        left = self._runs_left(event)
        line = self._line(event, left)
        self._bars.update(self._bar, description=line, completed=self._total - left)
        if not self._are_shown and event.done * 10 // event.total > (event.done - 1) * 10 // event.total:
            self.print_line(line)

    def tell_bundled(self) -> None:
        """Say how many of the runs were not made for the results tree."""
        if count := len(self._bundled):
            runs = "run" if count == 1 else "runs"
            self.print_line(f"{count} {runs} came with regbench (--baselines none trains them here)")

    def _count(self, event: "Event") -> None:
        if event.result.is_bundled:
            self._bundled.add(event.result.spec.digest())
            return
        if event.was_found:
            phase = event.candidate, event.phase
            self._found[phase] = self._found.get(phase, 0) + 1
            return
        self._computed += 1
        if self._computed == 1:  # it also loaded and compiled: its seconds say nothing about the others
            self._clock_started = time.monotonic()

    def _note_best(self, event: "Event") -> None:
        if event.phase == "trials" and event.result.outcome == Outcome.COMPLETED:
            score = event.result.score()
            choose = max if event.result.spec.problem.goal == "maximize" else min
            self._best[event.candidate] = choose(score, self._best.get(event.candidate, score))

    def _note_failure(self, event: "Event") -> None:
        result, failure = event.result, (event.candidate, event.result.reason)
        if result.outcome in (Outcome.FAILED, Outcome.TIMED_OUT) and failure not in self._failures:
            self._failures.add(failure)
            self.warn(f"{event.candidate}: a run {_SAID[result.outcome]}: {result.reason}")

    def _line(self, event: "Event", left: int) -> str:
        line = f"{event.candidate}: {event.phase} {event.done}/{event.total}"
        taken = self._found.get((event.candidate, event.phase))
        line += f" ({taken} in the results already)" if taken else ""
        if event.candidate in self._best:
            line += f", best {event.result.spec.problem.metric} {terminal.number(self._best[event.candidate])}"
        return line + self._time_left(left)

    def _runs_left(self, event: "Event") -> int:
        """How many are still to come, at most."""
        here = event.total - event.done + (self._reruns if event.phase == "trials" else 0)
        later = len(self._candidates) - self._candidates.index(event.candidate) - 1
        return here + later * (self._trials + self._reruns)

    def _time_left(self, runs: int) -> str:
        if self._computed < 2:
            return ""
        seconds = (time.monotonic() - self._clock_started) / (self._computed - 1)
        return f", {timedelta(seconds=round(runs * seconds))} left"


_SAID = {Outcome.FAILED: "failed", Outcome.TIMED_OUT: "timed out"}
