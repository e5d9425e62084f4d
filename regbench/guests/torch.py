"""Optimizers of PyTorch; it is imported here only, and must be before TensorFlow: its import of triton crashes else.

The parameters are PyTorch's own memory, which the variables of the network share after each step. Kernels are handed
over in PyTorch's layout, outputs first; an optimizer that treats every entry alike gets them as they lie, which is the
same and needs no copy.
"""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch._dynamo  # with triton, which crashes where TensorFlow is there before it

from regbench.errors import DefinitionError, UnknownNameError
from regbench.guests.arguments import called_with, momentum_of
from regbench.guests.known import AVERAGES, CLOSURES, REFUSED_OF_TORCH, SHAPELESS
from regbench.guests.layouts import Layout
from regbench.guests.versions import version_of
from regbench.records import Kind, Part

_OURS = {"apply_to": "all", "rest": None}
"""Keys of a part that are regbench's: which weights it is for, and the optimizer of the others."""

_SELECTIONS = {"all": tuple(Kind), "kernels": (Kind.MATRIX, Kind.CONVOLUTION), "matrices": (Kind.MATRIX,)}

_LIBRARIES = ("torch.optim.", "pytorch_optimizer.")
_RATES = ("lr", "lr_1d", "adamw_lr")
"""Entries of a parameter group that a learning-rate schedule acts on."""


def make(key: str, part: Part, target: Any, keeps_decay: bool) -> TorchGuest:
    """The guest that a part of a candidate names.

    Args:
        key: where it stands, for errors.
        part: with every value chosen.
        target: the class, where it is of the user's own; else it is found by its name.
        keeps_decay: its own decay is left as it is.

    Raises:
        DefinitionError: there is no such optimizer, or it does not take its arguments.
    """
    threads = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    if threads.isdecimal() and int(threads):
        torch.set_num_threads(int(threads))
    return TorchGuest(key, part, target, keeps_decay)


