"""How long a large CSV file takes to read as own data, and how much memory, beside pandas alone.

python scripts/read_table.py [--megabytes 200] [--times 3]

Each reading is made by a process of its own; they take turns. Seconds are those of the reading itself, the memory is
the peak of the process with all that it has imported. A reading includes all that a search needs before its first run:
checks, division, standardisation, the digest, and the copy in the cache; that from the copy is shown too.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

COLUMNS = 20
PANDAS = "import pandas as pd\ndef read(path): return pd.read_csv(path)\n"
OURS = (
    "from regbench import datasets\nfrom regbench.records import Table\nimport regbench.datasets.own.table\n"
    "import sklearn.impute, sklearn.pipeline, sklearn.preprocessing, pandas\n"
    "def read(path): return datasets.load(Table(name='table', path=path, target='class')).digest\n"
)
READING = """
import json, resource, sys, time
started = time.perf_counter()
read(sys.argv[1])
seconds = time.perf_counter() - started
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.csv"
        write(path, options.megabytes * 10**6)
        measured: dict[str, list[list[float]]] = {"pandas alone": [], "own data": [], "own data, again": []}
        for number in range(options.times):
            cache = {"XDG_CACHE_HOME": f"{folder}/cache {number}"}
            measured["pandas alone"].append(measure(PANDAS, path, cache))
            measured["own data"].append(measure(OURS, path, cache))
            measured["own data, again"].append(measure(OURS, path, cache))
        print(f"{path.stat().st_size / 10**6:.0f} MB, medians of {options.times}")
    first_seconds, first_mib = (statistics.median(values) for values in zip(*measured["pandas alone"], strict=True))
    for name, each in measured.items():
        seconds, mib = (statistics.median(values) for values in zip(*each, strict=True))
        times = f"{seconds / first_seconds:.2f} x, {mib / first_mib:.2f} x"
        print(f"{name:<16} {seconds:6.2f} s {mib:6.0f} MiB   {times}")


def write(path: Path, size: int) -> None:
    """A table of numbers, two columns of text and a class."""
    generator = np.random.default_rng(0)
    with path.open("w") as file:
        file.write(",".join([*(f"x{number}" for number in range(COLUMNS)), "colour", "shape", "class"]) + "\n")
        while file.tell() < size:
            numbers = generator.normal(size=(10_000, COLUMNS)).tolist()
            texts = generator.choice(["red", "green", "blue"], (10_000, 2)).tolist()
            classes = generator.integers(0, 3, 10_000).tolist()
            for row, text, label in zip(numbers, texts, classes, strict=True):
                file.write(",".join([*map(repr, row), *text, str(label)]) + "\n")


def measure(code: str, path: Path, environment: dict[str, str]) -> list[float]:
    """Seconds and peak MiB of a reading."""
    command = [sys.executable, "-c", code + READING, str(path)]
    done = subprocess.run(command, env=os.environ | environment, check=True, capture_output=True, text=True)
    return [float(number) for number in json.loads(done.stdout)]


if __name__ == "__main__":
    main()
