"""The networks and functions that problems train, one file each: `build(input_shape, classes, **arguments)`.

Models take preprocessed float32 inputs and give logits of shape (n, classes), or losses of shape (n,) where the model
is the loss. Importing this package loads neither Keras nor TensorFlow.
"""

import importlib
import inspect
import json
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_type_hints

from pydantic import PydanticUserError, TypeAdapter, ValidationError

from regbench.errors import DefinitionError, RegbenchError, UnknownNameError

if TYPE_CHECKING:
    import keras

_NAMES = (
    "allcnnc",
    "char_gru",
    "char_rnn",
    "char_transformer",
    "conv_1d",
    "conv_2c2d",
    "conv_3c2d",
    "conv_3c3d",
    "conv_4c2d",
    "convex_quadratic",
    "deep_linear",
    "dropout_mlp",
    "embedded_mlp",
    "gru",
    "inception_v3",
    "logreg",
    "mlp",
    "quadratic",
    "residual_mlp",
    "two_d",
    "vae",
    "vgg16",
    "vgg19",
    "wide_resnet",
)


def names() -> tuple[str, ...]:
    """Return the names of all models, sorted."""
    return _NAMES


def build(name: str, arguments: Mapping[str, Any], input_shape: tuple[int, ...], classes: int) -> "keras.Model":
    """Build a model with fresh weights.

    Args:
        name: of the model, or `module:function` for a function of one's own that takes what the models here take.
        arguments: its keyword arguments.
        input_shape: of one sample.
        classes: number of classes, 0 where there are no labels.

    Raises:
        UnknownNameError: there is no model of this name.
        DefinitionError: an argument is unknown or not what it must be, or the model does not fit the inputs.
    """
    build_model = _find(name)
    checked = _check(name, build_model, arguments)
    try:
        return build_model(tuple(input_shape), classes, **checked)
    except RegbenchError:
        raise
    except (Exception, SystemExit) as error:  # own models may raise anything
        # Where Keras explains at length, the reason stands in the first line that says anything.
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise DefinitionError(
            f"model `{name}`: cannot be built for inputs of shape {tuple(input_shape)} and {classes} classes: {reason}"
        ) from error


def _find(name: str) -> Callable[..., "keras.Model"]:
    module, colon, function = name.partition(":")
    if not colon:
        if name not in _NAMES:
            raise UnknownNameError("model", name, _NAMES)
        module, function = f"{__name__}.{name}", "build"
    try:
        found: Callable[..., keras.Model] = getattr(importlib.import_module(module), function)
    except Exception as error:  # own modules may raise anything
        raise DefinitionError(f"model `{name}`: cannot be imported: {' '.join(str(error).split())}") from error
    if not callable(found):
        raise DefinitionError(f"model `{name}`: must be a function. Received: {found!r}")
    return found


def _check(name: str, build_model: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments as the types of the signature demand them."""
    takes_any, known, hints = _signature(build_model)
    checked = {}
    for key, value in arguments.items():
        if key not in known and not takes_any:
            close = get_close_matches(key, known, n=1)
            hint = f"Did you mean `{close[0]}`?" if close else f"Known: {', '.join(known) or 'none'}."
            raise DefinitionError(f"model `{name}`: there is no argument `{key}`. {hint}")
        try:
            # As JSON, in which an array may stand for a tuple, strictly otherwise: the rule for problem files.
            checked[key] = TypeAdapter(hints.get(key, Any)).validate_json(json.dumps(value), strict=True)
        except PydanticUserError:  # of a type that is no data nothing is known beforehand
            checked[key] = value
        except (TypeError, ValidationError) as error:
            must = error.errors()[0]["msg"] if isinstance(error, ValidationError) else "Input should be plain data"
            raise DefinitionError(f"model `{name}`: `{key}`: {must}. Received: {key}={value!r}") from error
    return checked


def _signature(build_model: Callable[..., Any]) -> tuple[bool, list[str], dict[str, Any]]:
    """Whether a function takes arguments of any name, those that it names, and their types as far as they are known."""
    try:
        parameters = list(inspect.signature(build_model).parameters.values())
    except (TypeError, ValueError):  # of what is not written in Python
        return True, [], {}
    try:
        hints = get_type_hints(build_model, include_extras=True)
    except Exception:  # noqa: BLE001  a name that is imported for type checkers only, say
        hints = {}
    variadic = {parameter.kind for parameter in parameters} & {inspect.Parameter.VAR_KEYWORD}
    named = [one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    return bool(variadic), named[2:], hints
