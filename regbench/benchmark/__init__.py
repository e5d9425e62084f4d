"""What a search is, what of it is there, what is to be done, and how its candidates stand.

Start reading in `searching`: tune, choose, re-run. `searches` says which runs those are, `completion` takes each from
where it is or has it computed, `recording` keeps the record of the search, `standings` makes the rows of the table that
ends it, `planning` lists the runs beforehand, `estimate` says how long they take, `listing` lists the searches that a
results tree has on record.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regbench.benchmark.events import Event
    from regbench.benchmark.own_problem import problem_on
    from regbench.benchmark.running import run, run_all
    from regbench.benchmark.searches import Search
    from regbench.benchmark.searching import search
    from regbench.benchmark.standings import Standing

__all__ = ["Event", "Search", "Standing", "problem_on", "run", "run_all", "search"]

_HOMES = {
    "Event": "events",
    "Search": "searches",
    "Standing": "standings",
    "problem_on": "own_problem",
    "run": "running",
    "run_all": "running",
    "search": "searching",
}


def __getattr__(name: str) -> Any:
    """Load what is asked for when it is: commands that only tell something need neither NumPy nor Optuna."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
