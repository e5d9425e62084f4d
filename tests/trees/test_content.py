"""The content of result files: the same as `json` reads, less the minibatch losses, whatever quick way is taken."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regbench.trees import content
from regbench.trees.content import parse
from regbench.trees.irregularities import NoRunError

KEY = "minibatch_train_losses"

numbers = st.floats() | st.integers(-(10**30), 10**30)
texts = st.text() | st.sampled_from(
    [KEY, f'"{KEY}": [1, 2]', '"]', "[", "],", '", ":1,', ":1,", "regbench: this list was cut out"]
)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
tables = st.dictionaries(texts | st.just(KEY), values | st.lists(numbers, max_size=5), max_size=5)


def same(one: Any, other: Any) -> bool:
    """Equal in type and value; NaN is equal to itself."""
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@settings(max_examples=300)
@given(tables, st.sampled_from([None, 4]), st.booleans())
def test_what_is_read_is_what_json_reads(table: dict[str, Any], indent: int | None, ascii_only: bool) -> None:
    data = json.dumps(table, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    expected = json.loads(data)
    expected.pop(KEY, None)
    assert same(parse(data).table, expected)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "\\ud800"}',
        '\ufeff{"a": 1}',
        '{"a": ' + "[" * 250 + "]" * 250 + "}",
        '{"a": NaN, "b": [Infinity, -Infinity], "c": 1e999, "d": -0.0, "e": 1e-400}',
        '{"minibatch_train_losses": [1.0], "minibatch_train_losses": [2.0]}',
        '{"minibatch_train_losses": [1.0], "a": {"minibatch_train_losses": [2.0]}}',
        '{"a": {"minibatch_train_losses": [2.0]}}',
        '{"a": [{"minibatch_train_losses": [2.0]}]}',
        '{"b": "x", "minibatch_train_losses": [[1.0], [2.0, []], {}]}',
        '{"minibatch_train_losses": ["],", ":1,"], ":2,": 5}',
        '{"minibatch_train_losses": []}',
        '{"minibatch_train_losses": null, "a": [1]}',
    ],
)
def test_unusual_content_is_what_json_reads(text: str) -> None:
    expected = json.loads(text.encode())
    expected.pop(KEY, None)
    assert same(parse(text.encode()).table, expected)


@pytest.mark.parametrize(
    ("text", "repeated"),
    [
        ('{"a": 1, "b": {"a": 2}}', []),
        ('{"a": 1, "b": 2, "a": 3}', ["a"]),
        ('{"b": {"a": "x", "a": "y"}}', ["a"]),
        ('{"b": [{"a": 1, "a": 2}]}', ["a"]),
        ('{"a": "\\"", "b": ["x"]}', []),
        ('{"minibatch_train_losses": [1.0], "a": 1, "a": 2, "c": [1]}', ["a"]),
    ],
)
def test_repeated_keys_are_found(text: str, repeated: list[str]) -> None:
    assert parse(text.encode()).repeated_keys == repeated


@pytest.mark.parametrize(
    ("losses", "after", "steps"),
    [
        ("1.0, 2.0, 3.0", "", 3),
        ("1.0, 2.0", ', "z": [1, "x"]', 2),
        ("", "", 0),
        (" ", "", 0),
        ("[1.0], [2.0]", ', "z": "x"', 2),
    ],
)
def test_steps_are_counted_in_files_of_ours(losses: str, after: str, steps: int) -> None:
    assert parse(f'{{"regbench": {{}}, "{KEY}": [{losses}]{after}}}'.encode()).steps == steps


def test_an_error_of_json_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoRunError) as caught:
        parse(b'{"a": 1,\n "b": }')
    assert caught.value.irregularity == ("not_json", "Expecting value: line 2 column 7 (char 15)")
    monkeypatch.setattr(content, "LARGEST_REST", 5)
    with pytest.raises(NoRunError, match="too_large"):
        parse(b'{"a": 1}')
