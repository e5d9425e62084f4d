"""Kill drill: `kill -9` at random moments on everything that takes part in a search, until it is done all the same.

    scripts/drill kill --kills 200

Three ways of computing take turns: in the driver, on two workers of its own, on two workers of a scheduler that runs
apart. The same command is started again after each kill that ended it. When the search is done, its tree must hold what
an undisturbed search holds: every run exactly once, no other file, curves equal bit for bit; its answer must be that of
the undisturbed search, also when it is asked once more, which changes no file. Then the next begins with an empty tree.
Prints a record in Markdown; the exit code is 1 where something was not as it must be.
"""

import argparse
import collections
import contextlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from regbench.store.folder import Folder

SEARCH = ["digits_mlp", "sgd", "momentum", "--reruns", "3", "--epochs", "40"]
RERUNS = 3
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
LATEST_KILL = 2.0  # after the start or the kill before, in times of what passes until the first run is there
HANGING_SECONDS = 1800.0  # a search takes some, on a busy machine a few hundred

VICTIMS = {
    "in-process": ["driver"],
    "workers": ["driver", "worker", "run"],
    "cluster": ["driver", "worker", "run", "nanny", "scheduler"],
}
OPTIONS = {
    "in-process": [],
    "workers": ["--workers", "2", "--worker-threads", "1"],
    "cluster": ["--worker-threads", "1"],
}


class Cluster:
    """A Dask scheduler and two worker processes with their nanny, all of which may be killed."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = str(free.getsockname()[1])
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.scheduler, self.nanny = self._start_scheduler(), self._start_nanny()

    def _start_scheduler(self) -> subprocess.Popen[bytes]:
        return _quiet([sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", self.port, "--no-dashboard"])

    def _start_nanny(self) -> subprocess.Popen[bytes]:
        command = ["distributed.cli.dask_worker", self.address, "--nworkers", "2", "--nthreads", "1", "--no-dashboard"]
        return _quiet([sys.executable, "-m", *command, "--memory-limit", "0"])

    def mend(self) -> None:
        """Start again what was killed, as an operator or a batch system would."""
        if self.scheduler.poll() is not None:
            _end(self.nanny)
            self.scheduler, self.nanny = self._start_scheduler(), self._start_nanny()
        elif self.nanny.poll() is not None:
            self.nanny = self._start_nanny()

    def end(self) -> None:
        _end(self.nanny)
        _end(self.scheduler)


def _quiet(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | ONE_THREAD)


def _end(process: subprocess.Popen[bytes]) -> None:
    for one in [*_descendants(process.pid), psutil.Process(process.pid)] if process.poll() is None else []:
        with contextlib.suppress(psutil.Error):
            one.kill()
    process.wait()


def _descendants(process: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return psutil.Process(process).children(recursive=True)
    return []


def _with_command(processes: list[psutil.Process], part: str) -> list[psutil.Process]:
    found = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            if part in " ".join(process.cmdline()):
                found.append(process)
    return found


def victims(kind: str, driver: subprocess.Popen[str], cluster: Cluster | None) -> list[psutil.Process]:
    """The processes of a kind that are there now."""
    if kind == "driver":
        return [psutil.Process(driver.pid)]
    if kind == "scheduler" and cluster:
        return [psutil.Process(cluster.scheduler.pid)]
    if kind == "nanny" and cluster:
        return [psutil.Process(cluster.nanny.pid)]
    there = _descendants(cluster.nanny.pid if cluster else driver.pid)
    return _with_command(there, "regbench.execution.child" if kind == "run" else "multiprocessing.spawn")


def start(mode: str, output: Path, budget: int, cluster: Cluster | None = None) -> subprocess.Popen[str]:
    options = ["--budget", str(budget), *OPTIONS[mode], *(["--cluster", cluster.address] if cluster else [])]
    command = [sys.executable, "-m", "regbench", "search", *SEARCH, *options, "--results", str(output)]
    command += ["--format", "json"]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | ONE_THREAD
    )


def runs_in(output: Path) -> dict[str, Any]:
    """What the tree holds, by digest.

    Raises:
        AssertionError: a file cannot be read or is none of a search, or a run is there twice.
    """
    warnings: list[str] = []
    runs = list(Folder(output, warnings.append).runs(minibatch=True))
    if warnings:
        raise AssertionError(f"unreadable: {warnings}")
    files = [path for path in output.rglob("*") if path.is_file() and path.name != ".claims"]
    others = [path for path in files if path.suffix not in (".json", ".search", ".tmp", ".failed")]
    if others or len(runs) != sum(path.suffix == ".json" for path in files):
        raise AssertionError(f"{len(runs)} runs in {len(files)} files, of which {others} are others")
    by_digest = {run.spec.digest(): (run.outcome, run.curves, run.losses_without_penalty) for run in runs}
    if len(by_digest) < len(runs):
        raise AssertionError(f"{len(runs) - len(by_digest)} runs are there twice")
    return by_digest


def manifests_in(output: Path) -> dict[Path, bytes]:
    """What is on record of the searches of a tree, byte for byte."""
    return {path.relative_to(output): path.read_bytes() for path in output.rglob("*.search")}


def answer_in(output: str) -> list[dict[str, Any]]:
    """The rows that a search printed, without the wall seconds."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in json.loads(output)]


