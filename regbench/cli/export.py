"""The command `export`: results trees for Optuna's dashboard, TensorBoard and Parquet."""

from collections.abc import Sequence

import click

from regbench.cli import options, progress, terminal
from regbench.cli.codes import DONE


@click.command()
@click.argument("tree", metavar="DIR")
@options.only_problems
@options.only_candidates
@click.option("--optuna", metavar="FILE", help="Write the searches as an Optuna journal, for optuna-dashboard.")
@click.option("--tensorboard", metavar="DIR", help="Write a folder for TensorBoard.  [needs regbench[tensorboard]]")
@click.option("--parquet", metavar="FILE", help="Write the runs, and beside them their curves, as Parquet.")
def export(
    tree: str,
    problems: Sequence[str],
    candidates: Sequence[str],
    optuna: str | None,
    tensorboard: str | None,
    parquet: str | None,
) -> int:
    """Write the runs of a results tree for other programs.

    DIR may be of any dialect, at any level; it is not touched, and nothing that exists is overwritten.
    """
    from regbench.exporting import export as write

    with progress.Waiting("exporting") as bar:
        exported = write(
            tree,
            problems=problems,
            candidates=candidates,
            optuna=optuna,
            tensorboard=tensorboard,
            parquet=parquet,
            warn=bar.warn,
        )
    if exported.studies:
        columns = ["study", "trials", "diverged", "unfinished", "seeds of the winner"]
        terminal.show_table(columns, exported.studies, right=columns[1:])
    for reason, count in exported.no_trials.items():
        terminal.show_text(f"{count} {'run is' if count == 1 else 'runs are'} no trial: {reason}.")
    for path in exported.paths:
        terminal.show_text(f"written: {path}")
    return DONE
