"""Optimizers of Keras, PyTorch and optax that are set side by side, and with which arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Pair:
    """One optimizer in several frameworks.

    Attributes:
        title: what the row is called.
        names: `library:Name` of each, the reference last.
        arguments: of each, by that name; the learning rate is the same in all.
    """

    title: str
    names: tuple[str, ...]
    arguments: Mapping[str, Arguments] = field(default_factory=dict)


def _three(title: str, keras: str, optax: str, torch: str, *arguments: Arguments) -> Pair:
    names = (f"keras:{keras}", optax, torch)
    return Pair(title, names, dict(zip(names, arguments, strict=False)))


def _two(title: str, one: str, other: str, *arguments: Arguments) -> Pair:
    return Pair(title, (one, other), dict(zip((one, other), arguments, strict=False)))


_BETAS: tuple[Arguments, ...] = ({"epsilon": 1e-8}, {}, {})
_MOMENTUM = {"momentum": 0.9}
_NESTEROV = {"momentum": 0.9, "nesterov": True}
_OFF = {"weight_decay": 0.0}
_ON = {"weight_decay": 0.1}

OF_MATRICES = {"muon"}
"""Optimizers, in lower case, that are for matrices and leave other weights to another one."""

PAIRS = (
    _three("SGD", "SGD", "optax:sgd", "torch:SGD"),
    _three("SGD, momentum 0.9", "SGD", "optax:sgd", "torch:SGD", _MOMENTUM, _MOMENTUM, _MOMENTUM),
    _three("SGD, Nesterov", "SGD", "optax:sgd", "torch:SGD", _NESTEROV, _NESTEROV, _NESTEROV),
    _three("Adam, epsilon 1e-8", "Adam", "optax:adam", "torch:Adam", *_BETAS),
    _three("Adam, epsilon 1e-3", "Adam", "optax:adam", "torch:Adam", {"epsilon": 1e-3}, {"eps": 1e-3}, {"eps": 1e-3}),
    _three("AMSGrad", "Adam", "optax:amsgrad", "torch:Adam", {"epsilon": 1e-8, "amsgrad": True}, {}, {"amsgrad": True}),
    _three("Nadam", "Nadam", "optax:nadam", "torch:NAdam", *_BETAS),
    _two("Nadam, momentum_decay 1", "keras:Nadam", "torch:NAdam", {"epsilon": 1e-8}, {"momentum_decay": 1.0}),
    _two("Nadam, momentum_decay 1e9", "optax:nadam", "torch:NAdam", {}, {"momentum_decay": 1e9}),
    _three("RMSprop, defaults", "RMSprop", "optax:rmsprop", "torch:RMSprop"),
    _three(
        "RMSprop, decay 0.9, epsilon 1e-3",
        "RMSprop",
        "optax:rmsprop",
        "torch:RMSprop",
        {"rho": 0.9, "epsilon": 1e-3},
        {"decay": 0.9, "eps": 1e-3},
        {"alpha": 0.9, "eps": 1e-3},
    ),
    _three(
        "RMSprop, momentum 0.9",
        "RMSprop",
        "optax:rmsprop",
        "torch:RMSprop",
        {"rho": 0.9, "epsilon": 1e-7, "momentum": 0.9},
        {"decay": 0.9, "eps": 1e-7, "momentum": 0.9},
        {"alpha": 0.9, "eps": 1e-7, "momentum": 0.9},
    ),
    _three("Adagrad, defaults", "Adagrad", "optax:adagrad", "torch:Adagrad"),
    _three(
        "Adagrad, accumulator 0.1",
        "Adagrad",
        "optax:adagrad",
        "torch:Adagrad",
        {},
        {},
        {"initial_accumulator_value": 0.1, "eps": 1e-7},
    ),
    _three(
        "Adadelta",
        "Adadelta",
        "optax:adadelta",
        "torch:Adadelta",
        {"rho": 0.9, "epsilon": 1e-6},
        {"rho": 0.9, "eps": 1e-6},
        {"rho": 0.9, "eps": 1e-6},
    ),
    _three("Adamax", "Adamax", "optax:adamax", "torch:Adamax", {"epsilon": 1e-8}, {}, {}),
    _three("Lion", "Lion", "optax:lion", "pytorch_optimizer:Lion", {}, _OFF, {}),
    _three("Lion, decay 0.1", "Lion", "optax:lion", "pytorch_optimizer:Lion", _ON, _ON, _ON),
    _three("AdamW, defaults", "AdamW", "optax:adamw", "torch:AdamW"),
    _two("LAMB, no decay", "keras:Lamb", "optax:lamb", {"epsilon": 1e-6}, {"eps": 1e-6}),
    _two("LAMB, decay 0.1", "keras:Lamb", "optax:lamb", {"epsilon": 1e-6, **_ON}, {"eps": 1e-6, **_ON}),
    _three(
        "Muon, defaults without decay",
        "Muon",
        "optax.contrib:muon",
        "torch:Muon",
        {"weight_decay": 0.0, "rms_rate": 0.2},
        {},
        _OFF,
    ),
    _three(
        "Muon, scale by rms 0.2",
        "Muon",
        "optax.contrib:muon",
        "torch:Muon",
        {"weight_decay": 0.0, "rms_rate": 0.2},
        {"consistent_rms": 0.2},
        {"adjust_lr_fn": "match_rms_adamw", **_OFF},
    ),
    _two(
        "Muon, scale by rms 0.2, not Nesterov",
        "keras:Muon",
        "optax.contrib:muon",
        {"weight_decay": 0.0, "rms_rate": 0.2, "nesterov": False},
        {"consistent_rms": 0.2, "nesterov": False},
    ),
    _two("Prodigy, defaults", "optax.contrib:prodigy", "pytorch_optimizer:Prodigy"),
    _two(
        "Prodigy, bias correction", "optax.contrib:prodigy", "pytorch_optimizer:Prodigy", {}, {"bias_correction": True}
    ),
    _two("ADOPT", "optax.contrib:adopt", "pytorch_optimizer:ADOPT"),
    _two("AdEMAMix", "optax.contrib:ademamix", "pytorch_optimizer:AdEMAMix"),
    _two("Schedule-Free AdamW", "optax.contrib:schedule_free_adamw", "pytorch_optimizer:ScheduleFreeAdamW"),
)
