"""From names and values to Keras objects: the optimizer with its decay, the regularizer."""

import inspect
from typing import Any

import keras
from pydantic import ValidationError

from regbench import optimizers, regularizers
from regbench.catalog import describe, own_code
from regbench.engine.decays import is_decoupled, with_decay
from regbench.engine.forms import check_forms, settle_kernels
from regbench.engine.host import Host, check_host
from regbench.engine.settings import DECAY, check_settings
from regbench.engine.weights import Weights
from regbench.errors import DefinitionError, UnknownNameError
from regbench.records import Guest, Part, RunSpec, Schedule, learning_rate_factor

OPTIMIZERS: dict[str, type] = {
    "sgd": keras.optimizers.SGD,
    "adam": keras.optimizers.Adam,
    "nadam": keras.optimizers.Nadam,
    "adamax": keras.optimizers.Adamax,
    "rmsprop": keras.optimizers.RMSprop,
    "adagrad": keras.optimizers.Adagrad,
    "adadelta": keras.optimizers.Adadelta,
    "ftrl": keras.optimizers.Ftrl,
    "lion": keras.optimizers.Lion,
    "lamb": keras.optimizers.Lamb,
    "muon": keras.optimizers.Muon,
    "signed_power": optimizers.SignedPower,
    "normalized": optimizers.Normalized,
    "clipped": optimizers.Clipped,
    "lookahead": optimizers.Lookahead,
    "cautious_step": optimizers.CautiousStep,
    "norm_pinned": optimizers.NormPinned,
    "sharpness_aware": optimizers.SharpnessAware,
    "schedule_free": optimizers.ScheduleFree,
    "averaged_weights": optimizers.AveragedWeights,
    "ademamix": optimizers.AdEMAMix,
    "prodigy": optimizers.Prodigy,
    "kernel_muon": optimizers.KernelMuon,
    "radam": optimizers.RAdam,
    "adabelief": optimizers.AdaBelief,
    "adabound": optimizers.AdaBound,
    "amsbound": optimizers.AMSBound,
}
REGULARIZERS: dict[str, type] = {
    "l2": regularizers.L2,
    "eigenvalue_decay": regularizers.EigenvalueDecay,
    "orthogonal": regularizers.Orthogonal,
    "smooth_kernel": regularizers.SmoothKernel,
    "spectral_norm": regularizers.SpectralNorm,
    "norm_target": regularizers.NormTarget,
    "row_norm": regularizers.RowNorm,
    "l1": regularizers.L1,
    "elastic_net": regularizers.ElasticNet,
    "group_lasso": regularizers.GroupLasso,
    "to_initial": regularizers.ToInitial,
}
BEFORE: dict[str, dict[str, Any]] = {"eigenvalue_decay": {"warm_start": False}, "orthogonal": {"gram": "columns"}}
"""What a spec means by a regularizer where it does not say an argument that came later (`records.settled`)."""
SCHEDULED = "scheduled"
"""The name of a factor that changes with the epochs: a part with `value`, `epochs` and `factors`."""
PER_LAYER = "per_layer"
"""The name of a regularizer whose arguments are layers, each with a regularizer of its own."""
KERAS_DECAY = ("weight_decay", "adam_weight_decay")
"""Keras's own decay: some optimizers have it on by default, and it acts on biases too."""

IGNORED = "decay"
"""A keyword that Keras's base class takes from any class that passes on what it is given, and does nothing with."""


def build_optimizer(
    spec: RunSpec, weights: Weights, guest: Guest | None = None, steps: int = 1
) -> keras.optimizers.Optimizer:
    """The candidate's optimizer for these weights, in its decay where the coupling is a decoupled one; not built.

    `steps` are those in an epoch, by which the coupling `timescale` counts.
    """
    optimizer = plain_optimizer(spec, guest)
    settle_kernels(optimizer, weights)
    return with_decay(spec, optimizer, weights, steps)


def find_optimizer(name: str) -> Any:
    """The class of an optimizer by its name or `module:Class`.

    Raises:
        DefinitionError: there is none.
    """
    return _find_class("optimizer", name, OPTIMIZERS)


def plain_optimizer(spec: RunSpec, guest: Guest | None = None) -> keras.optimizers.Optimizer:
    """The candidate's optimizer before it knows any weights, without the decay of its coupling.

    In the place of a guest it has the one that holds its place (`host.Host`).

    Raises:
        DefinitionError: it is none, does not take its arguments, or has one that means nothing here.
    """
    optimizer = _instance("optimizer", spec.optimizer, OPTIMIZERS, guest)
    if guest is not None:
        check_host(spec, optimizer, guest, is_decoupled(spec))
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise DefinitionError(
            f"candidate {spec.candidate}: optimizer.name: must be a Keras optimizer. Received: {spec.optimizer.name!r}"
        )
    check_forms(spec, optimizer, is_decoupled(spec))
    return optimizer


