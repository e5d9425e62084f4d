"""What exists: problems and candidates from TOML files; budgets, protocols and schedules from the tables below.

Bundled files come with the package; a folder `testproblems` or `search_spaces` in the working directory is read beside
them. A name exists once: the same name with another content in both places is an error, never a silent override.
"""

import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import ValidationError

from regbench.errors import DefinitionError, UnknownNameError
from regbench.records import (
    Argument,
    Candidate,
    Choices,
    Coupling,
    Decay,
    Part,
    Problem,
    Protocol,
    Range,
    Record,
    Schedule,
)

BUDGETS = {"one_shot": 1, "small": 25, "medium": 50, "large": 75}

PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            name="deepobs",
            summary="DeepOBS 1.2: validation split, one data order per seed, incomplete batches dropped",
            validation=True,
            reshuffle=False,
            every_sample=False,
            augmented_train_evaluation=True,
            reruns=9,
            tuning_seed_counts=True,
        ),
        Protocol(
            name="deepobs-1.1",
            summary="DeepOBS 1.1: as the published 1.1 baselines; no validation split, winner by the test set",
            validation=False,
            reshuffle=False,
            every_sample=False,
            augmented_train_evaluation=True,
            reruns=9,
            tuning_seed_counts=True,
        ),
        Protocol(
            name="strict",
            summary="validation split, reshuffled every epoch, every sample evaluated, ten fresh seeds for the winner",
            validation=True,
            reshuffle=True,
            every_sample=True,
            augmented_train_evaluation=False,
            reruns=10,
            tuning_seed_counts=False,
        ),
    )
}

SCHEDULES = {
    "none": "constant",
    "cosine": "half a cosine down to 0",
    "cosine_wr": "cosine with warm restarts; the first cycle is a tenth of the epochs, each next one twice as long",
    "ltr": "trapezoid: a tenth of the epochs up, flat, a tenth down (epoch 0 at the full rate, as published)",
    "step": "constant pieces, given by epochs and factors",
}

DECAY = Range(low=1e-6, high=1e-1, log=True, default=5e-4)
"""What is searched where a candidate is combined with a decay; the range of the `*_l2` and `*_decoupled` files."""

REGULARIZERS: dict[str, dict[str, Argument]] = {
    "eigenvalue_decay": {"factor": Range(low=1e-4, high=1.0, log=True, default=0.01)},
    "orthogonal": {"factor": Range(low=1e-6, high=1e-1, log=True, default=1e-4)},
    "smooth_kernel": {"factor": Range(low=1e-6, high=1e-1, log=True, default=1e-4), "covariance": 1.0},
}
"""What candidates can be combined with, and its arguments; as in the files of these regularizers."""

AnyRecord = TypeVar("AnyRecord", bound=Record)


def data_folder(name: str) -> Path:
    """The folder of files that come with regbench: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent
    return package / name if (package / name).is_dir() else package.parent / name


def find_files(folder: str) -> dict[str, Path]:
    """The TOML files of `testproblems` or `search_spaces` by name, bundled and from the working directory.

    Raises:
        DefinitionError: one name stands for two different contents.
    """
    found = {path.stem: path for path in sorted(data_folder(folder).glob("*.toml"))}
    for path in sorted(Path(folder).glob("*.toml")):
        bundled = found.setdefault(path.stem, path)
        if bundled is not path and not (path.is_file() and path.read_bytes() == bundled.read_bytes()):
            raise DefinitionError(
                f"{path}: the name `{path.stem}` exists already in {bundled}. A name exists once: rename your file."
            )
    return found


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
    its own: `momentum+orthogonal+decoupled`. What they add is searched. There is one order, so that a combination has
    one name.
    """
    base, *parts = name.split("+")
    found = read_candidate(_find("search_spaces", "candidate", base))
    for part in parts:
        found = _with_part(found, part)
    is_coupling = [part not in REGULARIZERS for part in parts]
    if is_coupling not in ([], [False], [True], [False, True]):
        raise DefinitionError(
            f"A combination must be a candidate, then at most one regularizer, then at most one decay coupling. "
            f"Received: {name}"
        )
    return found


def _with_part(base: Candidate, part: str) -> Candidate:
    if part in REGULARIZERS:
        change: dict[str, Any] = {"regularizer": Part(name=part, arguments=REGULARIZERS[part])}
    elif part in Coupling.__members__.values():
        coupling = Coupling(part)
        change = {"decay": Decay() if coupling == Coupling.NONE else Decay(coupling=coupling, strength=DECAY)}
    else:
        raise UnknownNameError("regularizer or decay coupling", part, [*REGULARIZERS, *Coupling])
    summary = f"{base.summary}, with {part}"
    return base.model_copy(update={**change, "name": f"{base.name}+{part}", "summary": summary})


def budget_trials(budget: str | int) -> int:
    """The number of trials of a budget given by name or as a positive number."""
    if budget in BUDGETS:
        return BUDGETS[str(budget)]
    try:
        trials = int(budget)
    except ValueError as error:
        raise UnknownNameError("budget", str(budget), BUDGETS) from error
    if trials < 1:
        raise DefinitionError(f"A budget must be at least 1 trial. Received: {budget}")
    return trials


