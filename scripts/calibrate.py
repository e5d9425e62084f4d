"""Print how often claims err and what they find: searches of known truth through the code that compares real ones.

    scripts/calibrate                       everything (hours on one core)
    scripts/calibrate same unlike gain      some tables
    scripts/calibrate --repetitions 50 --budgets 25 --surfaces FILE ... same

Tables, on recorded surfaces:

* `same`: copies of one candidate tuned apart; a family errs if any pair is claimed.
* `unlike`: pairs of candidates of one problem whose expected winners are made equal.
* `gain`: one candidate that is better by two seed deviations.
* `several`: copies, and a gain, with several searches as one entry.
* `rules`: what other rules would have claimed, of copies, of unlike candidates, and of a gain.
* `pairing`: what would be gained if runs with one seed were compared in pairs.
* `coverage`: how often a score's interval holds the expected winner, and the set of the best the best.

And on made ones, whose settings are all alike:

* `seeds`: candidates with equal means, by the distribution of their seeds.
* `intervals`: what the intervals of a winner's mean, interquartile mean, and probability of improvement hold.

Claims answer the question "given the budget"; beside it stands "given the settings", which is how differences between
the two winners alone would be judged.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, groupby
from operator import itemgetter
from pathlib import Path

import numpy as np
import pandas as pd
from tabulate import tabulate

from regbench.analysis import best, claims, ranking, redrawing, scores
from regbench.analysis.calibration import Surface, claimed, searches
from regbench.analysis.intervals import interquartile_mean_interval, mean_interval, probability_of_improvement
from regbench.analysis.made_surfaces import DISTRIBUTIONS, MEAN, made
from regbench.analysis.searched import Searched
from regbench.analysis.sentences import QUESTIONS
from regbench.analysis.significance import Difference

SURFACES = Path(__file__).parents[1] / "results" / "surfaces"
FREEDOMS = (8, 10, 14, 20, np.inf)
MADE_BUDGET = 10


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="TABLE", help=f"Of {', '.join(PARTS)}.  [default: all]")
    parser.add_argument("--surfaces", type=Path, nargs="*", default=sorted(SURFACES.glob("*.npz")), metavar="FILE")
    parser.add_argument("--budgets", type=int, nargs="*", default=[10, 25, 50], metavar="N")
    parser.add_argument("--copies", type=int, nargs="*", default=[2, 3, 10], metavar="N", help="Of a family.")
    parser.add_argument("--seeds", type=int, nargs="*", default=[2, 3, 5, 9], metavar="N", help="Fresh seeds.")
    parser.add_argument("--searches", type=int, nargs="*", default=[3, 5], metavar="N", help="That make up an entry.")
    parser.add_argument("--repetitions", type=int, default=300, metavar="N", help="Families of each kind.")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - PARTS.keys()
    if unknown:
        parser.error(f"TABLE must be one of {', '.join(PARTS)}. Received: {', '.join(sorted(unknown))}")
    surfaces = [Surface.load(path) for path in arguments.surfaces]
    for name in arguments.parts or PARTS:
        title, table = PARTS[name]
        rows = list(table(surfaces, arguments))
        if rows:
            print(f"{title}\n\n{tabulate(rows, headers='keys', tablefmt='pipe')}\n", flush=True)


Rows = Iterator[dict[str, object]]


def same(surfaces: Sequence[Surface], arguments: argparse.Namespace) -> Rows:
    """Families of copies of one surface."""
    for budget in arguments.budgets:
        for surface in surfaces:
            for copies in arguments.copies:
                runs = searches([surface] * copies, budget, arguments.repetitions, arguments.seed)
                yield {
                    "surface": surface.name,
                    "budget": budget,
                    "copies": copies,
                    **shares(claimed(runs, *QUESTIONS), "any"),
                }


def unlike(surfaces: Sequence[Surface], arguments: argparse.Namespace) -> Rows:
    """Two surfaces, the second shifted so that the expected winners are equal."""
    for budget in arguments.budgets:
        for one, other in pairs_of(surfaces):
            runs = searches([one, levelled(one, other, budget)], budget, arguments.repetitions, arguments.seed)
            yield {"one": one.name, "other": other.name, "budget": budget, **shares(claimed(runs, *QUESTIONS), "any")}


def gain(surfaces: Sequence[Surface], arguments: argparse.Namespace) -> Rows:
    """A surface and the same moved by two seed deviations."""
    for budget in arguments.budgets:
        for surface in surfaces:
            runs = searches([improved(surface), surface], budget, arguments.repetitions, arguments.seed)
            moved = 2 * surface.seed_deviation
            rows = claimed(runs, *QUESTIONS)
            right = rows[(rows["question"] == "budget") & rows["claimed"] & (rows["better"] == "c0")]
            more = (right["difference"].mean() - moved) / surface.seed_deviation
            row = {"surface": surface.name, "budget": budget, "gain": f"{moved:.3g}", **shares(rows, "c0")}
            yield {**row, "claimed differences are larger by (seed deviations)": f"{more:.2g}"}


def several(surfaces: Sequence[Surface], arguments: argparse.Namespace) -> Rows:
    """Two entries of several searches each: copies of a surface, and one of them better by two seed deviations."""
    budget = min(25, max(arguments.budgets))
    for surface in surfaces:
        for count in arguments.searches:
            found: dict[str, object] = {"surface": surface.name, "searches": count, "trials of each": budget}
            better = improved(surface)
            for name, pair, counted in (("false", [surface, surface], "any"), ("found", [better, surface], "c0")):
                runs = searches(pair, budget, arguments.repetitions, arguments.seed, fresh_seeds=2, several=count)
                found[name] = shares(claimed(runs), counted)["given the budget"]
            yield found


def rules(surfaces: Sequence[Surface], arguments: argparse.Namespace) -> Rows:
    """One p value by Student's t for each number of degrees of freedom, one by dividing the trials, and the larger."""
    kinds = {
        **{("copies", one.name): ([one, one], "any") for one in surfaces},
        **{("unlike", f"{one.name}, {other.name}"): ([one, other], "any") for one, other in pairs_of(surfaces)},
        **{("gain", one.name): ([improved(one), one], "c0") for one in surfaces},
    }
    for budget in arguments.budgets:
        for (kind, name), (pair, counted) in kinds.items():
            if kind == "unlike":
                pair = [pair[0], levelled(*pair, budget)]
            runs = searches(pair, budget, arguments.repetitions, arguments.seed)
            yield {"": kind, "surface": name, "budget": budget, **_by_rule(runs, counted)}


