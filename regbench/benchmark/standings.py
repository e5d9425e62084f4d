"""How candidates did on a problem: the rows of the table that ends a search."""

import math
from collections.abc import Sequence
from typing import Annotated, NamedTuple

from pydantic import Field

from regbench.analysis.moments import mean, standard_deviation
from regbench.benchmark.searches import Search
from regbench.catalog import current_name
from regbench.records import Coupling, Measured, Outcome, Record, RunResult, Scalar
from regbench.tuning import tune


class Standing(Record):
    """How one candidate did on one problem.

    Args:
        search: digest of the search (`Manifest.digest`); `sampler`, `budget` (trials asked for), `study_seed`: of it;
            `searches`: how many were declared as one, of which the best is shown.
        coupling: where decay acts; none where every strength that was tried is 0.
        setting: the winner's; None where no trial completed. `decay`: its strength.
        seeds: of the runs that are reported.
        valid_mean: final validation metric (a loss without the penalty term), mean over the seeds; None without
            validation split. `valid_sd`: with ddof 1; None for a single seed. `test_mean`, `test_sd`: likewise.
        diverged_seeds: how many of the reported runs diverged; they count with their values before training.
        unfinished: trials and re-runs that failed or timed out.
        gradients: how many gradients of a batch the winner's run has had; None where that is not on record.
        seconds: wall seconds of all runs, whenever they were made.
        runs: the reported runs, one a seed; not part of the JSON form.
    """

    problem: str
    candidate: str
    setting: dict[str, Scalar] | None
    coupling: Annotated[Coupling, Field(strict=False)]
    decay: float | None
    protocol: str
    search: str
    sampler: str
    budget: int
    study_seed: int
    searches: int = 1
    metric: str
    goal: str
    seeds: list[int]
    valid_mean: Measured | None
    valid_sd: Measured | None
    test_mean: Measured | None
    test_sd: Measured | None
    trials: int
    diverged_trials: int
    diverged_seeds: int
    unfinished: int
    gradients: int | None = None
    seconds: float
    runs: list[RunResult] = Field(default=[], exclude=True, repr=False)


def standing(
    search: Search, trials: Sequence[RunResult], winner: RunResult | None, again: Sequence[RunResult]
) -> Standing:
    """The row of one search, from its trials, its winner and the winner's runs with further seeds."""
    spec = trials[0].spec if winner is None else winner.spec
    problem = spec.problem
    reported = [run for run in again if run.outcome in (Outcome.COMPLETED, Outcome.DIVERGED)]
    if winner is not None and (spec.protocol.tuning_seed_counts or not again):
        reported = [winner, *reported]
    valid = [run.metric_curve("valid")[-1] for run in reported if "valid_losses" in run.curves]
    test = [run.metric_curve("test")[-1] for run in reported]
    once = {run.spec.digest(): run for run in [*trials, *again]}.values()  # a point may be drawn twice
    return Standing(
        problem=problem.name,
        candidate=current_name(spec.candidate),
        setting=winner.spec.setting if winner else None,
        coupling=spec.decay.coupling if any(run.spec.decay_strength for run in trials) else Coupling.NONE,
        decay=winner.spec.decay_strength if winner else None,
        protocol=spec.protocol.name,
        search=search.digest,
        sampler=search.sampler,
        budget=search.budget,
        study_seed=search.seed,
        metric=problem.metric,
        goal=problem.goal,
        seeds=[run.spec.seed for run in reported],
        valid_mean=mean(valid) if valid else None,
        valid_sd=standard_deviation(valid) if len(valid) > 1 else None,
        test_mean=mean(test) if test else None,
        test_sd=standard_deviation(test) if len(test) > 1 else None,
        trials=len(trials),
        diverged_trials=sum(run.outcome == Outcome.DIVERGED for run in trials),
        diverged_seeds=sum(run.outcome == Outcome.DIVERGED for run in reported),
        unfinished=sum(run.outcome in (Outcome.FAILED, Outcome.TIMED_OUT) for run in once),
        gradients=winner.gradient_evaluations if winner else None,
        seconds=sum(run.timings.total_seconds for run in once),
        runs=reported,
    )


class Done(NamedTuple):
    """A search that has ended; `winner` is the run of its winning trial, None where none can win."""

    search: Search
    standing: Standing
    winner: RunResult | None


def as_one(searches: Sequence[Done]) -> Standing:
    """The row of searches that were declared as one: the winner of the best of them, and what all of them took.

    Best is the one whose winner was best by what searches choose by.
    """
    first = searches[0].search
    if len(searches) == 1:
        return searches[0].standing
    with_winner = [one for one in searches if one.winner is not None]
    best = tune.best([one.winner for one in with_winner if one.winner], first.task.problem.goal)
    chosen = searches[0] if best is None else with_winner[best]
    rows = [one.standing for one in searches]
    return chosen.standing.model_copy(
        update={
            "search": first.together,
            "searches": len(searches),
            "study_seed": first.seed,
            "trials": sum(row.trials for row in rows),
            "diverged_trials": sum(row.diverged_trials for row in rows),
            "unfinished": sum(row.unfinished for row in rows),
            "seconds": sum(row.seconds for row in rows),
        }
    )


def ranked(standings: Sequence[Standing]) -> list[Standing]:
    """Best mean test metric first; candidates without one, or with one that is not finite, last."""

    def rank(standing: Standing) -> tuple[bool, float]:
        mean = standing.test_mean
        if mean is None or not math.isfinite(mean):
            return True, 0.0
        return False, -mean if standing.goal == "maximize" else mean

    return sorted(standings, key=rank)
