"""Clauses on what an instance says of itself when it is saved."""

from __future__ import annotations

import json
from typing import Any

import keras

from regbench.contracts.subject import Subject
from regbench.contracts.verdicts import Clause, ViolationError


def _survives_its_config(subject: Subject) -> None:
    original: Any = subject.make()
    config = original.get_config()
    absent = [name for name in subject.parameters if name not in config]
    if absent:
        raise ViolationError(f"`get_config` does not return {', '.join(f'`{name}`' for name in absent)}")
    for name, given in subject.arguments.items():
        if isinstance(given, bool | int | float | str) and config[name] != given:
            raise ViolationError(f"`get_config` returns {name}={config[name]!r}, but the instance got {given!r}")
    with keras.saving.custom_object_scope({subject.target.__name__: subject.target}):
        restored: Any = keras.saving.deserialize_keras_object(_as_json(keras.saving.serialize_keras_object(original)))
    came_back = type(restored)
    if came_back is not subject.target:
        raise ViolationError(f"built from its config it is a {came_back.__name__}")
    if _as_json(restored.get_config()) != _as_json(config):
        raise ViolationError(f"its config changes from {config} to {restored.get_config()}")


def _as_json(config: dict[str, Any]) -> Any:
    return json.loads(json.dumps(config))


CLAUSES = (
    Clause(
        "survives_its_config",
        "an instance built from the config, by way of JSON, has the same config, with every argument in it",
        _survives_its_config,
    ),
)
