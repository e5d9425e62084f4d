"""Print how often claims err and what they find: searches of known truth through the code that compares real ones.

    scripts/calibrate                  all recorded surfaces, budgets 10, 25 and 50 (some ten minutes)
    scripts/calibrate --repetitions 50 --budgets 25 --surfaces FILE ...

Three tables. Same: copies of one candidate tuned apart; a family errs if any pair is claimed. Unlike: pairs of
candidates whose expected winners are made equal. Gain: one candidate that is better by two seed deviations. Each stands
for the question "given the budget", and beside it for "given the settings", which is how differences between the two
winners alone would be judged.
"""

import argparse
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from regbench.analysis.calibration import Surface, claimed, searches
from regbench.analysis.sentences import QUESTIONS, Question

SURFACES = Path(__file__).parents[1] / "results" / "surfaces"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--surfaces", type=Path, nargs="*", default=sorted(SURFACES.glob("*.npz")), metavar="FILE")
    parser.add_argument("--budgets", type=int, nargs="*", default=[10, 25, 50], metavar="N")
    parser.add_argument("--copies", type=int, nargs="*", default=[2, 3, 10], metavar="N", help="Of a family.")
    parser.add_argument("--searches", type=int, nargs="*", default=[3, 5], metavar="N", help="That make up an entry.")
    parser.add_argument("--repetitions", type=int, default=400, metavar="N", help="Families of each kind.")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    surfaces = [Surface.load(path) for path in arguments.surfaces]
    for budget in arguments.budgets:
        show(f"budget {budget}: copies of one candidate tuned apart, families with a false claim in %",
             [same(one, copies, budget, arguments) for one in surfaces for copies in arguments.copies])  # fmt: skip
        show(f"budget {budget}: unlike candidates with equal expected winners, false claims in %",
             [unlike(pair, budget, arguments) for pair in pairs_of(surfaces)])  # fmt: skip
        show(f"budget {budget}: a gain of two seed deviations, found in %",
             [gain(one, budget, arguments) for one in surfaces])  # fmt: skip
    budget = min(25, max(arguments.budgets))
    show(f"several searches of {budget} trials with two re-runs each: two copies, false claims and gains found in %",
         [several(one, count, budget, arguments) for one in surfaces for count in arguments.searches])  # fmt: skip


def pairs_of(surfaces: Sequence[Surface]) -> list[tuple[Surface, Surface]]:
    """Those of one problem."""
    return [pair for pair in combinations(surfaces, 2) if len({one.name.partition("__")[0] for one in pair}) == 1]


def same(surface: Surface, copies: int, budget: int, arguments: argparse.Namespace) -> dict[str, object]:
    """Families of copies of one surface."""
    runs = searches([surface] * copies, budget, arguments.repetitions, arguments.seed)
    return {"surface": surface.name, "copies": copies, **shares(runs, "any")}


def unlike(pair: tuple[Surface, Surface], budget: int, arguments: argparse.Namespace) -> dict[str, object]:
    """Two surfaces, the second shifted so that the expected winners are equal."""
    one, other = pair
    moved = other.shifted(one.expected_winner(budget) - other.expected_winner(budget))
    runs = searches([one, moved], budget, arguments.repetitions, arguments.seed)
    return {"one": one.name, "other": other.name, **shares(runs, "any")}


def gain(surface: Surface, budget: int, arguments: argparse.Namespace) -> dict[str, object]:
    """A surface and the same moved by two seed deviations."""
    better = surface.shifted(2 * surface.sign * surface.seed_deviation)
    runs = searches([better, surface], budget, arguments.repetitions, arguments.seed)
    return {"surface": surface.name, "gain": f"{2 * surface.seed_deviation:.3g}", **shares(runs, "c0")}


def several(surface: Surface, count: int, budget: int, arguments: argparse.Namespace) -> dict[str, object]:
    """Two entries of several searches each: copies of a surface, and one of them better by two seed deviations."""
    better = surface.shifted(2 * surface.sign * surface.seed_deviation)
    found: dict[str, object] = {"surface": surface.name, "searches": count}
    for name, pair, counted in (("false", [surface, surface], "any"), ("found", [better, surface], "c0")):
        runs = searches(pair, budget, arguments.repetitions, arguments.seed, fresh_seeds=2, several=count)
        found[name] = shares(runs, counted, ("budget",))["given the budget"]
    return found


def shares(runs: pd.DataFrame, counted: str, questions: Sequence[Question] = QUESTIONS) -> dict[str, object]:
    """Of the problems, how many have a claim, in %; `counted`: any, or that this candidate is the better."""
    found: dict[str, object] = {}
    for question, rows in claimed(runs, *questions).groupby("question", sort=True):
        right = rows["claimed"].astype(bool) & ((rows["better"] == counted) | (counted == "any"))
        share = right.groupby(rows["problem"]).any().mean()
        found[f"given the {question}"] = f"{100 * share:.1f}"
    return found


def show(title: str, rows: list[dict[str, object]]) -> None:
    """Print one table."""
    if rows:
        print(f"{title}\n{tabulate(rows, headers='keys', tablefmt='pipe')}\n", flush=True)


if __name__ == "__main__":
    main()
