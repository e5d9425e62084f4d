"""A problem of a Python program: its arrays, and a function of its own that builds the network."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from regbench.benchmark.problems import with_data
from regbench.catalog import check_definition, describe, with_targets
from regbench.errors import DataError, DefinitionError
from regbench.records import Part, Problem


def problem_on(
    name: str,
    data: Any,
    model: str | Part | Callable[..., Any],
    *,
    loss: str = "sparse_categorical_crossentropy",
    batch_size: int = 32,
    epochs: int = 10,
    arguments: Mapping[str, Any] | None = None,
    valid_fraction: float = 0.15,
    split_seed: int = 0,
    **others: Any,
) -> Problem:
    """A problem that `search` and `run` take like the name of one; `compare` finds its results by its name.

    What it is depends on the content of the data and on the source of the function, so a later program finds its runs.
    The data are written to a temporary file while the program runs: workers on this machine read them, those of a
    cluster on other machines cannot.

    Args:
        name: of the problem.
        data: `x_train`, `y_train`, `x_test`, `y_test` and perhaps `x_valid`, `y_valid` as a dictionary or an object of
            arrays or tensors; or data sets by split (docs/own-data.md).
        model: the name of a model of regbench, or a function at the top of a module, `build(input_shape, classes,
            **arguments)`. One of the main program is known in this process only, not to workers.
        loss: as in a problem file, and so are `batch_size` and `epochs`.
        arguments: of the model.
        valid_fraction: the share of the training samples to validate on, where there are no `x_valid`.
        split_seed: of the draw that holds them out.
        others: further keys of a problem file: `metric`, `l2`, ...

    Raises:
        DefinitionError: the problem does not hold together.
        DataError: the data are not what they must be.
    """
    from regbench.datasets.own.held import hold

    try:
        own = hold(data, valid_fraction=valid_fraction, split_seed=split_seed)
        problem = Problem(
            **{"summary": f"{name}, of a program", "source": "own data", **others},
            name=name,
            dataset=own,
            model=_part(model, dict(arguments or {})),
            loss=loss,
            batch_size=batch_size,
            epochs=epochs,
        )
    except ValidationError as invalid:
        raise DefinitionError(f"{name}: {describe(invalid, Problem)}") from invalid
    problem = problem.model_copy(update={"dataset": with_targets(own, problem)})
    check_definition(problem)
    try:
        return with_data(problem)
    except DataError as error:  # which names the temporary file
        raise DataError(f"{name}: {str(error).replace(own.path, 'data')}") from error


def _part(model: str | Part | Callable[..., Any], arguments: dict[str, Any]) -> Part:
    if isinstance(model, str):
        return Part(name=model, arguments=arguments)
    if isinstance(model, Part):
        return model
    module, name = getattr(model, "__module__", None), getattr(model, "__qualname__", "")
    if not inspect.isfunction(model) or not module or not name.isidentifier():
        raise DefinitionError(
            f"`model` must be a name, or a function at the top of a module, so that it can be found again. "
            f"Received: {model!r}"
        )
    return Part(name=f"{module}:{name}", arguments=arguments)
