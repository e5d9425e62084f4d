"""Disturb a search on SLURM, and see that it ends as if nothing had happened.

    eval "$(scripts/slurm_one_node)"
    .venv/bin/python scripts/slurm_drill.py
    scripts/slurm_one_node stop

Runs `regbench search digits_mlp sgd --budget medium` twice: undisturbed in one process, then on workers in jobs of the
SLURM whose `sbatch` is there. In the second one worker process is killed (SIGKILL) after a quarter of the runs, and one
job is cancelled after half of them. Prints what happened when; ends with 1 unless both trees hold the same runs, each
once, with curves equal to the last bit. The epochs are more than the problem's, so that workers which come late have
something to do.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from regbench import catalog
from regbench.store.folder import Folder

ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
JOBS = """\
jobs = {jobs}
walltime = "01:00:00"
cores_per_job = 1
log_directory = {logs}
"""


class Drill:
    """A search in mid-run, and the record of what befell it."""

    def __init__(self, search: Sequence[str], output: Path) -> None:
        """Start it."""
        self.output = output
        self.began = time.monotonic()
        self.process = subprocess.Popen([*search, "--results", str(output)], stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> "Drill":
        """As it is."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it, where it has not ended."""
        self.process.terminate()
        self.process.wait()

    def runs(self) -> int:
        """How many runs are stored."""
        return sum(1 for _ in self.output.rglob("*.json"))

    def tell(self, what: str) -> None:
        """Print what happened, and when."""
        print(f"{time.monotonic() - self.began:7.1f} s, {self.runs():3} runs stored: {what}", flush=True)

    def disturb(self, after_runs: int, disturbance: Callable[[], str]) -> None:
        """Do something to it once so many runs are stored."""
        while self.runs() < after_runs:
            if self.process.poll() is not None:
                raise SystemExit(f"The search ended before it could be disturbed, with code {self.process.returncode}")
            time.sleep(0.05)
        self.tell(disturbance())

    def wait_for_jobs(self, number: int, without: str) -> None:
        """Until so many jobs run besides one."""
        while self.process.poll() is None:
            if len(set(running_jobs()) - {without}) >= number:
                self.tell("a new job runs in its place")
                return
            time.sleep(0.2)

    def finish(self) -> list[dict[str, Any]]:
        """The rows of its table, without the seconds."""
        rows, _ = self.process.communicate()
        self.tell(f"the search ended with code {self.process.returncode}")
        if self.process.returncode != 0:
            raise SystemExit("It should have ended with code 0")
        return [{key: value for key, value in row.items() if key != "seconds"} for row in json.loads(rows)]


def running_jobs() -> list[str]:
    """The numbers of our jobs that run, oldest first."""
    listing = ["squeue", "--noheader", "--name=regbench", "--states=RUNNING", "--format=%A", f"--user={os.getuid()}"]
    return sorted(subprocess.run(listing, capture_output=True, text=True, check=True).stdout.split(), key=int)


def kill_worker() -> str:
    """Kill a worker process of the newest job; its nanny, which starts another, is left alone."""
    job = running_jobs()[-1]
    for nanny in psutil.process_iter(["cmdline", "environ"]):  # both None for processes that are not ours
        is_nanny = "distributed.cli.dask_worker" in (nanny.info["cmdline"] or ())
        if is_nanny and nanny.info["environ"].get("SLURM_JOB_ID") == job:
            workers = [child for child in nanny.children() if "spawn_main" in " ".join(child.cmdline())]
            if workers:
                workers[0].kill()
                return f"SIGKILL to worker process {workers[0].pid} of job {job}"
    raise SystemExit(f"There is no worker process of job {job} on this node")


def cancel(job: str) -> str:
    """Take a job from SLURM, with its worker in mid-run."""
    subprocess.run(["scancel", job], check=True)
    return f"scancel {job}"


def runs_in(output: Path) -> dict[str, tuple[Any, ...]]:
    """All runs by digest."""
    warnings: list[str] = []
    runs = list(Folder(output, warnings.append).runs(minibatch=True))
    by_digest = {run.spec.digest(): (run.outcome, run.curves, run.losses_without_penalty) for run in runs}
    files = list(output.rglob("*.json"))
    if warnings or not len(files) == len(runs) == len(by_digest):
        raise SystemExit(f"{output}: {len(files)} files, {len(runs)} runs, {len(by_digest)} different. {warnings}")
    return by_digest


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", default="medium", help="as of `regbench search` (medium)")
    parser.add_argument("--epochs", type=int, default=300, help="of each run (300)")
    parser.add_argument("--jobs", type=int, default=2, help="of one core each (2)")
    parser.add_argument("--output", help="folder to keep; unless given a temporary one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(arguments.output or temporary).resolve()
        return drill(folder, arguments.budget, arguments.epochs, arguments.jobs)


def drill(folder: Path, budget: str, epochs: int, jobs: int) -> int:
    """Both searches, and whether they end with the same."""
    os.environ.update(ONE_THREAD)  # this many threads each run has on both sides
    expected_runs = catalog.budget_trials(budget) + catalog.protocol("deepobs").reruns
    search = [sys.executable, "-m", "regbench", "search", "digits_mlp", "sgd", "--budget", budget]
    search += ["--epochs", str(epochs), "--baselines", "none", "--format", "json"]

    print(f"Undisturbed, in one process: {shlex.join(search[2:])}", flush=True)
    with Drill(search, folder / "undisturbed") as undisturbed:
        expected = undisturbed.finish()

    jobs_file = folder / "slurm.toml"
    jobs_file.write_text(JOBS.format(jobs=jobs, logs=json.dumps(str(folder / "logs"))), encoding="utf-8")
    print(f"Disturbed, on {jobs} jobs of SLURM: the same with --cluster slurm:{jobs_file.name}", flush=True)
    with Drill([*search, "--cluster", f"slurm:{jobs_file}"], folder / "disturbed") as disturbed:
        disturbed.disturb(1, lambda: f"the first run is there; jobs {', '.join(running_jobs())} run")
        disturbed.disturb(expected_runs // 4, kill_worker)
        cancelled = running_jobs()[0]
        disturbed.disturb(expected_runs // 2, lambda: cancel(cancelled))
        disturbed.wait_for_jobs(jobs, without=cancelled)
        rows = disturbed.finish()

    before, after = runs_in(folder / "undisturbed"), runs_in(folder / "disturbed")
    print(f"Undisturbed {len(before)} runs, disturbed {len(after)}, each once; expected {expected_runs}.")
    different = [digest for digest in before.keys() | after.keys() if before.get(digest) != after.get(digest)]
    print(f"Runs with another outcome or another bit in a curve: {len(different)}. Tables equal: {rows == expected}.")
    return 0 if len(before) == expected_runs and not different and rows == expected else 1


if __name__ == "__main__":
    sys.exit(main())
