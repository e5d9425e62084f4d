"""Reading the TOML files of problems and candidates into records."""

import json
import math
import stat
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import ValidationError

from regbench.errors import DefinitionError
from regbench.records import Candidate, Choices, Decay, Part, Problem, Range, Record, Scalar

LARGEST_FILE = 2**16  # bytes; reading takes a time that grows with their square
DEEPEST = 20  # levels of tables and lists
_TOO_DEEP = f"tables and lists must be nested at most {DEEPEST} deep"

AnyRecord = TypeVar("AnyRecord", bound=Record)


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


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # others may never end
            raise DefinitionError(f"{path}: cannot be read: no regular file")
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise DefinitionError(f"{path}: must have at most {LARGEST_FILE} bytes. Received: more")
        table = tomllib.loads(content.decode())
    except OSError as error:
        raise DefinitionError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DefinitionError(f"{path}: not valid TOML: {error}") from error
    except RecursionError as error:
        raise DefinitionError(f"{path}: {_TOO_DEEP}. Received: more") from error
    _check_extremes(path, table)
    if "name" in table:
        _refuse(path, "name", "must not be given, because it is that of the file", table["name"])
    return table


def _check_extremes(path: Path, table: dict[str, Any]) -> None:
    """Refuse what valid TOML may be, but no definition is."""
    open_ones: list[tuple[int, str, Any]] = [(1, "", table)]
    while open_ones:
        level, key, value = open_ones.pop()
        if isinstance(value, dict | list):
            if level > DEEPEST:
                raise DefinitionError(f"{path}: {_TOO_DEEP}. Received: more, in {key}")
            inner = value.items() if isinstance(value, dict) else ((key, item) for item in value)
            open_ones += [(level + 1, str(name), item) for name, item in inner]
        elif isinstance(value, int) and not is_representable(value):
            raise DefinitionError(f"{path}: {key}: must fit into 64 bits. Received: {value.bit_length()} bits")


def is_representable(value: Scalar) -> bool:
    """Whether a value is no whole number or, as TOML asks for, one of 64 bits."""
    return not isinstance(value, int) or -(2**63) <= value < 2**63


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
        if "choices" not in value:
            return _record(Range, path, key, value)
        _check_scalars(path, f"{key}.choices", value["choices"])
        return _record(Choices, path, key, value)
    _check_scalars(path, key, value)
    return value


def _check_scalars(path: Path, key: str, value: object) -> None:
    scalars = value if isinstance(value, list) else [value]
    if not all(isinstance(scalar, bool | int | float | str) for scalar in scalars):
        _refuse(path, key, "must be a number, a string, a truth value, a range or a part", value)
    if not all(math.isfinite(scalar) for scalar in scalars if isinstance(scalar, float)):
        _refuse(path, key, "must be finite", value)


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
    """The first validation error on one line: key, rule, value received."""
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
