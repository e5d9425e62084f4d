"""Inputs for readers, valid ones with mutations among them, and what must hold whatever comes in.

Usually the inputs are few and always the same. `REGBENCH_FUZZ_INPUTS=100000 python -m pytest tests/fuzz` makes about so
many in all, random ones, and prints how many each reader had.
"""

import copy
import functools
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from regbench.errors import RegbenchError

ASKED_FOR = os.environ.get("REGBENCH_FUZZ_INPUTS")
INPUTS = int(ASKED_FOR or 5_000)
LONGEST_READING = 20.0  # seconds of the processor for one input, so that other processes do not count

TAKEN: Counter[str] = Counter()
REFUSED: Counter[str] = Counter()

DEEP = 100_000
ODD_VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**31, 2**63, -(2**63) - 1, 10**400, -(10**4000), 0.0, -0.0, 1.5, 1e-320, 1e308),
    *(
        float("nan"),
        float("inf"),
        float("-inf"),
        "",
        " ",
        "x",
        "1",
        "nan",
        "\x00",
        "\n",
        "\x1b[31m",
        "\u202e",
        "\ud800",
    ),
    *("é" * 300, "x" * 5000, "../../x", "{{ 7 * 7 }}"),
    *(
        [],
        [[]],
        [None],
        [1, "x"],
        [1.0] * 50,
        [10**400],
        {},
        {"": {}},
        {"a": [{"b": float("nan")}]},
        {"name": "x"},
        {"choices": []},
        {"low": 2, "high": 1},
    ),
]


def fuzz(share: float) -> Callable[[Any], Any]:
    """As many examples as are this share of all inputs, none of which takes its reader long."""
    many = settings(
        max_examples=max(10, round(share * INPUTS)),
        derandomize=ASKED_FOR is None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )

    def decorate(test: Any) -> Any:
        test.hypothesis.inner_test = _soon_done(test.hypothesis.inner_test)
        return many(test)

    return decorate


def _soon_done(test: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        before = time.process_time()
        test(*arguments, **named)
        assert time.process_time() - before < LONGEST_READING

    return run


def read_or_refuse(reader: str, read: Callable[[], Any], path: Path | None = None) -> Any:
    """What is read, None where the input is refused: by a stated error, in one line that can be printed.

    Args:
        reader: the name under which the input is counted.
        read: what reads it.
        path: the file, which the error must name.
    """
    message = None
    try:
        found = read()
    except RegbenchError as error:
        found, message = None, str(error)
    count(reader, message is None)
    assert message is None or message.isprintable()
    assert message is None or path is None or path.name in message
    return found


def count(reader: str, is_read: bool) -> None:
    """Count one input."""
    (TAKEN if is_read else REFUSED)[reader] += 1


def deep(value: Any, levels: int) -> Any:
    """A value inside of many lists and objects, in turn."""
    for level in range(levels):
        value = [value] if level % 2 else {"name": value, "a": 1}
    return value


def change_bytes(data: bytes, changes: list[tuple[str, float, bytes]]) -> bytes:
    """Apply changes to bytes: what is done, where (as a part of the length), and the bytes it takes."""
    for kind, place, piece in changes:
        at = int(place * len(data))
        end = at + max(1, len(piece))
        match kind:
            case "cut":
                data = data[:at]
            case "remove":
                data = data[:at] + data[end:]
            case "insert":
                data = data[:at] + piece + data[at:]
            case "overwrite":
                data = data[:at] + piece + data[end:]
            case "flip" if data:
                at = min(at, len(data) - 1)
                data = data[:at] + bytes([data[at] ^ (1 << (len(piece) % 8))]) + data[at + 1 :]
            case "repeat":
                data = data[:at] + data[at // 2 :]
    return data


def change_table(table: dict[str, Any], changes: list[tuple[str, int, Any]]) -> dict[str, Any]:
    """A table after changes: what is done, the number of the place, and the value it takes."""
    table = copy.deepcopy(table)
    for kind, number, value in changes:
        places = _places(table)
        if not places:
            break
        holder, key = places[number % len(places)]
        match kind:
            case "remove":
                del holder[key]
            case "replace":
                holder[key] = copy.deepcopy(value)
            case "swap":
                other, other_key = places[number // len(places) % len(places)]
                # Copied, as otherwise a value could come to hold itself.
                holder[key], other[other_key] = copy.deepcopy(other[other_key]), copy.deepcopy(holder[key])
            case "rename" if isinstance(holder, dict):
                holder[value if isinstance(value, str) else "other"] = holder.pop(key)
            case "nest":
                holder[key] = deep(holder[key], 2 ** (number % 7))
            case "repeat" if isinstance(holder[key], list):
                holder[key] = holder[key] * (number % 40)
    return table


def _places(table: dict[str, Any]) -> list[tuple[Any, Any]]:
    places: list[tuple[Any, Any]] = []
    open_ones: list[Any] = [table]
    while open_ones:
        holder = open_ones.pop()
        # Of a long list of numbers the first few stand for all.
        keys = list(holder) if isinstance(holder, dict) else range(min(len(holder), 4))
        places += [(holder, key) for key in keys]
        open_ones += [holder[key] for key in keys if isinstance(holder[key], dict | list)]
    return places


places = st.floats(0, 1)
byte_changes = st.lists(
    st.tuples(
        st.sampled_from(["cut", "remove", "insert", "overwrite", "flip", "repeat"]),
        places,
        st.binary(max_size=8)
        | st.sampled_from([b"\x00" * 64, b"\xff" * 16, b'"', b"[[", b"{", b"}", b"=", b"e999", b"-"]),
    ),
    min_size=1,
    max_size=3,
)
odd_values = st.sampled_from(ODD_VALUES) | st.floats() | st.integers() | st.text(max_size=8)


def table_changes(values: st.SearchStrategy[Any] = odd_values) -> st.SearchStrategy[list[tuple[str, int, Any]]]:
    """Lists of changes for `change_table`."""
    kinds = st.sampled_from(["remove", "replace", "replace", "swap", "rename", "nest", "repeat"])
    return st.lists(st.tuples(kinds, st.integers(0, 10_000), values), min_size=1, max_size=4)
