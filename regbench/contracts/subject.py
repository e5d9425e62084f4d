"""The class under examination, with the arguments that its instances get."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras

from regbench.errors import DefinitionError, UnknownNameError

SEED = 1


@dataclass(frozen=True)
class Subject:
    """A class and the arguments of its constructor."""

    target: type
    arguments: Mapping[str, Any]

    @classmethod
    def of(cls, target: type, arguments: Mapping[str, Any]) -> Subject:
        """Completes the arguments: a `factor` gets 0.01, an `inner_optimizer` SGD, a required `learning_rate` 0.01.

        Raises:
            DefinitionError: no instance can be made.
        """
        parameters = inspect.signature(target).parameters
        takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        for name in arguments:
            if name not in parameters and not takes_any:
                raise UnknownNameError("argument", name, parameters, where=target.__name__)
        completed = _automatic(target, parameters) | {
            name: keras.optimizers.get(value) if name == "inner_optimizer" else value
            for name, value in arguments.items()
        }
        missing = [name for name, parameter in parameters.items() if _is_required(parameter) and name not in completed]
        if missing:
            values = ", ".join(f"`{name}`" for name in missing)
            raise DefinitionError(f"{target.__name__}: a value is needed for {values}")
        subject = cls(target, completed)
        try:
            subject.make()
        except Exception as error:
            message = " ".join(f"{type(error).__name__}: {error}".split())
            raise DefinitionError(f"{target.__name__} cannot be made: {message}") from error
        return subject

    @property
    def parameters(self) -> list[str]:
        """The constructor's arguments by name, without `*args` and `**kwargs`."""
        parameters = inspect.signature(self.target).parameters
        return [name for name, parameter in parameters.items() if not _is_variadic(parameter)]

    def make(self, **changes: Any) -> Any:
        """A new instance, seeded and with nothing that another one has too; `changes` are arguments."""
        keras.utils.set_random_seed(SEED)
        return self.target(**{name: _copy(value) for name, value in self.arguments.items()} | changes)

    def make_with_learning_rate(self, learning_rate: float) -> Any:
        """A new optimizer with another learning rate of its own or of the optimizer inside, where it takes one."""
        inner = {
            name: _copy(value)
            for name, value in self.arguments.items()
            if isinstance(value, keras.optimizers.Optimizer)
        }
        for optimizer in inner.values():
            optimizer.learning_rate = learning_rate
        own = {"learning_rate": learning_rate} if "learning_rate" in self.parameters else {}
        return self.make(**(inner or own))


def _automatic(target: type, parameters: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
    automatic: dict[str, Any] = {}
    if "factor" in parameters:
        automatic["factor"] = 0.01
    if "inner_optimizer" in parameters:
        momentum = 0.9 if getattr(target, "takes_momentum", True) else 0.0
        automatic["inner_optimizer"] = keras.optimizers.SGD(0.01, momentum=momentum)
    if "learning_rate" in parameters and _is_required(parameters["learning_rate"]):
        automatic["learning_rate"] = 0.01
    return automatic


def _is_variadic(parameter: inspect.Parameter) -> bool:
    return parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)


def _is_required(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty and not _is_variadic(parameter)


def _copy(value: Any) -> Any:
    """The value, an optimizer as a new one: it keeps state, and must not be shared."""
    return type(value).from_config(value.get_config()) if isinstance(value, keras.optimizers.Optimizer) else value
