"""What `lint` finds, and in what order it says it."""

from collections.abc import Callable
from pathlib import Path

from regbench.errors import printable
from regbench.trees.irregularities import KINDS, MARKED, NO_RUN
from regbench.trees.lint import lint

Write = Callable[..., Path]


def test_a_clean_tree_has_no_findings(write_foreign: Write, tree: Path) -> None:
    write_foreign()
    assert lint(tree) == (1, 1, 0, {}, [])


def test_every_file_is_named_and_every_kind_counted(write_foreign: Write, tree: Path) -> None:
    write_foreign(folder="a", valid_losses=..., valid_accuracies=...)
    write_foreign(folder="b", valid_losses=..., valid_accuracies=..., moment="2021-01-01-00-00-00")
    (tree / "notes.txt").touch()
    (tree / "convergence.json").write_text("{}")
    findings = lint(tree)
    assert (findings.files, findings.runs, findings.superseded) == (4, 2, 1)
    assert list(findings.counts.items()) == [
        ("stray_file", 1),
        ("not_a_result", 1),
        ("repeated_seed", 1),
        ("split_setting", 2),
        ("no_validation", 2),
    ]
    assert [(file.split("/")[0], one.kind) for file, one in findings.found] == [
        ("a", "no_validation"),
        ("a", "repeated_seed"),
        ("a", "split_setting"),
        ("b", "no_validation"),
        ("b", "split_setting"),
        ("convergence.json", "not_a_result"),
        ("notes.txt", "stray_file"),
    ]


def test_a_kind_is_either_of_files_or_of_runs() -> None:
    assert not NO_RUN.keys() & MARKED.keys()
    assert KINDS.keys() == NO_RUN.keys() | MARKED.keys()


def test_what_cannot_be_printed_is_escaped() -> None:
    assert printable("a b é \N{GREEK SMALL LETTER ALPHA}") == "a b é \N{GREEK SMALL LETTER ALPHA}"
    assert printable("\x1b[0m\n\u202e\udcff\0") == r"\x1b[0m\n\u202e\udcff\x00"
