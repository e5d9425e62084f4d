"""Equal work in place of equal epochs: an optimizer that takes two gradients a step gets half the epochs."""

from collections.abc import Sequence
from dataclasses import replace

from regbench.benchmark.searches import Search
from regbench.catalog.libraries import library_of
from regbench.conventions import GRADIENTS_OF_GUESTS
from regbench.errors import DefinitionError, UnknownNameError
from regbench.execution import Child, Workers
from regbench.records import Part

MEASURES = {"epochs": "each candidate the same epochs", "gradients": "each candidate the same number of gradients"}
"""What every run of a search may have the same of."""


def with_equal_work(searches: Sequence[Search], equal: str, workers: Workers | None = None) -> list[Search]:
    """The searches, with fewer epochs where a step takes several gradients and these are to be equal.

    Args:
        searches: on one problem.
        equal: one of `MEASURES`.
        workers: where runs will be computed. Where that is not in this process, it does not load TensorFlow, but a
            child of it.

    Raises:
        UnknownNameError: there is no such measure.
        DefinitionError: there are too few epochs to divide, or an optimizer decides in each step how many it takes.
    """
    if equal not in MEASURES:
        raise UnknownNameError("measure of work", equal, MEASURES)
    if equal == "epochs":
        return list(searches)
    optimizers = [search.task.candidate.optimizer for search in searches]
    if workers is not None and workers.are_other_processes:
        child = Child()
        try:
            gradients = child.call(gradients_of_all, optimizers)
        finally:
            child.end()
    else:
        gradients = gradients_of_all(optimizers)
    return [_divided(search, number) for search, number in zip(searches, gradients, strict=True)]


def gradients_of_all(optimizers: Sequence[Part]) -> list[int]:
    """How many gradients a step of each takes, by the attribute `gradients_per_step` of its classes.

    Raises:
        DefinitionError: one decides in each step how many it takes.
    """
    return [_gradients_of(optimizer) for optimizer in optimizers]


def _gradients_of(optimizer: Part) -> int:
    number = 1
    for part in optimizer.with_inner():
        if library_of(part.name):
            of_guest = GRADIENTS_OF_GUESTS.get(part.name, 1)
            if of_guest is None:
                raise DefinitionError(
                    f"`equal` must be epochs with {part.name}, which decides in each step how many gradients it "
                    "takes. Received: equal='gradients'"
                )
            number *= of_guest
        else:
            number *= _of_class(part.name)
    return number


def _of_class(name: str) -> int:
    from regbench.engine import environment

    environment.prepare()  # what is named may load TensorFlow
    from regbench.engine import build

    return int(getattr(build.find_optimizer(name), "gradients_per_step", 1))


def _divided(search: Search, gradients: int) -> Search:
    epochs = search.task.epochs
    if gradients == 1:
        return search
    if epochs < gradients:
        raise DefinitionError(
            f"`epochs` must be at least {gradients} for {search.task.candidate.name}, a step of which takes so many "
            f"gradients. Received: epochs={epochs!r}"
        )
    return replace(search, task=replace(search.task, epochs=epochs // gradients))
