"""What an object is made of: its numbers, and all else.

The numbers are the float attributes of the object and of the objects in it. All else (integers, strings, arrays,
functions and what they enclose) is its structure, to be compared with that of another object. What cannot be looked
into is equal to itself only, and so is a variable, except the variables of an optimizer: whoever uses a step again
sets these.
"""

import functools
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from regbench.optimizers import RAdam
from regbench.regularizers import ToInitial

Path = tuple[Any, ...]

CONSTANTS_OF = (keras.optimizers.Ftrl, keras.optimizers.Muon, keras.optimizers.ScheduleFreeAdamW, RAdam)
"""Optimizers whose numbers stay constants of the step: XLA rewrites powers with a constant exponent and puts constants
in a row together, so that with numbers in slots these would differ from Keras in the last digits (1e-7)."""

_BOOKKEEPING = {"name", "_tracker", "_lock", "_distribution_strategy"}
"""Attributes of a Keras optimizer that say nothing of its step; so do those that begin with `_self_`."""


@dataclass(frozen=True)
class Reading:
    """What an object is made of.

    Attributes:
        numbers: its float attributes and those of the objects in it.
        structure: all else; to be compared.
    """

    numbers: dict[Path, float]
    structure: Any


def read(subject: Any) -> Reading:
    """The numbers and the structure of an object."""
    reader = Reader(subject)
    structure = reader.read(subject, ())
    return Reading(reader.numbers, structure)


def state_of(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """The variables of an optimizer, and where the generators of random numbers are that it or one inside it holds."""
    return [*optimizer.variables, *(generator.state for generator in _generators(optimizer))]


def _generators(held: Any) -> Iterator[keras.random.SeedGenerator]:
    if isinstance(held, keras.random.SeedGenerator):
        yield held
    elif isinstance(held, list | tuple):
        for one in held:
            yield from _generators(one)
    elif isinstance(held, keras.optimizers.Optimizer):
        for one in vars(held).values():
            yield from _generators(one)


class Reader:
    """Goes through all that an object is made of."""

    def __init__(self, subject: Any) -> None:
        is_optimizer = isinstance(subject, keras.optimizers.Optimizer)
        self._state = {id(variable) for variable in state_of(subject)} if is_optimizer else set()
        self.numbers: dict[Path, float] = {}
        self.owners: dict[Path, dict[str, Any]] = {}
        self._seen: dict[int, tuple[int, Any]] = {}  # with the value, whose address must not be given to another

    def read(self, value: Any, path: Path) -> Any:
        """The structure of a value; numbers that no symbol can replace, such as those in a list, belong to it."""
        if value is None or isinstance(value, bool | int | str | bytes | type | types.ModuleType):
            return type(value), value
        if type(value) is float:
            return repr(value)
        if isinstance(value, tf.Variable | keras.Variable):
            is_state = id(value) in self._state
            return ("variable", tuple(value.shape), str(value.dtype)) if is_state else _Itself(value)
        if isinstance(value, np.ndarray | np.generic) or (tf.is_tensor(value) and hasattr(value, "numpy")):
            array = np.asarray(value)
            return "array", array.dtype.str, array.shape, array.tobytes() if array.dtype != object else _Itself(value)
        if id(value) in self._seen:
            return "seen", self._seen[id(value)][0]
        self._seen[id(value)] = len(self._seen), value
        return type(value), self._parts(value, path)

    def _parts(self, value: Any, path: Path) -> Any:
        if isinstance(value, keras.random.SeedGenerator):
            return self.read(value.state, (*path, "state"))  # its seed is where the state began
        if isinstance(value, list | tuple):
            return [self.read(one, (*path, index)) for index, one in enumerate(value)]
        if isinstance(value, dict):
            return [(self.read(key, (*path, "key")), self.read(one, (*path, key))) for key, one in value.items()]
        if isinstance(value, functools.partial):
            return self.read([value.func, value.args, value.keywords], path)
        if isinstance(value, types.MethodType):
            return self.read([value.__func__, value.__self__], path)
        if isinstance(value, types.FunctionType):
            enclosed = [cell.cell_contents for cell in value.__closure__ or ()]
            return value.__code__, self.read([enclosed, value.__defaults__, value.__kwdefaults__], path)
        if not hasattr(value, "__dict__") or any(vars(kind).get("__slots__") for kind in type(value).__mro__):
            return _Itself(value)
        return self._attributes(value, path)

    def _attributes(self, value: Any, path: Path) -> Any:
        is_optimizer = isinstance(value, keras.optimizers.Optimizer)
        structure = []
        attributes = vars(value)
        if isinstance(value, ToInitial):  # it is a layer too, with Keras's own bookkeeping; runs keep its start
            attributes = {name: attributes[name] for name in value.get_config()}
        for name, attribute in attributes.items():
            if is_optimizer and (name in _BOOKKEEPING or name.startswith("_self_")):
                continue
            if type(attribute) is float and not isinstance(value, CONSTANTS_OF):
                self.numbers[*path, name] = attribute
                self.owners[*path, name] = vars(value)
                structure.append((name, "number"))
            else:
                structure.append((name, self.read(attribute, (*path, name))))
        return structure


@dataclass(frozen=True, eq=False)
class _Itself:
    """What cannot be looked into; kept, so that nothing else gets its address."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and other.value is self.value

    __hash__ = object.__hash__
