"""Pairs of optimizers whose difference was measured by others' code before, and the formulas that they stand for."""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from regbench.contracts import against

from .formulas import adagrad, adam, decoupled, difference, lamb, momentum, nadam, rmsprop

KERAS_ROUNDS = 1e-6
"""Keras holds momentum and the like in float32 (6e-8 of them), which acts over some ten steps."""

TAKEN = 64
"""Steps, of those that a user gets: so many tell the formulas apart."""

FUNCTIONS = 200
STEPS_BEFORE = 200


@dataclass
class Case:
    """A pair.

    before: the sizes measured elsewhere at a constant rate and under a linear schedule, on a function that is not
        known; None where there is none.
    rules: the two formulas.
    """

    names: tuple[str, str]
    before: tuple[float | None, float | None]
    rules: tuple[Any, Any]
    arguments: tuple[dict, dict] = field(default=({}, {}))

    def __str__(self):
        return f"{self.names[0]}-{self.names[1]}-{self.before[0]}"


def check_sizes(case, monkeypatch):
    """The optimizers are as far apart as the formulas, and sizes of before lie among those of functions like theirs."""
    monkeypatch.setattr(against, "STEPS", TAKEN)
    monkeypatch.setattr(against, "NOISE", against.NOISE[:TAKEN])
    found = against.compare(*case.names, dict(zip(case.names, case.arguments, strict=True)))
    start, curvatures, *noise = ([array.ravel() for array in arrays] for arrays in ours())
    of_others = on_other_functions()
    for actual, before, schedule in zip(
        (found.constant, found.scheduled), case.before, (lambda share: 1.0, lambda share: 1.0 - share), strict=True
    ):
        rates = [against.RATE * schedule(step / TAKEN) for step in range(TAKEN)]
        expected = difference(*case.rules, start, curvatures, noise, rates)
        # Keras rounds betas in Nadam's schedule too.
        assert abs(actual - expected) <= KERAS_ROUNDS + 1e-5 * expected
        *functions, rate = of_others
        span = difference(*case.rules, *functions, [rate * schedule(i / STEPS_BEFORE) for i in range(STEPS_BEFORE)])
        assert before is None or span.min() <= before <= span.max() or max(before, span.max()) < against.ROUNDING
    assert found.causes


def ours():
    """The function that optimizers are compared on: start, curvatures, the noise of each step."""
    return against.START, against.CURVATURES, *against.NOISE


@cache
def on_other_functions():
    """Functions of a kind, side by side, whose rates and noise are of several orders of magnitude."""
    generator = np.random.default_rng(0)
    sizes = (15, 3)
    start = [generator.normal(size=(FUNCTIONS, size)) for size in sizes]
    curvatures = [generator.uniform(0.1, 2.0, size=(FUNCTIONS, size)) for size in sizes]
    scale = 10 ** generator.uniform(-1.5, 0.5, size=(FUNCTIONS, 1))
    noise = [[scale * generator.normal(size=(FUNCTIONS, size)) for size in sizes] for _ in range(STEPS_BEFORE)]
    return start, curvatures, noise, 10 ** generator.uniform(-3, -0.5, size=(FUNCTIONS, 1))


M = {"momentum": 0.9}
N = {"momentum": 0.9, "nesterov": True}

OF_KERAS_AND_TORCH = [
    Case(("keras:SGD", "torch:SGD"), (0.0, 2.3e-2), (momentum(0.9, True), momentum(0.9, False)), (M, M)),
    Case(("keras:SGD", "torch:SGD"), (0.0, 2.0e-2), (momentum(0.9, True, True), momentum(0.9, False, True)), (N, N)),
    Case(("keras:Adam", "torch:Adam"), (None, None), (adam(1e-8, True), adam(1e-8)), ({"epsilon": 1e-8}, {})),
    Case(
        ("keras:Adam", "torch:Adam"),
        (1.3e-2, 2.1e-2),
        (adam(1e-3, True), adam(1e-3)),
        ({"epsilon": 1e-3}, {"eps": 1e-3}),
    ),
    Case(
        ("keras:AdamW", "torch:AdamW"),
        (7.6e-3, 1.1e-2),
        (decoupled(adam(1e-7, True), 0.004), decoupled(adam(1e-8), 0.01)),
    ),
    Case(
        ("keras:Nadam", "torch:NAdam"),
        (2.0e-2, 2.4e-2),
        (nadam(1e-8, 1.0, True), nadam(1e-8, 0.004)),
        ({"epsilon": 1e-8}, {}),
    ),
    Case(("keras:RMSprop", "torch:RMSprop"), (0.30, 0.37), (rmsprop(0.9, 1e-7, True), rmsprop(0.99, 1e-8, False))),
    Case(("keras:Adagrad", "torch:Adagrad"), (0.10, 0.15), (adagrad(0.1, 1e-7, True), adagrad(0.0, 1e-10, False))),
]

OF_OPTAX_AND_TORCH = [
    Case(
        ("optax:amsgrad", "torch:Adam"),
        (0.14, 0.15),
        (adam(1e-8, False, "corrected"), adam(1e-8, False, "raw")),
        ({}, {"amsgrad": True}),
    ),
    Case(("optax:adamw", "torch:AdamW"), (1.3e-2, 1.8e-2), (decoupled(adam(1e-8), 1e-4), decoupled(adam(1e-8), 0.01))),
    Case(("optax:nadam", "torch:NAdam"), (4.1e-2, 6.3e-2), (nadam(1e-8, 0.0), nadam(1e-8, 0.004))),
    Case(
        ("optax:rmsprop", "torch:RMSprop"),
        (1.6e-2, 2.7e-2),
        (rmsprop(0.9, 1e-3, True), rmsprop(0.9, 1e-3, False)),
        ({"decay": 0.9, "eps": 1e-3}, {"alpha": 0.9, "eps": 1e-3}),
    ),
]

OF_KERAS_AND_OPTAX = [
    Case(("keras:SGD", "optax:sgd"), (0.0, 2.3e-2), (momentum(0.9, True), momentum(0.9, False)), (M, M)),
    Case(
        ("keras:Adam", "optax:adam"),
        (1.3e-2, 2.1e-2),
        (adam(1e-3, True), adam(1e-3)),
        ({"epsilon": 1e-3}, {"eps": 1e-3}),
    ),
    Case(
        ("keras:Adam", "optax:amsgrad"),
        (0.14, 0.15),
        (adam(1e-8, True, "raw"), adam(1e-8, False, "corrected")),
        ({"epsilon": 1e-8, "amsgrad": True}, {}),
    ),
    Case(
        ("keras:Lamb", "optax:lamb"),
        (6.7e-2, None),
        (lamb(1e-6, 0.1, False), lamb(1e-6, 0.1, True)),
        ({"epsilon": 1e-6, "weight_decay": 0.1}, {"eps": 1e-6, "weight_decay": 0.1}),
    ),
]
