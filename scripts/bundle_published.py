"""Compute the bundled figures of published results: `results/bundled/published`.

    python scripts/bundle_published.py DIR...

Each DIR is a results tree as its authors published it (results/bundled/README.md names them). Values are read from the
files, never from the names of folders; superseded runs are left out. Curves are kept of the runs by which an entry is
judged: those of its winner.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import regbench
from regbench.analysis.entries import reported
from regbench.trees import bundled

ROOT = Path(__file__).resolve().parent.parent
PROBLEMS = ("quadratic_deep", "fmnist_2c2d", "cifar10_3c3d")


def main() -> None:
    """Bundle what is published."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trees", nargs="+", metavar="DIR")
    results = regbench.load(*parser.parse_args().trees)
    runs = results.runs[results.runs["problem"].isin(PROBLEMS)].assign(source="published")
    shown = reported(runs)
    chosen = replace(results, runs=runs)
    for path in bundled.write(ROOT / "results/bundled/published", chosen, with_curves=set(shown["run"])):
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")
    print(runs.groupby(["problem", "candidate", "protocol"]).size().to_string())


if __name__ == "__main__":
    main()
