"""What is irregular about the studies that made the runs of others, rather than about their files (docs/errata.md)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from regbench.trees.instances import TEST_LOSSES, UNKNOWN
from regbench.trees.irregularities import LEAK, Irregularity

_LEAKY_DATA = ("cifar10_", "svhn_")
"""What the names of problems begin with whose training data lie in several files."""

_TOLD = {"valid_accuracy": "validation", "test_accuracy": "test", "train_accuracy": "train-evaluation"}


def about_the_study(
    problem: str, instance: str, curves: Mapping[str, Sequence[float]], *, may_leak: bool
) -> Iterator[Irregularity]:
    """What is irregular about a run of DeepOBS by what its file says.

    Args:
        problem: its name.
        instance: of `instances.instance_of`.
        curves: by metric.
        may_leak: it was made by version 1.2, which splits off validation, not by 1.1.
    """
    if instance == UNKNOWN:
        yield Irregularity("other_instance", f"none of the first {len(TEST_LOSSES)}: {_before(curves)}")
    elif instance:
        yield Irregularity("other_instance", f"instance {instance}: {_before(curves)}")
    if may_leak and problem.startswith(_LEAKY_DATA) and {"valid_loss", "valid_accuracy"} & curves.keys():
        finals = [f"{word} {curves[metric][-1]:.3f}" for metric, word in _TOLD.items() if metric in curves]
        yield Irregularity(LEAK, f"final accuracy: {', '.join(finals)}" if finals else "")


def about_the_space(spaces: Iterable[str]) -> str:
    """The release of the runs of one search, by those that tell; "" where none does, or where they do not agree."""
    told = set(spaces) - {""}
    return told.pop() if len(told) == 1 else ""


def _before(curves: Mapping[str, Sequence[float]]) -> str:
    return f"test loss before training {curves['test_loss'][0]:.4f}, that of the problem is {TEST_LOSSES[0]}"