class Drill:
    """Counts what was done and what came of it."""

    def __init__(self, kills: int, kills_of_a_search: int, budget: int, seed: int, folder: Path) -> None:
        self.wanted, self.of_a_search, self.budget = kills, kills_of_a_search, budget
        self.random, self.folder = random.Random(seed), folder
        self.runs = 2 * (budget + RERUNS)
        self.latest_seconds = 0.0
        self.kills: collections.Counter[tuple[str, str]] = collections.Counter()
        self.searches: collections.Counter[str] = collections.Counter()
        self.starts = self.temporary_files = self.failures = 0
        self.faults: list[str] = []

    def run(self, modes: list[str]) -> None:
        undisturbed = self.folder / "undisturbed"
        driver, began = start("in-process", undisturbed, self.budget), time.monotonic()
        while driver.poll() is None and not list(undisturbed.rglob("*.json")):
            time.sleep(0.05)
        self.latest_seconds = LATEST_KILL * (time.monotonic() - began)
        output, errors = driver.communicate(timeout=HANGING_SECONDS)
        expected = runs_in(undisturbed)
        if len(expected) != self.runs:
            raise AssertionError(f"{len(expected)} runs, not {self.runs}: {output}{errors}")
        answer, manifests = answer_in(output), manifests_in(undisturbed)
        if len(manifests) != 2:
            raise AssertionError(f"{len(manifests)} searches are on record, not 2")
        while self.kills.total() < self.wanted and not self.faults:
            mode = modes[self.searches.total() % len(modes)]
            tree = self.folder / "disturbed"
            with contextlib.ExitStack() as stack:
                cluster = Cluster() if mode == "cluster" else None
                if cluster:
                    stack.callback(cluster.end)
                found = self._search(mode, tree, cluster)
            self._compare(mode, tree, expected, manifests)
            if not self.faults:
                self._ask_again(mode, tree, found, answer)
            self.temporary_files += len(list(tree.rglob("*.tmp")))
            self.failures += len(list(tree.rglob("*.failed")))
            shutil.rmtree(tree)
            self.searches[mode] += 1
            print(f"{self.kills.total()} kills, {self.searches.total()} searches", file=sys.stderr)

    def _search(self, mode: str, tree: Path, cluster: Cluster | None) -> str:
        """Start the command until it is done; gives what it printed then."""
        last = min(self.wanted, self.kills.total() + self.of_a_search)
        while True:
            if cluster:
                cluster.mend()
            driver = start(mode, tree, self.budget, cluster)
            self.starts += 1
            began = time.monotonic()
            while driver.poll() is None and self.kills.total() < last:
                self._wait(driver, self.random.uniform(0.1, self.latest_seconds))
                self._kill(self.random.choice(VICTIMS[mode]), mode, driver, cluster)
                if cluster:
                    cluster.mend()
            while driver.poll() is None and time.monotonic() - began < HANGING_SECONDS:
                if cluster:
                    cluster.mend()
                self._wait(driver, 1.0)
            if driver.poll() is None:
                self.faults.append(f"{mode}: the search hung")
                _end(driver)
            output, errors = driver.communicate()
            if self.faults:
                return ""
            if "Traceback" in errors:
                self.faults.append(f"{mode}: {errors}")
            if driver.returncode == 0:
                return output
            if driver.returncode not in (-9, 1):
                self.faults.append(f"{mode}: exit code {driver.returncode}: {errors}")
                return ""

    @staticmethod
    def _wait(driver: subprocess.Popen[str], seconds: float) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            driver.wait(seconds)

    def _kill(self, kind: str, mode: str, driver: subprocess.Popen[str], cluster: Cluster | None) -> None:
        there = victims(kind, driver, cluster) if driver.poll() is None else []
        if there:
            with contextlib.suppress(psutil.Error):
                self.random.choice(there).kill()
                self.kills[mode, kind] += 1

    def _compare(self, mode: str, tree: Path, expected: dict[str, Any], manifests: dict[Path, bytes]) -> None:
        try:
            found = runs_in(tree)
        except AssertionError as error:
            self.faults.append(f"{mode}: {error}")
            return
        if found.keys() != expected.keys():
            self.faults.append(f"{mode}: {len(found)} runs, of which {len(found.keys() - expected.keys())} are others")
        elif found != expected:
            differ = sum(found[digest] != expected[digest] for digest in expected)
            self.faults.append(f"{mode}: the curves of {differ} runs differ")
        if manifests_in(tree) != manifests:
            self.faults.append(f"{mode}: the records of the searches differ")

    def _ask_again(self, mode: str, tree: Path, output: str, expected: list[dict[str, Any]]) -> None:
        files = {path: path.stat().st_mtime_ns for path in tree.rglob("*.json")}
        again, errors = start("in-process", tree, self.budget).communicate(timeout=HANGING_SECONDS)
        if not again or answer_in(output) != expected or answer_in(again) != expected:
            self.faults.append(f"{mode}: not {expected}, but {output} and when asked again {again} {errors}")
        if {path: path.stat().st_mtime_ns for path in tree.rglob("*.json")} != files:
            self.faults.append(f"{mode}: runs that were there were made again")

    def record(self, seconds: float) -> Iterator[str]:
        """Lines of Markdown."""
        yield "| computing | killed | kills |"
        yield "|--|--|--|"
        for (mode, kind), number in sorted(self.kills.items()):
            yield f"| {mode} | {kind} | {number} |"
        yield ""
        yield (
            f"{self.kills.total()} kills in {self.searches.total()} searches of {self.runs} runs each, "
            f"{self.starts} starts, {seconds:.0f} s. {self.failures} times all three attempts at a run were killed, so "
            f"that the next start made it; {self.temporary_files} temporary files of killed drivers were left."
        )
        yield f"Faults: {'; '.join(self.faults) or 'none'}."


def main(say: Callable[[str], None] = print) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--kills-of-a-search", type=int, default=sys.maxsize, help="then it may finish")
    parser.add_argument("--budget", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--modes", nargs="+", choices=VICTIMS, default=list(VICTIMS))
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        drill = Drill(arguments.kills, arguments.kills_of_a_search, arguments.budget, arguments.seed, Path(folder))
        drill.run(arguments.modes)
    for line in drill.record(time.monotonic() - began):
        say(line)
    return 1 if drill.faults else 0


if __name__ == "__main__":
    sys.exit(main())
