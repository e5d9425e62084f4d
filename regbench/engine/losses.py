"""The losses that are minimised: of each sample, from what the network gives and what is right.

A loss is one of a known name, or `module:function` of the user's own: `(targets, outputs) -> losses` with tensors of n
samples, which gives the loss of each sample, float32 (n,).
"""

from collections.abc import Callable

import tensorflow as tf

from regbench.catalog import own_code
from regbench.datasets import Dataset
from regbench.errors import DefinitionError
from regbench.records import Problem

_FEW = 3  # samples on which an own loss is tried

HUBER_DELTA = 1.0
"""Up to here the error of `huber` is squared (and halved), beyond it counts by itself, as in Keras."""


SMOOTHING, AUXILIARY = 0.1, 0.4
"""Of `smoothed_crossentropy`: what is taken from the right class and spread over all; how much a second head counts."""


def outputs_of(problem: Problem, dataset: Dataset) -> int:
    """How many outputs a sample (or a token) has in the networks of regbench: what is their argument `classes`."""
    if problem.loss == "binary_crossentropy" or dataset.classes == 0:
        count = 1
        for length in dataset.target_shape:
            count *= length
        return 0 if problem.task == "none" else count
    return dataset.classes


def output_shapes(problem: Problem, dataset: Dataset) -> list[tuple[int | None, ...]]:
    """The shapes of a network's outputs that the loss can take, without the first axis; the first is the usual one.

    Empty where it may be any.
    """
    match problem.task:
        case "none":
            return [()]
        case "own":
            return []
        case "tokens":
            return [(*dataset.target_shape, dataset.classes)]
    count = outputs_of(problem, dataset)
    return [(count,), ()] if count == 1 else [(count,)]


def resolve(name: str, what: str) -> Callable[..., tf.Tensor]:
    """The user's own function of a name `module:function`.

    Raises:
        DefinitionError: there is none.
    """
    with own_code.findable():
        found: Callable[..., tf.Tensor] = own_code.resolve(what, name)
    return found


def loss_of(problem: Problem) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """The loss of a problem: `(targets, outputs) -> losses`, float32 (n,).

    Targets are int32 classes (n,) or tokens (n, length); float32 (n,) or (n, k) for numbers and for probabilities of
    classes. Outputs are logits, or what is to be near the targets.

    Raises:
        DefinitionError: it is one of the user's own that does not exist.
    """
    if ":" not in problem.loss:
        return _LOSSES[problem.loss]
    own = resolve(problem.loss, "loss")

    def checked(targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        shapes = f"targets {tuple(targets.shape)} and outputs {tuple(outputs.shape)}"
        must = f"loss `{problem.loss}`: must give the loss of each sample, float32 (n,), for {shapes}"
        try:
            losses = own(targets, outputs)
        except Exception as error:  # it may raise anything
            came = " ".join(f"{type(error).__name__}: {error}".split())
            raise DefinitionError(f"{must}. Received: {came}") from error
        if not tf.is_tensor(losses) or losses.shape.rank != 1 or losses.dtype != tf.float32:
            came = f"{losses.dtype.name} {tuple(losses.shape)}" if tf.is_tensor(losses) else repr(losses)
            raise DefinitionError(f"{must}. Received: {came}")
        return losses

    return checked


def try_own(problem: Problem, dataset: Dataset, outputs: tuple[int | None, ...]) -> None:
    """Call a loss of the user's own once, outside of what is compiled, where its faults have long messages.

    Args:
        problem: whose loss it may be.
        dataset: tells the shape of targets.
        outputs: the shape of the network's outputs without the first axis.

    Raises:
        DefinitionError: it cannot be had, raises, or gives something else than the loss of each sample.
    """
    if ":" in problem.loss and None not in outputs:
        kind = tf.int32 if dataset.classes else tf.float32
        loss_of(problem)(tf.zeros((_FEW, *dataset.target_shape), kind), tf.zeros((_FEW, *outputs)))


def _sparse(targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    return tf.nn.sparse_softmax_cross_entropy_with_logits(targets, outputs)


def _categorical(targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    if targets.shape.rank == 1:
        return _sparse(targets, outputs)
    return tf.nn.softmax_cross_entropy_with_logits(targets, outputs)


def _smoothed(targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Logits (n, classes); or, as some networks have in training, (n, 2, classes) with those of an auxiliary head."""
    if outputs.shape.rank == 3:
        return _smoothed(targets, outputs[:, 0]) + AUXILIARY * _smoothed(targets, outputs[:, 1])
    classes = outputs.shape[1]
    shares = (1 - SMOOTHING) * tf.one_hot(targets, classes) + SMOOTHING / classes
    return tf.nn.softmax_cross_entropy_with_logits(shares, outputs)


def _binary(targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    targets, outputs = _alike(targets, outputs)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(targets, outputs), axis=1)


def _tokens(targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, outputs), axis=1)


def _squared(targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    targets, outputs = _alike(targets, outputs)
    return tf.reduce_mean(tf.square(outputs - targets), axis=1)


def _absolute(targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    targets, outputs = _alike(targets, outputs)
    return tf.reduce_mean(tf.abs(outputs - targets), axis=1)


def _huber(targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    targets, outputs = _alike(targets, outputs)
    error = tf.abs(outputs - targets)
    far = HUBER_DELTA * (error - 0.5 * HUBER_DELTA)
    return tf.reduce_mean(tf.where(error <= HUBER_DELTA, 0.5 * tf.square(error), far), axis=1)


def _alike(targets: tf.Tensor, outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Both as float32 (n, k): otherwise (n,) and (n, 1) would make (n, n)."""
    rows = tf.shape(outputs)[0]
    return tf.reshape(tf.cast(targets, tf.float32), (rows, -1)), tf.reshape(outputs, (rows, -1))


_LOSSES: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "sparse_categorical_crossentropy": _sparse,
    "categorical_crossentropy": _categorical,
    "smoothed_crossentropy": _smoothed,
    "binary_crossentropy": _binary,
    "token_crossentropy": _tokens,
    "mean_squared_error": _squared,
    "mean_absolute_error": _absolute,
    "huber": _huber,
    "model_output": lambda _, outputs: outputs,
}


def hits(problem: Problem, targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Of each sample, 1.0 where the answer is right and 0.0 where it is wrong; of sequences the share of right tokens.

    Returns:
        float32 (n,).
    """
    if problem.loss == "binary_crossentropy":
        targets, outputs = _alike(targets, outputs)
        return tf.reduce_mean(tf.cast(tf.equal(targets > 0.5, outputs > 0), tf.float32), axis=1)
    if problem.loss == "smoothed_crossentropy" and outputs.shape.rank == 3:
        outputs = outputs[:, 0]
    if targets.dtype == tf.float32:  # probabilities of classes
        targets = tf.argmax(targets, axis=-1, output_type=tf.int32)
    right = tf.cast(tf.equal(tf.argmax(outputs, axis=-1, output_type=targets.dtype), targets), tf.float32)
    return tf.reduce_mean(right, axis=1) if problem.task == "tokens" else right
