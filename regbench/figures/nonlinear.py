"""Non-linear weight updates: optimizers on signed powers of the gradient beside those on the gradient itself.

Drawn from the result files of others where a tree holds some with powers; otherwise from our own searches.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from regbench import catalog
from regbench.analysis import stability
from regbench.benchmark.searches import Search
from regbench.comparison import Comparison
from regbench.figures import entries
from regbench.figures.effects import Effect
from regbench.figures.entries import SPREAD, Entries
from regbench.figures.nonlinear_published import PUBLISHED, irregular
from regbench.figures.plan import Drawing, PaperFigure, Size, reduced
from regbench.figures.published import agreement
from regbench.figures.searches import FigureSearch
from regbench.plots.dots import ranked_dots
from regbench.plots.learning_curves import is_drawn, learning_curves
from regbench.plots.metric_grid import GridPanel, metric_grid
from regbench.plots.sensitivity import sensitivity_map
from regbench.records import DEEPOBS_METRICS, SPLITS, Problem
from regbench.trees.irregularities import LEAK

SOURCE = "Norridge 2022, arXiv 2207.12505, and its result files"
POWERS = ("power_sgd", "power_momentum", "power_nesterov")
BASELINES = ("sgd", "momentum", "nag", "adam")
DECAYED = (
    *("power_sgd_l2", "power_momentum_l2", "power_nesterov_l2"),
    *("power_sgd_decoupled", "power_momentum_decoupled_momentum", "power_nesterov_decoupled_momentum"),
)
"""In place of the plain ones on problems with decay: with the problem's L2, and with the decoupled decay published."""

COUPLINGS = ("decoupled_momentum", "decoupled")


@dataclass(frozen=True)
class _Plan:
    """The search on one problem where no tree of others is given."""

    problem: Problem
    budget: str | int
    reruns: int
    epochs: int


def figures(size: Size, trees: Sequence[Path] = ()) -> list[PaperFigure]:
    """Up to four figures a problem: curves, learning rate and power, results, decoupled decay beside L2."""
    powered = [name for name in catalog.candidate_names() if name.startswith(POWERS)]
    wanted = [*powered, *BASELINES]
    runs = entries.searched(entries.read(trees).runs)
    with_powers = runs[runs["candidate"].isin(powered)]
    if entries.is_foreign(with_powers).any():
        paper_figures = []
        for problem in sorted(with_powers["problem"].unique()):
            there = runs[(runs["problem"] == problem) & runs["candidate"].isin(wanted)]
            departures = ["Nothing was trained for this figure."]
            names = wanted
            if (leaks := there["irregular"].str.contains(LEAK)).any():
                names = sorted(set(there.loc[leaks, "candidate"]))
                departures.append(
                    "The baselines are left out: the winners of the others were chosen by validation that overlaps "
                    "training, and these two kinds do not compare."
                )
            couplings = there.loc[there["candidate"].isin(names), "coupling"]
            paper_figures += _of(problem, Entries(trees, [problem], names), couplings.nunique() > 1, departures)
        return paper_figures
    return [figure for plan in _plans(size) for figure in _searched(plan, trees, wanted)]


def _plans(size: Size) -> list[_Plan]:
    quadratic, digits, fashion, cifar = map(
        catalog.problem, ("quadratic_deep", "digits_2c2d", "fmnist_2c2d", "cifar10_3c3d")
    )
    if size == Size.QUICK:
        return [_Plan(quadratic, 6, 2, 20), _Plan(digits, 6, 2, 5)]
    if size == Size.DEFAULT:
        return [
            _Plan(quadratic, "medium", 9, 100),
            _Plan(digits, "medium", 9, 20),
            _Plan(reduced(fashion, 200, 50), "medium", 9, 20),
            _Plan(reduced(cifar, 100, 50), "medium", 9, 15),
        ]
    return [_Plan(problem, "medium", 9, problem.epochs) for problem in (quadratic, fashion, cifar)]


def _searched(plan: _Plan, trees: Sequence[Path], wanted: Sequence[str]) -> list[PaperFigure]:
    problem, protocol = plan.problem, catalog.protocol("deepobs")
    names = [*(DECAYED if problem.l2 else POWERS), *BASELINES]
    searches = [
        FigureSearch(
            Search.of(problem, name, budget=plan.budget, reruns=plan.reruns, epochs=plan.epochs, protocol=protocol)
        )
        for name in names
    ]
    departures = [
        "The baselines are searched here too, with the same number of trials, all in the space of Schmidt, Schneider "
        "and Hennig 2021, arXiv 2007.01547."
    ]
    if problem.selection is not None:
        departures.append("Few samples of each class, for training and for evaluation.")
    if problem.name.startswith("digits"):
        departures.append("digits_2c2d is ours: the source has no results on it.")
    if catalog.budget_trials(plan.budget) != catalog.BUDGETS["medium"]:
        departures.append(f"{plan.budget} trials each instead of 50, {plan.reruns + 1} seeds instead of 10.")
    if plan.epochs != 100:
        departures.append(f"{plan.epochs} epochs instead of 100.")
    return _of(problem.name, Entries(trees, [problem.name], wanted, searches), bool(problem.l2), departures)