def protocol(name: str) -> Protocol:
    """One of the evaluation protocols by name."""
    if name not in PROTOCOLS:
        raise UnknownNameError("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]


def schedule(name: str, epochs: Sequence[int] = (), factors: Sequence[float] = ()) -> Schedule:
    """A learning-rate schedule by name; `epochs` and `factors` for `step`."""
    if name not in SCHEDULES:
        raise UnknownNameError("schedule", name, SCHEDULES)
    try:
        return Schedule.model_validate({"name": name, "epochs": tuple(epochs), "factors": tuple(factors)})
    except ValidationError as invalid:
        raise DefinitionError(describe(invalid, Schedule, "schedule")) from invalid


def read_problem(path: Path) -> Problem:
    """Read a problem file; its name is the file's."""
    table = _read_toml(path)
    if isinstance(table.get("model"), str):
        table["model"] = {"name": table["model"]}
    model = _part(path, "model", table.pop("model", None))
    return _record(Problem, path, "", table | {"name": path.stem, "model": model})


def read_candidate(path: Path) -> Candidate:
    """Read a candidate file; its name is the file's."""
    table = _read_toml(path)
    table["optimizer"] = _part(path, "optimizer", table.get("optimizer"))
    if "regularizer" in table:
        table["regularizer"] = _part(path, "regularizer", table["regularizer"])
    if "decay" in table:
        table["decay"] = _decay(path, table["decay"])
    return _record(Candidate, path, "", table | {"name": path.stem})


def _find(folder: str, kind: str, name: str) -> Path:
    files = find_files(folder)
    if name not in files:
        raise UnknownNameError(kind, name, files)
    return files[name]


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DefinitionError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DefinitionError(f"{path}: not valid TOML: {error}") from error
    if "name" in table:
        _refuse(path, "name", "must not be given, because it is that of the file", table["name"])
    return table


def _part(path: Path, key: str, table: object) -> Part:
    if not isinstance(table, Mapping):
        _refuse(path, key, "must be a table with a `name`", table)
    name = table.get("name")
    if not isinstance(name, str) or not name:
        _refuse(path, f"{key}.name", "must be the name of a class", name)
    arguments = {k: _argument(path, f"{key}.{k}", v) for k, v in table.items() if k != "name"}
    return Part(name=name, arguments=arguments)


def _argument(path: Path, key: str, value: object) -> Any:
    if isinstance(value, Mapping):
        if "name" in value:
            return _part(path, key, value)
        return _record(Choices if "choices" in value else Range, path, key, value)
    scalars = value if isinstance(value, list) else [value]
    if not all(isinstance(scalar, bool | int | float | str) for scalar in scalars):
        _refuse(path, key, "must be a number, a string, a truth value, a range or a part", value)
    if not all(math.isfinite(scalar) for scalar in scalars if isinstance(scalar, float)):
        _refuse(path, key, "must be finite", value)
    return value


def _decay(path: Path, table: object) -> Decay:
    if not isinstance(table, Mapping):
        _refuse(path, "decay", "must be a table", table)
    strength = table.get("strength", 0.0)
    if isinstance(strength, Mapping):
        strength = _record(Range, path, "decay.strength", strength)
    elif isinstance(strength, str) and strength != "problem":
        _refuse(path, "decay.strength", 'must be a number, a range or "problem"', strength)
    return _record(Decay, path, "decay", {**table, "strength": strength})


def _record(record: type[AnyRecord], path: Path, key: str, table: Mapping[str, Any]) -> AnyRecord:
    """Validate as JSON, in which arrays may stand for tuples and strings for enumerations, strictly otherwise."""
    try:
        return record.model_validate_json(json.dumps(table, default=_as_json))
    except TypeError as error:
        raise DefinitionError(f"{path}: {key or 'the file'}: dates and times have no meaning here ({error})") from error
    except ValidationError as invalid:
        raise DefinitionError(f"{path}: {describe(invalid, record, key)}") from invalid


def _as_json(value: object) -> Any:
    if isinstance(value, Record):
        return value.model_dump(mode="json", exclude_none=isinstance(value, Range | Choices))
    raise TypeError(type(value).__name__)


def describe(invalid: ValidationError, record: type[Record], key: str = "") -> str:
    """The first thing that is wrong, on one line: key, what must hold, what came."""
    error = invalid.errors()[0]
    where = ".".join(str(part) for part in ((key,) if key else ()) + error["loc"]) or "the file"
    if error["type"] == "extra_forbidden":
        close = get_close_matches(str(error["loc"][-1]), record.model_fields, n=1)
        return f"{where}: there is no such key." + (f" Did you mean `{close[0]}`?" if close else "")
    if error["type"] == "missing":
        return f"{where}: this key is required."
    message = error["msg"].removeprefix("Value error, ")
    message = message[0].upper() + message[1:]
    received = "" if error["type"] == "value_error" else f" Received: {error['input']!r}"
    return f"{where}: {message}.{received}"


def _refuse(path: Path, key: str, must: str, came: object) -> NoReturn:
    raise DefinitionError(f"{path}: {key}: {must}. Received: {came!r}")
