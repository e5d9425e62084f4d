"""The irregularities of a results tree, file by file and counted."""

import os
from collections import Counter
from typing import NamedTuple

from regbench.trees.irregularities import KINDS, Irregularity
from regbench.trees.tree import read_tree


class Findings(NamedTuple):
    """The irregularities of a tree, and how many files and runs it has.

    Args:
        files: how many there are.
        runs: how many of them hold a run.
        superseded: how many of these do not count.
        counts: files by kind of irregularity, in the order of `irregularities.KINDS`.
        found: file and irregularity, sorted.
    """

    files: int
    runs: int
    superseded: int
    counts: dict[str, int]
    found: list[tuple[str, Irregularity]]


def lint(path: str | os.PathLike[str], *, cache: bool = True) -> Findings:
    """Look for what is irregular in a tree; arguments and errors as for `frames.load`."""
    tree = read_tree(path, cache=cache)
    irregularities = [
        *tree.others,
        *((one.file, irregularity) for one in tree.runs for irregularity in one.run.irregular),
    ]
    counted = Counter(irregularity.kind for _, irregularity in irregularities)
    return Findings(
        files=tree.files,
        runs=len(tree.runs),
        superseded=sum(one.superseded for one in tree.runs),
        counts={kind: counted[kind] for kind in KINDS if kind in counted},
        found=sorted(irregularities),
    )
