"""Reading the TOML files of problems and candidates into records."""

import json
import math
import os
import stat
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import ValidationError

from regbench.catalog.bounds import contradictions, violations
from regbench.errors import DefinitionError
from regbench.records import FORMS, Candidate, Choices, Decay, Function, OwnData, Part, Problem, Range, Record, Scalar

LARGEST_FILE = 2**16  # bytes; reading takes a time that grows with their square
DEEPEST = 20  # levels of tables and lists
_TOO_DEEP = f"tables and lists must be nested at most {DEEPEST} deep"

_NO_PART = Part(name="none")
"""Stands for a part that cannot be read, in a file that is refused for it."""

AnyRecord = TypeVar("AnyRecord", bound=Record)


def read_problem(path: Path) -> Problem:
    """Read a problem file; its name is the file's."""
    table, file = read_toml(path), _File(path)
    if isinstance(table.get("model"), str):
        table["model"] = {"name": table["model"]}
    model = file.part("model", table.pop("model", None))
    own = file.own_data(table["dataset"]) if isinstance(table.get("dataset"), Mapping) else None
    if "dataset" in table and not isinstance(table["dataset"], str):
        if own is None and not isinstance(table["dataset"], Mapping):
            file.refuse("dataset", "must be the name of a data set, or a table with a `name`", table["dataset"], None)
        table["dataset"] = "own"
    problem = file.record(Problem, "", table | {"name": path.stem, "model": model})
    if problem is not None and own is not None:
        problem = problem.model_copy(update={"dataset": with_targets(own, problem)})
    if problem is not None:
        file.wrong += contradictions(problem)
    return file.checked(problem)


def with_targets(own: OwnData, problem: Problem) -> OwnData:
    """Own data whose targets are what the loss learns, unless the file says it."""
    learnt = {"classes": "classes", "tokens": "classes", "numbers": "numbers"}.get(problem.task, "auto")
    if problem.loss in ("categorical_crossentropy", "binary_crossentropy"):
        learnt = "probabilities"  # or classes
    return own if own.targets != "auto" else own.model_copy(update={"targets": learnt})


def read_candidate(path: Path) -> Candidate:
    """Read a candidate file; its name is the file's."""
    table, file = read_toml(path), _File(path)
    table["optimizer"] = file.part("optimizer", table.get("optimizer"))
    if "regularizer" in table:
        table["regularizer"] = file.part("regularizer", table["regularizer"])
    if "decay" in table:
        table["decay"] = file.decay(table["decay"])
    candidate = file.record(Candidate, "", table | {"name": path.stem})
    if candidate is not None:
        file.wrong += violations(candidate)
    return file.checked(candidate)


