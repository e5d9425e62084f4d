"""Transformations of optax, on JAX; both are imported here only.

The numbers of an optimizer are part of its state (`optax.inject_hyperparams`), so that one compiled step serves all
settings of a search: the float arguments that it reads from tensors. JAX lays kernels out as Keras does.
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
from regbench.records import Kind, Part

_RATES = ("learning_rate", "max_learning_rate", "lr", "adam_learning_rate")
"""Arguments that a learning-rate schedule acts on; the first of them that there is, is the learning rate."""
_KEPT = 8

_VALUE = "it wants to evaluate the loss within its own step, which JAX compiles and the network is not part of"
REFUSED = {
    "lbfgs": _VALUE,
    "sam": _VALUE,
    "sophia": "it wants the Hessian, for which the loss would have to be differentiated in JAX",
}
"""Optimizers of optax that cannot be guests, and why."""


def make(key: str, part: Part, target: Any) -> OptaxGuest:
    """The guest that a part of a candidate names; arguments and errors as for `guests.torch.make`."""
    return OptaxGuest(key, part, target)


def double_precision() -> Any:
    """Inside, JAX computes in float64."""
    return jax.enable_x64(True)


class OptaxGuest:
    """A gradient transformation of optax, for one run."""

    def __init__(self, key: str, part: Part, target: Any) -> None:
        """Call its function with the arguments that it is given; nothing is compiled before the weights are there."""
        self.part, self._key = part, key
        self._target = _find(key, part.name) if target is None else target
        arguments = called_with(key, part, self._target, _made)
        self._arguments = {k: float(v) if k in _RATES and type(v) is int else v for k, v in arguments.items()}
        signature = inspect.signature(self._target)
        self._values = {name: one.default for name, one in signature.parameters.items()} | self._arguments
        # One of an optimizer inside is a constant there, so that a schedule would act on a part of it only.
        has_inner = any(isinstance(value, Part) for value in part.arguments.values())
        rates = [] if has_inner else [name for name in _RATES if _is_float(self._values.get(name))]
        self._rates = {name: float(self._values[name]) for name in rates}
        self.learning_rate: float | None = self._rates[rates[0]] if rates else None
        self.momentum = momentum_of(self._arguments, self._target)
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
        floats = {name for name, value in self._values.items() if _is_float(value)}
        for injected in (floats, set(self._rates), set()):
            try:
                self._begin(sorted(injected))
                break
            except (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError):
                if not injected:
                    raise  # it asks for more than its numbers
        self._factor = 1.0
        if _schedule_free(self._state) is not None:
            self.refuses_decay = (
                "what it evaluates is an average that it keeps apart from the weights that it steps, and a decay would "
                "act on the latter only; l2 acts through the gradient"
            )

    def _begin(self, injected: list[str]) -> None:
        fixed = sorted(set(self._values) - set(injected))
        constants = {name: repr(value) for name, value in self.part.arguments.items() if name not in injected}
        shapes = [(weight.shape, str(weight.dtype)) for weight in self._weights]
        # The function itself, not its name: a module of the user's own may have been loaded anew since.
        key = json.dumps([id(self._target), constants, sorted(set(injected)), shapes], sort_keys=True)
        make = optax.inject_hyperparams(self._target, static_args=fixed) if injected else self._target
        transformation = optax.with_extra_args_support(make(**self._arguments))
        self._state = jax.device_put(_typed(transformation.init(self._weights)), self._weights[0].device)
        update = _kept.get(key)
        if update is None:
            update = _compiled(transformation)
            loss = jnp.zeros((), self._weights[0].dtype)
            try:
                jax.eval_shape(update, self._weights, self._state, self._weights, loss)
            except TypeError as error:
                raise DefinitionError(
                    f"{self._key}: {self.part.name} cannot be a guest: {' '.join(str(error).split())}"
                ) from error
            while len(_kept) >= _KEPT:
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
        if not self._rates or not set(self._rates) <= set(self._injected):
            raise DefinitionError(
                f"{self._key}: {self.part.name} must have a learning rate that a schedule can change. Received: none"
            )
        self._factor = factor
        old = self._state.hyperparams
        rates = {name: jnp.asarray(rate * factor, old[name].dtype) for name, rate in self._rates.items()}
        self._state = self._state._replace(hyperparams=old | rates)


_kept: dict[str, Any] = {}
"""Compiled updates, by all that they are compiled for."""


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


def _made(key: str, part: Part) -> Any:
    """A transformation inside of another one."""
    target = own_code.resolve(f"{key}.name", part.name) if not library_of(part.name) else _find(key, part.name)
    return _called(key, part.name, target, called_with(key, part, target, _made))


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
    if attribute in REFUSED:
        raise DefinitionError(f"{key}.name: {name} cannot be a guest: {REFUSED[attribute]}. Received: name={name!r}")
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
