"""From a candidate and a setting to an optimizer, a regularizer and a decay with every value chosen.

A setting gives values by dotted name (`optimizer.learning_rate`). A range is drawn, gridded and modelled on its own
scale, the *drawn* number; `value` and `drawn` go from there to the hyperparameter and back.
"""

import math
from collections.abc import Iterator, Mapping
from typing import cast

import numpy as np
from pydantic import ValidationError

from regbench.catalog import describe
from regbench.errors import DefinitionError, UnknownNameError
from regbench.records import Candidate, Choices, Coupling, Decay, Part, Problem, Range, Scalar, Searched, settled

_KINDS = {bool: "true or false", int: "a whole number", float: "a finite number", str: "a string"}


def defaults(candidate: Candidate) -> dict[str, Scalar]:
    """The setting that takes the default of everything searched.

    Raises:
        DefinitionError: a searched value has no default, or an integer range one that is not whole.
    """
    setting: dict[str, Scalar] = {}
    for name, searched in candidate.searched().items():
        if searched.default is None:
            raise DefinitionError(f"{candidate.name}: `{name}` has no `default`, and a setting of defaults needs one.")
        if isinstance(searched, Range) and searched.integer and not float(searched.default).is_integer():
            raise DefinitionError(
                f"{candidate.name}: the `default` of `{name}` must be whole. Received: default={searched.default!r}"
            )
        setting[name] = default(searched)
    return setting


def default(searched: Searched) -> Scalar:
    """The default, which there is, in the type of what is drawn."""
    chosen = cast(Scalar, searched.default)
    if isinstance(searched, Range):
        return int(chosen) if searched.integer else float(chosen)
    return chosen


def check_setting(candidate: Candidate, setting: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """The setting with whole numbers turned into floats where a float is due.

    Every name of the candidate may be set, also a fixed one and also outside the range that would be searched.

    Raises:
        UnknownNameError: the candidate has no such name.
        DefinitionError: a value is not of the type that its name asks for.
    """
    types = _types(candidate)
    for name in setting:
        if name not in types:
            raise UnknownNameError("name", name, types, where=f"setting of {candidate.name}")
    return {name: _converted(name, value, types[name]) for name, value in setting.items()}


def override(candidate: Candidate, setting: Mapping[str, Scalar]) -> Candidate:
    """The candidate with the values of the setting fixed; what was searched among them is not searched any more.

    Errors as for `check_setting`, and a `DefinitionError` where decay and its coupling do not fit.
    """
    setting = check_setting(candidate, setting)
    regularizer = candidate.regularizer
    changes = {
        "optimizer": _part_with(candidate.optimizer, "optimizer", setting),
        "regularizer": None if regularizer is None else _part_with(regularizer, "regularizer", setting),
        "decay": _decay_with(candidate, setting),
        "warmup": setting.get("warmup", candidate.warmup),
    }
    return candidate.model_copy(update=changes)


def resolve(candidate: Candidate, setting: Mapping[str, Scalar], problem: Problem) -> tuple[Part, Part | None, Decay]:
    """Optimizer, regularizer and decay with every value chosen.

    The strength "problem" becomes the problem's own factor. Where that is 0 the coupling stays as it was asked for, so
    that what a run is called does not depend on the problem's number.

    Raises:
        UnknownNameError, DefinitionError: as for `override`, and where a searched value is not in the setting.
    """
    chosen = override(candidate, setting)
    for name in chosen.searched():
        raise DefinitionError(f"{candidate.name}: `{name}` is searched, and the setting gives it no value.")
    decay = chosen.decay
    if decay.strength == "problem":
        decay = decay.model_copy(update={"strength": problem.l2})
    # Again, because what is settled may depend on a value that was searched.
    return chosen.optimizer, chosen.regularizer and settled(chosen.regularizer), decay


def warmup(candidate: Candidate, setting: Mapping[str, Scalar]) -> float | None:
    """The warm-up that a candidate wants with every value chosen; None where it leaves it to the schedule."""
    chosen = override(candidate, setting).warmup
    return None if chosen is None else float(cast(float, chosen))


def is_logarithmic(searched: Range) -> bool:
    """Whether the logarithm of the drawn number is uniform."""
    return searched.log or searched.log10 is not None


def value(searched: Range, drawn_number: float) -> int | float:
    """The hyperparameter that belongs to a drawn number: whole for an integer range, 1 minus it for `one_minus`."""
    number = int(drawn_number) if searched.integer else float(drawn_number)
    return 1 - number if searched.one_minus else number


def drawn(searched: Range, hyperparameter: float) -> int | float:
    """The inverse of `value`, put back between the ends: 1 - (1 - 1e-4) is a little less than 1e-4."""
    number = 1 - hyperparameter if searched.one_minus else hyperparameter
    low, high = searched.ends()
    number = min(max(number, low), high)
    return int(number) if searched.integer else float(number)


def _types(candidate: Candidate) -> dict[str, set[type]]:
    """What may be set, by dotted name, and the types that fit there."""
    types = dict(_part_types("optimizer", candidate.optimizer))
    if candidate.regularizer is not None:
        types |= _part_types("regularizer", candidate.regularizer)
    types |= {} if candidate.warmup is None else {"warmup": {float}}
    return types | {"decay.coupling": {str}, "decay.strength": {float, str}}


def _part_types(prefix: str, part: Part) -> Iterator[tuple[str, set[type]]]:
    for key, argument in part.arguments.items():
        name = f"{prefix}.{key}"
        match argument:
            case Part():
                yield from _part_types(name, argument)
            case Range():
                yield name, {int if argument.integer else float}
            case Choices():
                yield name, {type(choice) for choice in argument.choices}
            case _:
                yield name, {type(argument)}


def _converted(name: str, given: Scalar, types: set[type]) -> Scalar:
    if isinstance(given, np.generic):
        given = given.item()
    if type(given) is int and int not in types and float in types:
        given = float(given)
    if type(given) not in types or (isinstance(given, float) and not math.isfinite(given)):
        kinds = " or ".join(kind for known, kind in _KINDS.items() if known in types)
        must = f"must be {kinds}" if kinds else "is a list, which only a candidate's file can set"
        raise DefinitionError(f"`{name}` {must}. Received: {given!r}")
    return given


def _part_with(part: Part, prefix: str, setting: Mapping[str, Scalar]) -> Part:
    arguments = {
        key: _part_with(argument, f"{prefix}.{key}", setting)
        if isinstance(argument, Part)
        else setting.get(f"{prefix}.{key}", argument)
        for key, argument in part.arguments.items()
    }
    return Part(name=part.name, arguments=arguments)


def _decay_with(candidate: Candidate, setting: Mapping[str, Scalar]) -> Decay:
    coupling = setting.get("decay.coupling", candidate.decay.coupling)
    strength = setting.get("decay.strength", candidate.decay.strength)
    if isinstance(strength, str) and strength != "problem":
        raise DefinitionError(f'`decay.strength` must be a number or "problem". Received: {strength!r}')
    mask = "kernels" if coupling == Coupling.NONE else candidate.decay.mask
    try:
        return Decay.model_validate({"coupling": coupling, "strength": strength, "mask": mask})
    except ValidationError as invalid:
        raise DefinitionError(f"{candidate.name}: {describe(invalid, Decay, 'decay')}") from invalid
