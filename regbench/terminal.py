"""What the commands show: results go to stdout; messages, warnings and progress to stderr."""

import json
import time
from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from regbench.benchmark import Event

_UNLIMITED_WIDTH = 10_000  # a file or another program wants whole lines


def console(stderr: bool = False) -> Console:
    """Stdout or stderr, as wide as the terminal; text is shown as it is, whatever brackets are in it."""
    found = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not found.is_terminal:
        found.width = _UNLIMITED_WIDTH
    return found


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[str] = ()) -> None:
    """Print a table; where the terminal is narrow, cells go on in the next line.

    Args:
        columns: their headings.
        rows: one cell a column; None is an empty cell.
        right: the columns that are aligned to the right.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    console().print(table)


def show_text(text: str) -> None:
    """Print text as it is; long lines are left to the terminal."""
    console().print(text, soft_wrap=True)


def show_json(data: object) -> None:
    """Print plain data as JSON.

    Raises:
        ValueError: a number is not finite, which JSON cannot say.
    """
    show_text(json.dumps(data, indent=2, allow_nan=False))


def message(text: str) -> None:
    """Print one line on stderr, named after the program."""
    console(stderr=True).print(f"regbench: {' '.join(text.split())}", soft_wrap=True)


def warn(text: str) -> None:
    """Print one line on something that does not stop the work."""
    message(f"warning: {text}")


def number(value: float | None, digits: int = 4) -> str:
    """A number for people."""
    return "" if value is None else f"{value:.{digits}g}"


class _Bars:
    """Bars on stderr where that is a terminal, else now and then a line."""

    def __init__(self, *columns: ProgressColumn) -> None:
        stderr = console(stderr=True)
        self._is_live = stderr.is_terminal and not stderr.is_dumb_terminal
        description = TextColumn("{task.description}", markup=False)
        self._bars = Progress(description, *columns, console=stderr, transient=True, disable=not self._is_live)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bars.stop()

    def warn(self, text: str) -> None:
        """Print a warning above the bars."""
        self._bars.console.print(f"regbench: warning: {' '.join(text.split())}", soft_wrap=True)


class Downloads(_Bars):
    """Progress of downloads: called with a file's name, the bytes that are there and the bytes that it has."""

    def __init__(self) -> None:
        """Begin with no file."""
        super().__init__(BarColumn(), DownloadColumn())
        self._files: dict[str, Any] = {}
        self._tenths: dict[str, int] = {}

    def __call__(self, name: str, present: int, total: int) -> None:
        """Show how far a file is."""
        if name not in self._files:
            self._files[name] = self._bars.add_task(name, total=total)
        self._bars.update(self._files[name], completed=present)
        tenths = present * 10 // total
        if not self._is_live and tenths > self._tenths.get(name, 0):
            self._tenths[name] = tenths
            message(f"{name}: {tenths * 10} % of {total / 1e6:.1f} MB")


class SearchProgress(_Bars):
    """Progress of a search: called with every run that is there.

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
        self._computed, self._first_computed_at = 0, 0.0
        self._warned: set[tuple[str, str]] = set()

    def __call__(self, event: "Event") -> None:
        """Show how far the search is."""
        self._note(event)
        left = self._left(event)
        line = f"{event.candidate}: {event.phase} {event.done}/{event.total}"
        found = self._found.get((event.candidate, event.phase))
        line += f" ({found} in the results already)" if found else ""
        metric = event.result.spec.problem.metric
        line += f", best {metric} {number(self._best[event.candidate])}" if event.candidate in self._best else ""
        line += f", {self._time_left(left)} left"
        self._bars.update(self._bar, description=line, completed=self._total - left)
        if not self._is_live and event.done * 10 // event.total > (event.done - 1) * 10 // event.total:
            message(line)

    def _note(self, event: "Event") -> None:
        result, phase = event.result, (event.candidate, event.phase)
        if event.was_found:
            self._found[phase] = self._found.get(phase, 0) + 1
        else:
            self._computed += 1
            # The first run also loads and compiles: it says nothing about the others.
            self._first_computed_at = self._first_computed_at or time.monotonic()
        if event.phase == "trials" and result.outcome == "completed":
            choose = max if result.spec.problem.goal == "maximize" else min
            self._best[event.candidate] = choose(result.score(), self._best.get(event.candidate, result.score()))
        if result.outcome in ("failed", "timed_out") and (event.candidate, result.reason) not in self._warned:
            self._warned.add((event.candidate, result.reason))
            self.warn(f"{event.candidate}: a run {result.outcome.replace('_', ' ')}: {result.reason}")

    def _left(self, event: "Event") -> int:
        """How many runs are still to come, at most."""
        here = event.total - event.done + (self._reruns if event.phase == "trials" else 0)
        later = len(self._candidates) - self._candidates.index(event.candidate) - 1
        return here + later * (self._trials + self._reruns)

    def _time_left(self, runs: int) -> str:
        if runs and self._computed < 2:
            return "?"
        seconds = (time.monotonic() - self._first_computed_at) / max(1, self._computed - 1)
        return str(timedelta(seconds=round(runs * seconds)))
