"""The files of a figure: picture, numbers, caption."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from regbench import __version__, catalog
from regbench.errors import ResultsError
from regbench.figures.plan import Drawing, PaperFigure, Size
from regbench.plots.stamp import stamp
from regbench.plots.style import save_all
from regbench.records import RunResult
from regbench.store import targets

QUICK = "quick: small data, few epochs, few seeds"


def write(
    figure: PaperFigure, drawing: Drawing, results: Sequence[RunResult], size: Size, command: str, folder: Path
) -> list[Path]:
    """Write a figure as PNG, SVG and PDF, its numbers as CSV and its caption as text; returns where.

    The same results give the same SVG, CSV and caption, byte for byte.

    Raises:
        ResultsError: a file cannot be written.
    """
    if size == Size.QUICK:
        stamp(drawing.figure, QUICK)
    paths = save_all(drawing.figure, folder, figure.name)
    numbers, caption = folder / f"{figure.name}.csv", folder / f"{figure.name}.txt"
    try:
        targets.replace(numbers, drawing.numbers.to_csv(index=False, float_format="%.8g").encode())
        targets.replace(caption, caption_of(figure, drawing, results, size, command).encode())
    except OSError as error:
        raise ResultsError(f"{folder}: the figure cannot be written here: {error.strerror or error}") from error
    return [*paths, numbers, caption]


def caption_of(figure: PaperFigure, drawing: Drawing, results: Sequence[RunResult], size: Size, command: str) -> str:
    """The caption of a figure as text."""
    shown = _of_results(results) if drawing.runs is None else _of_frame(drawing.runs)
    lines = [
        f"{figure.title}" + (f" [{QUICK}]" if size == Size.QUICK else ""),
        "",
        f"Shown: {figure.shows}",
        *_listed("Found:", drawing.findings),
        f"Source: {figure.source}",
        *_listed("Departures from the source:", figure.departures),
        *_about(shown),
        f"Made with regbench {__version__}: {command}",
    ]
    return "\n".join(lines) + "\n"


class _Shown(NamedTuple):
    """The facts of one run that a caption counts."""

    seed: int
    outcome: str
    problem: str
    protocol: str
    source: str


def _of_results(results: Sequence[RunResult]) -> list[_Shown]:
    return [
        _Shown(
            result.spec.seed,
            str(result.outcome),
            _problem(result.spec.problem.name, result.spec.epochs, result.spec.batch_size),
            f"{result.spec.protocol.name} ({result.spec.protocol.summary})",
            "",
        )
        for result in results
    ]


def _of_frame(runs: pd.DataFrame) -> list[_Shown]:
    return [
        _Shown(
            row["seed"],
            row["outcome"],
            _problem(row["problem"], row["epochs"], row["batch_size"]),
            f"{row['protocol']} ({catalog.protocol(row['protocol']).summary})"
            if row["protocol"] in catalog.PROTOCOLS
            else row["protocol"],
            row["source"],
        )
        for row in runs[~runs["superseded"].astype(bool)].to_dict("records")
    ]


def _about(shown: Sequence[_Shown]) -> list[str]:
    outcomes = Counter(run.outcome for run in shown)
    sources = Counter(run.source for run in shown if run.source)
    return [
        f"Runs: {len(shown)} ({', '.join(f'{count} {outcome}' for outcome, count in sorted(outcomes.items()))})",
        *_listed("Read from:", [f"{source}: {count} runs" for source, count in sorted(sources.items())]),
        f"Seeds: {_numbers(sorted({run.seed for run in shown}))}",
        *_listed("Problems:", sorted({run.problem for run in shown})),
        f"Protocol: {'; '.join(sorted({run.protocol for run in shown}))}",
    ]


def _problem(name: str, epochs: int, batch_size: int) -> str:
    return f"{name}, {epochs} {'epoch' if epochs == 1 else 'epochs'}, batch size {batch_size}"


def _listed(heading: str, sentences: Sequence[str]) -> list[str]:
    return [heading, *(f"- {sentence}" for sentence in sentences)] if sentences else []


def _numbers(numbers: Sequence[int]) -> str:
    """Whole numbers, runs of them as `first to last`."""
    groups: list[list[int]] = []
    for number in numbers:
        if groups and number == groups[-1][-1] + 1:
            groups[-1].append(number)
        else:
            groups.append([number])
    return ", ".join(f"{group[0]} to {group[-1]}" if len(group) > 2 else ", ".join(map(str, group)) for group in groups)
