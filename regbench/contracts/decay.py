"""The clause for optimizers that decay acts with them: as L2 in the gradient, around the step, and as they promise it.

Examined is one step from a state with weights, moments and a rate that are not zero, so that nothing hides behind a
start at which a decay does nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import keras
import numpy as np

from regbench.contracts.subject import Subject
from regbench.contracts.training import take_step
from regbench.contracts.verdicts import Clause, NotApplicableError, ViolationError
from regbench.optimizers import DecoupledDecay

SHARE = 0.1
"""What the decay takes of each weight."""

DEPARTURE = 0.1
"""By how much what it takes may differ, as a share: a step may depend on the size of weights, such as by a trust ratio.
What is lost without any decay is ten times as much."""

SHAPES = ((5,), (4, 3), (2, 2, 3, 4))
WARMING = 2  # steps
_GENERATOR = np.random.default_rng(5)
START = [np.sign(draws) * (0.5 + np.abs(draws)) for draws in (_GENERATOR.normal(size=shape) for shape in SHAPES)]
GRADIENTS = [[_GENERATOR.normal(size=shape) for shape in SHAPES] for _ in range(WARMING + 1)]
_OUTSIDE: tuple[Literal["decoupled", "lr_squared", "cautious"], ...] = ("decoupled", "lr_squared", "cautious")

Arrays = list[np.ndarray]


class _State:
    """The weights and all variables of an optimizer after a few steps, from which steps of others begin."""

    def __init__(self, subject: Subject) -> None:
        optimizer, variables = subject.make(), _variables(START)
        for gradients in GRADIENTS[:WARMING]:
            take_step(optimizer, _tensors(gradients), variables)
        self._subject = subject
        self.weights = _arrays(variables)
        self._values = [keras.ops.convert_to_tensor(variable) for variable in optimizer.variables]
        self.rate = float(keras.ops.convert_to_tensor(optimizer.learning_rate))

    def after_a_step(self, gradients: Arrays, decay: Mapping[str, Any] | None = None, **changes: Any) -> Arrays:
        """The weights after one more step, within a decay with these arguments, or with other arguments of its own."""
        inner, variables = self._subject.make(**changes), _variables(self.weights)
        optimizer = inner if decay is None else DecoupledDecay(inner, apply_to="all", **decay)
        optimizer.build(variables)
        for variable, value in zip(inner.variables, self._values, strict=True):
            variable.assign(value)
        take_step(optimizer, _tensors(gradients), variables)
        return _arrays(variables)


def _decay_acts(subject: Subject) -> None:
    state, gradients = _State(subject), GRADIENTS[WARMING]
    if not state.rate > 0:
        raise NotApplicableError(f"its learning rate is {state.rate:g}")
    plain = state.after_a_step(gradients)
    strength = SHARE / state.rate
    for coupling in _outside(subject.target):
        peak = {"peak_learning_rate": state.rate} if coupling == "lr_squared" else {}
        decayed = state.after_a_step(gradients, {"strength": strength, "coupling": coupling, **peak})
        _check_taken(coupling, state.weights, plain, decayed)
    # Ten times the largest gradient, so that no optimizer that looks at signs or sizes can be blind to it.
    with_l2 = [gradient + 10 * weight for gradient, weight in zip(gradients, state.weights, strict=True)]
    if _are_equal(state.after_a_step(with_l2), plain):
        raise ViolationError(
            "a gradient with an L2 term makes the step that one without makes: the decay l2 does nothing"
        )
    _check_own(subject, state, gradients)


def _check_taken(coupling: str, before: Arrays, plain: Arrays, decayed: Arrays) -> None:
    for start, without, with_decay in zip(before, plain, decayed, strict=True):
        agrees = (start - without) * start >= 0
        wanted = SHARE * start * (agrees if coupling == "cautious" else 1)
        rounding = 8 * np.finfo("float32").eps * np.linalg.norm(start)
        apart = float(np.linalg.norm(without - with_decay - wanted))
        if not apart <= DEPARTURE * np.linalg.norm(wanted) + rounding:
            taken = float(np.linalg.norm(without - with_decay))
            raise ViolationError(
                f"a decay ({coupling}) takes {taken:.3g} of the weights in a step, by its formula "
                f"{float(np.linalg.norm(wanted)):.3g}; the two are {apart:.3g} apart. Does the step undo it?"
            )


def _check_own(subject: Subject, state: _State, gradients: Arrays) -> None:
    """A decay that the class promises by an argument must change something."""
    # One that is times a rate which is found may be small: the strength is a million times what it would be.
    promised: dict[str, float] = {"weight_decay": SHARE / state.rate}
    if getattr(subject.target, "decays_itself", False):
        promised["strength"] = 1e6 * SHARE / state.rate
    for name, strength in promised.items():
        if name not in subject.parameters:
            continue
        try:
            with_decay = state.after_a_step(gradients, None, **{name: strength})
            without = state.after_a_step(gradients, None, **{name: 0.0})
        except (TypeError, ValueError):  # it wants another one, or none
            continue
        if _are_equal(with_decay, without):
            raise ViolationError(f"its argument `{name}` changes nothing in a step")


def _outside(target: type) -> list[Literal["decoupled", "lr_squared", "cautious"]]:
    """The couplings whose formula can be seen from outside of a class."""
    if getattr(target, "refuses_decay", ""):
        return []
    # What masks its own step tells a cautious decay the step before it, which nobody else sees.
    return [coupling for coupling in _OUTSIDE if coupling != "cautious" or not hasattr(target, "unmasked_step")]


def _are_equal(one: Arrays, other: Arrays) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def _variables(arrays: Arrays) -> list[keras.Variable]:
    return [keras.Variable(array, dtype="float32", name=f"kernel_{n}") for n, array in enumerate(arrays)]


def _tensors(arrays: Arrays) -> list[Any]:
    return [keras.ops.convert_to_tensor(array, "float32") for array in arrays]


def _arrays(variables: list[keras.Variable]) -> Arrays:
    return [np.asarray(keras.ops.convert_to_numpy(variable), "float64") for variable in variables]


CLAUSES = (
    Clause(
        "decay_acts",
        "an L2 term in the gradient changes the step, a decay around it takes of the weights what its formula says, "
        "and an argument `weight_decay` does something",
        _decay_acts,
    ),
)
