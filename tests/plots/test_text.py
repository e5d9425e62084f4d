"""Names as figures show them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regbench.plots.text import in_lines, inches, plain, shortened, shown


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("momentum · l2 (published)", "momentum · l2 (published)"),
        ("$x_1^2$ 100 % <b>", "$x_1^2$ 100 % <b>"),
        ("a\x00b\x1bc\nd", "a□b□c□d"),
        ("\u4f60\U0001f680\udc80\u202e", "□□□□"),
        ("  ", "□"),
        ("", "□"),
    ],
)
def test_what_cannot_be_drawn_is_a_box(name, text):
    assert plain(name) == text


def test_the_middle_of_a_long_name_is_left_out():
    assert shortened("momentum_decoupled (published)", 14) == "moment…ished)"
    # The letter m is wider than a digit, so thirteen characters are as wide as fourteen digits.
    assert shortened("l2", 22) == "l2"


def test_wide_letters_count_more():
    assert inches(shortened("W" * 120, 30), 10) <= inches("0" * 30, 10)


@given(st.lists(st.text(max_size=40), max_size=6), st.integers(8, 40))
def test_different_names_stay_different_and_short(names, limit):
    texts = shown(names, limit)
    assert list(texts) == list(dict.fromkeys(names))
    assert len(set(texts.values())) == len(texts)
    assert all(0 < len(text) <= limit for text in texts.values())


def test_a_long_title_is_broken_where_it_may_be():
    assert in_lines("power_momentum (nonlinear_weight_updates)", 30) == "power_momentum\n(nonlinear_weight_updates)"
    assert in_lines("adam", 30) == "adam"
    assert in_lines("x" * 40, 30) == "x" * 20 + "\n" + "x" * 20
