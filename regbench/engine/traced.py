"""Numbers of optimizers and regularizers as guarded symbols, so that one compiled step serves all their values.

Keras bakes a Python number into a compiled step: `momentum=0.9` becomes a constant, and every other momentum needs a
step of its own, for seconds of compiling. Here the float attributes of an object (and of the objects in it) are symbols
while its step is traced:

* Arithmetic between numbers stays arithmetic of Python doubles and is remembered as an expression: `1 - beta` is.
* Where an expression meets a tensor, it gets a slot in one float64 variable, rounded to the dtype that the tensor has.
  TensorFlow rounds a Python number in the same way, so the step computes with the same bits.
* Where Python must know (`if`, `<`, `float()`, `int()`, `math.log()`, a dictionary's key), it gets the number, and the
  answer is remembered as a guard.

For other values the expressions are evaluated again and put into the slots. They fit if every guard would answer as it
did: then tracing with them would have gone the same way, expression by expression, to the same program. So a step used
again computes what a step of its own would, bit for bit, whatever a class does with its numbers.

The other values are read off a fresh object that was made with them, attribute by attribute (see `reading`); so a
number that `__init__` derives from its arguments is a symbol like any other. Another structure never fits.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from regbench.engine.reading import Path, Reader, Reading


class Trace:
    """What was made of the numbers of an object while functions that use it were traced."""

    def __init__(self, subject: Any) -> None:
        """Read the subject: an object, or a list or dictionary of objects."""
        reader = Reader(subject)
        self._structure = reader.read(subject, ())
        self._numbers, self._owners = reader.numbers, reader.owners
        self._slots: dict[_Expression, int] = {}
        self._guards: dict[_Expression, _Constant] = {}
        self._variable = tf.Variable([], shape=(None,), dtype=tf.float64, trainable=False, name="numbers")

    @contextmanager
    def symbols(self) -> Iterator[None]:
        """Inside the block, the numbers of the subject are symbols; trace there, and call what was traced after it."""
        for path, owner in self._owners.items():
            owner[path[-1]] = Traced(self, _Number(path), self._numbers[path])
        try:
            yield
        finally:
            for path, owner in self._owners.items():
                owner[path[-1]] = self._numbers[path]
            self._fill_slots()

    @property
    def variable(self) -> tf.Variable:
        """What holds the numbers that the traced functions read."""
        return self._variable

    def fits(self, reading: Reading) -> bool:
        """Whether tracing an object of this reading would give the same functions, but for what is in the slots."""
        if reading.structure != self._structure:
            return False
        try:
            answers = {expression: expression.value(reading.numbers) for expression in self._guards}
            filled = [expression.value(reading.numbers) for expression in self._slots]
        except (ArithmeticError, ValueError):  # then tracing raises it, where it belongs
            return False
        return all(type(value) is float for value in filled) and all(
            _Constant.of(answer) == self._guards[expression] for expression, answer in answers.items()
        )

    def assign(self, reading: Reading) -> None:
        """Let the functions that were traced compute with the numbers of a reading that fits."""
        self._numbers = reading.numbers
        self._fill_slots()

    def slot(self, expression: _Expression) -> tf.Tensor:
        """The value of an expression as a float64 scalar that the traced function reads at each call."""
        return self._variable[self._slots.setdefault(expression, len(self._slots))]

    def guard(self, expression: _Expression, answer: Any) -> Any:
        """Remember what Python was told; gives it back."""
        self._guards[expression] = _Constant.of(answer)
        return answer

    def _fill_slots(self) -> None:
        self._variable.assign(np.array([expression.value(self._numbers) for expression in self._slots], np.float64))


@dataclass(frozen=True)
class _Number:
    path: Path

    def value(self, numbers: dict[Path, float]) -> Any:
        return numbers[self.path]


@dataclass(frozen=True)
class _Constant:
    kind: type
    text: str  # tells 0.0 from -0.0, and NaN is equal to itself
    constant: Any = field(compare=False)

    @classmethod
    def of(cls, constant: Any) -> _Constant:
        return cls(type(constant), repr(constant), constant)

    def value(self, numbers: dict[Path, float]) -> Any:
        del numbers
        return self.constant


@dataclass(frozen=True)
class _Operation:
    function: Callable[..., Any]
    operands: tuple[_Expression, ...]

    def value(self, numbers: dict[Path, float]) -> Any:
        return self.function(*(operand.value(numbers) for operand in self.operands))


_Expression = _Number | _Constant | _Operation


class Traced:
    """A number while a step is traced; to all who ask it is a float."""

    __class__ = float  # type: ignore[assignment]  # Keras and others treat what is a float by `isinstance` otherwise
    dtype = float

    def __init__(self, trace: Trace, expression: _Expression, value: float) -> None:
        self._trace, self._expression, self._value = trace, expression, value

    def __tf_tensor__(self, dtype: tf.DType | None = None, name: str | None = None) -> tf.Tensor:
        del name
        dtype = tf.float32 if dtype is None else tf.as_dtype(dtype)  # as TensorFlow takes a Python number
        if not (dtype.is_floating or dtype.is_complex):
            raise TypeError(f"Cannot convert {self._value} to a tensor of dtype {dtype.name}")
        return tf.cast(self._trace.slot(self._expression), dtype)

    def __getattr__(self, name: str) -> Any:
        if not hasattr(float, name):
            raise AttributeError(f"'float' object has no attribute {name!r}")
        return getattr(float(self), name)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        del copy
        return np.asarray(float(self), dtype)

    def __array_ufunc__(self, function: np.ufunc, method: str, *inputs: Any, **named: Any) -> Any:
        known = [float(one) if isinstance(one, Traced) else one for one in inputs]
        return getattr(function, method)(*known, **named)

    def _ask(self, question: Callable[..., Any], *constants: Any) -> Any:
        """The answer to a question about the number, guarded."""
        expression = _Operation(question, (self._expression, *map(_Constant.of, constants)))
        return self._trace.guard(expression, question(self._value, *constants))

    def _combine(self, function: Callable[..., Any], *operands: Any) -> Any:
        """Arithmetic between numbers: a symbol where it gives a float, else the answer, guarded."""
        expressions: list[_Expression] = []
        values: list[Any] = []
        for operand in operands:
            if isinstance(operand, Traced) and operand._trace is self._trace:
                expressions.append(operand._expression)
                values.append(operand._value)
                continue
            if isinstance(operand, Traced):
                operand = float(operand)
            if not isinstance(operand, int | float):
                return NotImplemented  # tensors and variables then ask for `__tf_tensor__`, as with any number
            expressions.append(_Constant.of(operand))
            values.append(operand)
        expression, value = _Operation(function, tuple(expressions)), function(*values)
        if type(value) is float:
            return Traced(self._trace, expression, value)
        return self._trace.guard(expression, value)


def _arithmetic(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, *others: self._combine(function, self, *others)


def _reflected(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, other: self._combine(function, other, self)


def _question(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, *arguments: self._ask(function, *arguments)


def _define_operators() -> None:
    """Give symbols what a float has."""
    binary: list[Callable[..., Any]] = [operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv]
    binary += [operator.mod, operator.pow, divmod]
    others: list[Callable[..., Any]] = [operator.neg, operator.pos, operator.abs]
    others += [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]
    questions: list[Callable[..., Any]] = [float, int, bool, str, repr, hash, format, round]
    questions += [math.trunc, math.floor, math.ceil]
    for function in (*binary, *others):
        setattr(Traced, f"__{function.__name__}__", _arithmetic(function))
    for function in binary:
        setattr(Traced, f"__r{function.__name__}__", _reflected(function))
    for function in questions:
        setattr(Traced, f"__{function.__name__}__", _question(function))


_define_operators()
