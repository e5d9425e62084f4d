"""The content of a result file as Python objects, safe against whatever the file holds."""

import json
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import from_json

from regbench.records import MINIBATCH
from regbench.store import deepobs, files
from regbench.trees.irregularities import NoRunError

LARGEST_REST = 32 * 2**20  # bytes without the minibatch losses; curves of 100,000 epochs take less
MOST_MARKS = 500_000  # quotes, and brackets that open; each may become an object of some hundred bytes in memory
_SAMPLE_BYTES, _SAMPLE = 1024, 20  # enough of the minibatch losses to see whether each stands twice


class Content(NamedTuple):
    """A JSON object, less its list of minibatch losses.

    `steps`: how many minibatch losses there were; None where they were not counted (in files of others).
    """

    table: dict[str, Any]
    repeated_keys: list[str]
    minibatch_twice: bool
    steps: int | None = None


def read_bytes(path: Path | str) -> bytes:
    """The bytes of a regular file, as `store.files.read_bytes`.

    Raises:
        NoRunError: it cannot be read, or is too large.
    """
    try:
        return files.read_bytes(path)
    except files.UnreadableFileError as error:
        raise NoRunError(error.kind, error.detail) from error


def parse(data: bytes) -> Content:
    """Read the JSON in a result file.

    Raises:
        NoRunError: the bytes are no JSON object, or what remains of them without the minibatch losses is too large.
    """
    cut = deepobs.cut_minibatch(data)
    content = None if cut is None else _without_minibatch(data, *cut)
    if content is not None:
        return content
    table, repeated = _load(data)
    if not isinstance(table, dict):
        raise NoRunError("not_a_result", f"a result file must hold a JSON object. Received: {type(table).__name__}")
    losses = table.pop(MINIBATCH, None)
    return Content(table, repeated, False, len(losses) if isinstance(losses, list) else None)


def _without_minibatch(data: bytes, rest: bytes, losses: slice) -> Content | None:
    """The object in what remains of a file; None where more is missing from it than the minibatch losses."""
    try:
        table, repeated = _load(rest)
    except NoRunError:
        return None
    if not (isinstance(table, dict) and table.pop(MINIBATCH, None) == deepobs.CUT):
        return None
    head = data[losses.start : min(losses.start + _SAMPLE_BYTES, losses.stop)]
    steps = None
    if "regbench" in table:
        steps = data.count(b",", losses.start, losses.stop) + 1 if head.strip() else 0
    return Content(table, repeated, _stand_twice(head.split(b",")[:_SAMPLE]), steps)


def _load(data: bytes) -> tuple[Any, list[str]]:
    """The parsed JSON, and the keys that stand in it twice."""
    if len(data) > LARGEST_REST:
        rest = f"{len(data)} bytes besides the minibatch losses"
        raise NoRunError("too_large", f"{rest}; at most {LARGEST_REST} are read")
    marks = sum(data.count(mark) for mark in (b'"', b"[", b"{"))
    if marks > MOST_MARKS:
        raise NoRunError("not_a_result", f"{marks} strings, lists and tables; a run has some hundred")
    try:
        # Five times as fast as `json`, and gives the same or nothing.
        quick = from_json(data)
        if data.count(b'"') == 2 * _count_strings(quick):
            return quick, []
    except ValueError:
        pass
    return _load_slowly(data)


def _load_slowly(data: bytes) -> tuple[Any, list[str]]:
    repeated: list[str] = []

    def as_table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) != len(pairs):
            repeated.extend(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        return table

    try:
        return json.loads(data, object_pairs_hook=as_table), repeated
    except RecursionError as error:
        raise NoRunError("not_json", "nested too deeply") from error
    except MemoryError as error:
        raise NoRunError("unreadable", "it does not fit into memory") from error
    except ValueError as error:
        raise NoRunError("not_json", str(error)) from error


def _count_strings(value: Any) -> int:
    """Keys and strings outside lists: half of the quotes, unless there are further strings or repeated keys."""
    if isinstance(value, dict):
        return len(value) + sum(map(_count_strings, value.values()))
    return isinstance(value, str)


def _stand_twice(numbers: list[bytes]) -> bool:
    """Whether numbers, as they are written, come in pairs of equal ones, and not all are equal."""
    numbers = [number.strip() for number in numbers[: len(numbers) // 2 * 2]]
    return len(numbers) >= 4 and numbers[::2] == numbers[1::2] and len(set(numbers)) > 1
