"""What people write: files of problems and candidates, values and names on the command line."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regbench import catalog
from regbench.catalog import data_folder, read_candidate, read_problem
from regbench.cli.values import read_setting
from regbench.records import Scalar

from .inputs import DEEP, byte_changes, change_bytes, change_table, fuzz, read_or_refuse, table_changes

READERS = {"testproblems": read_problem, "search_spaces": read_candidate}
FILES = [(folder, path) for folder in READERS for path in sorted(data_folder(folder).glob("*.toml"))]
TEXTS = {(folder, path.stem): path.read_bytes() for folder, path in FILES}
texts = st.sampled_from(list(TEXTS))
PARAGRAPH = "\N{PARAGRAPH SEPARATOR}"


class Literal(str):
    """A value as it stands in TOML."""

    def __repr__(self):
        return f"Literal({self[:20]!r}...)"


LITERALS = [
    *("true", "0", "-1", "1.5", "nan", "-inf", "1e400", "-1e400", "9" * 19, "9" * 4300, "9" * 4301, "0x" + "f" * 5000),
    *("1" + "0" * 4000, "''", '"\\u0000"', '"\\u001b[31m"', "'''\n\n'''", f'"{PARAGRAPH}"', '"' + "x" * 5000 + '"'),
    *("2020-01-01", "2020-01-01T00:00:00Z", "2020-13-45", "00:00:00", "[]", "[[]]", "[[1.0], [2]]", "[[1, 'x']]"),
    *("[nan]", "[1, 'x', true]", "[2020-01-01]", "{}", "{name = ''}", "{name = 'x', a = {name = 'y'}}", "{a.b.c = 1}"),
    *("{low = 1, high = 2}", "{low = nan, high = 2}", "{low = 1, high = 1e400}", "{log10 = [-1, 1], default = 9}"),
    *("{choices = [1, 2]}", "{choices = []}", "{choices = [2020-01-01]}", "{choices = [[1]], default = 2}"),
    *("[" * DEEP, "[" * 900 + "]" * 900, "[" * 200 + "]" * 200, "{a=" * 300 + "1" + "}" * 300, '"problem"'),
    *("{" + "a." * 500 + "b = 1}", "{" + "name.a." * 500 + "b = 1}", "{name = 'x', a=" * 150 + "1" + "}" * 150),
    *("0x" + "f" * 15, "0x" + "f" * 16, "0o7" * 3, "1_0", "+1", "{low = 0, high = 9e307, integer = true}"),
]
literals = st.sampled_from(list(map(Literal, LITERALS)))
names = st.text(st.sampled_from("\"'\\\n\x00\x1b\u202e=.#[]a "), max_size=6)


def toml(value: Any) -> str:
    """Plain data as TOML; keys are not quoted where they need not be."""
    if isinstance(value, Literal):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return _quoted(value) if isinstance(value, str) else repr(value)


def _key(key: str) -> str:
    return key if re.fullmatch("[A-Za-z0-9_]+", key) else _quoted(key)


def _quoted(text: str) -> str:
    return '"' + "".join(one if one.isalnum() or one in " .,-" else f"\\U{ord(one):08x}" for one in text) + '"'


def refuse_or_use(folder: str, path: Path) -> None:
    found = read_or_refuse("TOML files", lambda: READERS[folder](path), path)
    if found is None:
        return
    assert type(found).model_validate_json(found.model_dump_json(exclude_none=True)) is not None
    if folder == "search_spaces":
        found.searched()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("definitions") / "mine.toml"


@fuzz(0.12)
@given(texts, byte_changes)
def test_file_with_changed_bytes_is_read_or_refused(path, text, changes):
    folder, data = text[0], TEXTS[text]
    path.write_bytes(change_bytes(data, changes))
    refuse_or_use(folder, path)


@fuzz(0.15)
@given(texts, table_changes(literals | names))
def test_file_with_changed_keys_and_values_is_read_or_refused(path, text, changes):
    folder, data = text[0], TEXTS[text]
    table = change_table(tomllib.loads(data.decode()), changes)
    path.write_text("\n".join(f"{_key(key)} = {toml(value)}" for key, value in table.items()), encoding="utf-8")
    refuse_or_use(folder, path)


@fuzz(0.03)
@given(st.sampled_from(sorted(READERS)), st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_any_file_is_read_or_refused(path, folder, data):
    path.write_bytes(data)
    refuse_or_use(folder, path)


@fuzz(0.08)
@given(
    st.lists(
        st.builds("{}={}".format, st.sampled_from(["a", "optimizer.learning_rate", ""]) | names, literals | st.text())
        | st.text(max_size=20),
        max_size=3,
    )
)
def test_any_assignments_are_read_or_refused(assignments):
    for value in (read_or_refuse("--set", lambda: read_setting(assignments)) or {}).values():
        assert isinstance(value, Scalar)


@fuzz(0.03)
@given(
    st.sampled_from([catalog.candidate, catalog.problem, catalog.protocol, catalog.schedule, catalog.budget_trials]),
    names | st.text(max_size=30) | st.sampled_from(["sgd+" * 300, "sgd+l2", "9" * 5000, "²", "+", "../sgd", "\ud800"]),
)
def test_any_name_is_found_or_refused(find, name):
    read_or_refuse("names", lambda: find(name))
