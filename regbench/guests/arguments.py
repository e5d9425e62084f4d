"""The arguments of a guest: its own, under its own names, checked against its signature before it is called."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from regbench.errors import DefinitionError, UnknownNameError
from regbench.records import Part

DECAY = "decay belongs into [decay], where its coupling is stated"
_NO_DECAY = {"mechanize"}
"""What has an argument of that name which is no decay of the weights."""

_PLACE = re.compile(r"(.+)\.([0-9]+)")


def called_with(
    key: str,
    part: Part,
    target: Callable[..., Any],
    made: Callable[[str, Part], Any],
    *,
    notices: list[str],
    keeps_decay: bool = False,
    given: Collection[str] = (),
    more: Mapping[str, inspect.Parameter] | None = None,
) -> dict[str, Any]:
    """What the target is to be called with.

    Args:
        key: where the part stands in the candidate, for errors.
        part: its arguments; a list stands for a tuple, and `"betas.0"` for a part of one.
        target: a class or a function.
        made: makes what stands for a part that is an argument.
        notices: gets a line where its own decay is on by default, and switched off here.
        keeps_decay: its own decay is left as it is; that is for comparing it with others, not for a candidate.
        given: the names of arguments that it gets from elsewhere.
        more: parameters that it passes on to another one.

    Raises:
        DefinitionError: it does not take these arguments, lacks one, or is to decay the weights.
    """
    own = dict(inspect.signature(target).parameters)
    parameters = {name: one for name, one in own.items() if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)}
    parameters = {name: one for name, one in parameters.items() if name not in given} | dict(more or {})
    arguments = _whole(key, part, parameters)
    for name in arguments:
        if name not in parameters:
            raise UnknownNameError("argument", name, parameters, where=f"{key}: {part.name}")
    if not keeps_decay and part.name.partition(":")[2] not in _NO_DECAY:
        _switch_off_decay(key, part.name, arguments, parameters, notices)
    missing = [name for name, one in parameters.items() if one.default is one.empty and name not in arguments]
    if missing:
        named = ", ".join(f"`{name}`" for name in missing)
        raise DefinitionError(f"{key}: {part.name} needs a value for {named}")
    return {
        name: made(f"{key}.{name}", value) if isinstance(value, Part) else value for name, value in arguments.items()
    }


def _whole(key: str, part: Part, parameters: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
    """The arguments with tuples for lists, and the parts of tuples in their places."""
    arguments = {name: _as_tuple(value) for name, value in part.arguments.items() if not _PLACE.fullmatch(name)}
    for name, value in part.arguments.items():
        if not (place := _PLACE.fullmatch(name)):
            continue
        of, index = place[1], int(place[2])
        if of not in parameters:
            raise UnknownNameError("argument", of, parameters, where=f"{key}: {part.name}")
        whole = arguments.get(of, parameters[of].default)
        if not isinstance(whole, tuple) or index >= len(whole):
            raise DefinitionError(f"{key}.{name}: `{of}` must be a tuple with that place. Received: {of}={whole!r}")
        arguments[of] = (*whole[:index], value, *whole[index + 1 :])
    return arguments


def _as_tuple(value: Any) -> Any:
    return tuple(_as_tuple(one) for one in value) if isinstance(value, list) else value


def _switch_off_decay(
    key: str, name: str, arguments: dict[str, Any], parameters: Mapping[str, inspect.Parameter], notices: list[str]
) -> None:
    is_off = []
    for argument, parameter in parameters.items():
        if not _is_decay(argument, parameter.default):
            continue
        if arguments.get(argument):
            raise DefinitionError(f"{key}.{argument}: {DECAY}. Received: {argument}={arguments[argument]!r}")
        if argument not in arguments and parameter.default and parameter.default is not parameter.empty:
            is_off.append(f"{argument}={parameter.default!r}")
        arguments[argument] = None if parameter.default is None else 0.0
    if is_off:
        notices.append(f"{name}: its own decay, on by default ({', '.join(is_off)}), is off: {DECAY}")


def _is_decay(name: str, default: Any) -> bool:
    is_number = default in (None, inspect.Parameter.empty) or (
        isinstance(default, int | float) and not isinstance(default, bool)
    )
    return is_number and (
        name in ("adamw_wd", "wd", "lambd", "lambda_2", "extra_l2") or ("weight_decay" in name and "mask" not in name)
    )


def momentum_of(values: Mapping[str, Any]) -> float:
    """The decay rate of the first moment among all arguments of an optimizer; 0 where there is none."""
    for name in ("momentum", "beta_1", "b1", "beta1", "beta", "betas"):
        value = values.get(name)
        value = value[0] if isinstance(value, tuple) and value else value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    return 0.0
