"""How long a small search of one candidate takes on each problem that needs no download.

python scripts/search_minutes.py [PROBLEM ...] [--candidate adam]

Four trials are run on each problem, as a search runs them. The first loads and compiles; the median time of the others
is that of each further run, of which a small search has 24 and nine with other seeds.
"""

import argparse
import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import regbench
from regbench import catalog

PROBLEMS = (
    *["mnist1d_logreg", "mnist1d_mlp", "modular_addition", "heavy_tailed_softmax", "diabetes_mlp"],
    *["deep_linear", "sparse_parity", "mnist1d_cnn", "mnist1d_gru", "char_gru", "char_transformer"],
)
TRIALS = 4


def main() -> None:
    """Print a row a problem."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems", nargs="*", default=PROBLEMS, metavar="PROBLEM")
    parser.add_argument("--candidate", default="adam")
    options = parser.parse_args()
    runs = catalog.budget_trials("small") + catalog.protocol("deepobs").reruns
    print("| problem | the first run (s) | each further one (s) | a small search (min) |\n|--|--|--|--|")
    for problem in options.problems:
        first, further = measure(problem, options.candidate)
        print(f"| {problem} | {first:.1f} | {further:.1f} | {(first + (runs - 1) * further) / 60:.1f} |", flush=True)


def measure(problem: str, candidate: str) -> tuple[float, float]:
    """Wall seconds until the first run is there, and between two further ones."""
    moments = [time.perf_counter()]
    with tempfile.TemporaryDirectory() as folder:
        regbench.search(
            problem,
            candidate,
            budget=TRIALS,
            reruns=0,
            baselines="none",
            results=Path(folder),
            progress=lambda _: moments.append(time.perf_counter()),
        )
    first, *further = (later - earlier for earlier, later in pairwise(moments))
    return first, statistics.median(further)


if __name__ == "__main__":
    main()
