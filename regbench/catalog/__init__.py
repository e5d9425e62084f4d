"""The catalogue: problems and candidates from TOML files; budgets, protocols and schedules from the tables in `rules`.

Bundled files come with the package; a folder `testproblems` or `search_spaces` in the working directory is read beside
them. A name exists once: the same name with another content in both places is an error, never a silent override.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from regbench.catalog.bounds import contradictions, violations
from regbench.catalog.narrowed import read_ranges
from regbench.catalog.reading import describe, is_representable, read_candidate, read_problem, with_targets
from regbench.catalog.rules import (
    ALIASES,
    BUDGETS,
    DECAY,
    FEW_RERUNS,
    NARROWED,
    PROTOCOLS,
    REGULARIZERS,
    SCHEDULES,
    TIMESCALE,
)
from regbench.errors import DefinitionError, UnknownNameError
from regbench.records import Candidate, Coupling, Decay, Part, Problem, Protocol, Schedule, problem_definition

__all__ = [
    "ALIASES",
    "BUDGETS",
    "FEW_RERUNS",
    "NARROWED",
    "PROTOCOLS",
    "REGULARIZERS",
    "SCHEDULES",
    "budget_trials",
    "candidate",
    "candidate_names",
    "check_definition",
    "current_name",
    "data_folder",
    "describe",
    "find_files",
    "former_name",
    "is_bundled",
    "is_representable",
    "problem",
    "problem_names",
    "protocol",
    "read_candidate",
    "read_problem",
    "read_ranges",
    "schedule",
    "with_targets",
]


LARGEST_BUDGET = 1_000_000  # trials; their points are drawn before the first begins


def data_folder(name: str) -> Path:
    """The folder of files that come with regbench: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    return package / name if (package / name).is_dir() else package.parent / name


def find_files(folder: str) -> dict[str, Path]:
    """The TOML files of `testproblems` or `search_spaces` by name, bundled and from the working directory.

    Raises:
        DefinitionError: one name stands for two different contents.
    """
    files = {path.stem: path for path in sorted(data_folder(folder).glob("*.toml"))}
    for path in sorted(Path(folder).glob("*.toml")):
        if "+" in path.stem:
            raise DefinitionError(f"{path}: a name must not have a `+`, which joins the parts of a combination")
        if folder == "search_spaces" and path.stem in ALIASES:
            stands = f"the name `{path.stem}` stands for `{ALIASES[path.stem]}`"
            raise DefinitionError(f"{path}: {stands}. A name exists once: rename your file.")
        bundled = files.setdefault(path.stem, path)
        if bundled is not path and not (path.is_file() and path.read_bytes() == bundled.read_bytes()):
            raise DefinitionError(
                f"{path}: the name `{path.stem}` exists already in {bundled}. A name exists once: rename your file."
            )
    return files


def problem_names() -> list[str]:
    """The names of all problems, sorted."""
    return sorted(find_files("testproblems"))


def candidate_names() -> list[str]:
    """The names of all candidates, sorted."""
    return sorted(find_files("search_spaces"))


def problem(name: str) -> Problem:
    """Read one problem.

    Raises:
        UnknownNameError: there is no such problem.
        DefinitionError: its file does not hold together.
    """
    path = _find("testproblems", "problem", name)
    return read_problem(path)


def candidate(name: str) -> Candidate:
    """Read one candidate; errors as for `problem`.

    `base+part+...` is the candidate `base` with a regularizer of `REGULARIZERS`, a decay coupling, or both in place of
    its own: `momentum+orthogonal+decoupled`. What they add is searched. The two may be in any order; the name
    of the combination has the regularizer first. A former name (`adam_l2`) stands for the combination.
    """
    base, joint, parts = name.partition("+")
    name = current_name(base) + joint + parts
    return _combined(name, _find("search_spaces", "candidate", name.partition("+")[0]))


def current_name(name: str) -> str:
    """The name of a candidate, by which it is shown: a former name becomes that of the combination."""
    return ALIASES.get(name, name)


