"""A function of one's own that returns the data: arrays by name, or data sets of TensorFlow or Hugging Face by split.

Nothing of these libraries is imported here: what is returned is asked for by what it can do.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from regbench.datasets.own.arrays import NEEDED, OPTIONAL, from_arrays
from regbench.datasets.own.parts import Reading
from regbench.errors import DataError, DefinitionError
from regbench.records import Function

_SPLITS = {"train": ("train",), "valid": ("valid", "validation"), "test": ("test",)}
_LABELS = ("label", "labels", "target", "y")


def find(own: Function) -> Callable[..., Any]:
    """The function; its module must be importable (see `catalog.own_code`).

    Raises:
        DefinitionError: there is none.
    """
    module, _, name = own.name.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except Exception as error:  # own modules may raise anything
        raise DefinitionError(f"dataset `{own.name}`: cannot be imported: {_line(error)}") from error
    if not callable(found):
        raise DefinitionError(f"dataset `{own.name}`: must be a function. Received: {found!r}")
    return found


def read(own: Function) -> Reading:
    """Call the function once.

    Raises:
        DataError: it raises, or returns something else.
        DefinitionError: there is no such function.
    """
    where = f"dataset `{own.name}`"
    try:
        returned = find(own)(**own.arguments)
        arrays = arrays_of(returned, where)
    except (DataError, DefinitionError):
        raise
    except (Exception, SystemExit) as error:  # own functions may raise anything
        raise DataError(f"{where}: must return data. Received: {type(error).__name__}: {_line(error)}") from error
    return from_arrays(own, arrays, where)


def arrays_of(returned: Any, where: str) -> dict[str, np.ndarray]:
    """The arrays by their names: of a dictionary, of the attributes of an object, or out of data sets by split.

    Raises:
        DataError: there are none, or one is something else.
    """
    named = returned if isinstance(returned, Mapping) else _Attributes(returned)
    arrays: dict[str, np.ndarray] = {}
    for split, names in _SPLITS.items():
        key = next((name for name in names if name in named and f"x_{split}" not in named), None)
        if key is not None:
            arrays[f"x_{split}"], arrays[f"y_{split}"] = _pair(named[key], f"{where}: {key}")
    for name in (*NEEDED, *OPTIONAL):
        if name in named and named[name] is not None:
            arrays[name] = _array(named[name], f"{where}: {name}")
    if not arrays:
        must = f"must return a dictionary or an object with {', '.join(NEEDED)}, or with data sets `train` and `test`"
        raise DataError(f"{where}: {must}. Received: {type(returned).__name__}")
    return arrays


class _Attributes:
    """The attributes of an object, as a dictionary has its keys."""

    def __init__(self, owner: Any) -> None:
        self._owner = owner

    def __contains__(self, name: str) -> bool:
        return hasattr(self._owner, name)

    def __getitem__(self, name: str) -> Any:
        return getattr(self._owner, name)


def _pair(data: Any, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of a split: a pair, a `tf.data.Dataset` of pairs, or a Hugging Face `Dataset`."""
    if hasattr(data, "as_numpy_iterator"):
        elements = list(data.as_numpy_iterator())
        if not elements or not isinstance(elements[0], tuple) or len(elements[0]) != 2:
            raise DataError(f"{where}: must hold pairs of inputs and targets. Received: something else")
        inputs, targets = zip(*elements, strict=True)
        join = np.concatenate if all(map(_is_batch, inputs, targets)) else np.stack
        try:
            return join(inputs), join(targets)
        except ValueError as error:
            raise DataError(
                f"{where}: must hold samples of equal shape, or batches. Received: {_line(error)}"
            ) from error
    if hasattr(data, "with_format") and hasattr(data, "column_names"):
        columns = list(data.column_names)
        target = next((name for name in _LABELS if name in columns), None)
        others = [name for name in columns if name != target]
        if target is None or len(others) != 1:
            must = f"must have two columns, one of them {' or '.join(_LABELS)}"
            raise DataError(f"{where}: {must}. Received: {', '.join(columns)}")
        whole = data.with_format("numpy")[:]
        return _array(whole[others[0]], f"{where}: {others[0]}"), _array(whole[target], f"{where}: {target}")
    if isinstance(data, tuple | list) and len(data) == 2:
        return _array(data[0], f"{where}: inputs"), _array(data[1], f"{where}: targets")
    raise DataError(f"{where}: must be a pair of arrays, or a data set. Received: {type(data).__name__}")


def _is_batch(inputs: Any, targets: Any) -> bool:
    """Whether an element holds samples: then inputs have an axis for their values besides that which both share."""
    return np.ndim(inputs) > 1 and np.ndim(targets) > 0 and len(inputs) == len(targets)


def _array(value: Any, what: str) -> np.ndarray:
    """A NumPy array of an array or a tensor of any library."""
    if hasattr(value, "detach"):  # PyTorch, perhaps with gradients or on a GPU
        value = value.detach().cpu()
    if hasattr(value, "as_numpy_iterator"):
        value = list(value.as_numpy_iterator())
    array = np.asarray(value)
    if array.dtype == object and not all(isinstance(one, str) for one in array.flat):
        raise DataError(
            f"{what}: must be an array of numbers, or of text. Received: objects, or rows of unequal length"
        )
    return array


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or "no reason given"
