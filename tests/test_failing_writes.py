"""Writing that fails, through the real command line; and what is on the disk when a command has told of it."""

import errno
import os
import resource
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from regbench.cli import main
from regbench.store.folder import Folder

LACKS = ["ENOSPC", "EIO", "EDQUOT", "EFBIG", "EMFILE", "EROFS"]
WRITING = {
    "convert": "convert results out",
    "optuna": "export results --optuna out",
    "tensorboard": "export results --tensorboard out",
    "parquet": "export results --parquet out",
    "report": "compare --baselines none --report out",
    "plots": "compare --baselines none --plots out",
    "search": "search digits_mlp sgd --budget 1 --reruns 0 --results out",
    "run": "run digits_mlp sgd --epochs 1 --results out",
}


@pytest.fixture
def results(tmp_path, monkeypatch, make_task, make_result):
    """A working directory with a small results tree."""
    monkeypatch.chdir(tmp_path)
    tree = Folder("results")
    for seed in (42, 43):
        spec = make_task("digits_mlp", "sgd").spec({"optimizer.learning_rate": 0.1}, seed)
        curves = {f"{split}_accuracies": 0.5 for split in ("train", "valid", "test")}
        tree.write(make_result(spec, train_losses=1.0, valid_losses=1.0, test_losses=1.0, **curves))
    return tmp_path


def left():
    """What a command has left beside the tree, but for empty folders and the empty file of claims."""
    files = [path for path in Path().rglob("*") if path.is_file() and path.parts[0] != "results"]
    return [path for path in files if path.name != ".claims"]


@pytest.mark.parametrize(
    ("command", "name"),
    [*((command, "ENOSPC") for command in WRITING.values()), *((WRITING["convert"], lack) for lack in LACKS[1:])],
    ids=[*WRITING, *LACKS[1:]],
)
def test_write_that_fails_is_one_line_and_exit_code_1(
    command, name, results, monkeypatch, capfd, use_machine, make_result
):
    number = getattr(errno, name)

    def fail(descriptor):
        raise OSError(number, os.strerror(number))

    use_machine(lambda spec: make_result(spec, valid_accuracies=0.5, test_accuracies=0.5))
    monkeypatch.setattr(os, "fsync", fail)
    code = main(shlex.split(command))
    errors = capfd.readouterr().err
    lines = [line for line in errors.splitlines() if "warning" not in line]
    assert (code, len(lines)) == (1, 1), errors
    assert lines[0].startswith("regbench: error: ")
    assert os.strerror(number) in lines[0]
    assert left() == []


def test_file_that_grows_too_large_is_one_line_and_exit_code_1(results):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    command = [sys.executable, "-m", "regbench", *shlex.split(WRITING["report"])]
    done = subprocess.run(command, preexec_fn=limit, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines()[-1].endswith("out: the report cannot be written here: File too large")
    assert left() == []


def test_too_few_descriptors_for_workers_is_one_line_and_exit_code_1(results):
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))

    command = [sys.executable, "-m", "regbench", *shlex.split(WRITING["search"]), "--workers", "2"]
    done = subprocess.run(command, preexec_fn=limit, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
    assert "open files (`ulimit -n`) must be at least 48. Received: 24" in done.stderr


@pytest.mark.parametrize(
    ("mebibytes", "command", "library"),
    [
        (300, "compare --baselines none", "numpy"),
        (600, "compare --baselines none", "numpy"),
        (600, WRITING["search"], "numpy"),
        (2400, WRITING["run"], "tensorflow"),
        (2400, WRITING["search"], "tensorflow"),
        (2400, f"{WRITING['search']} --workers 2", "tensorflow"),
    ],
)
def test_too_little_address_space_is_one_line_and_exit_code_1(mebibytes, command, library, results):
    done = with_address_space(mebibytes, command)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
    assert f"to load {library}. Received: {mebibytes} MiB" in done.stderr
    assert left() == []


def test_what_needs_little_address_space_gets_it(results):
    assert with_address_space(300, "list").returncode == 0
    assert "runs: 2" in with_address_space(300, "lint results").stdout


def with_address_space(mebibytes, command):
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (mebibytes * 2**20,) * 2)

    words = [sys.executable, "-m", "regbench", *shlex.split(command)]
    return subprocess.run(words, preexec_fn=limit, capture_output=True, text=True, check=False)


def test_full_output_is_one_line_and_exit_code_1(results):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "regbench", "list"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "No space left on device" in done.stderr


@pytest.mark.parametrize("command", [command for name, command in WRITING.items() if name not in ("search", "run")])
def test_what_is_told_to_be_written_is_on_the_disk(command, results, monkeypatch, capfd):
    """Every file, after its last byte, and every folder that has got a new name in it."""
    synced = {}
    sync = os.fsync

    def note(descriptor):
        sync(descriptor)
        status = os.fstat(descriptor)
        is_folder = stat.S_ISDIR(status.st_mode)
        synced[status.st_ino] = os.listdir(descriptor) if is_folder else status.st_size  # noqa: PTH208  a descriptor

    monkeypatch.setattr(os, "fsync", note)
    assert main(shlex.split(command)) == 0, capfd.readouterr().err
    written = left()
    assert written
    for path in written:
        assert synced.get(path.stat().st_ino) == path.stat().st_size, path
        for name, folder in zip([path, *path.parents], path.parents, strict=False):
            assert name.name in synced[folder.stat().st_ino]