def _by_rule(runs: pd.DataFrame, counted: str) -> dict[str, str]:
    compared = list(_two_by_two(runs, counted))
    problems = runs["problem"].nunique()
    divided = redrawing.permuted_p(compared)
    differences = [redrawing.difference(good, poor) for good, poor in compared]
    found: dict[str, str] = {"divided anew": _share(divided, problems)}
    for freedom in FREEDOMS:
        p = np.array([Difference(one.value, one.error, freedom).p_value() for one in differences])
        name = "normal" if np.isinf(freedom) else f"t, {freedom}"
        found |= {name: _share(p, problems), f"{name}, and divided": _share(np.fmax(p, divided), problems)}
    return found


def _two_by_two(runs: pd.DataFrame, counted: str) -> Iterator[tuple[Searched, Searched]]:
    """The better and the worse search of each problem; only those of which `counted` is the better."""
    found = sorted(scores.searched(runs).items(), key=itemgetter(0))
    for _, pair in groupby(found, key=lambda item: item[0][0]):
        (better, good), (_, poor) = sorted(pair, key=lambda item: -item[1].oriented)
        if counted in ("any", better[1]) and isinstance(good, Searched) and isinstance(poor, Searched):
            yield good, poor


def _share(p: np.ndarray, of: int, level: float = 0.05) -> str:
    return f"{100 * (p < level).sum() / of:.1f}"


def coverage(surfaces: Sequence[Surface], arguments: argparse.Namespace) -> Rows:
    """Of copies, one of which is better by two seed deviations."""
    for budget in arguments.budgets:
        for surface in surfaces:
            truth = surface.expected_winner(budget)
            runs = searches([surface] * 2, budget, arguments.repetitions, arguments.seed)
            intervals = [one.score.interval() for one in scores.searched(runs).values()]
            row: dict[str, object] = {"surface": surface.name, "budget": budget}
            row["the score's interval holds the expected winner"] = _held(intervals, truth)
            for copies in arguments.copies:
                family = searches([improved(surface), *[surface] * (copies - 1)], budget, arguments.repetitions, 1)
                found = scores.searched(family)
                table = ranking.ranked_entries(family, searched=found)
                sets = best.sets_of_the_best(table, claims.pairs_of(table, found))
                right = sets[sets["label"] == "c0"]["is_possible"].mean()
                excluded = 1 - sets[sets["label"] != "c0"]["is_possible"].mean()
                row[f"the best of {copies} is in the set"] = f"{100 * right:.1f}"
                row[f"others of {copies} excluded"] = f"{100 * excluded:.1f}"
            yield row


def pairing(surfaces: Sequence[Surface], arguments: argparse.Namespace) -> Rows:
    """The correlation over seeds of two good settings; pairs have a variance less by this share."""
    del arguments
    for one, other in [*((surface, surface) for surface in surfaces), *pairs_of(surfaces)]:
        seeds_of_both = min(one.test.shape[1], other.test.shape[1])
        first, second = (good_settings(surface)[:, :seeds_of_both] for surface in (one, other))
        table = np.corrcoef(first, second)[: len(first), len(first) :]
        apart = table[~np.eye(len(table), dtype=bool)] if one is other else table.ravel()
        yield {"one": one.name, "other": other.name, "correlation of two settings": f"{np.mean(apart):.2f}"}


