"""Pairs of optimizers whose difference was measured by others' code: what `check --against` must find.

Each: names, arguments, the sizes measured before (constant rate, linear schedule), the two formulas.
"""

from .formulas import adagrad, adam, decoupled, lamb, momentum, nadam, rmsprop

_MOMENTUM, _NESTEROV = {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}
_HAT = adam(1e-8, is_of_keras=True)

OF_KERAS_AND_TORCH = [
    ("keras:SGD", "torch:SGD", _MOMENTUM, _MOMENTUM, (0.0, 2.3e-2), momentum(0.9, True), momentum(0.9, False)),
    (
        "keras:SGD",
        "torch:SGD",
        _NESTEROV,
        _NESTEROV,
        (0.0, 2.0e-2),
        momentum(0.9, True, True),
        momentum(0.9, False, True),
    ),
    ("keras:Adam", "torch:Adam", {"epsilon": 1e-8}, {}, (8e-7, 1e-6), _HAT, adam(1e-8)),
    (
        *("keras:Adam", "torch:Adam", {"epsilon": 1e-3}, {"eps": 1e-3}, (1.3e-2, 2.1e-2)),
        *(adam(1e-3, is_of_keras=True), adam(1e-3)),
    ),
    (
        *("keras:AdamW", "torch:AdamW", {}, {}, (7.6e-3, 1.1e-2)),
        *(decoupled(adam(1e-7, is_of_keras=True), 0.004), decoupled(adam(1e-8), 0.01)),
    ),
    ("keras:Nadam", "torch:NAdam", {"epsilon": 1e-8}, {}, (2.0e-2, 2.4e-2), nadam(1e-8, 1.0, True), nadam(1e-8, 0.004)),
    ("keras:RMSprop", "torch:RMSprop", {}, {}, (0.30, 0.37), rmsprop(0.9, 1e-7, True), rmsprop(0.99, 1e-8, False)),
    ("keras:Adagrad", "torch:Adagrad", {}, {}, (0.10, 0.15), adagrad(0.1, 1e-7, True), adagrad(0.0, 1e-10, False)),
]

OF_OPTAX_AND_TORCH = [
    (
        "optax:amsgrad",
        "torch:Adam",
        {},
        {"amsgrad": True},
        (0.14, 0.15),
        adam(1e-8, False, "corrected"),
        adam(1e-8, False, "raw"),
    ),
    ("optax:adamw", "torch:AdamW", {}, {}, (1.3e-2, 1.8e-2), decoupled(adam(1e-8), 1e-4), decoupled(adam(1e-8), 0.01)),
    ("optax:nadam", "torch:NAdam", {}, {}, (4.1e-2, 6.3e-2), nadam(1e-8, 0.0), nadam(1e-8, 0.004)),
    ("optax:rmsprop", "torch:RMSprop", {}, {}, (0.30, 0.37), rmsprop(0.9, 1e-8, True), rmsprop(0.99, 1e-8, False)),
    (
        *("optax:rmsprop", "torch:RMSprop", {"decay": 0.9, "eps": 1e-3}, {"alpha": 0.9, "eps": 1e-3}, (1.6e-2, 2.7e-2)),
        *(rmsprop(0.9, 1e-3, True), rmsprop(0.9, 1e-3, False)),
    ),
    ("optax:adagrad", "torch:Adagrad", {}, {}, (0.10, 0.15), adagrad(0.1, 1e-7, True), adagrad(0.0, 1e-10, False)),
]

_LAMB = {"weight_decay": 0.1}
OF_KERAS_AND_OPTAX = [
    ("keras:SGD", "optax:sgd", _MOMENTUM, _MOMENTUM, (0.0, 2.3e-2), momentum(0.9, True), momentum(0.9, False)),
    (
        "keras:Adam",
        "optax:adam",
        {"epsilon": 1e-3},
        {"eps": 1e-3},
        (1.3e-2, 2.1e-2),
        adam(1e-3, is_of_keras=True),
        adam(1e-3),
    ),
    (
        *("keras:Adam", "optax:amsgrad", {"epsilon": 1e-8, "amsgrad": True}, {}, (0.14, 0.15)),
        *(adam(1e-8, True, "raw"), adam(1e-8, False, "corrected")),
    ),
    (
        *("keras:Lamb", "optax:lamb", {"epsilon": 1e-6, **_LAMB}, {"eps": 1e-6, **_LAMB}, (6.7e-2, None)),
        *(lamb(1e-6, 0.1, False), lamb(1e-6, 0.1, True)),
    ),
]
