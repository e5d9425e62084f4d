"""Make the bundled baselines of our own: search every light candidate with a medium budget, then write the runs.

    python scripts/bundle_ours.py --results DIR                       hours on two cores
    python scripts/bundle_ours.py --results DIR --problem digits_mlp  one problem of them; repeatable

It goes on where it was interrupted: what lies in DIR is not run again. All candidates are searched on quadratic_deep
and digits_mlp under the protocol deepobs, a core set under strict too; momentum on digits_2c2d under deepobs; and four
candidates under strict on each generated problem whose searches take minutes. Left out
are candidates that are another one on these problems: they have no L2 of their own, so that a decay of the problem's
strength is none; and neither has a convolution for smooth_kernel to act on. Nothing is taken from what is bundled now.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import regbench
from regbench import catalog
from regbench.benchmark import Event
from regbench.records import Candidate
from regbench.store import manifests
from regbench.trees import bundled

ROOT = Path(__file__).resolve().parent.parent
CORE = ("sgd", "momentum", "nag", "adam", "adamw", "sgd+l2", "sgd+decoupled")
FOUR = ("sgd", "momentum", "adam", "adamw")
GENERATED = (
    *["modular_addition", "mnist1d_mlp", "mnist1d_logreg", "heavy_tailed_softmax"],
    *["diabetes_mlp", "deep_linear", "sparse_parity"],
)
SECONDS_BETWEEN_LINES = 30


def light_candidates() -> list[str]:
    """The names of all bundled candidates that are different from each other on problems without an L2 of their own."""
    found: dict[str, str] = {}
    files = [path.stem for path in (ROOT / "search_spaces").glob("*.toml")]
    for name in sorted([*files, *catalog.ALIASES.values()]):
        candidate = catalog.candidate(name)
        if ":" in candidate.optimizer.name:  # guests are no baselines: their runs need packages that few have
            continue
        if candidate.regularizer is None or candidate.regularizer.name != "smooth_kernel":
            found.setdefault(_what_it_is(candidate), name)
    return list(found.values())


def _what_it_is(candidate: Candidate) -> str:
    decay = None if candidate.decay.strength in ("problem", 0.0) else candidate.decay.model_dump(mode="json")
    parts = candidate.model_dump(mode="json", include={"optimizer", "regularizer"})
    return json.dumps([parts, decay], sort_keys=True)


def searches() -> dict[str, list[tuple[str, Sequence[str]]]]:
    """The candidates by problem and protocol."""
    everything: list[tuple[str, Sequence[str]]] = [("deepobs", light_candidates()), ("strict", CORE)]
    older = {"quadratic_deep": everything, "digits_mlp": everything, "digits_2c2d": [("deepobs", ["momentum"])]}
    return older | {problem: [("strict", FOUR)] for problem in GENERATED}


class Progress:
    """Prints how far a search of several candidates is, now and then."""

    def __init__(self, what: str, candidates: int) -> None:
        self._what, self._candidates = what, candidates
        self._begun: set[str] = set()
        self._said = time.monotonic()

    def __call__(self, event: Event) -> None:
        """Take in one more run."""
        self._begun.add(event.candidate)
        if time.monotonic() - self._said > SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            number = f"{len(self._begun)}/{self._candidates}"
            print(f"{self._what}: {event.candidate} ({number}): {event.phase} {event.done}/{event.total}", flush=True)


def write(tree: Path, problems: Sequence[str]) -> None:
    """Write the runs in a results tree, a file a problem."""
    results = regbench.load(tree)
    found = [manifests.read(path) for path in manifests.find(tree)]
    chosen = replace(results, runs=results.runs[results.runs["problem"].isin(problems)])
    for path in bundled.write(ROOT / "results" / "bundled" / "ours", chosen, manifests=found):
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")


def main() -> None:
    """Search, then bundle."""
    planned = searches()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", required=True, type=Path, metavar="DIR", help="results tree of the searches")
    parser.add_argument("--problem", action="append", choices=list(planned), help="only this one; repeatable")
    parser.add_argument("--workers", type=int, default=0, help="processes that share the work; 0: only this one")
    options = parser.parse_args()
    problems = options.problem or list(planned)
    for problem in problems:
        for protocol, candidates in planned[problem]:
            what = f"{problem}, {protocol}"
            regbench.search(
                problem,
                candidates,
                budget="medium",
                protocol=protocol,
                results=options.results,
                baselines="none",
                workers=options.workers,
                progress=Progress(what, len(candidates)),
            )
            print(f"{what}: all is there", flush=True)
    write(options.results, problems)


if __name__ == "__main__":
    main()
