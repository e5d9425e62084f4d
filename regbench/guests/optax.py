"""Transformations of optax, on JAX; both are imported here only.

The numbers of an optimizer are part of its state (`optax.inject_hyperparams`), so that one compiled step serves all
settings of a search: floats, and those in tuples, but for such as decide in Python what is computed. JAX lays kernels
out as Keras does.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import jax
import jax.numpy as jnp
import optax
import optax.contrib

from regbench.catalog import own_code
from regbench.catalog.libraries import library_of
from regbench.errors import DefinitionError, UnknownNameError
from regbench.guests.arguments import called_with, momentum_of
from regbench.guests.known import AVERAGES, REFUSED_OF_OPTAX
from regbench.records import Kind, Part

_RATES = ("learning_rate", "max_learning_rate", "lr", "adam_learning_rate")
"""Arguments that a learning-rate schedule acts on; the first of them that there is, is the learning rate."""
_KEPT = 8
_TRACED = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)
"""What is raised where a number that is part of the state decides in Python what is computed."""


def make(key: str, part: Part, target: Any, keeps_decay: bool) -> OptaxGuest:
    """The guest that a part of a candidate names; arguments and errors as for `guests.torch.make`."""
    return OptaxGuest(key, part, target, keeps_decay)


def double_precision() -> Any:
    """Inside, JAX computes in float64."""
    return jax.enable_x64(True)


class OptaxGuest:
    """A gradient transformation of optax, for one run."""

    def __init__(self, key: str, part: Part, target: Any, keeps_decay: bool) -> None:
        """Call its function with the arguments that it is given; nothing is compiled before the weights are there."""
        self.part, self._key = part, key
        self._target = _find(key, part.name) if target is None else target
        self.notices: list[str] = []
        self._arguments = _arguments(key, part, self._target, self.notices, keeps_decay)
        self.values = _defaults(self._target) | self._arguments
        # One of an optimizer inside is a constant there, so that a schedule would act on a part of it only.
        has_inner = any(isinstance(value, Part) for value in part.arguments.values())
        rates = [] if has_inner else [name for name in _RATES if _is_float(self.values.get(name))]
        self._rates = {name: float(self.values[name]) for name in rates}
        self.learning_rate: float | None = self._rates[rates[0]] if rates else None
        self.momentum = momentum_of(self.values)
        self.versions = {name: version(name) for name in ("optax", "jax")}
        self.refuses_decay = ""
        made = _called(key, part.name, self._target, self._arguments)
        if not isinstance(made, optax.GradientTransformation):
            raise DefinitionError(
                f"{key}.name: {part.name} must return a GradientTransformation. Received: {type(made).__name__}"
            )

    def start(self, weights: Sequence[Any], kinds: Sequence[Kind], seed: int) -> None:
        """See `records.Guest`."""
        del kinds, seed  # what optax draws, it draws from an argument
        self._weights = [_copied(weight) for weight in weights]
        self._tuples = {
            name: value
            for name, value in self.values.items()
            if isinstance(value, tuple) and value and all(map(_is_float, value))
        }
        self._factor = 1.0
        self._begin_with_numbers()
        if _schedule_free(self._state) is not None:
            self.refuses_decay = AVERAGES

    def _begin_with_numbers(self) -> None:
        """Begin with as many numbers as can be in the state; what decides in Python is compiled for."""
        numbers = {name for name, value in self.values.items() if _is_float(value)} | set(self._tuples)
        constant = _constants.get(id(self._target), (None, set[str]()))[1]
        if self._can_begin(numbers - constant):
            return
        constant = {name for name in numbers if not self._can_begin({name})}
        _constants[id(self._target)] = self._target, constant
        if not (self._can_begin(numbers - constant) or self._can_begin(set(self._rates))):
            self._begin(set())

    def _constants(self) -> dict[str, Any]:
        """What the function is called with; a transformation inside as the part that it was made from."""
        parts = {name: value for name, value in self.part.arguments.items() if isinstance(value, Part)}
        return self._arguments | parts

    def _can_begin(self, injected: set[str]) -> bool:
        try:
            self._begin(injected)
        except _TRACED:
            return False
        return True

    def _begin(self, injected: set[str]) -> None:
        constants = {name: repr(value) for name, value in self._constants().items() if name not in injected}
        shapes = [(weight.shape, str(weight.dtype)) for weight in self._weights]
        # The function itself, not its name: a module of the user's own may have been loaded anew since.
        key = json.dumps([id(self._target), constants, sorted(injected), shapes], sort_keys=True)
        tuples = {name: value for name, value in self._tuples.items() if name in injected}
        target, arguments = _with_places(self._target, self._arguments, tuples)
        if injected:
            numbers = {f"{name}__{place}" for name in tuples for place in range(len(tuples[name]))} | injected
            target = optax.inject_hyperparams(target, static_args=_defaults(target).keys() - numbers)
        transformation = optax.with_extra_args_support(target(**arguments))
        self._state = jax.device_put(_typed(transformation.init(self._weights)), self._weights[0].device)
        update = _kept.get(key)
        if update is None:
            update = _compiled(transformation)
            loss = jnp.zeros((), self._weights[0].dtype)
            try:
                jax.eval_shape(update, self._weights, self._state, self._weights, loss)
            except _TRACED:
                raise
            except TypeError as error:
                raise DefinitionError(
                    f"{self._key}: {self.part.name} cannot be a guest: {' '.join(str(error).split())}"
                ) from error
            if len(_kept) >= _KEPT:
                _kept.pop(next(iter(_kept)))
            _kept[key] = update
        self._update, self._injected = update, injected

    def step(
        self,
        loss: Any,
        gradients: Sequence[Any],
        factor: float,
        evaluate: Callable[[Sequence[Any]], tuple[Any, Sequence[Any]]],
        moved: Sequence[Any] | None,
    ) -> Sequence[Any]:
        """See `records.Guest`; a transformation that asks for it gets the loss as `value`."""
        del evaluate
        if moved is not None:
            self._weights = [_copied(weight) for weight in moved]
        if factor != self._factor:
            self._schedule(factor)
        arrays = [
            jnp.zeros_like(weight) if gradient is None else jax.dlpack.from_dlpack(gradient)
            for gradient, weight in zip(gradients, self._weights, strict=True)
        ]
        before = self._weights
        self._weights, self._state = self._update(arrays, self._state, self._weights, jax.dlpack.from_dlpack(loss))
        for old, new in zip(before, self._weights, strict=True):
            if old.shape != new.shape or old.dtype != new.dtype:
                raise DefinitionError(
                    f"{self._key}: {self.part.name} must leave the shape and the type of a weight as they are. "
                    f"Received: shape {new.shape} of {new.dtype}"
                )
        return self._weights

    def evaluated(self) -> Sequence[Any] | None:
        """See `records.Guest`: `schedule_free_eval_params` of a state of Schedule-Free."""
        state = _schedule_free(self._state)
        if state is None:
            return None
        averages: list[Any] = optax.contrib.schedule_free_eval_params(state, self._weights)
        return averages

    def _schedule(self, factor: float) -> None:
        if not self._rates or not self._rates.keys() <= self._injected:
            raise DefinitionError(
                f"{self._key}: {self.part.name} must have a learning rate that a schedule can change. Received: none"
            )
        self._factor = factor
        old = self._state.hyperparams
        rates = {name: jnp.asarray(rate * factor, old[name].dtype) for name, rate in self._rates.items()}
        self._state = self._state._replace(hyperparams=old | rates)


_kept: dict[str, Any] = {}
"""Compiled updates, by all that they are compiled for."""

_constants: dict[int, tuple[Any, set[str]]] = {}
"""By the identity of a function: it, and which of its numbers decide in Python what it computes."""


def _compiled(transformation: Any) -> Any:
    @jax.jit  # type: ignore[untyped-decorator]
    def update(gradients: Any, state: Any, weights: Any, loss: Any) -> Any:
        changes, state = transformation.update(gradients, state, weights, value=loss)
        return optax.apply_updates(weights, changes), _typed(state)

    return update


def _typed(state: Any) -> Any:
    """A state whose types no later step changes: what begins as a Python number would be compiled for twice."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.asarray(leaf).dtype), state)


