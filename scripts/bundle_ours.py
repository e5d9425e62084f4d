"""Make the bundled baselines of our own: search every light candidate with a medium budget, then compute the figures.

    python scripts/bundle_ours.py --results DIR     about an hour on two cores; goes on where it was interrupted

All candidates are searched on quadratic_deep and digits_mlp under the protocol deepobs, a core set under strict too.
Candidates that are another one on these problems are left out: they have no L2 of their own, so that a decay of the
problem's strength is none; and neither has a convolution for smooth_kernel to act on.
"""

import argparse
import json
from pathlib import Path

from bundle_published import bundle

import regbench
from regbench import catalog
from regbench.records import Candidate

ROOT = Path(__file__).resolve().parent.parent
PROBLEMS = ("quadratic_deep", "digits_mlp")
CORE = ("sgd", "momentum", "nag", "adam", "adamw", "sgd_l2", "sgd_decoupled")


def light_candidates() -> list[str]:
    """The names of all bundled candidates that are different from each other on problems without an L2 of their own."""
    found: dict[str, str] = {}
    for name in sorted(path.stem for path in (ROOT / "search_spaces").glob("*.toml")):
        candidate = catalog.candidate(name)
        if candidate.regularizer is None or candidate.regularizer.name != "smooth_kernel":
            found.setdefault(_what_it_is(candidate), name)
    return list(found.values())


def _what_it_is(candidate: Candidate) -> str:
    decay = None if candidate.decay.strength in ("problem", 0.0) else candidate.decay.model_dump(mode="json")
    parts = candidate.model_dump(mode="json", include={"optimizer", "regularizer"})
    return json.dumps([parts, decay], sort_keys=True)


def main() -> None:
    """Search, then bundle."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", required=True, metavar="DIR", help="results tree of the searches")
    options = parser.parse_args()
    for problem in PROBLEMS:
        for protocol, candidates in (("deepobs", light_candidates()), ("strict", list(CORE))):
            regbench.search(problem, candidates, budget="medium", protocol=protocol, results=options.results)
            print(f"{problem}, {protocol}: {len(candidates)} candidates")
    bundle([options.results], "ours")


if __name__ == "__main__":
    main()
