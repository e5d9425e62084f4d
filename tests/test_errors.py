"""The messages of errors."""

import ast
import itertools
import pickle
from pathlib import Path

import pytest

import regbench
from regbench.errors import DataError, DefinitionError, RegbenchError, ResultsError, UnknownNameError


def test_unknown_name_is_answered_with_the_closest_known_ones():
    error = UnknownNameError("problem", "digits_mpl", ["quadratic_deep", "digits_mlp", "digits_lmp"])
    assert str(error) == "There is no problem `digits_mpl`. Did you mean `digits_mlp` or `digits_lmp`?"


def test_unknown_name_that_is_close_to_nothing_is_answered_with_all_known_ones():
    error = UnknownNameError("budget", "enormous", {"small": 25, "medium": 50})
    assert str(error) == "There is no budget `enormous`. Known: medium, small."


def test_unknown_name_says_where_it_stands():
    error = UnknownNameError("optimizer", "adm", ["adam"], where="mine.toml")
    assert str(error) == "mine.toml: There is no optimizer `adm`. Did you mean `adam`?"


def test_all_errors_are_caught_together():
    for error in (DefinitionError("x"), DataError("x"), ResultsError("x"), UnknownNameError("x", "y", [])):
        assert isinstance(error, RegbenchError)


def test_unknown_name_travels_between_processes_as_its_message():
    error = UnknownNameError("problem", "digit_mlp", ["digits_mlp"])
    back = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert isinstance(back, DefinitionError)
    assert str(back) == str(error)


def test_message_is_one_line_that_does_nothing_to_a_terminal():
    error = UnknownNameError("problem", "a\x1b[31m\nb\ud800", ["mnist"], where="é.toml")
    assert str(error) == r"é.toml: There is no problem `a\x1b[31m\nb\ud800`. Known: mnist."
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301


PROSE = {"came", "error", "received", "there"}
"""What some messages received is told in words (`3 bytes`, another error), as a checksum or as a table of versions."""


def unquoted(source):
    """What messages of a module received and do not quote: `Received: x={value}` and `Received: {value}`.

    A number or a word in words of our own (`{len(names)} entries`) is none.
    """
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.JoinedStr):
            continue
        told = ""
        for part, following in itertools.zip_longest(node.values, node.values[1:]):
            if isinstance(part, ast.Constant):
                told += part.value
                continue
            is_name = isinstance(following, ast.Constant) and following.value.startswith("=")
            is_value = isinstance(part.value, ast.Name | ast.Attribute) and not is_name
            is_named = told.endswith("=") and "Received" in told
            if (
                part.conversion != ord("r")
                and not part.format_spec
                and (is_named or (told.endswith("Received: ") and is_value))
            ):
                yield ast.unparse(part.value)
            told += "{}"


def test_received_values_are_quoted():
    found = {
        (path.name, value)
        for path in Path(regbench.__file__).parent.rglob("*.py")
        for value in unquoted(path.read_text(encoding="utf-8"))
        if value not in PROSE and not value.endswith((".__name__", ".dtype"))
    }
    assert not found


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ('f"`x` must be y. Received: x={x}"', ["x"]),
        ('f"`x` must be y. Received: {x.y}"', ["x.y"]),
        ('f"`x` must be y. Received: {name}={x}, z={z}"', ["x", "z"]),
        ('f"`x` must be y. Received: {name}={x!r}, {len(z)} entries, z={z:g}"', []),
        ('f"x={x}"', []),
    ],
)
def test_received_value_that_is_not_quoted_is_found(message, found):
    assert list(unquoted(message)) == found
