"""The ranges of the trials after the 50th of a search with the budget `large`: the published ones, or those of a file.

A file has a table for each candidate, with the two ends of each range by the dotted name of what is searched, in the
drawn quantity: of a momentum that is searched on its distance to 1 they are distances.

    [momentum]
    optimizer.learning_rate = [3e-4, 0.025]
    optimizer.momentum = [0.01, 0.6]
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from regbench.catalog.reading import read_toml
from regbench.errors import DefinitionError, UnknownNameError
from regbench.records import Candidate, Range

Ranges = dict[str, tuple[float, float]]

PUBLISHED: Mapping[str, Ranges] = {
    "sgd": {"optimizer.learning_rate": (0.0014618962793704956, 0.026926469100861772)},
    "momentum": {
        "optimizer.learning_rate": (0.00030771802712506853, 0.025378155082656628),
        "optimizer.momentum": (0.009565499215943851, 0.6351221010640693),
    },
    "adam": {
        "optimizer.learning_rate": (0.0013783578294796377, 0.6245139574743064),
        "optimizer.beta_1": (0.5129642628395166, 0.9755286311376995),
        "optimizer.beta_2": (0.8083158062525047, 0.9759419687179991),
    },
}
"""Those of Crowded Valley on `quadratic_deep` without schedule (Schmidt, Schneider and Hennig 2021, arXiv 2007.01547).

Each end is the value of one of the 50 trials; the ten best are those of its runs, of which SGD's were made on Hessians
of other instances (docs/errata.md).
"""

_PLACE = "quadratic_deep", "none"


def read_ranges(source: str | Path, candidate: Candidate, problem: str, schedule: str) -> Ranges:
    """The ranges of a candidate.

    Args:
        source: "published", or a file.
        candidate: whose searched values they are of.
        problem: of the search; likewise `schedule`, by name. Published ranges belong to one of them.

    Raises:
        DefinitionError: there are none, or they do not fit what the candidate searches; the message names the file.
    """
    if source == "published":
        if candidate.name not in PUBLISHED or (problem, schedule) != _PLACE:
            must = f"published are those of {', '.join(PUBLISHED)} on {_PLACE[0]} without schedule"
            came = f"{candidate.name} on {problem}" + ("" if schedule == "none" else f" with schedule {schedule}")
            raise DefinitionError(f"`ranges`: {must}. Received: {came}")
        return dict(PUBLISHED[candidate.name])
    table = read_toml(Path(source))
    if not isinstance(table.get(candidate.name), dict):
        raise DefinitionError(f"{source}: {candidate.name}: must be a table of ranges. Received: none")
    given = dict(_flat("", table[candidate.name]))
    searched = {name: what for name, what in candidate.searched().items() if isinstance(what, Range)}
    for name in given:
        if name not in searched:
            raise UnknownNameError("searched range", name, searched, where=f"{source}: {candidate.name}")
    return {name: _checked(f"{source}: {candidate.name}.{name}", given.get(name), searched[name]) for name in searched}


def _flat(prefix: str, table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(f"{prefix}{key}.", value)
        else:
            yield f"{prefix}{key}", value


def _checked(place: str, given: Any, searched: Range) -> tuple[float, float]:
    low, high = searched.ends()
    are_numbers = isinstance(given, list) and len(given) == 2 and {type(end) for end in given} <= {int, float}
    if not (are_numbers and all(map(math.isfinite, given)) and low <= given[0] <= given[1] <= high):
        distances = " (of distances to 1)" if searched.one_minus else ""
        came = "nothing" if given is None else repr(given)
        raise DefinitionError(
            f"{place}: must be two rising numbers from {low:g} to {high:g}{distances}. Received: {came}"
        )
    ends = float(given[0]), float(given[1])
    if searched.integer and not all(end.is_integer() for end in ends):
        raise DefinitionError(f"{place}: must be whole numbers. Received: {given!r}")
    return ends