def good_settings(surface: Surface) -> np.ndarray:
    """The test values of the twenty best settings whose runs all ended and differ; shape (settings, seeds)."""
    varies = np.isfinite(surface.test).all(axis=1) & (np.ptp(surface.test, axis=1) > 0)
    best_first = np.argsort(-surface.sign * surface.valid.mean(axis=1), kind="stable")
    return surface.test[[number for number in best_first if varies[number]][:20]]


def seeds(surfaces: Sequence[Surface], arguments: argparse.Namespace) -> Rows:
    """Candidates with equal means, by the distribution of their seeds; large families a fifth as often."""
    del surfaces
    for name in DISTRIBUTIONS:
        for candidates in dict.fromkeys([*arguments.copies, 38]):
            for count in arguments.seeds:
                repetitions = arguments.repetitions if candidates < 10 else max(arguments.repetitions // 5, 1)
                runs = searches(made(name, candidates), MADE_BUDGET, repetitions, arguments.seed, fresh_seeds=count)
                row = {"seeds": name, "candidates": candidates, "fresh seeds": count, "families": repetitions}
                yield {**row, **shares(claimed(runs, *QUESTIONS), "any")}


def intervals(surfaces: Sequence[Surface], arguments: argparse.Namespace) -> Rows:
    """Intervals of one winner, by the distribution of its seeds."""
    del surfaces
    generator = np.random.default_rng(arguments.seed)
    for name, draws in DISTRIBUTIONS.items():
        many = MEAN + draws[-1](generator, (1000, 1000))
        middle = np.sort(many.ravel())[many.size // 4 : -many.size // 4].mean()
        for count in (5, 9):
            samples = MEAN + draws[-1](generator, (arguments.repetitions * 2, count))
            failed = (samples < 0.2).sum(axis=1)
            means = [mean_interval(values, diverged=lost) for values, lost in zip(samples, failed, strict=True)]
            middles = [interquartile_mean_interval(values) for values in samples]
            pairs = zip(samples[::2], samples[1::2], strict=True)
            better = [probability_of_improvement(one, other, "maximize")[1] for one, other in pairs]
            yield {
                "seeds": name,
                "fresh seeds": count,
                "mean": _held(means, many.mean()),
                "interquartile mean": _held(middles, middle),
                "probability of improvement": _held(better, 0.5),
            }


def _held(intervals: Sequence[tuple[float, float]], truth: float) -> str:
    """In % of those that there are."""
    ends = np.array(intervals)
    there = np.isfinite(ends).all(axis=1)
    if not there.any():
        return "none drawn"
    held = ((ends[there, 0] <= truth) & (truth <= ends[there, 1])).mean()
    return f"{100 * held:.1f}" + ("" if there.all() else f" of the {100 * there.mean():.0f} % drawn")


def pairs_of(surfaces: Sequence[Surface]) -> list[tuple[Surface, Surface]]:
    """Those of one problem."""
    return [pair for pair in combinations(surfaces, 2) if len({one.name.partition("__")[0] for one in pair}) == 1]


def levelled(one: Surface, other: Surface, budget: int) -> Surface:
    """`other`, shifted so that its expected winner is that of `one`."""
    return other.shifted(one.expected_winner(budget) - other.expected_winner(budget))


def improved(surface: Surface) -> Surface:
    """By two seed deviations."""
    return surface.shifted(2 * surface.sign * surface.seed_deviation)


def shares(claims_made: pd.DataFrame, counted: str) -> dict[str, object]:
    """Of the problems, how many have a claim, in %; `counted`: any, or that this candidate is the better."""
    found: dict[str, object] = {}
    for question, rows in claims_made.groupby("question", sort=True):
        right = rows["claimed"].astype(bool) & ((rows["better"] == counted) | (counted == "any"))
        share = right.groupby(rows["problem"]).any().mean()
        silent = (rows["reason"] != "").all()
        found[f"given the {question}"] = "no claim" if silent else f"{100 * share:.1f}"
    return found


Table = Callable[[Sequence[Surface], argparse.Namespace], Rows]
PARTS: dict[str, tuple[str, Table]] = {
    "same": ("Copies of one candidate tuned apart, families with a false claim in %", same),
    "unlike": ("Unlike candidates with equal expected winners, false claims in %", unlike),
    "gain": ("A gain of two seed deviations, found in %", gain),
    "several": ("Several searches with two re-runs each: two copies, false claims and gains found in %", several),
    "rules": ("What other rules would claim, in %", rules),
    "pairing": ("Correlation over seeds of two settings, mean over pairs of the twenty best", pairing),
    "coverage": ("What the interval of a score and the set of the best hold, in %", coverage),
    "seeds": (
        "Candidates with equal means, by the distribution of seeds, families with a false claim in %",
        seeds,
    ),
    "intervals": ("What intervals of a winner hold, in %", intervals),
}

if __name__ == "__main__":
    main()
