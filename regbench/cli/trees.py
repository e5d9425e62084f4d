"""The commands `lint` and `convert`: results trees of any dialect, looked through and cleaned."""

import click

from regbench.cli import options, progress, terminal
from regbench.cli.codes import DONE


@click.command()
@click.argument("folder", metavar="DIR")
@options.formats("table", "json", "csv")
def lint(folder: str, form: str) -> int:
    """List what is irregular in a results tree, file by file.

    DIR may be a tree of any dialect at any level, or a single file; it is not touched. The exit code is 0 whatever is
    found: what is irregular is treated by a rule, and the numbers at the end name it.
    """
    from regbench.trees.irregularities import KINDS
    from regbench.trees.lint import lint as look_through

    with progress.Waiting("reading"):
        findings = look_through(folder)
    found = [{"file": file, "kind": one.kind, "detail": one.detail} for file, one in findings.found]
    if form == "csv":
        terminal.show_csv(["file", "kind", "detail"], found)
        return DONE
    if form == "json":
        terminal.show_json(
            {
                "files": findings.files,
                "runs": findings.runs,
                "superseded": findings.superseded,
                "counts": findings.counts,
                "irregularities": found,
            }
        )
        return DONE
    for file, one in findings.found:
        terminal.show_text(f"{file}: {one.kind}{f': {one.detail}' if one.detail else ''}")
    if findings.counts:
        rows = [(count, kind, KINDS[kind]) for kind, count in findings.counts.items()]
        terminal.show_text("")
        terminal.show_table(["files", "kind", "what it means"], rows, right=["files"])
        terminal.show_text("")
    numbers = f"files: {findings.files}; runs: {findings.runs}, of which {findings.superseded} are superseded"
    terminal.show_text(numbers)
    return DONE


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
def convert(source: str, target: str) -> int:
    """Write a clean DeepOBS 1.2 tree DST of the runs in SRC.

    Superseded runs, runs that were cut short and files without a run are left out; each setting gets one folder. Curves
    stay as they are. DST must not exist yet or be empty, and must not lie in SRC, which is not touched.
    """
    from regbench.trees.convert import convert as write_clean

    with progress.Waiting("converting"):
        conversion = write_clean(source, target)
    terminal.show_text(f"{conversion.written} runs written to {target}.")
    if conversion.left_out:
        terminal.show_table(
            ["left out", "because"], [(n, kind) for kind, n in conversion.left_out.items()], ["left out"]
        )
    return DONE
