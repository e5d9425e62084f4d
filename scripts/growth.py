"""What grows with the work, and what must not.

`python scripts/growth.py driver --trials 10000`: what the driver costs besides the training, and resuming.
`python scripts/growth.py worker --runs 2000`: memory and speed of one worker over many real runs.
`python scripts/growth.py speedup`: a medium search on one worker and on two, in turn.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from regbench import benchmark, execution
from regbench.benchmark.tasks import Task
from regbench.execution import Conditions, InProcess, Machine, Workers
from regbench.records import Outcome, RunResult, RunSpec, Timings
from regbench.store.folder import Folder
from regbench.tuning import draws

EPOCHS = 50


def trained(spec: RunSpec, _: Conditions) -> RunResult:
    """Stands for the training: curves as a run of digits_mlp has them."""
    names = [f"{split}_{kind}" for split in ("train", "valid", "test") for kind in ("losses", "accuracies")]
    curves = {name: [1 / (epoch + 1) for epoch in range(spec.epochs + 1)] for name in names}
    losses = {name: curve for name, curve in curves.items() if name.endswith("losses")}
    return RunResult(
        spec=spec,
        outcome=Outcome.COMPLETED,
        curves=curves | {"minibatch_train_losses": [0.5] * 11 * spec.epochs},
        losses_without_penalty=losses,
        timings=Timings(compile_seconds=0.0, training_seconds=0.0, evaluation_seconds=0.0, total_seconds=0.0),
        environment={},
    )


@contextmanager
def without_training(*_: object, **__: object) -> Iterator[Machine]:
    """The machine of the driver, with `trained` in place of the engine."""
    yield Machine(InProcess(), function=trained)


def driver(trials: int, sampler: str) -> None:
    """The real driver asks the study, looks into the tree, hands out, writes files, reports progress."""
    execution.machine = without_training
    with tempfile.TemporaryDirectory() as output:
        moments, mib = [time.perf_counter()], []

        def note(event: benchmark.Event) -> None:
            moments.append(time.perf_counter())
            if event.done % (trials // 10) == 0:
                mib.append(f"{psutil.Process().memory_info().rss / 2**20:.0f}")

        def search() -> float:
            began = time.perf_counter()
            benchmark.search(
                "digits_mlp",
                "sgd",
                budget=trials,
                sampler=sampler,
                reruns=0,
                epochs=EPOCHS,
                results=output,
                baselines="none",
                progress=note,
            )
            return time.perf_counter() - began

        total = search()
        times = [1000 * (after - before) for before, after in itertools.pairwise(moments)]
        first, last = statistics.median(times[1 : trials // 10]), statistics.median(times[-trials // 10 :])
        print(f"{trials} trials, sampler {sampler}: {total:.1f} s, median of a trial {statistics.median(times):.2f} ms")
        print(f"median of the first tenth {first:.2f} ms, of the last {last:.2f} ms, ratio {last / first:.2f}")
        print(f"memory of the driver after each tenth, MiB: {' '.join(mib)}")
        print(f"resuming with all of them there: {search():.1f} s")


def worker(runs: int, candidate: str) -> None:
    """Where `momentum` is searched, nearly every run compiles anew: the worst case for memory."""
    task = Task.of("digits_mlp", candidate, epochs=10)
    specs = [task.spec(setting, seed=42) for setting in draws.points(task.candidate, 42, runs)]
    tenth = runs // 10
    with execution.machine(Workers(1, threads=1)) as machine:
        began, most = time.perf_counter(), 0.0
        print("| runs | seconds a run | most memory of the worker and its child, MiB |")
        print("|--|--|--|")
        for number, result in enumerate(machine.compute(specs), start=1):
            if result.outcome == Outcome.FAILED:
                sys.exit(result.reason)
            most = max(most, resident_mib())
            if number % tenth == 0:
                print(f"| {number} | {(time.perf_counter() - began) / tenth:.3f} | {most:.0f} |", flush=True)
                began, most = time.perf_counter(), 0.0


def resident_mib() -> float:
    """Of all processes below this one."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        try:
            total += process.memory_info().rss
        except psutil.Error:
            continue
    return total / 2**20


def speedup(epochs: int, repeats: int) -> None:
    """From prompt to prompt, each run with one thread; the curves of both ways must be equal."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(repeats):
        curves = []
        for workers in (1, 2):
            with tempfile.TemporaryDirectory() as output:
                options = f"--epochs {epochs} --worker-threads 1 --baselines none --format json"
                command = f"regbench search digits_mlp sgd {options}"
                began = time.perf_counter()
                done = subprocess.run(
                    [sys.executable, "-m", *command.split(), "--workers", str(workers), "--results", output],
                    env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
                    capture_output=True,
                    check=True,
                )
                seconds[workers].append(time.perf_counter() - began)
                (row,) = json.loads(done.stdout)
                curves.append({run.spec.digest(): run.curves for run in Folder(output).runs(minibatch=True)})
                what = f"{len(curves[-1])} runs, best {row['setting']}"
                print(f"{workers} workers: {seconds[workers][-1]:.1f} s, {what}", flush=True)
        print(f"curves equal: {curves[0] == curves[1]}")
    ratios = [one / two for one, two in zip(seconds[1], seconds[2], strict=True)]
    print(f"one worker / two workers: {statistics.median(ratios):.2f} (median of {repeats})")


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    of_driver = commands.add_parser("driver")
    of_driver.add_argument("--trials", type=int, default=10_000)
    of_driver.add_argument("--sampler", default="random")
    of_driver.set_defaults(do=lambda given: driver(given.trials, given.sampler))
    of_worker = commands.add_parser("worker")
    of_worker.add_argument("--runs", type=int, default=2_000)
    of_worker.add_argument("--candidate", default="sgd")
    of_worker.set_defaults(do=lambda given: worker(given.runs, given.candidate))
    of_speedup = commands.add_parser("speedup")
    of_speedup.add_argument("--epochs", type=int, default=1000)
    of_speedup.add_argument("--repeats", type=int, default=3)
    of_speedup.set_defaults(do=lambda given: speedup(given.epochs, given.repeats))
    given = parser.parse_args()
    given.do(given)


if __name__ == "__main__":
    main()