class TorchGuest:
    """An optimizer of PyTorch, for one run.

    With `apply_to` and `rest` in its part it is two of them: `apply_to` says for which weights the optimizer is
    (`kernels`, `matrices`), `rest` is the part of the one for all others.
    """

    def __init__(self, key: str, part: Part, target: Any, keeps_decay: bool) -> None:
        """Find its class and check its arguments; nothing is made before the weights are there."""
        self.part, self._key = part, key
        own = _OURS | {name: part.arguments[name] for name in _OURS if name in part.arguments}
        self._apply_to, rest = str(own["apply_to"]), own["rest"]
        if self._apply_to not in _SELECTIONS:
            raise UnknownNameError("selection of weights", self._apply_to, _SELECTIONS, where=f"{key}.apply_to")
        if (rest is None) != (self._apply_to == "all") or not isinstance(rest, Part | None):
            raise DefinitionError(
                f"{key}.rest: must be the optimizer of the weights that `apply_to` leaves out. "
                f"Received: apply_to={self._apply_to!r}, rest={rest!r}"
            )
        bare = Part(name=part.name, arguments={k: v for k, v in part.arguments.items() if k not in _OURS})
        self.notices: list[str] = []
        self._main = _Made.of(key, bare, target, self.notices, keeps_decay)
        self._rest = None if rest is None else _Made.of(f"{key}.rest", rest, None, self.notices, keeps_decay)
        self.learning_rate: float | None = self._main.learning_rate
        self.values = self._main.values
        self.momentum = momentum_of(self.values)
        packages = {"torch", self._main.target.__module__.partition(".")[0]}
        self.versions = {name: found for name in sorted(packages) if (found := version_of(name))}
        has_averages = any(made is not None and _has_two_modes(made.target) for made in (self._main, self._rest))
        self.refuses_decay = AVERAGES if has_averages else ""

    def start(self, weights: Sequence[Any], kinds: Sequence[Kind], seed: int) -> None:
        """See `records.Guest`."""
        torch.manual_seed(seed)
        chosen = [kind in _SELECTIONS[self._apply_to] for kind in kinds]
        self._layouts = [
            (self._main if is_main else self._rest or self._main).layout(
                kind, is_flat=self._rest is not None and is_main
            )
            for kind, is_main in zip(kinds, chosen, strict=True)
        ]
        self._shapes = [torch.from_dlpack(weight).shape for weight in weights]
        self._dtypes = [torch.from_dlpack(weight).dtype for weight in weights]
        self._parameters = [torch.nn.Parameter(self._inward(i, one).clone()) for i, one in enumerate(weights)]
        groups = [
            [p for p, is_main in zip(self._parameters, chosen, strict=True) if is_main is want]
            for want in (True, False)
        ]
        self._optimizers = [self._main.optimizer(groups[0])]
        if self._rest is not None and groups[1]:
            self._optimizers.append(self._rest.optimizer(groups[1]))
        self._rates = [
            [{name: group[name] for name in _RATES if name in group} for group in optimizer.param_groups]
            for optimizer in self._optimizers
        ]
        self._factor = 1.0

    def step(
        self,
        loss: Any,
        gradients: Sequence[Any],
        factor: float,
        evaluate: Callable[[Sequence[Any]], tuple[Any, Sequence[Any]]],
        moved: Sequence[Any] | None,
    ) -> Sequence[Any]:
        """See `records.Guest`."""
        if moved is not None:
            with torch.no_grad():
                for index, (parameter, weight) in enumerate(zip(self._parameters, moved, strict=True)):
                    parameter.copy_(self._inward(index, weight))
        if factor != self._factor:
            self._schedule(factor)
        self._take(gradients)
        first, *others = self._optimizers
        if self._main.wants_closure:
            first.step(self._closure(loss, evaluate))
        else:
            first.step()
        for other in others:
            other.step()
        return self._outward()

    def _closure(self, loss: Any, evaluate: Callable[[Sequence[Any]], tuple[Any, Sequence[Any]]]) -> Callable[[], Any]:
        """Evaluates where the weights are not those of before the step, by whatever way they were written."""
        before = [parameter.detach().clone() for parameter in self._parameters]
        # Copies: a step may write into `grad`, or set it to zeros.
        given = [None if one.grad is None else one.grad.clone() for one in self._parameters]

        def closure() -> Any:
            pairs = zip(self._parameters, before, strict=True)
            if all(one.dtype == old.dtype and torch.equal(one.detach(), old) for one, old in pairs):
                for parameter, gradient in zip(self._parameters, given, strict=True):
                    parameter.grad = None if gradient is None else gradient.clone()
                return torch.from_dlpack(loss)
            there, of_there = evaluate(self._outward())
            self._take(of_there)
            return torch.from_dlpack(there)

        return closure

    def evaluated(self) -> Sequence[Any] | None:
        """See `records.Guest`: after `eval()`, where the optimizer has it; the training goes on from where it was."""
        averaging: list[Any] = [one for one in self._optimizers if _has_two_modes(type(one))]
        if not averaging:
            return None
        trained = [parameter.detach().clone() for parameter in self._parameters]
        for optimizer in averaging:
            optimizer.eval()
        averages = [array.clone() for array in self._outward()]
        for optimizer in averaging:
            optimizer.train()
        with torch.no_grad():
            for parameter, values in zip(self._parameters, trained, strict=True):
                parameter.copy_(values)
        return averages

    def _schedule(self, factor: float) -> None:
        self._factor = factor
        for optimizer, of_groups in zip(self._optimizers, self._rates, strict=True):
            for group, rates in zip(optimizer.param_groups, of_groups, strict=True):
                group.update({name: rate * factor for name, rate in rates.items()})

    def _take(self, gradients: Sequence[Any]) -> None:
        for index, (parameter, gradient) in enumerate(zip(self._parameters, gradients, strict=True)):
            parameter.grad = None if gradient is None else self._inward(index, gradient)

    def _inward(self, index: int, array: Any) -> Any:
        return self._layouts[index].inward(torch.from_dlpack(array))

    def _outward(self) -> list[Any]:
        arrays = []
        for index, parameter in enumerate(self._parameters):
            array = self._layouts[index].outward(parameter.detach(), self._shapes[index])
            if array is None or array.dtype != self._dtypes[index]:
                raise DefinitionError(
                    f"{self._key}: {self.part.name} must leave the shape and the type of a weight as they are. "
                    f"Received: {tuple(parameter.shape)} of {parameter.dtype}"
                )
            arrays.append(array)
        return arrays


