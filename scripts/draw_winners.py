"""Draw the learning curves of the winners of searches that are in a results tree.

Uses `regbench.search`, which finds what was run and computes only what is missing.
"""

import argparse
from pathlib import Path

import regbench
from regbench.plots.learning_curves import learning_curves
from regbench.plots.style import save


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("problems", nargs="+")
    parser.add_argument("--candidates", nargs="+", required=True)
    parser.add_argument("--budget", default="medium")
    parser.add_argument("--results", default="results")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    problems = {}
    for problem in options.problems:
        standings = regbench.search(problem, options.candidates, budget=options.budget, output=options.results)
        problems[problem] = {standing.candidate: standing.runs for standing in standings if standing.runs}
    save(learning_curves(problems), options.output)
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
