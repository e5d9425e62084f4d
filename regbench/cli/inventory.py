"""What exists, by kind and name, as plain data: what `regbench list` and `regbench show` print."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from regbench import catalog, datasets
from regbench.errors import UnknownNameError
from regbench.records import Choices, Part, Range, Record

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Kind:
    """One kind of thing.

    Attributes:
        singular: how one is called.
        names: of all that exist.
        describe: every key of the one with a name; `summary` is always among them.
    """

    singular: str
    names: Callable[[], Iterable[str]]
    describe: Callable[[str], dict[str, Any]]


def _from_file(folder: str, name: str, read: Callable[[str], Record]) -> dict[str, Any]:
    return _plain(read(name)) | {"file": str(catalog.find_files(folder)[name])}


KINDS = {
    "problems": Kind("problem", catalog.problem_names, lambda name: _from_file("testproblems", name, catalog.problem)),
    "candidates": Kind(
        "candidate", catalog.candidate_names, lambda name: _from_file("search_spaces", name, catalog.candidate)
    ),
    "datasets": Kind("dataset", datasets.names, lambda name: _plain(datasets.get(name))),
    "budgets": Kind("budget", lambda: catalog.BUDGETS, lambda name: _budget(name)),
    "protocols": Kind("protocol", lambda: catalog.PROTOCOLS, lambda name: _plain(catalog.protocol(name))),
}


def _budget(name: str) -> dict[str, Any]:
    trials = catalog.budget_trials(name)
    summary = f"{trials} trials" if trials > 1 else "1 trial: the defaults"
    if name == "large":
        summary += ", those after the 50th from ranges between the ten best of the first 50"
    return {"name": name, "summary": summary, "trials": trials}


def find(name: str) -> dict[str, dict[str, Any]]:
    """Everything of a name, by what it is ("problem", "dataset" ...); of a combination (`adam+l2`), the candidate.

    Raises:
        UnknownNameError: there is nothing of this name.
        DefinitionError: its file does not hold together.
    """
    if "+" in catalog.current_name(name):
        return {"candidate": _plain(catalog.candidate(name))}
    found = {kind.singular: kind.describe(name) for kind in KINDS.values() if name in kind.names()}
    if not found:
        kinds = [kind.singular for kind in KINDS.values()]
        known = {known for kind in KINDS.values() for known in kind.names()}
        raise UnknownNameError(f"{', '.join(kinds[:-1])} or {kinds[-1]}", name, known)
    return found


def to_text(kind: str, entry: Mapping[str, Any]) -> str:
    """One of those that `find` gives: as TOML, so that it can be the beginning of a file of one's own."""
    place = f": {entry['file']}" if "file" in entry else ""
    table = {key: value for key, value in entry.items() if key not in ("name", "file")}
    values = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    tables = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    sections = [f"# {kind} {entry['name']}{place}\n{_lines(values)}"]
    sections += [f"[{_key(key)}]\n{_lines(inner)}" for key, inner in tables.items()]
    return "\n\n".join(sections)


def _plain(value: object) -> Any:
    if isinstance(value, Part):
        return {"name": value.name} | {key: _plain(argument) for key, argument in value.arguments.items()}
    if isinstance(value, Range | Choices):
        return value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, Record):
        return {key: _plain(inner) for key, inner in value if inner is not None}
    if is_dataclass(value):
        pairs = ((field.name, getattr(value, field.name)) for field in fields(value))
        return {key: _plain(inner) for key, inner in pairs if inner is not None}
    return [_plain(inner) for inner in value] if isinstance(value, tuple | list) else value


def _lines(table: Mapping[str, Any]) -> str:
    return "\n".join(f"{_key(key)} = {_value(value)}" for key, value in table.items())


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else json.dumps(key)


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_key(key)} = {_value(inner)}' for key, inner in value.items())} }}"
    if isinstance(value, list):
        inner = [_value(element) for element in value]
        if any(isinstance(element, Mapping) for element in value):
            return "".join(["[\n", *(f"    {element},\n" for element in inner), "]"])
        return f"[{', '.join(inner)}]"
    return json.dumps(value, ensure_ascii=False)
