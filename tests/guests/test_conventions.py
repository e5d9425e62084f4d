"""The data on conventions hold together, and the page on them is what its script writes."""

import importlib.util
import re
from pathlib import Path

import pytest

from regbench.conventions import CAUSES, PAIRS, causes_of, faults_in
from regbench.records import Part

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| (.*) \| (`.*`) \| (`.*`) \| (.*) \| (.*) \| (.*?) ?\|$", re.M)


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("conventions_script", ROOT / "scripts" / "conventions.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_is_what_the_script_writes_of_the_data_and_of_what_was_measured(script):
    page = (ROOT / "docs" / "conventions.md").read_text(encoding="utf-8")
    rows, versions = ROW.findall(page), re.search(r"Measured with (.*)\.\n", page)[1]
    assert script.document(rows, versions) == page


def test_page_has_a_row_of_every_pair():
    rows = ROW.findall((ROOT / "docs" / "conventions.md").read_text(encoding="utf-8"))
    wanted = [(pair.title, f"`{name}`", f"`{pair.names[-1]}`") for pair in PAIRS for name in pair.names[:-1]]
    assert [row[:3] for row in rows] == wanted


@pytest.mark.parametrize(
    ("one", "other", "is_scheduled", "words"),
    [
        ("keras:SGD", "torch:SGD", True, ["inside of the velocity"]),
        ("keras:SGD", "torch:SGD", False, []),
        ("optax:sgd", "torch:SGD", True, []),
        ("keras:Adam", "optax:adam", False, ["epsilon-hat"]),
        ("torch:Adam", "optax:amsgrad", False, ["before it takes the maximum"]),
        ("keras:Nadam", "torch:NAdam", False, ["epsilon-hat", "0.96**t"]),
    ],
)
def test_causes_are_those_of_the_two_frameworks(one, other, is_scheduled, words):
    for pair in ((one, other), (other, one)):
        found = causes_of(*pair, is_scheduled=is_scheduled)
        assert len(found) == len(words)
        assert all(word in cause.what for word, cause in zip(words, found, strict=True))


def test_every_cause_has_a_source():
    assert all(cause.source and not cause.what.endswith(".") for cause in CAUSES)


def test_fault_of_a_class_of_keras_is_told_wherever_it_is_named():
    wrong = Part(name="keras.optimizers:ScheduleFreeAdamW", arguments={"learning_rate": 0.1})
    around = Part(name="signed_power", arguments={"inner_optimizer": wrong})
    assert faults_in(wrong) == faults_in(around) != []
    assert faults_in(Part(name="my_module:ScheduleFreeAdamW")) == faults_in(Part(name="sgd")) == []