def _of(problem: str, shown: Entries, has_couplings: bool, departures: Sequence[str]) -> list[PaperFigure]:
    def of(name: str, what: str, shows: str, draw: Callable[[Comparison], Drawing]) -> PaperFigure:
        return PaperFigure(
            f"{problem}_{name}",
            f"{problem}: {what}",
            shows,
            SOURCE,
            [*departures, "Winners by the score of the tuning seed after the last epoch, as for `regbench compare`."],
            shown.runs,
            partial(shown.drawn, draw),
        )

    paper_figures = [
        of(
            "curves",
            "the best setting of each variant beside the baselines",
            "Loss and accuracy on training, validation and test set over epochs, over the seeds of the "
            f"winner. Band: {SPREAD}. Entries under other rules than most are left out.",
            lambda comparison: _draw_curves(comparison, problem),
        ),
        of(
            "power",
            "learning rate and power of the trials",
            "The score of each trial over learning rate and power, a panel a variant; crosses diverged.",
            _draw_map,
        ),
        of(
            "results",
            "final results",
            "Mean final test value over the seeds of the winner, with its 95 % interval; a panel a decay coupling.",
            lambda comparison: Drawing(
                ranked_dots(comparison.table), entries.result_table(comparison), _results(comparison)
            ),
        ),
    ]
    if has_couplings:
        paper_figures.append(
            of(
                "decay",
                "decoupled decay beside L2",
                f"Training loss and test metric over epochs, a column a decay coupling. Band: {SPREAD}.",
                _draw_couplings,
            )
        )
    return paper_figures


def _draw_curves(comparison: Comparison, problem: str) -> Drawing:
    curves = entries.learning_curves(comparison)
    there = set(curves["metric"].astype(str))
    names = [[f"{split}_{metric}" for split in SPLITS] for metric in DEEPOBS_METRICS]
    rows = [[GridPanel(problem, name) for name in row if name in there] for row in names]
    figure = metric_grid(curves, [row for row in rows if row], best=comparison.best_first, spread=SPREAD)
    return Drawing(figure, entries.curve_numbers(curves), [*_cautions(comparison), *_published_numbers(comparison)])


def _cautions(comparison: Comparison) -> list[str]:
    return [
        *entries.cautions(comparison),
        *entries.suspicious_validation(comparison),
        *_left_out(comparison),
    ]


def _left_out(comparison: Comparison) -> list[str]:
    """Sentences on curves and baselines that are missing."""
    sentences = []
    curves = comparison.summaries
    validated = curves["label"][curves["metric"] == "valid_loss"]
    without = sorted(set(curves["label"]) - set(validated))
    if without:
        sentences.append(f"No validation curves are in the files of {', '.join(without)}.")
    missing = [name for name in BASELINES if name not in set(comparison.table["candidate"])]
    if missing:
        sentences.append(f"No results of {', '.join(missing)} are shown.")
    return sentences


def _draw_map(comparison: Comparison) -> Drawing:
    trials = stability.sensitivity(comparison.trials, "learning_rate", "power")
    figure = sensitivity_map(trials, "learning_rate", "power")
    columns = ["problem", "label", "candidate", "coupling", "learning_rate", "power", "score", "decided_by", "outcome"]
    numbers = trials.rename(columns={"x": "learning_rate", "y": "power", "value": "score"})[columns]
    findings = [
        f"{row['label']}: best of {row['trials']} trials ({row['diverged']} diverged) at "
        f"{entries.setting_text(row['setting'])}.{_beside(row)}"
        for row in _rows(comparison)
        if row["label"] in set(numbers["label"])
    ]
    return Drawing(figure, numbers, findings)


def _draw_couplings(comparison: Comparison) -> Drawing:
    curves = entries.learning_curves(comparison)
    figure = learning_curves(curves, best=comparison.best_first, by_coupling=True, spread=SPREAD)
    drawn = curves[is_drawn(curves["metric"].astype(str))]
    return Drawing(figure, entries.curve_numbers(drawn), [*_cautions(comparison), *_decoupled_beside_l2(comparison)])


def _decoupled_beside_l2(comparison: Comparison) -> list[str]:
    """The difference that decoupling makes to each variant, seed by seed."""
    values = comparison.reported.set_index(["candidate", "seed"])["value"]
    sentences = []
    for power in POWERS:
        by_coupling = {
            coupling: values.get(f"{power}_{coupling}", pd.Series(dtype=float)) for coupling in (*COUPLINGS, "l2")
        }
        l2 = by_coupling.pop("l2")
        for coupling, decoupled in by_coupling.items():
            seeds = sorted(set(decoupled.index) & set(l2.index))
            if seeds and decoupled.index.is_unique and l2.index.is_unique:
                effect = Effect(power, seeds, decoupled[seeds].to_numpy() - l2[seeds].to_numpy())
                sentences.append(effect.sentence(f"{power}, {coupling} minus L2 in the test metric", "in its own unit"))
    return sentences or ["No variant is there with decoupled decay and with L2: only different optimizers compare."]


def _results(comparison: Comparison) -> list[str]:
    return [
        *_published_numbers(comparison),
        *_cautions(comparison),
        *irregular(comparison),
        *comparison.claims["sentence"],
    ]


def _published_numbers(comparison: Comparison) -> list[str]:
    """The result of each entry, and of those that the source has whether it agrees."""
    return [
        f"{row['label']}: {row['split']} {row['metric']} {row['mean']:.5g} \N{PLUS-MINUS SIGN} {row['sd']:.2g} over "
        f"{row['n_seeds']} seeds at {entries.setting_text(row['setting'])}.{_beside(row)}"
        for row in _rows(comparison)
    ]


def _rows(comparison: Comparison) -> list[dict[Any, Any]]:
    return comparison.table.to_dict("records")


def _beside(row: dict[Any, Any]) -> str:
    published = PUBLISHED.get((str(row["problem"]), str(row["candidate"])))
    return "" if published is None else f" {agreement(row, published)}"