def former_name(name: str) -> str | None:
    """The name that a combination had when it was a file of its own."""
    return next((former for former, current in ALIASES.items() if current == name), None)


def is_bundled(definition: Problem | Candidate) -> bool:
    """Whether a problem or a candidate comes with regbench, a candidate as it stands or as a combination."""
    if isinstance(definition, Problem):
        path = data_folder("testproblems") / f"{definition.name}.toml"
        return path.is_file() and problem_definition(definition) == problem_definition(read_problem(path))
    name = current_name(definition.name)
    path = data_folder("search_spaces") / f"{name.partition('+')[0]}.toml"
    return path.is_file() and definition == _combined(name, path).model_copy(update={"name": definition.name})


def _combined(name: str, path: Path) -> Candidate:
    record = read_candidate(path)
    _, *parts = name.split("+")
    # The regularizer first, so that a combination has one name.
    parts.sort(key=lambda part: part not in REGULARIZERS)
    for part in parts:
        record = _with_part(record, part)
    is_coupling = [part not in REGULARIZERS for part in parts]
    if is_coupling not in ([], [False], [True], [False, True]):
        raise DefinitionError(
            f"A combination must be a candidate with at most one regularizer and at most one decay coupling. "
            f"Received: {name!r}"
        )
    return record


def _with_part(base: Candidate, part: str) -> Candidate:
    if part in REGULARIZERS:
        change: dict[str, Any] = {"regularizer": Part(name=part, arguments=REGULARIZERS[part])}
    elif part in Coupling.__members__.values():
        coupling = Coupling(part)
        without = coupling == Coupling.NONE
        strength = TIMESCALE if coupling == Coupling.TIMESCALE else DECAY
        change = {"decay": Decay() if without else Decay(coupling=coupling, strength=strength, mask=base.decay.mask)}
    else:
        raise UnknownNameError("regularizer or decay coupling", part, [*REGULARIZERS, *Coupling])
    summary = f"{base.summary}, with {part}"
    return base.model_copy(update={**change, "name": f"{base.name}+{part}", "summary": summary})


def check_definition(definition: Problem | Candidate) -> None:
    """Judge what was not read from a file like what was.

    Raises:
        DefinitionError: its values have no meaning, or do not go together.
    """
    wrong = contradictions(definition) if isinstance(definition, Problem) else violations(definition)
    if wrong:
        raise DefinitionError(f"{definition.name}: {'; '.join(wrong)}")


def budget_trials(budget: str | int) -> int:
    """The number of trials of a budget given by name or as a positive number."""
    if budget in BUDGETS:
        return BUDGETS[str(budget)]
    try:
        trials = int(budget)
    except ValueError as error:
        raise UnknownNameError("budget", str(budget), BUDGETS) from error
    if not 1 <= trials <= LARGEST_BUDGET:
        raise DefinitionError(f"A budget must be from 1 to {LARGEST_BUDGET} trials. Received: {trials!r}")
    return trials


def protocol(name: str) -> Protocol:
    """One of the evaluation protocols by name."""
    if name not in PROTOCOLS:
        raise UnknownNameError("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]


def schedule(
    name: str, epochs: Sequence[int] = (), factors: Sequence[float] = (), warmup: float | None = None
) -> Schedule:
    """A learning-rate schedule by name, as published.

    `epochs` and `factors` are for `step`; `warmup`, a share of all steps, for those of `records.EACH_STEP`.
    """
    if name not in SCHEDULES:
        raise UnknownNameError("schedule", name, SCHEDULES)
    given: dict[str, Any] = {"name": name, "epochs": tuple(epochs), "factors": tuple(factors)}
    try:
        given |= {"version": 2} if name == "ltr" else {}
        return Schedule.model_validate(given | ({} if warmup is None else {"warmup": warmup}))
    except ValidationError as invalid:
        raise DefinitionError(describe(invalid, Schedule, "schedule")) from invalid


def _find(folder: str, kind: str, name: str) -> Path:
    files = find_files(folder)
    if name not in files:
        raise UnknownNameError(kind, name, files)
    return files[name]
