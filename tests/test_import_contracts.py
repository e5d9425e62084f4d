"""The import contracts of pyproject.toml catch what they are there to catch."""

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def lint(folder):
    command = [Path(sysconfig.get_path("scripts")) / "lint-imports", "--no-cache"]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(ROOT / "regbench", tmp_path / "regbench", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_contracts_hold(copy):
    checked = lint(copy)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("file", "planted", "contract"),
    [
        ("records/runs.py", "from regbench import benchmark", "Imports point down"),
        ("new_room.py", "", "Imports point down"),
        ("optimizers/norms.py", "import regbench.regularizers.matrices", "Imports point down"),
        ("comparison/comparison.py", "from regbench.comparison import figures", "No circles"),
        ("optimizers/norms.py", "from regbench import errors", "Optimizers and regularizers stand alone"),
        ("optimizers/norms.py", "import tensorflow", "Optimizers and regularizers run on every backend"),
        ("benchmark/standings.py", "import tensorflow", "TensorFlow lives in the engine only"),
        ("engine/train.py", "import torch", "PyTorch lives in one file of the guests"),
        ("guests/known.py", "import pytorch_optimizer", "Of pytorch_optimizer a guest loads what it names"),
        ("guests/torch.py", "import optax", "JAX and optax live in one file of the guests"),
        ("engine/train.py", "from regbench import guests", "Imports point down"),
        ("benchmark/planning.py", "import optuna", "Optuna lives in the tuning only"),
        ("comparison/tables.py", "from matplotlib import pyplot", "Drawing lives in the plots only"),
        ("benchmark/planning.py", "import distributed", "Dask lives in the execution only"),
        ("records/runs.py", "from regbench.comparison import tables", "Imports point down"),
        ("records/runs.py", "import pandas", "Data frames are for what reads and analyses results"),
        ("trees/tree.py", "import pandas", "Data frames are for what reads and analyses results"),
        ("analysis/ranking.py", "import pyarrow", "Columnar files are for what keeps, reads and exports results"),
        ("tuning/draws.py", "from regbench.engine import run", "The tuning never reaches what computes or keeps"),
    ],
)
def test_planted_violation_is_caught(copy, file, planted, contract):
    path = copy / "regbench" / file
    path.write_text((path.read_text() if path.exists() else "") + f"\n{planted}\n")
    checked = lint(copy)
    assert checked.returncode != 0
    assert any(line.startswith(contract) and line.endswith("BROKEN") for line in checked.stdout.splitlines())