def _copied(weight: Any) -> Any:
    return jnp.array(jax.dlpack.from_dlpack(weight), copy=True)


def _schedule_free(state: Any) -> Any:
    """The state of Schedule-Free in a state; None where there is none."""
    if isinstance(state, optax.contrib.ScheduleFreeState):
        return state
    inner = state if isinstance(state, tuple) else ()
    return next((found for one in inner if (found := _schedule_free(one)) is not None), None)


def _arguments(
    key: str, part: Part, target: Callable[..., Any], notices: list[str], keeps_decay: bool
) -> dict[str, Any]:
    """What a function is called with: a whole number is a float where the learning rate or the default is one."""
    made, usual = functools.partial(_made, notices=notices, keeps_decay=keeps_decay), _defaults(target)
    arguments = called_with(key, part, target, made, notices=notices, keeps_decay=keeps_decay)
    return {
        name: float(value) if type(value) is int and (name in _RATES or _is_float(usual.get(name))) else value
        for name, value in arguments.items()
    }


def _defaults(target: Callable[..., Any]) -> dict[str, Any]:
    """Of each argument that has a name."""
    return {
        name: one.default
        for name, one in inspect.signature(target).parameters.items()
        if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
    }


def _with_places(
    target: Callable[..., Any], arguments: dict[str, Any], tuples: dict[str, tuple[float, ...]]
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """The same function and its arguments, with `betas__0` and `betas__1` in the place of `betas`."""
    usual = _defaults(target)
    places = {f"{name}__{place}": one for name, whole in tuples.items() for place, one in enumerate(whole)}

    def gathering(**given: Any) -> Any:
        whole = {name: tuple(given.pop(f"{name}__{place}") for place in range(len(tuples[name]))) for name in tuples}
        return target(**given, **whole)

    named = {name: default for name, default in usual.items() if name not in tuples} | places
    signature = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=one) for name, one in named.items()]
    vars(gathering)["__signature__"] = inspect.Signature(signature)
    return gathering, {name: value for name, value in arguments.items() if name not in tuples} | places


