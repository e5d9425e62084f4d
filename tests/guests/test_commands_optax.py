"""Guests on the command line: bad input is one line and exit code 2; what was interrupted goes on, bit for bit."""

import json
import sys
from pathlib import Path

import pytest

from regbench.cli import main
from regbench.execution import Child

OWN = """
import jax
import optax

def plain(learning_rate=0.1):
    return optax.sgd(learning_rate)

def widening(learning_rate=0.1):
    return optax.stateless(lambda updates, _: [update[None] for update in updates])

def raising(learning_rate=0.1):
    def update(updates, state, parameters=None):
        raise RuntimeError("out of ideas")
    return optax.GradientTransformation(lambda parameters: (), update)

def lost(learning_rate=0.1):
    return optax.stateless(lambda updates, _: [update * float("nan") for update in updates])

def number(learning_rate=0.1):
    return 5
"""
CANDIDATE = """
summary = "Own"
source = "here"
[optimizer]
name = "commands_own_optax:{name}"
learning_rate = {{ low = 0.01, high = 0.1, log = true, default = 0.1 }}
"""


# Keras 3.15 reads variables in a way of which NumPy 2 disapproves.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A folder with candidates of one's own; children compute in this process, which is as good and starts at once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(Child, "call", lambda child, function, *arguments: function(*arguments))
    Path("commands_own_optax.py").write_text(OWN)
    Path("search_spaces").mkdir()
    for name in ("plain", "widening", "raising", "lost", "number"):
        Path(f"search_spaces/own_{name}.toml").write_text(CANDIDATE.format(name=name))
    yield
    sys.modules.pop("commands_own_optax", None)


def refused(capfd, *arguments):
    assert main(list(arguments)) == 2
    output, errors = capfd.readouterr()
    assert output == ""
    lines = [line for line in errors.splitlines() if "warning" not in line]
    assert len(lines) == 1, errors
    assert not [*Path("results").rglob("*.json")]
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("check optx:adam", "optx cannot be imported: ModuleNotFoundError"),
        ("check optax:adm", "There is no optimizer `adm`. Did you mean `adam`"),
        ("check optax:adam --set beta=0.9", "no argument `beta`"),
        ("check optax:apply_updates", "needs a value for"),
        ("check optax:lbfgs", "cannot be a guest: it wants to evaluate the loss"),
        ("check optax.contrib:sophia", "cannot be a guest: it wants the Hessian"),
        ("check optax:adamw --set weight_decay=0.1", "decay belongs into [decay]"),
        ("check optax.contrib:mechanize", "needs a value for `base_optimizer`"),
        ("check commands_own_optax:number", "must return a GradientTransformation. Received: int"),
        ("check keras:Adam --against optax:adm", "There is no optimizer `adm`"),
        ("check optax:adam --against adam", "must be named as keras:Name"),
        ("run quadratic_deep own_number", "must return a GradientTransformation. Received: int"),
        ("run quadratic_deep own_widening --epochs 1", "must leave the shape and the type of a weight as they are"),
        ("run quadratic_deep own_raising --epochs 1", "own_raising on quadratic_deep: out of ideas"),
    ],
)
def test_bad_input_is_one_line(workspace, capfd, arguments, words):
    assert words in refused(capfd, *arguments.split())


def test_missing_and_old_extras_are_one_line(workspace, capfd, monkeypatch):
    monkeypatch.setattr("regbench.guests.versions.version_of", lambda name: "0.1")
    assert "optimizers of optax need optax 0.2.8 or later: pip install --upgrade" in refused(
        capfd, "check", "optax:adam"
    )
    assert "need optax 0.2.8 or later" in refused(capfd, "run", "quadratic_deep", "optax_adamw")
    monkeypatch.setattr("regbench.guests.versions.find_spec", lambda name: None)
    assert "need the packages optax and jax: pip install 'regbench[optax]'" in refused(capfd, "check", "optax:adam")
    assert "pip install 'regbench[torch]'" in refused(capfd, "check", "torch:AdamW")


def test_what_is_not_a_number_at_once_has_diverged(workspace, capfd):
    assert main(["run", "quadratic_deep", "own_lost", "--epochs", "1"]) == 0
    assert "with own_lost: diverged" in capfd.readouterr().out


def test_own_decay_that_is_on_is_told_once_by_a_search(workspace, capfd):
    candidate = CANDIDATE.format(name="lion").replace("commands_own_optax:", "optax:")
    Path("search_spaces/own_lion.toml").write_text(candidate)
    search = ["search", "quadratic_deep", "own_lion", "--budget", "2", "--epochs", "1", "--reruns", "1"]
    assert main(search) == 0
    errors = capfd.readouterr().err
    assert errors.count("optax:lion: its own decay, on by default (weight_decay=0.001), is off") == 1


def test_list_is_set_of_one_of_two(workspace, capfd):
    sizes = []
    for betas in ("[0.9, 0.999]", "[0.5, 0.9]"):
        setting = f"optax.contrib:prodigy.betas={betas}"
        command = ["check", "optax.contrib:prodigy", "--against", "optax:prodigy", "--set", setting, "--format", "json"]
        assert main(command) == 0
        sizes.append(json.loads(capfd.readouterr().out)[0]["constant"])
    assert sizes[0] == 0 < sizes[1]


def curves(tree):
    return {
        (path.parent.name, path.name.split("__")[1]): {
            key: value for key, value in json.loads(path.read_text()).items() if "losses" in key
        }
        for path in Path(tree).rglob("random_seed*.json")
    }


@pytest.mark.slow
def test_curves_are_bit_equal_on_resumption_and_with_two_workers(workspace, capfd, monkeypatch):
    search = ["search", "quadratic_deep", "own_plain", "--budget", "3", "--epochs", "2", "--reruns", "1", "--results"]
    assert main([*search, "whole"]) == 0
    whole = curves("whole")
    assert len(whole) == 4
    assert main([*search, "parts"]) == 0
    for path in sorted(Path("parts").rglob("random_seed*.json"))[::2]:
        path.unlink()
    monkeypatch.undo()
    monkeypatch.chdir(Path("parts").absolute().parent)
    assert main([*search, "parts", "--workers", "2"]) == 0
    assert curves("parts") == whole
