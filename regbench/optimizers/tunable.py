"""Hyperparameters that may change without tracing the training step anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras


class Tunable:
    """A scalar hyperparameter that a compiled training step reads at every call.

    Keras reads a Python number once, while it traces the step; a later change has no effect and gives no warning.
    A `Tunable` is a variable of the optimizer instead and is used as `learning_rate` is: assigning a number sets it,
    reading gives the variable. It is declared in the class body and set in `__init__`, which also validates it:

    ```python
    class SignedPower(OptimizerWrapper):
        power = Tunable(lambda power: 0 < power <= 1, must_be="in (0, 1]")
    ```

    Args:
        accepts: Says whether a number is allowed.
        must_be: The same in words, for the error message.
        dtype: Of the variable; `"int"` for a count. Defaults to `keras.config.floatx()`.
    """

    def __init__(self, accepts: Callable[[float], bool], must_be: str, dtype: str | None = None) -> None:
        self.accepts = accepts
        self.must_be = must_be
        self.dtype = dtype

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, optimizer: Any, owner: type | None = None) -> Any:
        return self if optimizer is None else getattr(optimizer, f"_{self.name}_variable")

    def __set__(self, optimizer: Any, number: float) -> None:
        if not self.accepts(number):
            raise ValueError(f"`{self.name}` must be {self.must_be}. Received: {self.name}={number}")
        number = int(number) if self.dtype == "int" else float(number)
        if hasattr(optimizer, f"_{self.name}_variable"):
            self.__get__(optimizer).assign(number)
        else:
            variable = optimizer.add_variable(
                shape=(),
                initializer=keras.initializers.Constant(number),
                dtype=self.dtype,
                aggregation="only_first_replica",
                name=self.name,
            )
            setattr(optimizer, f"_{self.name}_variable", variable)
        setattr(optimizer, f"_{self.name}_number", number)

    def number(self, optimizer: Any) -> float:
        """The present value as a Python number, for `get_config`.

        It is the number that was set, in full precision. Where the variable has been assigned something else, it is
        the shortest decimal that stands for the variable's value.
        """
        value = self.__get__(optimizer).numpy()[()]
        number = getattr(optimizer, f"_{self.name}_number")
        if value == value.dtype.type(number):
            return number
        return int(value) if self.dtype == "int" else float(str(value))


def declared_tunables(optimizer_class: type) -> dict[str, Tunable]:
    """The `Tunable` attributes of a class and of its bases, by name."""
    return {
        name: attribute
        for ancestor in reversed(optimizer_class.__mro__)
        for name, attribute in vars(ancestor).items()
        if isinstance(attribute, Tunable)
    }


def tunable_variables(optimizer: keras.optimizers.Optimizer) -> dict[str, keras.Variable]:
    """The hyperparameters of an optimizer that a compiled training step reads at every call.

    Works for every Keras optimizer. Whatever is not named here is fixed once the step is traced.

    Args:
        optimizer: A Keras optimizer, or wrappers around one.

    Returns:
        The variable of each constructor argument; those of a wrapped optimizer are named
        `"inner_optimizer.<argument>"`. A learning rate is among them unless it is a schedule or a callable.
    """
    tunables = {name: getattr(optimizer, name) for name in declared_tunables(type(optimizer))}
    if hasattr(optimizer, "inner_optimizer"):
        inner = tunable_variables(optimizer.inner_optimizer)
        return tunables | {f"inner_optimizer.{name}": variable for name, variable in inner.items()}
    learning_rate = getattr(optimizer, "learning_rate", None)
    return tunables | ({"learning_rate": learning_rate} if isinstance(learning_rate, keras.Variable) else {})
