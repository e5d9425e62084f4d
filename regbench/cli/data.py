"""`regbench data`: the data sets, and data of the user's own."""

import contextlib
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import click

from regbench import catalog, datasets
from regbench.catalog import own_code
from regbench.cli import options, progress, summaries
from regbench.cli.codes import DONE, SOME_FAILED
from regbench.datasets import Finding, State, own_findings
from regbench.records import OwnData, Part


@click.group(cls=options.Commands, no_args_is_help=False)
def data() -> None:
    """Look after the data sets: all of them, or those that are named; data of your own are named like their problem."""


def _on_data_sets(command: Callable[..., int]) -> click.Command:
    names = options.names("names", "[DATASET...]")
    formats = options.formats("table", "json", "csv")
    return data.command(command.__name__)(names(options.data_dir(formats(command))))


@_on_data_sets
def status(names: Sequence[str], data_dir: str | None, form: str) -> int:
    """Look which files are there, without reading them."""
    summaries.show_findings(_check(names, _path(data_dir), whole=False), form)
    return DONE


@_on_data_sets
def verify(names: Sequence[str], data_dir: str | None, form: str) -> int:
    """Read the files and compare them with what was published.

    The exit code is 1 where files are damaged or incomplete, or a data set that was named is missing. Well-formed files
    that differ from the published ones can be used, and are only noted.
    """
    with progress.Waiting("reading"), contextlib.redirect_stdout(sys.stderr):
        found = _check(names, _path(data_dir), whole=True)
    summaries.show_findings(found, form)
    return _code(found, {State.DAMAGED, State.INCOMPLETE} | ({State.MISSING} if names else set()))


@_on_data_sets
def fetch(names: Sequence[str], data_dir: str | None, form: str) -> int:
    """Download the files that are not there yet, and verify all.

    A download that was cut off goes on where it ended. Files that exist are never changed. The exit code is 2 where a
    file cannot be downloaded, 1 where files that existed are damaged.
    """
    with progress.Downloads() as downloads:
        findings = datasets.fetch(names or datasets.published(), _path(data_dir), downloads)
    summaries.show_findings(findings, form)
    return _code(findings, {State.DAMAGED, State.INCOMPLETE, State.MISSING})


def _check(names: Sequence[str], data_dir: Path | None, *, whole: bool) -> list[Finding]:
    """Look after data sets, and the user's own data, which are called like their problem.

    Args:
        names: of data sets, and of problems whose data are the user's own; all unless given.
        data_dir: data folder; None searches the usual ones.
        whole: read everything, instead of looking which files are there.

    Raises:
        UnknownNameError: there is no data set of such a name.
        DefinitionError: the file of a problem does not hold together.
    """
    known = datasets.names()
    others = [name for name in catalog.problem_names() if name not in known]
    asked = list(names) or [*known, *others]
    problems = [name for name in asked if name in others]
    own = {name: mine for name in problems if isinstance(mine := catalog.problem(name).dataset, OwnData)}
    found: list[Finding] = []
    for name in asked:
        if name in own:
            if whole:
                own_code.load(own_code.names_in(Part(name=own[name].name)))
            found.append((own_findings.verify if whole else own_findings.status)(name, own[name]))
        elif names or name in known:
            found += (datasets.verify if whole else datasets.status)([name], data_dir)
    return found


def _code(findings: Iterable[Finding], bad: set[State]) -> int:
    return SOME_FAILED if any(finding.state in bad for finding in findings) else DONE


def _path(folder: str | None) -> Path | None:
    return None if folder is None else Path(folder)
