"""On which Hessian did runs of DeepOBS's `quadratic_deep` train, and what does that change in a search?

    python scripts/quadratic_instances.py [DIR...]

DeepOBS draws the Hessian from a random stream that is a global of its module: each further instance of the problem in
one process has another one. This makes the instances 0 to 60, says on which of them the runs in results trees DIR
trained (by the test loss before training), and simulates the search of SGD with the budget small of Crowded Valley
(Schmidt, Schneider and Hennig 2021, arXiv 2007.01547) twice: trial i on instance i, as it was published, and all on
instance 0, which is the problem. Only NumPy computes; it takes some seconds.
"""

import argparse
import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import regbench
from regbench import catalog
from regbench.datasets import quadratic
from regbench.models.quadratic import hessians
from regbench.records import TUNING_SEED
from regbench.trees.instances import PROBLEM, TEST_LOSSES
from regbench.tuning import draws

COUNT = 61
BATCH_SIZE = 128
EPOCHS = 100
USED = 1000 // BATCH_SIZE * BATCH_SIZE
RATE = "optimizer.learning_rate"
DATA = quadratic.read(quadratic.DATASET, Path())
VALIDATION, TEST = (inputs[:USED].astype(float) for inputs in (DATA.validation_inputs, DATA.test_inputs))


class Search(NamedTuple):
    """The final validation loss of each trial, and the learning rates."""

    rates: Sequence[float]
    losses: Sequence[float]

    @property
    def winner(self) -> int:
        """The number of the trial with the least loss; those that diverged have none."""
        return int(np.nanargmin(self.losses))

    def told(self, trial: int) -> str:
        """One trial in words."""
        return f"trial {trial}, learning rate {self.rates[trial]:.5g}, validation loss {self.losses[trial]:.2f}"


def loss(hessian: np.ndarray, theta: np.ndarray, inputs: np.ndarray) -> float:
    """The mean of 1/2 (theta - x)' Q (theta - x) over samples x."""
    difference = theta - inputs
    return float(np.mean(np.sum(difference @ hessian * difference, axis=1)) / 2)


def losses_before_training(instances: Sequence[np.ndarray]) -> list[float]:
    """The test loss of each instance, with parameters of 1."""
    return [loss(hessian, np.ones(len(hessian)), TEST) for hessian in instances]


def trained(hessian: np.ndarray, rate: float) -> float:
    """The final validation loss of gradient descent; NaN where it diverged. Every epoch has the same batches."""
    order = np.random.RandomState(TUNING_SEED).permutation(len(DATA.train_inputs))[:USED]
    means = DATA.train_inputs[order].astype(float).reshape(-1, BATCH_SIZE, len(hessian)).mean(axis=1)
    theta = np.ones(len(hessian))
    with np.errstate(over="ignore", invalid="ignore"):
        for mean in itertools.chain.from_iterable(itertools.repeat(means, EPOCHS)):
            theta = theta - rate * hessian @ (theta - mean)
        final = loss(hessian, theta, VALIDATION)
    return final if np.isfinite(final) else np.nan


def search(instances: Sequence[np.ndarray]) -> Search:
    """The published trials of SGD, each on the instance of its number."""
    rates = [float(point[RATE]) for point in draws.points(catalog.candidate("sgd"), TUNING_SEED, len(instances))]
    return Search(rates, [trained(hessian, rate) for hessian, rate in zip(instances, rates, strict=True)])


def instances_of(tree: str) -> Counter[str]:
    """How many runs of the problem in a tree were made on each instance."""
    runs = regbench.load(tree).runs
    return Counter(number or "0" for number in runs.loc[runs["problem"] == PROBLEM, "instance"])


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trees", nargs="*", metavar="DIR")
    trees = parser.parse_args().trees

    instances = list(itertools.islice(hessians(), COUNT))
    found = losses_before_training(instances)
    print("instance: test loss before training")
    for start in range(0, COUNT, 8):
        print("  ".join(f"{number:2}: {found[number]:8.4f}" for number in range(start, min(start + 8, COUNT))))
    difference = max(abs(one - known) for one, known in zip(found, TEST_LOSSES, strict=False))
    print(f"largest difference from regbench's table: {difference:.1g}")

    for tree in trees:
        counts = instances_of(tree)
        told = ", ".join(f"{count} on instance {number}" for number, count in counts.items()) or "none"
        print(f"{tree}: runs of {PROBLEM}: {told}")

    trials = catalog.BUDGETS["small"]
    shifting, true = search(instances[:trials]), search([instances[0]] * trials)
    print(f"SGD, {trials} trials, trial i on instance i (as published): {shifting.told(shifting.winner)} wins")
    print(f"SGD, {trials} trials, all on the problem: {true.told(true.winner)} wins")
    print(f"the published winner on the problem: {true.told(shifting.winner)}")


if __name__ == "__main__":
    main()
