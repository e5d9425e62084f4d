"""The clauses for optimizers of other frameworks. They are examined on small bowls, without any network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from regbench import guests
from regbench.contracts.subject import SEED
from regbench.contracts.verdicts import Clause, NotApplicableError, ViolationError
from regbench.errors import DefinitionError
from regbench.records import Guest, Kind, Part

STEPS = 60
KINDS = (Kind.MATRIX, Kind.OTHER, Kind.CONVOLUTION, Kind.OTHER)
SHAPES = ((6, 4), (4,), (3, 3, 2, 5), (5,))
_GENERATOR = np.random.default_rng(4)
START = [_GENERATOR.normal(size=shape).astype("float32") for shape in SHAPES]
CURVATURES = [_GENERATOR.uniform(0.5, 2.0, size=shape).astype("float32") for shape in SHAPES]
_RATE = 0.01

_ZERO_BY_ZERO = "optax divides 0 by 0 where no gradient has come yet"
_STALE = (
    "with `preconditioning_compute_steps` above 1 its roots are zero until they are first computed, from statistics "
    "that are nearly singular then"
)


@dataclass(frozen=True)
class Departure:
    """A clause that an optimizer is known not to keep, and why; with `argument`, only where that is above 1."""

    clause: str
    name: str
    reason: str
    argument: str = ""


DEPARTURES = (
    Departure("survives_zero_gradients", "optax.contrib:prodigy", _ZERO_BY_ZERO),
    Departure("survives_zero_gradients", "optax.contrib:dadapt_adamw", _ZERO_BY_ZERO),
    Departure(
        "follows_the_schedule", "optax.contrib:prodigy", "optax divides by a sum of learning rates, which is then 0"
    ),
    Departure("leaves_decay_to_us", "optax:noisy_sgd", "it adds noise to gradients of zeros, as it is meant to"),
    Departure("lowers_a_convex_loss", "pytorch_optimizer:Shampoo", _STALE, "preconditioning_compute_steps"),
)


def departure(clause: str, part: Part) -> str | None:
    """Why an optimizer need not keep a clause; None where it must."""
    return next(
        (
            one.reason
            for one in DEPARTURES
            if (one.clause, one.name) == (clause, part.name)
            and (not one.argument or _is_above_one(part.arguments.get(one.argument)))
        ),
        None,
    )


def _is_above_one(value: Any) -> bool:
    return isinstance(value, int) and value > 1


Gradients = Callable[[Sequence[np.ndarray]], list[np.ndarray]]


@dataclass(frozen=True)
class GuestSubject:
    """An optimizer of another framework with its arguments."""

    part: Part

    @classmethod
    def of(cls, name: str, arguments: dict[str, Any]) -> GuestSubject:
        """Completes the arguments: a learning rate that is required gets 0.01.

        Raises:
            DefinitionError: no instance can be made.
        """
        part = Part(name=name, arguments=arguments)
        try:
            guests.guest_of(part)
        except DefinitionError as error:
            if "needs a value for `learning_rate`" not in str(error):
                raise
            part = Part(name=name, arguments={"learning_rate": _RATE, **arguments})
        subject = cls(part)
        subject.begun()
        return subject

    def begun(self) -> Guest:
        """A new one, at the beginning."""
        guest = guests.guest_of(self.part)
        if guest is None:
            raise DefinitionError(
                f"{self.part.name} must be a subclass of torch.optim.Optimizer, or a function that returns a "
                "GradientTransformation of optax. Received: neither"
            )
        keras.utils.set_random_seed(SEED)
        guest.start([weight.copy() for weight in START], KINDS, SEED)
        return guest

    def walk(self, gradients: Gradients, steps: int, factor: float = 1.0) -> list[list[np.ndarray]]:
        """The weights after each step of a new one."""
        guest, weights, path = self.begun(), [weight.copy() for weight in START], []
        for _ in range(steps):
            taken = guest.step(loss(weights), gradients(weights), factor, _evaluation(gradients), None)
            weights = [np.array(np.from_dlpack(array)) for array in taken]
            path.append(weights)
        averages = guest.evaluated()
        if averages is not None:
            path.append([np.array(np.from_dlpack(array)) for array in averages])
        return path


def _evaluation(gradients: Gradients) -> Callable[[Sequence[Any]], tuple[np.ndarray, list[np.ndarray]]]:
    def evaluate(there: Sequence[Any]) -> tuple[np.ndarray, list[np.ndarray]]:
        weights = [np.array(np.from_dlpack(array)) for array in there]
        return loss(weights), gradients(weights)

    return evaluate


def loss(weights: Sequence[np.ndarray]) -> np.ndarray:
    """A convex quadratic function, whose least value is 0."""
    parts = [np.sum(curvature * weight**2) / 2 for curvature, weight in zip(CURVATURES, weights, strict=True)]
    return np.asarray(sum(parts), "float32")


def _slope(weights: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [curvature * weight for curvature, weight in zip(CURVATURES, weights, strict=True)]


def _nothing(weights: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [np.zeros_like(weight) for weight in weights]


def _keeps_dtype_and_shapes(subject: GuestSubject) -> None:
    for weight, shape in zip(subject.walk(_slope, 2)[-1], SHAPES, strict=True):
        if weight.shape != shape or str(weight.dtype) != "float32":
            raise ViolationError(f"float32 of shape {shape} becomes {weight.dtype} of shape {weight.shape}")


def _survives_zero_gradients(subject: GuestSubject) -> None:
    if not all(np.isfinite(weight).all() for weights in subject.walk(_nothing, 5) for weight in weights):
        raise ViolationError("weights are not finite after steps with gradients of zeros")


def _leaves_decay_to_us(subject: GuestSubject) -> None:
    moved = max(
        float(np.max(np.abs(weight - start)))
        for weight, start in zip(subject.walk(_nothing, 5)[-1], START, strict=True)
    )
    if moved > STEPS * np.finfo("float32").eps * max(float(np.max(np.abs(start))) for start in START):
        raise ViolationError(f"five gradients of zeros move weights by {moved:.3g}; decay belongs into [decay]")


def _lowers_a_convex_loss(subject: GuestSubject) -> None:
    first, last = float(loss(START)), float(loss(subject.walk(_slope, STEPS)[-1]))
    if not last < first:
        raise ViolationError(f"the loss goes from {first:.6g} to {last:.6g} in {STEPS} steps")


def _keeps_nothing_between_runs(subject: GuestSubject) -> None:
    first, second = (subject.walk(_slope, 6) for _ in range(2))
    if not all(
        np.array_equal(one, other) for a, b in zip(first, second, strict=True) for one, other in zip(a, b, strict=True)
    ):
        raise ViolationError("a second one, at the same weights, takes other steps: is there state outside of it?")


def _follows_the_schedule(subject: GuestSubject) -> None:
    if subject.begun().learning_rate is None:
        raise NotApplicableError("it has no learning rate")
    at_zero, at_one = subject.walk(_slope, 1, factor=0.0)[0], subject.walk(_slope, 1)[0]
    moved = [sum(float(np.sum(np.abs(w - s))) for w, s in zip(one, START, strict=True)) for one in (at_zero, at_one)]
    if not moved[0] <= 1e-3 * moved[1]:
        came = f"by {moved[0]:.3g} in all, else by {moved[1]:.3g}"
        raise ViolationError(f"with a learning rate of 0 the first step moves weights {came}")


CLAUSES = (
    Clause("keeps_dtype_and_shapes", "weights of rank 1 to 4 keep their shape and dtype", _keeps_dtype_and_shapes),
    Clause("survives_zero_gradients", "gradients of zeros leave finite weights", _survives_zero_gradients),
    Clause("leaves_decay_to_us", "gradients of zeros move no weight", _leaves_decay_to_us),
    Clause("lowers_a_convex_loss", f"{STEPS} steps lower a convex quadratic loss", _lowers_a_convex_loss),
    Clause("keeps_nothing_between_runs", "a second one does what the first one did", _keeps_nothing_between_runs),
    Clause("follows_the_schedule", "with a learning rate of 0 nothing moves", _follows_the_schedule),
)
