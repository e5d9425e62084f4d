"""`regbench check`, as a user calls it."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from regbench import catalog
from regbench.cli import main

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

OWN_REGULARIZER = '''
import keras

print("own regularizer here")

class Fourth(keras.regularizers.Regularizer):
    """Sum of fourth powers.

    Args:
        factor: At least 0.
        offset: Added to the sum.

    Reference:
        Nobody, 2020.
    """

    def __init__(self, factor, offset=0.0):
        self.factor, self.offset = factor, offset

    def __call__(self, x):
        x = keras.ops.cast(x, "float32")
        return self.factor * keras.ops.sum(x**4 + self.offset)

    def get_config(self):
        return {"factor": self.factor, "offset": self.offset}
'''


OWN_NETWORK = """
import keras

def build(input_shape, classes, units: int = 5):
    print(units, "units")
    return keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(units), keras.layers.Dense(classes)])
"""


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A working directory, which does not stay on the module path; wide output without colours."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def check(workspace, capfd):
    """Runs `regbench check` in this process; gives exit code, stdout and stderr."""

    def run(arguments):
        capfd.readouterr()
        code = main(["check", *shlex.split(arguments)])
        return code, *capfd.readouterr()

    return run


def test_sound_class_of_ones_own_passes(check):
    Path("check_sound.py").write_text(OWN_REGULARIZER)
    code, output, errors = check("check_sound:Fourth")
    assert code == 0, output
    assert "12 of 12 clauses hold." in output
    assert "fails" not in output
    assert "own regularizer here" in errors
    assert "own regularizer here" not in output


def test_clause_that_fails_is_named_and_the_reason_given(check):
    Path("check_forgetful.py").write_text(OWN_REGULARIZER.replace(', "offset": self.offset', ""))
    code, output, _ = check("check_forgetful:Fourth")
    assert code == 1
    assert "11 of 12 clauses hold." in output
    assert "survives_its_config fails: `get_config` does not return `offset`" in output


def test_style_is_a_warning_and_no_failure(check):
    Path("check_unsourced.py").write_text(OWN_REGULARIZER.replace("Nobody, 2020.", "Nobody."))
    code, output, _ = check("check_unsourced:Fourth")
    assert code == 0, output
    assert "11 of 12 clauses hold." in output
    assert "cites_source warns: the docstring has no link" in output


def test_arguments_are_set_by_name(check):
    Path("check_negative.py").write_text(OWN_REGULARIZER)
    code, output, _ = check("check_negative:Fourth --set offset=-1.0 --set factor=0.5")
    assert code == 1
    assert "is_never_negative fails: shape (6, 4), norm 1.97: -1" in output


def test_json_is_all_that_is_printed(check):
    Path("check_json.py").write_text(OWN_REGULARIZER)
    code, output, _ = check("check_json:Fourth --set offset=-1.0 --format json")
    verdicts = {verdict["clause"]: verdict for verdict in json.loads(output)}
    assert code == 1
    assert len(verdicts) == 12
    assert {verdict["ruling"] for verdict in verdicts.values()} == {"holds", "fails"}
    assert verdicts["cites_source"] == {
        "clause": "cites_source",
        "must_hold": "the docstring says where the method comes from",
        "ruling": "holds",
        "message": "",
    }
    assert verdicts["is_never_negative"]["message"].startswith("shape (6, 4)")


def test_optimizer_inside_a_wrapper_is_set_by_name(check):
    code, output, _ = check("regbench.optimizers:Clipped --set inner_optimizer=adam --set threshold=0.5")
    assert code == 0, output
    assert "11 of 11 clauses hold." in output


def test_list_is_read_as_toml_and_clauses_that_do_not_apply_do_not_fail(check):
    identity = [[float(row == column) for column in range(9)] for row in range(9)]
    code, output, _ = check(f"regbench.regularizers:SmoothKernel --set 'covariance={identity}'")
    assert code == 0, output
    assert "11 of 12 clauses hold." in output
    assert "takes_dense_kernels is not applicable: refused, as `default_kernels` says:" in output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("Fourth", "must be named as MODULE:NAME. Received: 'Fourth'"),
        ("check_nowhere:Fourth", "check_nowhere cannot be imported: ModuleNotFoundError"),
        ("check_broken:Fourth", "check_broken cannot be imported: SyntaxError"),
        ("regbench.optimizers:SignedPowr", "There is no class or function `SignedPowr`. Did you mean `SignedPower`?"),
        ("regbench.regularizers:KernelPrior", "must be a subclass of `keras.optimizers.Optimizer` or"),
        ("regbench.optimizers:DecoupledDecay", "a value is needed for `strength`"),
        ("regbench.optimizers:RAdam --set beta_2=2.0", "RAdam cannot be made: ValueError: `beta_2` must be in [0, 1)"),
        ("regbench.optimizers:RAdam --set beta_2", "--set: must be key=value"),
        ("regbench.regularizers:SmoothKernel --set covariance=[[1", "--set: a list must be as in TOML"),
        ("regbench.models.mlp:build", "a function that builds networks needs a problem (`--problem`)"),
        ("regbench.models.mlp:build --problem digits_mpl", "no problem `digits_mpl`. Did you mean `digits_mlp`"),
        ("regbench.models.mlp:bild --problem digits_mlp", "no class or function `bild`. Did you mean `build`?"),
        ("regbench.models.mlp:build --problem mnist_mlp --data-dir nowhere", "regbench data fetch mnist"),
    ],
)
def test_bad_input_is_one_line(check, arguments, words):
    Path("check_broken.py").write_text("class Fourth(:\n")
    code, output, errors = check(arguments)
    assert (code, output) == (2, "")
    assert errors.count("\n") == 1, errors
    assert words in errors


@pytest.mark.slow
def test_network_of_ones_own_is_checked_on_a_problem(check):
    Path("check_nets.py").write_text(OWN_NETWORK)
    Path("testproblems").mkdir()
    text = catalog.find_files("testproblems")["digits_mlp"].read_text()
    model = 'model = { name = "check_nets:build", units = 3 }'
    Path("testproblems/mine.toml").write_text(re.sub(r"(?m)^model .*$", model, text))
    code, output, errors = check("check_nets:build --problem mine")
    assert code == 0, output
    assert "9 of 9 clauses hold." in output
    assert "3 units" in errors
    code, output, _ = check("check_nets:build --problem mine --set unit=4")
    assert code == 1
    assert "builds fails: model `check_nets:build`: there is no argument `unit`. Did you mean `units`?" in output


@pytest.mark.slow
def test_fresh_process_prints_no_log_lines_of_tensorflow(workspace):
    command = [sys.executable, "-m", "regbench", "check", "regbench.regularizers:L2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("12 of 12 clauses hold.\n")
    assert done.stderr == ""
