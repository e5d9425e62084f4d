"""How fast results trees are read, against `json` alone: cold and warm; how fast many small runs are compared.

Deletes what it generates.
"""

import argparse
import functools
import json
import os
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import regbench
from regbench.trees import frames

EPOCHS, STEPS = 100, 23_000  # so a file takes 0.65 MB, as those of the published trees do on average
SMALL_EPOCHS, SMALL_STEPS = 20, 40
PARTS = 9
PROBLEMS = [
    *("mnist_mlp", "mnist_2c2d", "fmnist_mlp", "fmnist_2c2d"),
    *("cifar10_3c3d", "cifar100_3c3d", "svhn_3c3d", "cifar10_vgg16"),
]
OPTIMIZERS = 12  # on each problem
AGAIN = 9  # re-runs of one setting of each


def generate(folder: Path, files: int, epochs: int, steps: int) -> int:
    """Write runs as DeepOBS does, indented, with each minibatch loss twice; gives their bytes.

    They are searches of every optimizer on every problem, each with re-runs of one setting.
    """
    numbers = random.Random(42)  # noqa: S311
    curves = ["train_losses", "valid_losses", "test_losses", "train_accuracies", "valid_accuracies", "test_accuracies"]
    losses = [number for _ in range(steps // 2) for number in [numbers.uniform(0.5, 4)] * 2]
    minibatch = json.dumps({"minibatch_train_losses": losses}, indent=4)[1:]  # writing it anew for each takes minutes
    written = 0
    studies = [(problem, f"Optimizer{number}") for number in range(OPTIMIZERS) for problem in PROBLEMS]
    first_rates: dict[tuple[str, str], float] = {}
    for number in range(files):
        study, position = studies[number % len(studies)], number // len(studies)
        rate = 10 ** numbers.uniform(-4, 0)
        if position <= AGAIN:
            rate = first_rates.setdefault(study, rate)
        table = {
            "testproblem": study[0],
            "batch_size": 128,
            "num_epochs": epochs,
            "random_seed": 42 + position if position <= AGAIN else 42,
            "weight_decay": None,
            "optimizer_name": study[1],
            "optimizer_hyperparams": {"learning_rate": rate, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
            "training_params": {},
        } | {name: [numbers.random() for _ in range(epochs + 1)] for name in curves}
        name = f"num_epochs__{epochs}__batch_size__128__learning_rate__{rate:.10e}"
        file = f"random_seed__{table['random_seed']}__2020-01-01-00-00-00.json"
        path = folder / study[0] / study[1] / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        written += path.write_text(json.dumps(table, indent=4)[:-2] + "," + minibatch)
    return written


class Clock:
    """Wall and processor seconds of what is called; a machine that does other things shows in the first alone."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.processor: list[float] = []

    def __call__(self, action: Callable[[], object]) -> None:
        """Call it once."""
        started = time.perf_counter(), time.process_time()
        action()
        self.wall.append(time.perf_counter() - started[0])
        self.processor.append(time.process_time() - started[1])


def read_with_json(paths: list[Path]) -> None:
    for path in paths:
        json.loads(path.read_bytes())


def compare_with_json(folder: Path, size: int) -> None:
    """Read a tree again and again between the parts of reading it with `json`, so that both see the same machine."""
    alone, cold = Clock(), Clock()
    paths = sorted(folder.rglob("*.json"))
    for part in range(PARTS):
        alone(functools.partial(read_with_json, paths[part::PARTS]))
        cold(lambda: frames.load(folder, cache=False))
    for name, times, of_json in (("wall", cold.wall, alone.wall), ("processor", cold.processor, alone.processor)):
        usual, total = statistics.median(times), sum(of_json)
        print(
            f"{name}: json alone {total:.2f} s ({size / total / 1e6:.0f} MB/s); cold {usual:.2f} s "
            f"({min(times):.2f} to {max(times):.2f} s, {len(times)} times): {total / usual:.1f} times faster"
        )


def compare_small(folder: Path) -> None:
    """Everything that `regbench compare` prints, and the fairness cards."""
    comparison = regbench.compare(results=[folder], baselines="none")
    _ = comparison.table, comparison.claims, comparison.cards, comparison.ranks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2_700, help="of the published shape")
    parser.add_argument("--small", type=int, default=50_000, help="small runs")
    parser.add_argument("--folder", help="where to generate them; the system's folder for temporary files unless given")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
        os.environ["XDG_CACHE_HOME"] = str(Path(temporary) / "cache")  # not the user's
        published, small = Path(temporary) / "published", Path(temporary) / "small"
        size = generate(published, arguments.files, EPOCHS, STEPS)
        print(f"{arguments.files} files of the published shape, {size / 1e9:.2f} GB")
        compare_with_json(published, size)
        clock = Clock()
        clock(lambda: frames.load(published))
        clock(lambda: frames.load(published))
        clock(lambda: frames.load(published).curves(range(100)))
        filling, warm, curves = clock.wall
        print(f"cold, filling the cache, {filling:.2f} s; warm {warm:.2f} s; warm with 100 curves {curves:.2f} s")
        size = generate(small, arguments.small, SMALL_EPOCHS, SMALL_STEPS)
        clock(lambda: compare_small(small))
        clock(lambda: compare_small(small))
        cold, warm = clock.wall[-2:]
        print(f"{arguments.small} small runs, {size / 1e6:.0f} MB, compared: cold {cold:.1f} s, warm {warm:.1f} s")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
