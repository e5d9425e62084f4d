"""Two optimizers on the same gradients, from the same start: equal to rounding, or how far apart, and why."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from regbench import guests
from regbench.catalog.libraries import library_of
from regbench.conventions import OF_MATRICES, Cause, causes_of
from regbench.errors import DefinitionError, UnknownNameError
from regbench.records import Guest, Kind, Part

STEPS = 256
RATE = 2.0**-6
"""Keras holds its rate in float32, which holds this one and its products with `1 - step / STEPS` as they are."""

ROUNDING = 1e-12
"""Of the distance travelled: what float64 rounds in so many steps, grown a hundredfold."""

KERAS_ROUNDING = 1e-6
"""Likewise, where a momentum was rounded to float32 (6e-8), and acts over some ten steps."""

SHAPES = ((6, 4), (4,))
KINDS = (Kind.OTHER, Kind.OTHER)  # the same array in all frameworks, not the same layer
_GENERATOR = np.random.default_rng(5)
START = [_GENERATOR.normal(size=shape) for shape in SHAPES]  # a matrix first
CURVATURES = [_GENERATOR.uniform(0.1, 2.0, size=shape) for shape in SHAPES]
NOISE = [[0.5 * _GENERATOR.normal(size=shape) for shape in SHAPES] for _ in range(STEPS)]
_RATES = ("learning_rate", "lr")


@dataclass(frozen=True)
class Difference:
    """How far two optimizers are apart.

    Attributes:
        constant: the largest difference of a weight over all steps, as a share of the largest distance travelled, at a
            constant learning rate; `scheduled`: under one that falls linearly to 0.
        causes: what is known of it.
        is_of_a_matrix: a matrix alone was stepped, because one of the two takes nothing else.
    """

    one: str
    other: str
    constant: float
    scheduled: float
    causes: tuple[Cause, ...]
    is_of_a_matrix: bool = False

    def sentences(self) -> list[str]:
        """What came of it, a line each."""
        told = ["only a matrix was stepped, which is what Muon is for"] if self.is_of_a_matrix else []
        for what, size, is_scheduled in (
            ("at a constant learning rate", self.constant, False),
            ("under a linear schedule", self.scheduled, True),
        ):
            if size <= ROUNDING:
                told.append(f"{what}: equal to rounding ({size:.1g} of the distance travelled)")
                continue
            known = [cause for cause in self.causes if is_scheduled or not cause.only_under_schedules]
            if not known and size <= KERAS_ROUNDING and "keras:" in self.one[:6] + self.other[:6]:
                told.append(f"{what}: equal ({size:.1g} apart), but that Keras rounds its numbers to float32")
                continue
            why = "; ".join(f"{cause.what} ({cause.source})" for cause in known) or "no cause is known"
            told.append(f"{what}: {size:.2g} of the distance travelled apart: {why}")
        return told


def compare(
    one: str, other: str, arguments: Mapping[str, Mapping[str, Any]] | None = None, rate: float = RATE
) -> Difference:
    """Let two optimizers step on the same gradients, in float64; each at its own weights.

    Each is as it comes, its own decay too.

    Args:
        one: `keras:Adam`, `torch:Adam`, `optax:adam`, ...
        other: likewise.
        arguments: of each, by that name; those not given keep their defaults.
        rate: the learning rate of both, unless it is among their arguments.

    Raises:
        DefinitionError: one does not exist, or does not take its arguments.
    """
    given = dict(arguments or {})
    weights = 1 if OF_MATRICES & {name.rpartition(":")[2].lower() for name in (one, other)} else len(START)
    sizes = []
    for factors in (np.ones(STEPS), 1 - np.arange(STEPS) / STEPS):
        (path, _), (reference, _) = taken = [
            _path(name, given.get(name, {}), rate, factors, weights) for name in (one, other)
        ]
        travelled = max(float(np.max(np.abs(end - start))) for end, start in zip(reference[-1], START, strict=False))
        apart = max(
            float(np.max(np.abs(a - b)))
            for step in zip(path, reference, strict=True)
            for a, b in zip(*step, strict=True)
        )
        sizes.append(apart / travelled if travelled else float("nan"))
    causes = causes_of(one, other, is_scheduled=True, arguments=(taken[0][1], taken[1][1]))
    return Difference(one, other, sizes[0], sizes[1], tuple(causes), is_of_a_matrix=weights == 1)


def _path(
    name: str, arguments: Mapping[str, Any], rate: float, factors: np.ndarray, count: int
) -> tuple[list[list[np.ndarray]], Mapping[str, Any]]:
    """The first weights after each step, and all arguments of what stepped them."""
    with _stepper(name, dict(arguments), rate, count) as (stepper, taken):
        weights, path = [weight.copy() for weight in START[:count]], []
        for factor, noise in zip(factors, NOISE, strict=True):
            gradients = [c * w + n for c, w, n in zip(CURVATURES, weights, noise, strict=False)]
            weights = stepper(gradients, float(factor))
            path.append(weights)
    return path, taken


@contextlib.contextmanager
def _stepper(name: str, arguments: dict[str, Any], rate: float, count: int) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    if name.startswith("keras:"):
        usual = keras.config.floatx()
        keras.config.set_floatx("float64")  # else it rounds its numbers, such as a momentum, to float32
        try:
            yield _of_keras(name, arguments, rate, count)
        finally:
            keras.config.set_floatx(usual)
        return
    if not library_of(name):
        raise DefinitionError(
            f"What is compared must be named as keras:Name, torch:Name, pytorch_optimizer:Name or optax:name. "
            f"Received: {name!r}"
        )
    with guests.double_precision(name):
        guest = _guest(name, arguments, rate)
        yield _of_guest(guest, count), guest.values


def _guest(name: str, arguments: dict[str, Any], rate: float) -> Guest:
    for argument in _RATES if not set(_RATES) & arguments.keys() else ():
        with contextlib.suppress(UnknownNameError):
            guest = guests.guest_of(Part(name=name, arguments={argument: rate, **arguments}), keeps_decay=True)
            if guest is not None:
                return guest
    guest = guests.guest_of(Part(name=name, arguments=arguments), keeps_decay=True)
    if guest is None:
        raise DefinitionError(f"{name} must be an optimizer of another framework. Received: none")
    return guest


def _of_guest(guest: Guest, count: int) -> Any:
    guest.start([weight.copy() for weight in START[:count]], KINDS[:count], 0)

    def step(gradients: Sequence[np.ndarray], factor: float) -> list[np.ndarray]:
        taken = guest.step(np.zeros(()), gradients, factor, _no_second_look, None)
        return [np.array(np.from_dlpack(array)) for array in taken]

    return step


def _no_second_look(weights: Sequence[Any]) -> tuple[Any, Sequence[Any]]:
    came = f"it asks again, for {len(weights)} weights"
    raise DefinitionError(f"What is compared must look at one gradient a step. Received: {came}")


def _of_keras(name: str, arguments: dict[str, Any], rate: float, count: int) -> tuple[Any, Mapping[str, Any]]:
    known = {
        one: kind
        for one, kind in vars(keras.optimizers).items()
        if isinstance(kind, type) and issubclass(kind, keras.optimizers.Optimizer)
    }
    kind = name.partition(":")[2]
    if kind not in known:
        raise UnknownNameError("optimizer", kind, known, where="keras")
    try:
        optimizer = known[kind](**{"learning_rate": rate, **arguments})
    except (TypeError, ValueError) as error:
        raise DefinitionError(f"{name}: {' '.join(str(error).split())}") from error
    names = ("kernel", "bias")
    variables = [
        keras.Variable(weight, dtype="float64", name=called)
        for weight, called in zip(START[:count], names, strict=False)
    ]
    optimizer.build(variables)
    start = float(optimizer.learning_rate)

    def step(gradients: Sequence[np.ndarray], factor: float) -> list[np.ndarray]:
        optimizer.learning_rate.assign(start * factor)
        optimizer.apply([keras.ops.convert_to_tensor(one, "float64") for one in gradients], variables)
        return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]

    usual = {argument: one.default for argument, one in inspect.signature(known[kind]).parameters.items()}
    return step, usual | arguments
