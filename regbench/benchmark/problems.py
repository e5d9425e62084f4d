"""What can be said of a problem before its network is built and its data are read."""

from regbench import datasets, models
from regbench.catalog import own_code
from regbench.datasets import Dataset, own
from regbench.errors import DefinitionError, UnknownNameError
from regbench.records import OwnData, Part, Problem, Selection


def with_data(problem: Problem) -> Problem:
    """The problem; where its data are the user's own, they are read, and which they are is stated.

    Raises:
        DataError: they cannot be read, or are not what they must be.
        DefinitionError: they come from a function that there is not.
    """
    if not isinstance(problem.dataset, OwnData):
        return problem
    own_code.load(own_code.names_in(Part(name=problem.dataset.name)))
    return problem.model_copy(update={"dataset": own.settled(problem.dataset)})


def check_problem(problem: Problem, batch_size: int) -> None:
    """Compare a problem with what is known of networks and data before they are built and read.

    Raises:
        DefinitionError: a name is unknown, the loss does not fit the data, or a batch is larger than the training
            split.
    """
    network = problem.model.name
    if ":" not in network and network not in models.names():
        raise UnknownNameError("model", network, models.names(), where=problem.name)
    dataset, selection = datasets.get(problem.dataset), problem.selection or Selection()
    classes = len(selection.classes or ()) or dataset.classes
    _check_loss(problem, dataset, classes)
    size, per_class = dataset.train_size, selection.train_per_class
    most = selection.passes * (size if per_class is None else min(size, per_class * classes))
    if dataset.train_size and batch_size > most:  # else the user brings the data
        raise DefinitionError(
            f"`batch_size` must be at most {most}, the number of training samples that are taken in batches from "
            f"{problem.dataset}. Received: batch_size={batch_size!r}"
        )


def _check_loss(problem: Problem, dataset: Dataset, classes: int) -> None:
    """Compare a loss with the targets of the data."""
    shape = dataset.target_shape
    are_numbers, is_one = classes == 0 and shape != (0,), classes > 0 and shape == ()
    match problem.task, problem.loss:
        case "none", _:
            fits = True
        case "own", _:
            fits = shape != (0,)
        case "tokens", _:
            fits = classes > 0 and len(shape) == 1
        case "numbers", _:
            fits = are_numbers
        case _, "categorical_crossentropy":
            fits = is_one or (are_numbers and len(shape) == 1)
        case _, "binary_crossentropy":
            fits = are_numbers or (is_one and classes == 2)
        case _:
            fits = is_one
    told = f"{classes} classes" if is_one else "numbers" if are_numbers else "no targets"
    if classes and not is_one:
        told = f"tokens of {classes} kinds"
    if not fits:
        raise DefinitionError(
            f"{problem.name}: `loss` must fit the data set `{dataset.name}`, which has {told}. "
            f"Received: loss={problem.loss!r}"
        )
    if problem.class_weights != "none" and not (problem.task in ("classes", "own") and is_one):
        raise DefinitionError(
            f"{problem.name}: `class_weights` must be none where there are no classes by number. "
            f"Received: class_weights={problem.class_weights!r}"
        )
