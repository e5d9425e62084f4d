"""What can be said of a problem before its network is built and its data are read."""

from regbench import datasets, models
from regbench.errors import DefinitionError, UnknownNameError
from regbench.records import Problem, Selection


def check_problem(problem: Problem, batch_size: int) -> None:
    """Compare a problem with what is known of networks and data before they are built and read.

    Raises:
        DefinitionError: a name is unknown, or a batch larger than the training split.
    """
    network = problem.model.name
    if ":" not in network and network not in models.names():
        raise UnknownNameError("model", network, models.names(), where=problem.name)
    dataset, selection = datasets.get(problem.dataset), problem.selection or Selection()
    classes = len(selection.classes or ()) or dataset.classes
    size, per_class = dataset.train_size, selection.train_per_class
    most = selection.passes * (size if per_class is None else min(size, per_class * classes))
    if dataset.train_size and batch_size > most:  # else the user brings the data
        raise DefinitionError(
            f"`batch_size` must be at most {most}, the number of training samples that are taken in batches from "
            f"{problem.dataset}. Received: batch_size={batch_size!r}"
        )
