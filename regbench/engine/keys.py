"""What is compiled once for many runs: the keys of a program and of its training step."""

import json
from typing import Any

import keras

from regbench.catalog import own_code
from regbench.engine.build import constants
from regbench.engine.decays import is_decoupled
from regbench.engine.forms import decays_itself
from regbench.engine.objective import Regularizer, has_l2
from regbench.engine.splits import Splits
from regbench.records import RunSpec

HELD = {
    "candidate": "a name",
    "seed": "variables hold the initial weights and the state of dropout; orders and augmentation seeds are arguments",
    "epochs": "the number of calls",
    "schedule": "acts on the learning rate, a variable; whether it does so in each step is in the key of the training",
    "regularizer": "its numbers have slots; all else of it is in its structure and in `constants`",
    "optimizer": "is part of the training's key, with its numbers in slots",
    "decay": "an L2 term is in the key, but for its factor, a variable; any other coupling belongs to the optimizer",
}
"""What of a run's identity is not in the key of its program as it stands, and why. All else is."""


def program_key(spec: RunSpec, splits: Splits, regularizer: Regularizer) -> str:
    """What a network, its objective and its evaluation are compiled for, besides the structure of the regularizer.

    It is the identity of the run without what is `HELD`: a key that specs get later makes other programs by itself.
    """
    identity = {name: value for name, value in spec.identity().items() if name not in HELD}
    # The user's own code may change while this process runs.
    code = own_code.loaded_sources(*own_code.parts_of(spec.problem), spec.regularizer)
    return _canonical(
        identity
        | ({"code": code} if code else {})
        | ({"metrics": spec.problem.recorded} if spec.problem.recorded else {})
        | {
            "data": splits.digest,
            "regularizer": spec.regularizer and constants(spec.regularizer, regularizer),
            "l2": _without_strength(spec) if has_l2(spec) else None,
        }
    )


def training_key(spec: RunSpec, optimizer: keras.optimizers.Optimizer) -> str:
    """What a program's training step is compiled for, besides the structure of the optimizer."""
    decay = _without_strength(spec)
    # A decoupled decay is a wrapper of the optimizer that the candidate names.
    named = optimizer.inner_optimizer if is_decoupled(spec) and not decays_itself(optimizer) else optimizer
    code = own_code.loaded_sources(spec.optimizer)
    of_steps = {"of_steps": True} if spec.schedule.is_of_steps else {}
    return _canonical({"optimizer": constants(spec.optimizer, named), "decay": decay, "code": code} | of_steps)


def _without_strength(spec: RunSpec) -> dict[str, Any]:
    """The decay, but for its factor, which is a variable or has a slot; whether there is any is not held there."""
    return spec.decay.model_dump(mode="json", exclude={"strength"}) | {"acts": spec.decay_strength != 0}


def _canonical(key: dict[str, Any]) -> str:
    return json.dumps(key, sort_keys=True)