def _made(key: str, part: Part, notices: list[str], keeps_decay: bool) -> Any:
    """A transformation inside of another one."""
    target = own_code.resolve(f"{key}.name", part.name) if not library_of(part.name) else _find(key, part.name)
    return _called(key, part.name, target, _arguments(key, part, target, notices, keeps_decay))


def _called(key: str, name: str, target: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    try:
        return target(**arguments)
    except Exception as error:  # own functions may raise anything
        raise DefinitionError(f"{key}: {name}: {' '.join(str(error).split()) or type(error).__name__}") from error


def _find(key: str, name: str) -> Callable[..., Any]:
    library, _, attribute = name.partition(":")
    modules = [importlib.import_module(library), *([optax.contrib] if library == "optax" else [])]
    found = next((getattr(module, attribute) for module in modules if hasattr(module, attribute)), None)
    if found is None or not callable(found):
        raise UnknownNameError("optimizer", attribute, _optimizers(), where=f"{key}.name: {library}")
    if attribute in REFUSED_OF_OPTAX:
        reason = REFUSED_OF_OPTAX[attribute]
        raise DefinitionError(f"{key}.name: {name} cannot be a guest: {reason}. Received: name={name!r}")
    target: Callable[..., Any] = found
    return target


@functools.cache
def _optimizers() -> list[str]:
    """What makes an optimizer, by what its source says that it returns."""
    modules = (optax, optax.contrib)
    return sorted(
        {
            name
            for module in modules
            for name, one in vars(module).items()
            if inspect.isfunction(one) and "GradientTransformation" in str(inspect.signature(one).return_annotation)
        }
    )


def _is_float(value: Any) -> bool:
    return isinstance(value, float)
