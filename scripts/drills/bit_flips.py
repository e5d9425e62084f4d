"""Flipped bits in a results tree: each must be told, or change nothing that is compared.

    scripts/drill bit_flips

In the files of a small search (runs, and what is on record of the searches) one bit is flipped at a time, anywhere,
and in the curves in particular. `lint` must tell of it, and with it `compare`, which does not count what it cannot
trust; where nothing is told, the answer of `compare` must be the same to the last digit.
"""

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path

import pandas as pd
from workbench import answer, searched, table, workbench

from regbench.trees import frames
from regbench.trees.lint import lint

TREE = Path("results")
COMPARE = "compare digits_mlp --baselines none --format json"
CURVE = b'"test_accuracies": ['
ASKED_EVERY = 20
"""So many told flips lie between two after which `compare` is asked as well: it takes seconds."""


class Flips:
    """Flips bits of one kind, and judges what is told of them."""

    def __init__(self, kind: str, seed: int) -> None:
        self.random = random.Random(seed)
        self.paths = sorted(TREE.rglob("*.search" if kind == "record of a search" else "*.json"))
        self.in_curve = kind == "curve of a run"
        self.results = frames.load(TREE, cache=False)
        self.curves = self.results.curves()
        self.answer = answer(COMPARE)
        if self.answer.fault(0) or lint(TREE, cache=False).counts:
            raise SystemExit(f"compare itself failed: {self.answer}")
        self.counts: Counter[str] = Counter()

    def flip(self) -> str:
        """Flip a bit, see what is told, and put it back; gives what is wrong, "" for nothing."""
        path = self.random.choice(self.paths)
        data = path.read_bytes()
        begin, end = 0, len(data)
        if self.in_curve:
            begin = data.index(CURVE) + len(CURVE)
            end = data.index(b"]", begin)
        place, bit = self.random.randrange(begin, end), self.random.randrange(8)
        flipped = bytearray(data)
        flipped[place] ^= 1 << bit
        path.write_bytes(flipped)
        try:
            wrong = self._judged()
        finally:
            path.write_bytes(data)
        around = bytes(data[max(0, place - 30) : place + 10])
        return f"{path.name}, bit {bit} of byte {place}, in {around!r}: {wrong}" if wrong else ""

    def _judged(self) -> str:
        told = lint(TREE, cache=False).counts
        if told:
            kind = ", ".join(told)
            self.counts[kind] += 1
            return self._asked() if self.counts.total() % ASKED_EVERY == 0 else ""
        if self._is_as_before():
            self.counts["nothing changes"] += 1
            return ""
        found = answer(COMPARE)
        if found.output == self.answer.output:
            self.counts["nothing that is compared changes"] += 1
            return ""
        if "warning" in found.errors and found.errors != self.answer.errors:
            self.counts["told by compare alone"] += 1
            return ""
        self.counts["another answer"] += 1
        return "nothing is told, and the answer of compare is another"

    def _asked(self) -> str:
        found = answer(COMPARE)
        return found.fault(0) or ("" if "warning" in found.errors else "lint tells of it, compare does not")

    def _is_as_before(self) -> bool:
        now = frames.load(TREE, cache=False)
        if not now.runs.equals(self.results.runs):
            return False
        return pd.DataFrame.equals(now.curves(), self.curves)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flips", type=int, default=1000, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rows: list[tuple[object, ...]] = []
    faults: list[str] = []
    began = time.monotonic()
    with workbench():
        searched()
        for kind in ("curve of a run", "file of a run", "record of a search"):
            flips = Flips(kind, arguments.seed)
            before = len(faults)
            faults += [wrong for wrong in (flips.flip() for _ in range(arguments.flips)) if wrong]
            told = ", ".join(f"{kind} {count}" for kind, count in flips.counts.most_common())
            rows.append((kind, arguments.flips, told, len(faults) - before))
    table(("bits of", "flips", "what came", "faults"), rows)
    print(f"\n{time.monotonic() - began:.0f} s.")
    print("\n".join(faults) or "Faults: none.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
