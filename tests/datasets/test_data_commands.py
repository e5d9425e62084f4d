"""`regbench data status`, `verify` and `fetch`."""

import gzip
import json
import shlex
import sys

import pytest

from regbench import datasets
from regbench.cli import main


@pytest.fixture
def regbench(tmp_path, monkeypatch, capfd):
    """Runs a command in an empty working directory; gives exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("REGBENCH_DATA", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(command):
        capfd.readouterr()
        code = main(shlex.split(command))
        return code, *capfd.readouterr()

    return run


@pytest.fixture
def present(small_mnist, tmp_path):
    """A small MNIST, whose files are there; gives their folder."""
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    for name, content in small_mnist().published.items():
        (folder / name).write_bytes(content)
    return folder


def test_status_has_a_row_for_every_data_set(regbench):
    code, output, errors = regbench("data status")
    heading, *rows = output.splitlines()
    assert (code, errors) == (0, "")
    assert heading.split() == ["data", "set", "state", "size", "folder", "details"]
    assert [row.split()[0] for row in rows] == list(datasets.names())
    states = {row.split()[0]: row.split()[1:3] for row in rows}
    assert states["digits"] == ["built", "in"]
    assert states["mnist"][0] == "missing"
    assert [row["dataset"] for row in json.loads(regbench("data status --format json")[1])] == list(datasets.names())


def test_status_and_verify_tell_folder_size_and_state(present, regbench):
    size = sum(path.stat().st_size for path in present.iterdir())
    expected = {"dataset": "mnist", "state": "present", "folder": str(present), "size": size, "details": []}
    assert json.loads(regbench("data status mnist --data-dir data --format json")[1]) == [expected]
    code, output, errors = regbench("data verify mnist --data-dir data --format json")
    assert (code, errors) == (0, "")
    official = {"state": "official", "details": ["the content equals the official files"]}
    assert json.loads(output) == [expected | official]


def test_verify_ends_with_code_1_for_damaged_incomplete_and_missing_data_only(present, regbench):
    verify = "data verify mnist --data-dir data"
    labels = present / "t10k-labels-idx1-ubyte.gz"
    whole = labels.read_bytes()

    labels.write_bytes(gzip.compress(gzip.decompress(whole)[:-1] + b"\x00"))
    code, output, _ = regbench(verify)
    assert (code, "differs from the official files: t10k-labels-idx1-ubyte.gz" in output) == (0, True)

    labels.write_bytes(whole[:-5])
    code, output, _ = regbench(verify)
    assert (code, "damaged" in output) == (1, True)

    labels.unlink()
    code, output, _ = regbench(verify)
    assert (code, "lacks t10k-labels-idx1-ubyte.gz" in output) == (1, True)

    assert regbench("data verify mnist --data-dir elsewhere")[0] == 1
    # Nobody needs all data sets: one that is missing is no fault unless it was named.
    assert regbench("data verify --data-dir elsewhere")[0] == 0


def test_fetch_brings_the_files_and_tells_how_far_it_is(small_mnist, server, regbench, tmp_path):
    small = small_mnist(server.address)
    server.files = small.published
    code, output, errors = regbench("data fetch mnist --data-dir data --format json")
    assert code == 0
    assert json.loads(output)[0]["state"] == "official"
    assert all(any(f"regbench: {name}: " in line for line in errors.splitlines()) for name in small.published)
    assert {path.name: path.read_bytes() for path in (tmp_path / "data/mnist").iterdir()} == small.published

    asked = len(server.requests)
    code, output, errors = regbench("data fetch mnist --data-dir data")
    assert (code, errors, len(server.requests)) == (0, "", asked)
    assert "official" in output


def test_fetch_that_fails_is_one_line_and_the_same_command_goes_on(small_mnist, server, regbench):
    small = small_mnist(server.address)
    name = next(iter(small.published))
    server.answers = [100, 0]  # the connection is cut after 100 bytes, and brings nothing the second time
    server.files = small.published
    code, output, errors = regbench("data fetch mnist --data-dir data")
    assert (code, output) == (2, "")
    assert errors.splitlines()[-1].startswith(f"regbench: error: `{name}` could not be downloaded")
    assert "Run the same command again" in errors
    assert regbench("data fetch mnist --data-dir data")[0] == 0
    assert (name, "bytes=100-") in server.requests


def test_fetch_never_touches_damaged_files_and_ends_with_code_1(present, regbench):
    labels = present / "t10k-labels-idx1-ubyte.gz"
    labels.write_bytes(b"mine")
    code, output, _ = regbench("data fetch mnist --data-dir data")
    assert (code, labels.read_bytes()) == (1, b"mine")
    assert "move them away and fetch again" in output
