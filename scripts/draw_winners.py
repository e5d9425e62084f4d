"""Draw the learning curves of the winners in a results tree, as `regbench compare --plots` does, and nothing else."""

import argparse
from pathlib import Path

import regbench
from regbench.comparison.figures import draw
from regbench.plots.style import save


def main() -> None:
    """Draw them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("problems", nargs="+")
    parser.add_argument("--results", default="results")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    comparison = regbench.compare(options.problems, results=[options.results], baselines="none")
    save(next(figure for name, figure in draw(comparison) if name == "learning_curves"), options.output)
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
