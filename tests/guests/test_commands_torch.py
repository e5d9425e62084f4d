"""Optimizers of PyTorch on the command line: bad input is one line and exit code 2."""

import sys
from pathlib import Path

import pytest

from regbench.cli import main
from regbench.execution import Child

OWN = """
import torch

class Reshaping(torch.optim.Optimizer):
    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})

    def step(self, closure=None):
        for group in self.param_groups:
            for one in group["params"]:
                one.data = one.data.reshape(-1)

class Raising(Reshaping):
    def step(self, closure=None):
        raise RuntimeError("out of ideas")

class NoOptimizer:
    pass
"""
CANDIDATE = """
summary = "Own"
source = "here"
[optimizer]
name = "commands_own_torch:{name}"
lr = {{ low = 0.01, high = 0.1, log = true, default = 0.1 }}
"""


# Keras 3.15 reads variables in a way of which NumPy 2 disapproves.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A folder with an optimizer of one's own; children compute in this process, which starts at once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(Child, "call", lambda child, function, *arguments: function(*arguments))
    Path("commands_own_torch.py").write_text(OWN)
    Path("search_spaces").mkdir()
    for name in ("Reshaping", "Raising"):
        Path(f"search_spaces/own_{name.lower()}.toml").write_text(CANDIDATE.format(name=name))
    yield
    sys.modules.pop("commands_own_torch", None)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("check torch:AdmW", "There is no optimizer `AdmW`. Did you mean `AdamW`"),
        ("check torch:swa_utils", "must be a subclass of torch.optim.Optimizer"),
        ("check torch:SparseAdam", "cannot be a guest: it takes sparse gradients only"),
        ("check pytorch_optimizer:AdaHessian", "cannot be a guest: it wants the Hessian"),
        ("check pytorch_optimizer:SAM", "needs a value for `base_optimizer`"),
        ("check torch:Adam --set beta=0.9", "no argument `beta`. Did you mean `betas`"),
        ("check torch:AdamW --set weight_decay=0.1", "decay belongs into [decay]"),
        ("check torch:SGD --set lr=-1.0", "Invalid learning rate: -1.0"),
        ("check commands_own_torch:NoOptimizer", "must be a subclass of torch.optim.Optimizer, or a function"),
        ("check torch:Adam --against torch:AdmW", "There is no optimizer `AdmW`"),
        ("run quadratic_deep own_reshaping --epochs 1", "must leave the shape and the type of a weight as they are"),
    ],
)
def test_bad_input_is_one_line(workspace, capfd, arguments, words):
    assert main(arguments.split()) == 2
    output, errors = capfd.readouterr()
    assert output == ""
    lines = [line for line in errors.splitlines() if "warning" not in line]
    assert len(lines) == 1, errors
    assert words in lines[0]
    assert not [*Path("results").rglob("*.json")]


def test_what_is_raised_in_a_step_is_the_reason_of_a_failed_run(workspace, capfd):
    assert main(["run", "quadratic_deep", "own_raising", "--epochs", "1"]) == 1
    assert "with own_raising: failed: RuntimeError: out of ideas" in capfd.readouterr().out


def test_own_decay_that_is_on_is_told_by_check(workspace, capfd):
    assert main(["check", "torch:AdamW", "--set", "betas=[0.8, 0.9]"]) == 0
    output, errors = capfd.readouterr()
    assert "6 of 6 clauses hold." in output
    assert errors.count("its own decay, on by default (weight_decay=0.01), is off") == 1
