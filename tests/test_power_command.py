"""The command `power`, on the bundled baselines."""

import json

import pytest

import regbench
from regbench.cli import main


def shown(capsys, *arguments):
    assert main(["power", *arguments]) == 0
    return capsys.readouterr().out


def test_table_has_what_python_says(capsys):
    found = json.loads(shown(capsys, "quadratic_deep", "sgd", "momentum", "--format", "json"))
    sight = regbench.power("quadratic_deep", "sgd", "momentum").of("searches", 3)
    row = next(row for row in found if (row["what"], row["number"]) == ("searches", 3))
    assert (row["visible"], row["low"], row["high"]) == (sight.visible, sight.low, sight.high)
    assert row["low"] < row["visible"] < row["high"]
    text = shown(capsys, "quadratic_deep", "sgd", "momentum")
    assert f"{sight.visible:.3g}" in text


def test_larger_differences_need_less(capsys):
    small, large = (
        json.loads(shown(capsys, "quadratic_deep", "sgd", "momentum", "--difference", text, "--format", "json"))
        for text in ("1", "2")
    )
    for one, other in zip(small, large, strict=True):
        assert one["what"] == other["what"]
        assert (one["needed"] or 10**9) >= other["needed"]
    assert "searches of each" in shown(capsys, "quadratic_deep", "sgd", "momentum", "--difference", "2")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sgd", "adm"), "Did you mean"),
        (("sgd", "adam", "--difference", "0"), "`--difference` must be positive. Received: 0.0"),
        (("sgd", "adam", "--difference", "nan"), "`--difference` must be positive. Received: nan"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, said):
    assert main(["power", "quadratic_deep", *arguments]) == 2
    told = capsys.readouterr().err.strip()
    assert said in told
    assert len(told.splitlines()) == 1