@dataclass(frozen=True)
class _Made:
    """A class of optimizers with its arguments."""

    key: str
    name: str
    target: Any
    arguments: dict[str, Any]

    @classmethod
    def of(cls, key: str, part: Part, target: Any, notices: list[str], keeps_decay: bool) -> _Made:
        target = _find(key, part.name) if target is None else target
        inner: dict[str, Any] = {}

        def class_of(inner_key: str, inner_part: Part) -> Any:
            """An optimizer inside is given as its class; the one around it passes the arguments on."""
            one = cls.of(inner_key, inner_part, None, notices, keeps_decay)
            inner.update(one.arguments)
            return one.target

        more: dict[str, Any] = {}
        for argument in part.arguments.values():
            if isinstance(argument, Part):
                more |= _parameters(_find(key, argument.name))
        arguments = called_with(
            key, part, target, class_of, notices=notices, keeps_decay=keeps_decay, given=("params",), more=more
        )
        return cls(key, part.name, target, inner | arguments)

    @property
    def values(self) -> dict[str, Any]:
        """Of its arguments, given or by default."""
        return {name: one.default for name, one in _parameters(self.target).items()} | self.arguments

    @property
    def learning_rate(self) -> float | None:
        """What it was given, or its default."""
        rate = self.values.get("lr")
        return float(rate) if isinstance(rate, int | float) and not isinstance(rate, bool) else None

    @property
    def wants_closure(self) -> bool:
        """Whether it is given one: those of PyTorch itself and others that are known need none, but for L-BFGS."""
        name, is_known = self.target.__name__, self._is_shapeless
        return name in CLOSURES or not (is_known or str(self.target.__module__).startswith("torch.optim."))

    @property
    def _is_shapeless(self) -> bool:
        return self.target.__name__ in SHAPELESS and str(self.target.__module__).startswith(_LIBRARIES)

    def optimizer(self, parameters: list[Any]) -> torch.optim.Optimizer:
        """A new one for these parameters.

        Raises:
            DefinitionError: it refuses them or its arguments.
        """
        if not parameters:
            raise DefinitionError(f"{self.key}: {self.name} must have weights to step. Received: a network without any")
        try:
            made: torch.optim.Optimizer = self.target(parameters, **self.arguments)
        except Exception as error:  # own classes may raise anything
            reason = " ".join(str(error).split()) or type(error).__name__
            hint = "" if "2D" not in reason else " (`apply_to` and `rest` give it the kernels alone)"
            raise DefinitionError(f"{self.key}: {self.name}: {reason}{hint}") from error
        return made

    def layout(self, kind: Kind, is_flat: bool) -> Layout:
        """How a weight of this kind is handed over; `is_flat` makes a matrix of a convolution's kernel."""
        if kind == Kind.OTHER or self._is_shapeless:
            return Layout(is_turned=False, is_flat=False)
        return Layout(is_turned=True, is_flat=is_flat and kind == Kind.CONVOLUTION)


def _find(key: str, name: str) -> Any:
    library, _, attribute = name.partition(":")
    module = importlib.import_module("torch.optim" if library == "torch" else library)
    known = {
        one: kind
        for one, kind in vars(module).items()
        if isinstance(kind, type)
        and issubclass(kind, torch.optim.Optimizer)
        and one not in ("Optimizer", "BaseOptimizer")
    }
    if attribute not in known:
        if hasattr(module, attribute):
            raise DefinitionError(f"{key}.name: {name} must be a subclass of torch.optim.Optimizer. Received: another")
        raise UnknownNameError("optimizer", attribute, known, where=f"{key}.name: {library}")
    if attribute in REFUSED_OF_TORCH:
        reason = REFUSED_OF_TORCH[attribute]
        raise DefinitionError(f"{key}.name: {name} cannot be a guest: {reason}. Received: name={name!r}")
    return known[attribute]


def _parameters(target: Any) -> dict[str, Any]:
    return {
        name: one
        for name, one in inspect.signature(target).parameters.items()
        if name != "params" and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
    }


def _has_two_modes(target: Any) -> bool:
    """Whether it evaluates other weights than it trains."""
    return callable(getattr(target, "eval", None)) and callable(getattr(target, "train", None))
