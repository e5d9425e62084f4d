"""What disks, signals, memory and other drivers do to a search: rows of the table in docs/reliability.md."""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from regbench.store.folder import Folder

pytestmark = pytest.mark.slow

QUICK = ["digits_mlp", "sgd", "--budget", "6", "--reruns", "2", "--epochs", "10"]
RUNS = 6 + 2
MEDIUM = ["digits_mlp", "sgd", "--budget", "12", "--reruns", "2", "--epochs", "150"]
LONG = ["digits_mlp", "sgd", "--budget", "4", "--reruns", "1", "--epochs", "600"]
RUNS_OF_LONG = 4 + 1


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Starts a search; ends it with the test."""
    monkeypatch.chdir(tmp_path)
    processes = []

    def do(*arguments):
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "regbench", "search", *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        )
        return processes[-1]

    yield do
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def ended(process):
    """Exit code, what was printed, and the last line of the messages."""
    output, errors = process.communicate(timeout=3600)
    assert "Traceback" not in errors
    return process.returncode, output, errors.splitlines()[-1] if errors else ""


def wait_for_runs(process, number, folder="results"):
    wait_until(lambda: len(list(Path(folder).rglob("*.json"))) >= number, process)


def wait_until(condition, process):
    deadline = time.monotonic() + 1800
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def processor_seconds(process):
    """What the process and all those that it started have used."""
    used = 0.0
    for one in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            used += sum(one.cpu_times()[:2])
    return used


def is_computing(folder="results"):
    """Whether some process has claimed a run of the tree."""
    path = Path(folder) / ".claims"
    if not path.exists():
        return False
    with path.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # every byte; closing the file ends it
        except BlockingIOError:
            return True
    return False


def seeds_and_settings(folder="results"):
    """Every run of the tree, each once, and nothing that cannot be read."""
    warnings = []
    runs = list(Folder(folder, warnings.append).runs())
    assert warnings == []
    digests = [run.spec.digest() for run in runs]
    assert len(set(digests)) == len(digests)
    return set(digests)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 24 KiB, and a function that enlarges it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here, which needs root")
    yield folder, lambda: subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_full_disk_ends_the_search_with_one_line_and_the_same_command_goes_on(start, small_disk):
    folder, enlarge = small_disk
    code, output, message = ended(start(*QUICK, "--results", str(folder)))
    assert (code, output) == (1, "")
    assert message.startswith("regbench: error: ")
    assert message.endswith("No space left on device")
    there = seeds_and_settings(folder)
    assert 0 < len(there) < RUNS
    assert not list(folder.rglob("*.tmp"))
    enlarge()
    assert ended(start(*QUICK, "--results", str(folder)))[0] == 0
    assert there < seeds_and_settings(folder)
    assert len(seeds_and_settings(folder)) == RUNS


def test_output_folder_that_is_removed_is_made_again_and_what_was_lost_is_run_again(start):
    process = start(*MEDIUM)
    wait_for_runs(process, 2)
    shutil.rmtree("results", ignore_errors=True)
    assert ended(process)[0] == 0
    lost = 14 - len(seeds_and_settings())
    assert 2 <= lost < 14
    assert ended(start(*MEDIUM))[0] == 0
    assert len(seeds_and_settings()) == 14


def test_worker_over_its_memory_limit_fails_its_run_alone_and_says_so(start):
    code, output, _ = ended(
        start(*QUICK, "--workers", "1", "--worker-memory", "0.2", "--retries", "1", "--format", "json")
    )
    assert code == 1
    (row,) = json.loads(output)
    assert row["setting"] is None
    failures = [path.read_text() for path in Path("results").rglob("*.failed")]
    assert len(failures) == 6
    for failure in failures:
        assert "GiB of memory, of 0.2 allowed, in each of 2 attempts" in failure


@pytest.mark.parametrize("way", [[], ["--workers", "1"]])
def test_two_drivers_share_the_work_and_both_give_the_whole_answer(way, start):
    first, second = start(*MEDIUM, *way, "--format", "json"), start(*MEDIUM, *way, "--format", "json")
    answers = [ended(first), ended(second)]
    assert [code for code, *_ in answers] == [0, 0]
    rows = [{**json.loads(output)[0], "seconds": 0} for _, output, _ in answers]
    assert rows[0] == rows[1]
    # No run was computed twice: a second one would have a file of its own.
    assert len(list(Path("results").rglob("*.json"))) == len(seeds_and_settings()) == 14


@pytest.mark.parametrize("way", [[], ["--workers", "1"]])
def test_termination_stops_at_once_and_the_same_command_goes_on(way, start):
    process = start(*LONG, *way)
    wait_for_runs(process, 1)
    os.killpg(process.pid, signal.SIGSTOP)  # so that what is counted is what there was
    before = len(list(Path("results").rglob("*.json")))
    process.terminate()
    os.killpg(process.pid, signal.SIGCONT)
    code, output, message = ended(process)
    assert (code, output) == (143, "")
    assert message.startswith("regbench: interrupted: ")
    there = seeds_and_settings()
    assert before <= len(there) <= before + 1 < RUNS_OF_LONG
    assert ended(start(*LONG, *way))[0] == 0
    assert there < seeds_and_settings()


@pytest.mark.parametrize("way", [[], ["--workers", "1"]])
def test_second_interruption_does_not_wait_for_what_runs(way, start):
    process = start(*[*LONG[:-1], "100000"], *way)  # a run would take minutes
    # Loading takes some seconds of the processor in each process, the run would take hundreds.
    wait_until(lambda: is_computing() and processor_seconds(process) > (16 if way else 10), process)
    os.killpg(process.pid, signal.SIGINT)
    while "what runs is finished first" not in (line := process.stderr.readline()):
        assert line, "it ended"
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    code, output, message = ended(process)
    assert (code, output) == (130, "")
    assert message.startswith("regbench: interrupted: ")
    # Had it waited, there would be the run.
    assert not list(Path("results").rglob("*.json")) + list(Path("results").rglob("*.tmp"))


def test_clock_that_jumps_back_harms_nothing(tmp_path, make_task, make_result, monkeypatch):
    import datetime

    from regbench.store import folder as module

    class Clock(datetime.datetime):
        year_now = 2026

        @classmethod
        def now(cls, tz=None):
            return cls(cls.year_now, 1, 1)

    monkeypatch.setattr(module, "datetime", Clock)
    tree = Folder(tmp_path)
    specs = [make_task().spec({"optimizer.learning_rate": 0.01}, seed) for seed in (1, 2)]
    tree.write(make_result(specs[0], valid_losses=1.0, test_losses=1.0))
    Clock.year_now = 1970
    tree.write(make_result(specs[1], valid_losses=1.0, test_losses=1.0))
    tree.write(make_result(specs[0], valid_losses=1.0, test_losses=1.0))
    assert len(list(tmp_path.rglob("*.json"))) == 3
    assert [tree.find(spec).spec for spec in specs] == specs