def read_toml(path: Path) -> dict[str, Any]:
    """The table in a TOML file that has no key `name`.

    Raises:
        DefinitionError: it cannot be read, or holds what no definition may.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # others may never end
            raise DefinitionError(f"{path}: cannot be read: no regular file")
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise DefinitionError(f"{path}: must have at most {LARGEST_FILE} bytes. Received: more")
        table = tomllib.loads(content.decode("utf-8-sig"))  # Windows editors begin a file with a byte order mark
    except OSError as error:
        raise DefinitionError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DefinitionError(f"{path}: not valid TOML: {error}") from error
    except RecursionError as error:
        raise DefinitionError(f"{path}: {_TOO_DEEP}. Received: more") from error
    _check_extremes(path, table)
    if "name" in table:
        raise DefinitionError(
            f"{path}: name: must not be given, because it is that of the file. Received: {table['name']!r}"
        )
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


class _File:
    """What is wrong with the content of a file, gathered while it is read.

    What does not hold together is read as something that does, so that the rest is judged too.

    Attributes:
        unknown: a sentence on each key that there is not. They are told first: a key that is misspelt is missing too.
        wrong: a sentence on everything else.
    """

    def __init__(self, path: Path) -> None:
        """Nothing is wrong yet."""
        self._path = path
        self.unknown: list[str] = []
        self.wrong: list[str] = []

    def checked(self, record: AnyRecord | None) -> AnyRecord:
        """The record.

        Raises:
            DefinitionError: something is wrong.
        """
        if record is None or self.unknown or self.wrong:
            raise DefinitionError(f"{self._path}: {_joined(self.unknown + self.wrong)}")
        return record

    def part(self, key: str, table: object) -> Part:
        """A part and those in it."""
        if not isinstance(table, Mapping):
            return self.refuse(key, "must be a table with a `name`", table, _NO_PART)
        name = table.get("name")
        if not isinstance(name, str) or not name:
            name = self.refuse(f"{key}.name", "must be the name of a class", name, _NO_PART.name)
        arguments = {k: self._argument(f"{key}.{k}", v) for k, v in table.items() if k != "name"}
        return Part(name=name, arguments=arguments)

    def _argument(self, key: str, value: object) -> Any:
        if isinstance(value, Mapping):
            if "name" in value:
                return self.part(key, value)
            if "choices" not in value:
                return self.record(Range, key, value) or 0.0
            if not self._are_scalars(f"{key}.choices", value["choices"]):
                return 0.0
            return self.record(Choices, key, value) or 0.0
        return value if self._are_scalars(key, value) else 0.0

    def _are_scalars(self, key: str, value: object) -> bool:
        scalars = value if isinstance(value, list) else [value]
        if not all(isinstance(scalar, bool | int | float | str) for scalar in scalars):
            must = "must be a number, a string, a truth value, a range or a part"
            return self.refuse(key, must, value, False)
        if not all(math.isfinite(scalar) for scalar in scalars if isinstance(scalar, float)):
            return self.refuse(key, "must be finite", value, False)
        return True

    def own_data(self, table: Mapping[str, Any]) -> OwnData | None:
        """Data of the user's own; paths are relative to the folder of the file."""
        name = table.get("name")
        if not isinstance(name, str) or not (":" in name or name in FORMS):
            must = f"must be {', '.join(FORMS)}, or module:function"
            return cast(None, self.refuse("dataset.name", must, name, None))
        if ":" in name:
            known = OwnData.model_fields.keys() - {"path", "content"}
            arguments = {key: value for key, value in table.items() if key not in known}
            return self.record(
                Function, "dataset", {key: table[key] for key in known & table.keys()} | {"arguments": arguments}
            )
        if "content" in table:
            self.unknown.append("dataset.content: there is no such key.")
        path = table.get("path")
        if not isinstance(path, str) or not path:
            return cast(None, self.refuse("dataset.path", "must be the path of the data", path, None))
        place = os.path.abspath(self._path.parent / Path(path).expanduser())  # noqa: PTH100  links stay as they are named
        return self.record(FORMS[name], "dataset", dict(table) | {"path": place})

    def decay(self, table: object) -> Decay:
        """The decay and its strength."""
        if not isinstance(table, Mapping):
            return self.refuse("decay", "must be a table", table, Decay())
        strength = table.get("strength", 0.0)
        if isinstance(strength, Mapping):
            strength = self.record(Range, "decay.strength", strength) or "problem"
        elif isinstance(strength, str) and strength != "problem":
            must = 'must be a number, a range or "problem"'
            strength = self.refuse("decay.strength", must, strength, "problem")
        return self.record(Decay, "decay", {**table, "strength": strength}) or Decay()

    def record(self, record: type[AnyRecord], key: str, table: Mapping[str, Any]) -> AnyRecord | None:
        """Validate as JSON, in which arrays may stand for tuples and strings for enumerations, strictly otherwise."""
        try:
            return record.model_validate_json(json.dumps(table, default=_as_json))
        except TypeError as error:
            self.wrong.append(f"{key or 'the file'}: dates and times have no meaning here ({error})")
        except ValidationError as invalid:
            unknown, wrong = _sentences(invalid, record, key)
            self.unknown += unknown
            self.wrong += wrong
        return None

    def refuse(self, key: str, must: str, came: object, instead: Any) -> Any:
        """Say what must hold, and give what is read instead."""
        self.wrong.append(f"{key}: {must}. Received: {came!r}")
        return instead


def _as_json(value: object) -> Any:
    if isinstance(value, Record):
        return value.model_dump(mode="json", exclude_none=isinstance(value, Range | Choices))
    raise TypeError(type(value).__name__)


def describe(invalid: ValidationError, record: type[Record], key: str = "") -> str:
    """The validation errors on one line, unknown keys first: key, rule, value received."""
    unknown, wrong = _sentences(invalid, record, key)
    return _joined(unknown + wrong)


def _sentences(invalid: ValidationError, record: type[Record], key: str) -> tuple[list[str], list[str]]:
    """A sentence on each key that there is not, and one on each other error."""
    unknown, wrong = [], []
    for error in invalid.errors():
        if error["type"] == "default_factory_not_called":
            continue  # what is usual depends on a key that is wrong, which has a sentence of its own
        where = ".".join(str(part) for part in ((key,) if key else ()) + error["loc"]) or "the file"
        if error["type"] == "extra_forbidden":
            close = get_close_matches(str(error["loc"][-1]), record.model_fields, n=1)
            unknown.append(f"{where}: there is no such key." + (f" Did you mean `{close[0]}`?" if close else ""))
        elif error["type"] == "missing":
            wrong.append(f"{where}: this key is required.")
        else:
            message = error["msg"].removeprefix("Value error, ")
            message = message[0].upper() + message[1:]
            received = "" if error["type"] == "value_error" else f" Received: {error['input']!r}"
            wrong.append(f"{where}: {message}.{received}")
    return unknown, wrong


def _joined(sentences: Sequence[str]) -> str:
    return sentences[0] if len(sentences) == 1 else "; ".join(sentence.rstrip(".") for sentence in sentences)
