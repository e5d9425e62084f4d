"""The state of own data, and what they hold, in words."""

from __future__ import annotations

from pathlib import Path

from regbench.datasets import own as forms
from regbench.datasets.checks import Finding, State
from regbench.datasets.dataset import Dataset
from regbench.errors import DataError, DefinitionError
from regbench.records import Function, OwnData

_NAMED = 10  # classes


def status(name: str, own: OwnData) -> Finding:
    """Look which files are there, without reading them.

    Args:
        name: of the problem.
        own: its data.
    """
    if isinstance(own, Function):
        return Finding(name, State.FUNCTION, details=(own.name,))
    try:
        files = forms.files_of(own)
    except DataError as error:
        return Finding(name, State.MISSING, details=(str(error),))
    size = sum(file.stat().st_size for file in files)
    return Finding(name, State.PRESENT, Path(own.path), size)


def verify(name: str, own: OwnData) -> Finding:
    """Read everything; as `status`, but what is there is readable or damaged. Own code must have been loaded."""
    seen = status(name, own)
    if seen.state is State.MISSING:
        return seen
    try:
        reading = forms.read(own)
    except (DataError, DefinitionError) as error:
        return Finding(name, State.DAMAGED, seen.folder, seen.size, (str(error),))
    return Finding(name, State.READABLE, seen.folder, seen.size, (*described(reading.dataset), reading.data.digest))


def described(dataset: Dataset) -> tuple[str, ...]:
    """How many samples there are, of which shape, and what is learnt: a sentence each."""
    sizes = f"{dataset.train_size} training, {dataset.validation_size} validation and {dataset.test_size} test samples"
    names = [f"{number} = {name!r}" for number, name in enumerate(dataset.class_names[:_NAMED])]
    more = "" if len(dataset.class_names) <= _NAMED else ", ..."
    if not dataset.classes:
        learnt = "learnt: " + (
            " x ".join(map(str, dataset.target_shape)) + " numbers" if dataset.target_shape else "a number"
        )
    elif dataset.target_shape:
        learnt = f"learnt: {' x '.join(map(str, dataset.target_shape))} tokens of {dataset.classes}"
    else:
        learnt = f"learnt: {dataset.classes} classes"
    told = f" ({', '.join(names)}{more})" if names else ""
    return f"{sizes} of shape {dataset.input_shape}", learnt + told
