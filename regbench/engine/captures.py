"""State that a compiled function reads or changes although no run sets it: it would go from one run into the next.

Kept programs are used again by runs that set the variables of network and optimizer. What lies elsewhere (a variable
that no layer tracks, the global generator of `keras.random`, the streams of `tf.random`, an array that a network draws
when it is made) would make a run depend on those before it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from regbench.engine.weights import layers_of
from regbench.errors import DefinitionError

DRAWS = {
    "Multinomial",
    "ParameterizedTruncatedNormal",
    "RandomGamma",
    "RandomPoissonV2",
    "RandomShuffle",
    "RandomStandardNormal",
    "RandomUniform",
    "RandomUniformInt",
    "TruncatedNormal",
}
"""TensorFlow's operations that draw from a stream of the process."""

REMEDY = "random numbers need a `keras.random.SeedGenerator` that is an attribute, other state `add_weight`"


def check_captures(function: Any, known: Iterable[Any], model: keras.Model, who: str) -> None:
    """Refuse a compiled function that holds state which no run sets.

    Args:
        function: concrete.
        known: all variables that runs set, Keras's or TensorFlow's.
        model: the network that it calls.
        who: the network and the optimizer by name, for the message.

    Raises:
        DefinitionError: it does; the message names the layer and the variable.
    """
    ours = {id(getattr(variable, "value", variable)) for variable in known if isinstance(variable, keras.Variable)}
    ours |= {id(variable) for variable in known}
    for variable in function.graph.variables:
        if id(variable) not in ours:
            # Keras makes its global generator where it is first asked for.
            place = _place(_named_in(model, variable.name) or _reader(model, variable))
            raise DefinitionError(
                f"{who}: {place} must keep all its state where a run can set it; {REMEDY}. "
                f"Received: the variable `{variable.name.partition(':')[0]}`"
            )
    for node in _nodes(function):
        if node.op in DRAWS:
            place = _place(_named_in(model, node.name))
            raise DefinitionError(
                f"{who}: {place} must draw from `keras.random`, not from `tf.random`; {REMEDY}. Received: {node.op!r}"
            )


def check_same(function: Any, again: Any, who: str) -> None:
    """Refuse a function that computes with other numbers when it is compiled again.

    A compiled function reads a number in Python once: a counter, a draw of NumPy's or Python's generators, the time. A
    run would get the number of whichever run compiled first.

    Args:
        function: concrete; `again` is the same one, traced anew.
        again: as `function`.
        who: the network and the optimizer by name, for the message.

    Raises:
        DefinitionError: they differ in their operations or in a constant.
    """
    if _content(function) != _content(again):
        raise DefinitionError(
            f"{who}: must compute the same whenever it is compiled, without counters in Python, draws of NumPy or "
            f"Python, or the time; {REMEDY}. Received: two different programs"
        )


def _content(function: Any) -> Counter[tuple[str, bytes]]:
    """The operations of a function, with the values of constants; their names tell one trace from another."""
    return Counter(
        (node.op, node.attr["value"].tensor.SerializeToString() if node.op == "Const" else b"")
        for node in _nodes(function)
    )


def check_arrays(model: keras.Model, other: keras.Model, who: str) -> None:
    """Refuse a network that draws numbers when it is made which are no weights.

    Args:
        model: the network.
        other: the same, made with other random numbers.
        who: its name, for the message.

    Raises:
        DefinitionError: it does; the message names the layer and the attribute.
    """
    for (path, layer), (_, same) in zip(layers_of(model), layers_of(other), strict=True):
        for name, value in vars(layer).items():
            if _differs(value, vars(same).get(name)):
                raise DefinitionError(
                    f"{who}: {f'layer `{path}`' if path else 'it'} must hold in `{name}` the same whenever it is made, "
                    "or hold it as a weight (`add_weight(..., trainable=False)`). Received: two different values"
                )


def _differs(one: Any, other: Any) -> bool:
    if isinstance(one, keras.Variable | tf.Variable):
        return False
    if not (isinstance(one, float | np.ndarray | np.generic) or (tf.is_tensor(one) and hasattr(one, "numpy"))):
        return False
    array = np.asarray(one)
    return not np.array_equal(array, np.asarray(other), equal_nan=array.dtype.kind == "f")


def _nodes(function: Any) -> Iterator[Any]:
    """All operations of a function and of those that it calls."""
    graph = function.graph.as_graph_def()
    yield from graph.node
    for called in graph.library.function:
        yield from called.node_def


def _place(layer: str) -> str:
    return f"layer `{layer}`" if layer else "what is trained"


def _named_in(model: keras.Model, scopes: str) -> str:
    """The path of the innermost layer under whose name TensorFlow made something; it may add a number to the name."""
    names = {name for scope in scopes.split("/") for name in (scope, re.sub(r"_\d+$", "", scope))}
    return next((path for path, layer in layers_of(model) if path and layer.name in names), "")


def _reader(model: keras.Model, variable: Any) -> str:
    """The path of the innermost layer that reads a variable; empty where none does."""
    readers: list[str] = []

    def watched(path: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def calling(*arguments: Any, **named: Any) -> Any:
            outputs = call(*arguments, **named)
            captured = getattr(tf.compat.v1.get_default_graph(), "external_captures", ())
            if any(one is variable.handle for one in captured):
                readers.append(path)
            return outputs

        return calling

    layers = [(path, layer) for path, layer in layers_of(model) if path and "call" not in vars(layer)]
    for path, layer in layers:
        vars(layer)["call"] = watched(path, layer.call)
    try:
        shape = tf.TensorSpec(model.input_shape) if hasattr(model, "input_shape") else None
        tf.function(lambda inputs: model(inputs, training=True)).get_concrete_function(shape)
    except (TypeError, ValueError):  # a network that cannot be called alone is told without its layer
        return ""
    finally:
        for _, layer in layers:
            vars(layer).pop("call", None)
    return readers[0] if readers else ""
