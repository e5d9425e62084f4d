"""What users install: the wheel alone, without a checkout."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """An environment that has regbench from the wheel only; what it depends on is borrowed from this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(install, check=True, capture_output=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    # A folder named in a .pth file is searched after this one, and .pth files in it (the checkout's) are not read.
    (packages / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return folder / "bin"


def run(command, folder):
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "REGBENCH_DATA")}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_wheel_holds_every_data_file(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("testproblems", "search_spaces"):
        files = {f"regbench/{folder}/{path.name}" for path in (ROOT / folder).glob("*.toml")}
        assert files
        assert files <= inside
    for folder in ("results/bundled", "regbench/report/templates"):
        files = [path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file()]
        assert files
        assert {f"regbench/{path}".replace("regbench/regbench", "regbench") for path in files} <= inside


@pytest.mark.slow
def test_wheel_alone_lists_and_searches(installed, tmp_path):
    where = run([installed / "python", "-c", "import regbench; print(regbench.__file__)"], tmp_path)
    assert Path(where.stdout.strip()).is_relative_to(installed.parent)

    compared = run([installed / "regbench", "compare", "quadratic_deep", "--format", "json"], tmp_path)
    assert compared.returncode == 0, compared.stderr
    assert {row["source"] for row in json.loads(compared.stdout)} == {"ours", "published"}

    listed = run([installed / "regbench", "list", "--format", "json"], tmp_path)
    assert listed.returncode == 0, listed.stderr
    assert "quadratic_deep" in listed.stdout

    options = ["--budget", "2", "--reruns", "1", "--epochs", "1", "--format", "json"]
    searched = run([installed / "regbench", "search", "digits_mlp", "sgd", *options], tmp_path)
    assert searched.returncode == 0, searched.stderr
    (row,) = json.loads(searched.stdout)
    assert row["seeds"] == [42, 43]
    assert len(list(tmp_path.glob("results/digits_mlp/sgd/*/*.json"))) == 3


def test_declared_versions_are_those_that_are_tested():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    pins = [line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line]
    tested = {name.lower(): version.split(".") for name, version in pins}
    for requirement in declared:
        name, least = re.match(r"([\w-]+)>=([\d.]+)", requirement).groups()
        assert tested[name.lower()][: len(least.split("."))] == least.split("."), requirement
