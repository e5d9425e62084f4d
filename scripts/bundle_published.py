"""Compute the bundled figures of published results: `results/bundled/published`.

    python scripts/bundle_published.py DIR...

Each DIR is a results tree as its authors published it (results/bundled/README.md names them). Values are read from the
files, never from the names of folders; superseded runs are left out.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import regbench
from regbench.analysis import curves
from regbench.analysis.entries import reported, with_labels
from regbench.trees import bundled

ROOT = Path(__file__).resolve().parent.parent


def bundle(trees: Sequence[str], source: str) -> None:
    """Write the tables of a source from all runs of these trees."""
    results = regbench.load(*trees)
    runs = with_labels(results.runs.assign(source=source))
    shown = reported(runs)
    summaries = curves.summaries(results.curves(shown["run"].tolist()), shown)
    bundled.write(ROOT / "results" / "bundled" / source, runs, summaries)
    print(runs.groupby(["problem", "candidate", "protocol"]).size().to_string())
    print(f"{len(runs)} runs, {len(shown)} of them reported")


def main() -> None:
    """Bundle what is published."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trees", nargs="+", metavar="DIR")
    bundle(parser.parse_args().trees, "published")


if __name__ == "__main__":
    main()
