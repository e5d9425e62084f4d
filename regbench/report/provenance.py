"""The provenance of a report: its command line, the versions, and a digest of the runs."""

import hashlib
import platform
import shlex
import sys
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from regbench.trees.frames import VALUES

PACKAGES = ("regbench", "numpy", "pandas", "scipy", "matplotlib")
IDENTITY = [
    *["dialect", "problem", "optimizer", "candidate", "coupling", "setting", "protocol", "schedule", "epochs"],
    *["batch_size", "seed", "outcome", "superseded", *VALUES],
]
"""Columns of `frames.RUNS` that tell runs apart, wherever their files lie."""


def called() -> str:
    """The command line of this process, or that there was none of ours."""
    program = Path(sys.argv[0] if sys.argv else "")
    ours = program.name == "regbench" or program.parts[-2:] == ("regbench", "__main__.py")
    return shlex.join(["regbench", *sys.argv[1:]]) if ours else "called from Python"


def versions() -> dict[str, str]:
    """The versions of Python and of what computes and draws."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def digest(runs: pd.DataFrame) -> str:
    """A sha256 of the runs: equal for equal runs, in whatever order and wherever they lie."""
    columns = runs.reindex(columns=IDENTITY).itertuples(index=False, name=None)
    identities = sorted(repr(one) for one in columns)
    return hashlib.sha256("\n".join(identities).encode(errors="backslashreplace")).hexdigest()
