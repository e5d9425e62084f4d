"""Values from the object in a result file, which may hold anything. Each raises NoRunError where one does not fit."""

import math
from collections.abc import Mapping
from typing import Any

from regbench.errors import printable
from regbench.trees.irregularities import NoRunError

LARGEST_INTEGER = 2**63 - 1
LONGEST_NAME = 255  # characters
_LONGEST_SHOWN = 40


def read_table(table: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The object under a key."""
    return _value(table, key, dict, "an object")


def read_table_if_any(table: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The object under a key, an empty one where there is no such key or null under it."""
    return {} if table.get(key) is None else read_table(table, key)


def read_name(table: Mapping[str, Any], key: str) -> str:
    """The text under a key, printable and not too long."""
    name = _value(table, key, str, "a name")
    if not 0 < len(name) <= LONGEST_NAME:
        raise NoRunError("not_a_result", f"`{key}` must have 1 to {LONGEST_NAME} characters. Received: {len(name)}")
    return printable(name)


def read_integer(table: Mapping[str, Any], key: str, least: int) -> int:
    """The whole number under a key, at least `least`."""
    number = _value(table, key, int, "a whole number")
    if not least <= number < LARGEST_INTEGER:
        raise NoRunError("not_a_result", f"`{key}` must be at least {least} and below {LARGEST_INTEGER}")
    return number


def read_number(table: Mapping[str, Any], key: str) -> float:
    """The finite number under a key."""
    number = _value(table, key, int | float, "a number")
    try:
        as_float = float(number)
    except OverflowError:
        as_float = math.inf
    if not math.isfinite(as_float):
        raise NoRunError("not_a_result", f"`{key}` must be a finite number. Received: {shown(number)}")
    return as_float


def read_number_if_any(table: Mapping[str, Any], key: str) -> float | None:
    """The number under a key, None where there is no such key or null under it."""
    return None if table.get(key) is None else read_number(table, key)


def read_word(table: Mapping[str, Any], key: str, known: tuple[str, ...]) -> str:
    """One of the known words."""
    name = read_name(table, key)
    if name not in known:
        raise NoRunError("not_a_result", f"`{key}` must be one of {', '.join(known)}. Received: {name!r}")
    return name


def _value(table: Mapping[str, Any], key: str, kind: Any, must: str) -> Any:
    value = table.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        came = shown(value) if key in table else "no such key"
        raise NoRunError("not_a_result", f"`{key}` must be {must}. Received: {came}")
    return value


def shown(value: Any) -> str:
    """A value, for messages."""
    text = repr(value) if isinstance(value, str | int | float | bool | None) else type(value).__name__
    return printable(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}...")
