"""RunLocks: two processes that write into one tree never compute the same run, and none is left behind."""

import errno
import fcntl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from regbench.store.run_locks import LOCKS_FILE, RunLocks

HOLD = """
import sys
from pathlib import Path
from regbench.store.run_locks import RunLocks
with RunLocks(Path(sys.argv[1])) as claims:
    print(claims.take(sys.argv[2]), flush=True)
    sys.stdin.read()
"""
ONE, OTHER = "0" * 63 + "1", "f" * 64


@pytest.fixture
def hold(tmp_path):
    """Starts a process that claims a run for as long as it lives, and says whether it could."""
    processes = []

    def start(digest):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(tmp_path), digest],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process, process.stdout.readline() == "True\n"

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_run_that_another_process_has_claimed_is_refused_and_others_are_not(tmp_path, hold):
    _, granted = hold(ONE)
    with RunLocks(tmp_path) as claims:
        assert granted
        assert not claims.take(ONE)
        assert claims.take(OTHER)
        _, granted = hold(OTHER)
        assert not granted


def test_released_claim_can_be_taken(tmp_path, hold):
    with RunLocks(tmp_path) as claims:
        assert claims.take(ONE)
        claims.release(ONE)
        _, granted = hold(ONE)
        assert granted


def test_claim_ends_with_the_process_that_is_killed(tmp_path, hold):
    holder, _ = hold(ONE)
    with RunLocks(tmp_path) as claims:
        assert not claims.take(ONE)
        holder.kill()
        holder.wait()
        deadline = time.monotonic() + 1800
        while not claims.take(ONE):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_claims_write_one_empty_file(tmp_path):
    with RunLocks(tmp_path) as claims:
        for digest in (ONE, OTHER):
            claims.take(digest)
    assert [(path.name, path.stat().st_size) for path in tmp_path.iterdir()] == [(LOCKS_FILE, 0)]


def test_tree_without_locks_grants_every_claim_and_says_so_once(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", refuse)
    said = []
    with RunLocks(tmp_path, said.append) as claims:
        assert claims.take(ONE)
        assert claims.take(OTHER)
        claims.release(ONE)
    assert len(said) == 1
    assert "cannot be locked (No locks available)" in said[0]


def test_folder_that_is_gone_grants_every_claim_and_says_so(tmp_path):
    said = []
    with RunLocks(tmp_path / "gone", said.append) as claims:
        assert claims.take(ONE)
    assert "No such file or directory" in said[0]


def test_two_searches_of_one_process_never_have_the_same_run(tmp_path, hold):
    (tmp_path / "link").symlink_to(tmp_path)
    with RunLocks(tmp_path) as first:
        with RunLocks(tmp_path / "link") as second:
            assert first.take(ONE)
            assert first.take(ONE)
            assert not second.take(ONE)
            second.release(ONE)  # which it does not have
            assert second.take(OTHER)
        # The end of the second has freed its own run, and that of the first is still claimed, for all processes.
        assert first.take(OTHER)
        _, granted = hold(ONE)
        assert not granted
    _, granted = hold(ONE)
    assert granted


def test_threads_share_out_runs_without_overlap(tmp_path):
    digests = [f"{number:064x}" for number in range(16**49, 16**49 * 40, 16**49)]

    def claim_all(_):
        with RunLocks(tmp_path) as claims:
            taken = [digest for digest in digests if claims.take(digest)]
            barrier.wait()
        return taken

    barrier = threading.Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        shares = list(pool.map(claim_all, range(4)))
    assert sorted(digest for share in shares for digest in share) == digests
