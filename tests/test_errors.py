"""The messages of errors."""

import pickle

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
