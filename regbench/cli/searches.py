"""The command `searches`: what is on record of searches in a results tree."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from regbench.catalog import current_name
from regbench.cli import options, progress, summaries, terminal
from regbench.cli.codes import DONE
from regbench.errors import printable

if TYPE_CHECKING:
    from regbench.benchmark.listing import ListedSearch, Listing

COLUMNS = (
    *("problem", "candidate", "sampler", "budget", "seed", "epochs", "batch_size", "schedule", "protocol"),
    *("trials_there", "trials", "reruns_there", "reruns", "complete", "winner", "metric", "score", "digest", "ranges"),
)


@click.command()
@options.results(" that is looked through")
@options.formats("table", "json", "csv")
def searches(results: str, form: str) -> int:
    """Show the searches in a results tree: how far each is, and which setting won.

    A search is complete when it has ended and all its trials and re-runs are there; else the command that began it goes
    on from there. The score is that of the winning trial.
    """
    from regbench.benchmark.listing import list_searches

    with progress.Waiting("reading") as waiting:
        listing = list_searches(results, waiting.warn)
    rows = [_plain(one) for one in listing.searches]
    if form == "json":
        others = {"runs_of_no_search": listing.runs_of_no_search, "by_hand": listing.by_hand}
        terminal.show_json({"searches": rows} | others)
    elif form == "csv":
        terminal.show_csv(COLUMNS, rows)
    elif listing.searches:
        _show(listing.searches)
        terminal.show_text(f"\n{_others(listing)}")
    else:
        terminal.show_text(f"{printable(results)}: no search is on record here. {_others(listing)}")
    return DONE


def _plain(one: "ListedSearch") -> dict[str, Any]:
    manifest, winner = one.manifest, one.winner
    return {
        "problem": manifest.problem,
        "candidate": current_name(manifest.candidate),
        "sampler": manifest.sampler,
        "budget": manifest.budget,
        "seed": manifest.seed,
        "epochs": manifest.epochs,
        "batch_size": manifest.batch_size,
        "schedule": manifest.schedule if winner is None else winner.spec.schedule.title,
        "protocol": manifest.protocol,
        "trials_there": one.trials_there,
        "trials": one.trials,
        "reruns_there": one.reruns_there,
        "reruns": one.reruns,
        "complete": one.is_complete,
        "winner": None if winner is None else winner.spec.setting,
        "metric": None if winner is None else winner.spec.problem.metric,
        "score": _score(one),
        "digest": manifest.digest,
        "ranges": manifest.ranges,
    }


def _show(searches: "Sequence[ListedSearch]") -> None:
    columns = ["problem", "candidate", "sampler", "budget", "seed", "epochs", "protocol", "trials", "re-runs", "state"]
    columns += ["winner", "score", "digest"]
    rows = [
        (
            one.manifest.problem,
            current_name(one.manifest.candidate),
            one.manifest.sampler,
            one.manifest.budget,
            one.manifest.seed,
            one.manifest.epochs,
            one.manifest.protocol,
            f"{one.trials_there}/{one.trials}",
            f"{one.reruns_there}/{one.reruns}",
            "complete" if one.is_complete else "in progress",
            _winner(one),
            terminal.number(_score(one)),
            one.manifest.digest[:8],
        )
        for one in searches
    ]
    cells = [[printable(str(cell)) for cell in row] for row in rows]
    terminal.show_table(columns, cells, right=["budget", "seed", "epochs", "trials", "re-runs", "score"])


def _winner(one: "ListedSearch") -> str:
    if one.winner is not None:
        return summaries.short_setting(one.winner.spec.setting)
    if one.manifest.winner is not None:
        return f"trial {one.manifest.winner}, which is not there"
    return "no trial completed" if one.manifest.is_complete else ""


def _score(one: "ListedSearch") -> float | None:
    """None also where it is not finite."""
    score = None if one.winner is None else one.winner.score()
    return score if score is not None and math.isfinite(score) else None


def _others(listing: "Listing") -> str:
    by_hand = f", {listing.by_hand} of them by hand" if listing.runs_of_no_search else ""
    return f"Runs of no search: {listing.runs_of_no_search}{by_hand}."