def build_regularizer(spec: RunSpec, epoch: int = 0) -> Any:
    """The candidate's regularizer: a function from a kernel to its penalty, or one a layer; None where it has none.

    Its numbers are those of an epoch (counting from 0), where a schedule changes them.
    """
    part = spec.regularizer
    if part is None or part.name != PER_LAYER:
        return part and _regularizer("regularizer", part, epoch)
    layers = {}
    for layer, of_layer in part.arguments.items():
        if not isinstance(of_layer, Part):
            raise DefinitionError(f"regularizer.{layer}: must be a regularizer, with a name. Received: {of_layer!r}")
        layers[layer] = _regularizer(f"regularizer.{layer}", of_layer, epoch)
    return layers


def _regularizer(key: str, part: Part, epoch: int) -> Any:
    arguments: dict[str, Any] = {
        name: _scheduled(f"{key}.{name}", value, epoch) if isinstance(value, Part) and _is_scheduled(value) else value
        for name, value in part.arguments.items()
    }
    # What the class does not take is refused there; so nothing is added to what somebody's own class is called.
    return _instance(key, part.model_copy(update={"arguments": BEFORE.get(part.name, {}) | arguments}), REGULARIZERS)


def _is_scheduled(argument: Any) -> bool:
    return isinstance(argument, Part) and argument.name == SCHEDULED


def _scheduled(key: str, part: Part, epoch: int) -> float:
    """The value in an epoch: from epoch `epochs[i]` on `value * factors[i]`, before the first `value`."""
    known = ("value", "epochs", "factors")
    for name in part.arguments:
        if name not in known:
            raise UnknownNameError("argument", name, known, where=f"{key}: {SCHEDULED}")
    value = part.arguments.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DefinitionError(f"{key}.value: must be a number. Received: {value!r}")
    try:
        steps = Schedule.model_validate(
            {
                "name": "step",
                "epochs": _tuple(part.arguments.get("epochs")),
                "factors": _tuple(part.arguments.get("factors")),
            }
        )
    except ValidationError as invalid:
        raise DefinitionError(f"{key}: {describe(invalid, Schedule, SCHEDULED)}") from invalid
    return float(value) * learning_rate_factor(steps, epoch, epoch + 1)


def _tuple(argument: Any) -> Any:
    return tuple(argument) if isinstance(argument, list) else argument


def has_schedule(part: Part | None) -> bool:
    """Whether a number of a regularizer changes with the epochs."""
    return part is not None and any(
        _is_scheduled(value) or (isinstance(value, Part) and has_schedule(value)) for value in part.arguments.values()
    )


def constants(part: Part, instance: Any) -> dict[str, Any]:
    """What of a part a compiled step must be made for: all but the numbers that its instance holds under their names.

    A compiled step reads those from variables (see `traced`). An argument that went elsewhere, such as into a global
    variable, is not among them.
    """
    kept: dict[str, Any] = {}
    if isinstance(instance, Host):
        return {"guest": part.name}  # its step is no part of what is compiled
    for name, value in part.arguments.items():
        held = instance.get(name) if isinstance(instance, dict) else _attribute(instance, name)
        if _is_scheduled(value) and type(held) is float:
            continue  # every epoch sets it
        if isinstance(value, Part):
            kept[name] = constants(value, held)
        elif not (_is_variable(held, instance) or (type(held) is float and held == value)):
            kept[name] = value
    return {"name": part.name, "arguments": kept}


def _is_variable(held: Any, instance: Any) -> bool:
    """Whether an argument is in a variable that every run sets: the learning rate."""
    return isinstance(held, keras.Variable) and isinstance(instance, keras.optimizers.Optimizer)


def _attribute(instance: Any, name: str) -> Any:
    attributes = getattr(instance, "__dict__", {})
    return attributes.get(name, attributes.get(f"_{name}"))


def _instance(key: str, part: Part, known: dict[str, type], guest: Guest | None = None) -> Any:
    """Call the class that the part names with the part's arguments, inner parts first."""
    if guest is not None and part == guest.part:
        return Host(guest)
    target = _find_class(key, part.name, known)
    arguments = {
        name: _instance(f"{key}.{name}", value, known, guest) if isinstance(value, Part) else value
        for name, value in part.arguments.items()
    }
    parameters = inspect.signature(target).parameters
    for name in KERAS_DECAY:
        if arguments.get(name):
            raise DefinitionError(f"{key}.{name}: {DECAY}. Received: {name}={arguments[name]!r}")
        if name in parameters:
            arguments[name] = None if parameters[name].default is None else 0.0  # AdamW refuses None
    # Keras's own name all that they know; what they take beyond that they refuse later, with fewer words.
    is_of_keras = str(getattr(target, "__module__", "")).startswith("keras.")
    takes_any = not is_of_keras and any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    for name in arguments:
        if name not in parameters and (not takes_any or name == IGNORED):
            raise UnknownNameError("argument", name, parameters, where=f"{key}: {part.name}")
    try:
        instance = target(**arguments)
    except (TypeError, ValueError) as error:
        raise DefinitionError(f"{key}: {part.name}: {' '.join(str(error).split())}") from error
    if isinstance(instance, keras.optimizers.Optimizer):
        check_settings(instance, key)
    return instance


def _find_class(key: str, name: str, known: dict[str, type]) -> Any:
    if ":" not in name:
        if name not in known:
            raise UnknownNameError(key.rsplit(".", maxsplit=1)[-1], name, known, where=f"{key}.name")
        return known[name]
    return own_code.resolve(f"{key}.name", name)
