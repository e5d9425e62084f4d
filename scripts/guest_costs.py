"""What a guest costs beside the same optimizer in Keras: whole runs, side by side, the median of several.

`python scripts/guest_costs.py [--repeat 3] [--epochs 1]`; needs both extras and MNIST in a data folder.
Each run is warm: the first of each is not counted. Prints a table for docs/fidelity.md.
"""

import argparse
import os
import statistics
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from regbench import guests
from regbench.benchmark.tasks import Task
from regbench.records import Candidate, Part, RunSpec

TRIOS = {
    "momentum": {
        "keras": Part(name="sgd", arguments={"learning_rate": 0.01, "momentum": 0.9}),
        "torch": Part(name="torch:SGD", arguments={"lr": 0.01, "momentum": 0.9}),
    },
    "Adam": {
        "keras": Part(name="adam", arguments={"learning_rate": 0.001, "epsilon": 1e-8}),
        "torch": Part(name="torch:AdamW", arguments={"lr": 0.001, "weight_decay": 0.0}),
        "torch, fused": Part(name="torch:AdamW", arguments={"lr": 0.001, "weight_decay": 0.0, "fused": True}),
        "optax": Part(name="optax:adam", arguments={"learning_rate": 0.001}),
    },
}


def spec_of(problem: str, optimizer: Part, epochs: int) -> RunSpec:
    candidate = Candidate(name="one", summary="", source="", optimizer=optimizer)
    return Task.of(problem, candidate, epochs=epochs).spec({}, 42)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", nargs="+", default=["mnist_mlp", "mnist_2c2d", "digits_mlp"])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--data-dir", type=Path, default=None)
    chosen = parser.parse_args(arguments)
    guests.prepare("torch")
    from regbench.engine.run import run

    print("| problem | optimizer | step | seconds of training | to Keras's | of the whole run, to Keras's |")
    print("|--|--|--|--|--|--|")
    for problem in chosen.problems:
        for name, trio in TRIOS.items():
            specs = {of: spec_of(problem, optimizer, chosen.epochs) for of, optimizer in trio.items()}
            seconds: dict[str, list[tuple[float, float]]] = {of: [] for of in trio}
            for repetition in range(chosen.repeat + 1):  # the first compiles
                for of, spec in specs.items():
                    took = run(spec, chosen.data_dir, guest=guests.guest_of(spec.optimizer)).timings
                    if repetition:
                        seconds[of].append((took.training_seconds, took.total_seconds))
            medians = {
                of: [statistics.median(column) for column in zip(*taken, strict=True)] for of, taken in seconds.items()
            }
            for of, (training, whole) in medians.items():
                ratios = f"{training / medians['keras'][0]:.2f} | {whole / medians['keras'][1]:.2f}"
                print(f"| {problem} | {name} | {of} | {training:.2f} | {ratios} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
