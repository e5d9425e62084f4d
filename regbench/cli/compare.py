"""The command `compare`: results trees and baselines, ranked, and what the data support."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from regbench import catalog
from regbench.cli import options, progress, terminal, values
from regbench.cli.codes import DONE
from regbench.errors import UnknownNameError

if TYPE_CHECKING:
    from regbench.comparison import Comparison

GROUPINGS = ("coupling",)
SHOWN = ("table", "claims")
SHOWN_CLAIMS = 10


@click.command()
@options.problems
@options.several_results(" of any dialect; repeatable, or A,B.  [default: results, if there are any]")
@options.baselines
@options.only_candidates
@click.option(
    "--metric", metavar="accuracy|loss|...", help="Test metric to compare.  [default: what decides on the problem]"
)
@click.option(
    "--mode", default="final", show_default=True, metavar="final|best|most|test|train", help="How winners are chosen."
)
@click.option("--budget", metavar="NAME|N", help="Only searches with so many trials.  [default: all]")
@click.option(
    "--question",
    default="budget",
    show_default=True,
    metavar="budget|settings",
    help="What claims are about: candidates tuned anew with this budget, or the settings that were found.",
)
@click.option("--against", default="best", metavar="LABEL", help="Compare with this entry, named beforehand.")
@click.option(
    "--together",
    multiple=True,
    callback=values.names,
    metavar="PROTOCOL,...",
    help="Rank these together, without claims.",
)
@click.option(
    "--show", default="table", show_default=True, metavar="table|claims", help="The entries, or each pair of them."
)
@click.option("--by", metavar="coupling", help="A table for each decay coupling of a problem.")
@click.option("--plots", metavar="DIR", help="Write all figures there, as PNG, SVG and PDF.")
@click.option("--report", callback=values.page, metavar="FILE", help="Write everything as one HTML page.")
@click.option("--figures", default="figures", show_default=True, metavar="DIR", help="Linked from the page, if there.")
@options.formats("table", "json", "csv", "markdown", "latex")
def compare(
    problems: Sequence[str],
    results: Sequence[str],
    budget: str | None,
    by: str | None,
    plots: str | None,
    report: str | None,
    figures: str,
    form: str,
    show: str,
    **others: Any,
) -> int:
    """Compare candidates on problems: rank, intervals, fairness, and what can be claimed.

    Reads results trees of every DeepOBS dialect and sets them beside baselines. Candidates are ranked by what they are
    worth when they are tuned anew with the budget, on the test split.
    """
    if by is not None and by not in GROUPINGS:
        raise UnknownNameError("grouping", by, GROUPINGS)
    if show not in SHOWN:
        raise UnknownNameError("part to show", show, SHOWN)
    if show == "claims" and form in ("markdown", "latex"):
        raise UnknownNameError("format of claims", form, ("table", "json", "csv"))
    from regbench.comparison import compare as compare_results

    trials = None if budget is None else catalog.budget_trials(budget)
    with progress.Waiting("comparing"):
        comparison = compare_results(problems, results=values.trees_of(results), budget=trials, **others)
        _compute(comparison)
    if plots is not None:
        with progress.Waiting("drawing"):
            _write_plots(comparison, Path(plots))
    if report is not None:
        from regbench.report import write

        with progress.Waiting("writing the report"):
            write(comparison, Path(report), figures=figures)
    if show == "claims":
        _show_claims(comparison, form)
    else:
        _show(comparison, form, by)
    return DONE


def _compute(comparison: "Comparison") -> None:
    """What the output needs, while the terminal shows that something is going on."""
    _ = comparison.table, comparison.claims, comparison.best


def _write_plots(comparison: "Comparison", folder: Path) -> None:
    from regbench.comparison.figures import draw
    from regbench.plots.style import save_all

    for name, figure in draw(comparison):
        for path in save_all(figure, folder, name):
            terminal.message(f"written: {path}")


def _show(comparison: "Comparison", form: str, by: str | None) -> None:
    from regbench.comparison import tables

    table = comparison.table
    for warning in comparison.warnings:
        terminal.message(f"warning: {warning}")
    if form == "table":
        _show_tables(comparison, by)
        return
    if by is not None:
        table = table.sort_values(["problem", by], kind="stable")
    as_text = {
        "json": tables.to_json,
        "csv": tables.to_csv,
        "markdown": tables.to_markdown,
        "latex": tables.to_latex,
    }
    terminal.show_text(as_text[form](table).rstrip("\n"))


def _show_claims(comparison: "Comparison", form: str) -> None:
    """Each pair: as data, or as sentences."""
    from regbench.analysis.sentences import OVERSTATED
    from regbench.comparison import tables

    pairs = comparison.claims if comparison.against != "best" else comparison.claims_of("all")
    if form == "table":
        overstated = [OVERSTATED] if pairs["claimed"].any() else []
        for line in (*comparison.best_sentences, *pairs["sentence"], *overstated):
            terminal.show_text(line)
        return
    terminal.show_text((tables.claims_json if form == "json" else tables.claims_csv)(pairs).rstrip("\n"))


def _show_tables(comparison: "Comparison", by: str | None) -> None:
    from regbench.analysis.sentences import OVERSTATED
    from regbench.comparison import tables

    for line in comparison.best_sentences:
        terminal.show_text(line)
    terminal.show_text("")
    keys = ["problem"] if by is None else ["problem", by]
    for key, entries in comparison.table.groupby(keys, sort=True):
        heading = tables.title(entries) + ("" if by is None else f", {by} {key[1]}".replace("_", " "))
        terminal.show_text(heading)
        right = [name for name in tables.COLUMNS if name not in ("candidate", "coupling")]
        terminal.show_table(tables.COLUMNS, tables.cells(entries), right=right)
        terminal.show_text("")
    terminal.show_text(tables.LEGEND)
    claims = comparison.claims.sort_values("claimed", ascending=False, kind="stable")
    sentences = claims["sentence"]
    for sentence in sentences[:SHOWN_CLAIMS]:
        terminal.show_text(f"* {sentence}")
    if len(sentences) > SHOWN_CLAIMS:
        terminal.show_text(f"... {len(sentences) - SHOWN_CLAIMS} more comparisons: --show claims has them")
    if claims["claimed"].any():
        terminal.show_text(OVERSTATED)
