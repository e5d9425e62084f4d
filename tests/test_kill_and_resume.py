"""A search that is killed at any moment and started again ends as if nothing had happened."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from regbench.store.folder import Folder

SEARCH = [
    "search",
    "digits_mlp",
    "sgd",
    "momentum",
    "--budget",
    "4",
    "--epochs",
    "20",
    "--reruns",
    "2",
    "--format",
    "json",
]
RUNS = 2 * (4 + 2)


def start(output, workers):
    """The process leads a session of its own, so that what it leaves behind can be ended with it."""
    command = [sys.executable, "-m", "regbench", *SEARCH, "--workers", str(workers), "--results", str(output)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def finished_search(output, workers):
    """The rows of the table, without the wall seconds."""
    process = start(output, workers)
    rows, messages = process.communicate(timeout=300)
    assert process.returncode == 0, messages
    return [{key: value for key, value in row.items() if key != "seconds"} for row in json.loads(rows)]


def killed_search(output, workers, after_runs, delay):
    """Kill the search as soon as so many runs are stored and so many seconds have passed."""
    process = start(output, workers)
    try:
        deadline = time.monotonic() + 300
        while len(list(output.rglob("*.json"))) < after_runs:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.001)
        time.sleep(delay)
        process.kill()
        process.communicate(timeout=60)  # workers hold the streams open until they notice that they are alone
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode


def runs_in(output):
    """All runs by digest: each once, every file readable."""
    warnings = []
    runs = list(Folder(output, warnings.append).runs(minibatch=True))
    assert warnings == []
    others = (".tmp", ".search")
    files = [path for path in output.rglob("*") if path.is_file() and path.suffix not in others]
    files = [path for path in files if path.name != ".claims"]
    assert len(files) == len(runs)
    by_digest = {run.spec.digest(): (run.outcome, run.curves, run.losses_without_penalty) for run in runs}
    assert len(by_digest) == len(runs)
    return by_digest


def manifests_in(output):
    return {path.relative_to(output): path.read_bytes() for path in output.rglob("*.search")}


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_search_that_is_killed_and_started_again_ends_with_the_same_runs(workers, tmp_path):
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    expected = finished_search(undisturbed, workers)
    assert len(runs_in(undisturbed)) == RUNS
    moments = random.Random(workers)
    done = 0
    for _ in range(2):
        after_runs, delay = done + moments.randint(1, 3), moments.uniform(0.0, 0.05)
        print(f"kill after {after_runs} runs and {delay:.4f} seconds")  # noqa: T201  shown where the test fails
        assert killed_search(disturbed, workers, after_runs, delay) == -signal.SIGKILL
        done = len(runs_in(disturbed))
        assert after_runs <= done < RUNS
    rows = finished_search(disturbed, workers)
    files = {path: path.stat().st_mtime_ns for path in disturbed.rglob("*.json")}
    assert finished_search(disturbed, workers) == rows
    assert {path: path.stat().st_mtime_ns for path in disturbed.rglob("*.json")} == files
    assert runs_in(disturbed).keys() == runs_in(undisturbed).keys()
    assert runs_in(disturbed) == runs_in(undisturbed)
    assert len(manifests_in(undisturbed)) == 2
    assert manifests_in(disturbed) == manifests_in(undisturbed)
    assert rows == expected
