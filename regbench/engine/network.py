"""The network of a problem, and what it must be."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.models.functional import Functional  # Keras has no public name for what `keras.Model(...)` makes

from regbench import models
from regbench.datasets import Dataset
from regbench.engine import environment
from regbench.engine.captures import check_arrays, check_captures, check_same
from regbench.engine.losses import output_shapes, outputs_of, try_own
from regbench.engine.splits import dataset_of
from regbench.engine.weights import Weights, decays, layers_of
from regbench.errors import DefinitionError
from regbench.records import Decay, Problem


def build_model(problem: Problem, dataset: Dataset) -> keras.Model:
    """The problem's network, freshly initialised from the seed in use.

    Raises:
        DefinitionError: there is no such model, or it cannot be built.
    """
    with environment.fresh_names():
        outputs = outputs_of(problem, dataset)
        model = models.build(problem.model.name, problem.model.arguments, dataset.input_shape, outputs)
        if not isinstance(model, keras.Model):
            raise DefinitionError(f"model `{problem.model.name}`: must be a Keras model. Received: {model!r}")
        if not _is_built(model):
            call(problem, dataset, model)
    return model


def check_model(problem: Problem, dataset: Dataset, model: keras.Model) -> None:
    """Refuse a network that fits neither the data nor the loss, or that brings what belongs to candidates.

    Raises:
        DefinitionError: so it is; the message says what must hold.
    """
    check_outputs(problem, dataset, model)
    check_dtypes(problem, dataset, model)
    check_penalties(problem, model)


def check_outputs(problem: Problem, dataset: Dataset, model: keras.Model) -> None:
    """Refuse a network whose outputs the loss cannot take; errors as for `check_model`."""
    name = f"model `{problem.model.name}`"
    outputs = call(problem, dataset, model)
    expected = [(None, *shape) for shape in output_shapes(problem, dataset)]
    if not tf.is_tensor(outputs):
        raise DefinitionError(f"{name}: must give one tensor. Received: {_described(outputs)}")
    came = (None if outputs.shape[:1] == (_SAMPLES,) else outputs.shape[0], *outputs.shape[1:]) if outputs.shape else ()
    if (came not in expected) if expected else not came:
        wanted = " or ".join(map(str, expected)) or "(None, ...)"
        raise DefinitionError(
            f"{name}: must be a Keras model with outputs of shape {wanted}, which the loss {problem.loss} needs. "
            f"Received: {came!r}"
        )


def check_dtypes(problem: Problem, dataset: Dataset, model: keras.Model) -> None:
    """Refuse a network whose outputs or weights are not float32, whatever its layers compute in; errors as above."""
    name = f"model `{problem.model.name}`"
    outputs = call(problem, dataset, model)
    if outputs.dtype != tf.float32:
        raise DefinitionError(f"{name}: must have outputs of dtype float32. Received: {outputs.dtype.name!r}")
    for path, layer in layers_of(model):
        for weight in layer.trainable_variables:
            if weight.dtype != "float32":
                raise DefinitionError(
                    f"{name}: layer `{path}` must have trainable weights of dtype float32. Received: {weight.dtype!r}"
                )


def checked_model(problem: Problem) -> keras.Model:
    """The network of a problem as a run may have it, whatever its weights.

    Raises:
        DefinitionError: as for `build_model`, `check_model` and those of `captures`.
    """
    environment.check_keras()
    dataset, name = dataset_of(problem), f"model `{problem.model.name}`"
    with environment.seeded(0):
        model = build_model(problem, dataset)
    with environment.seeded(1):
        other = build_model(problem, dataset)
    check_model(problem, dataset, model)
    try_own(problem, dataset, tuple(model.output_shape)[1:])
    check_arrays(model, other, name)
    for training in (True, False):
        traced, again = (_traced(problem, dataset, model, training) for _ in range(2))
        check_captures(traced, model.variables, model, name)
        check_same(traced, again, name)
        check_penalties(problem, model)
    return model


def _traced(problem: Problem, dataset: Dataset, model: keras.Model, training: bool) -> Any:
    inputs = tf.TensorSpec((_SAMPLES, *dataset.input_shape), tf.float32)
    try:
        return tf.function(lambda one: model(one, training=training)).get_concrete_function(inputs)
    except Exception as error:  # own networks may raise anything
        raise DefinitionError(f"model `{problem.model.name}`: cannot be compiled: {_reason(error)}") from error


def describe(problem: Problem) -> list[dict[str, Any]]:
    """The trainable weights of a problem's network as plain data, and which decay unless a candidate says otherwise.

    Raises:
        DefinitionError: as for `build_model` and `check_model`.
    """
    return [
        {
            "weight": weight.path,
            "shape": list(weight.variable.shape),
            "size": int(np.prod(weight.variable.shape)),
            "role": weight.role.value,
            "decays": decays(weight, problem, Decay()),
        }
        for weight in Weights(checked_model(problem))
    ]


def check_penalties(problem: Problem, model: keras.Model) -> None:
    """Refuse a network that, when it was called last, added to the loss.

    Raises:
        DefinitionError: it did; the message names the layer.
    """
    for path, layer in layers_of(model):
        if layer.losses:
            raise DefinitionError(
                f"model `{problem.model.name}`: {f'layer `{path}`' if path else 'it'} must not add to the loss (a "
                "regularizer of its weights or of its activity, or `add_loss`); regularizers belong to candidates. "
                f"Received: {len(layer.losses)} penalties"
            )


_SAMPLES = 2


def _is_built(model: keras.Model) -> bool:
    """Whether all weights are there; of any other model only a call creates them."""
    return isinstance(model, Functional) or (isinstance(model, keras.Sequential) and model.built)


def call(problem: Problem, dataset: Dataset, model: keras.Model, training: bool = False) -> Any:
    """What a network makes of zeros.

    Raises:
        DefinitionError: it cannot be called with inputs of the shape that the data have.
    """
    try:
        return model(np.zeros((_SAMPLES, *dataset.input_shape), np.float32), training=training)
    except Exception as error:  # own networks may raise anything
        raise DefinitionError(
            f"model `{problem.model.name}`: cannot be called with inputs of shape {(None, *dataset.input_shape)}: "
            f"{_reason(error)}"
        ) from error


def _reason(error: Exception) -> str:
    """What was raised, in one line; Keras puts a line before it and explanations after it, TensorFlow a traceback."""
    text = str(error).strip()
    if text.startswith("in user code:"):
        text = text.rsplit("\n\n", maxsplit=1)[-1]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    first = next((line for line in lines if not line.startswith("Exception encountered")), "no reason given")
    return f"{type(error).__name__}: {first}"


def _described(outputs: Any) -> str:
    if isinstance(outputs, dict):
        return f"a dictionary of {', '.join(map(repr, outputs))}"
    return f"{len(outputs)} outputs" if isinstance(outputs, list | tuple) else repr(outputs)
