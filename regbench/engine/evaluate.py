"""The compiled evaluation: mean loss, penalty, accuracy and further metrics of a network on many samples."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from regbench.engine import metrics
from regbench.engine.objective import Objective
from regbench.engine.splits import Samples

DENSE_CHUNK = 4096
"""Samples evaluated at once by a network without convolutions; with convolutions it is the batch size, for memory."""

FEW_IMAGES_CHUNK = 256
"""With convolutions, where the seed draws few images and a batch is a handful: five times as fast as eight at once.
Elsewhere it stays the batch size, since the last digits of older curves depend on it."""


@dataclass(frozen=True)
class Evaluation:
    """Mean loss over the samples without the penalty term, the penalty, and the metrics.

    `accuracy` is None where there is none; `metrics` has the problem's further ones by name.
    """

    loss: float
    penalty: float
    accuracy: float | None
    metrics: Mapping[str, float] = field(default_factory=dict)


class Chunks:
    """The samples of several splits, one after the other, cut into pieces of one length; the last piece is padded."""

    def __init__(self, splits: dict[str, Samples], longest: int) -> None:
        """Cut into as few pieces of at most `longest` samples as possible."""
        self.lengths = {split: len(samples) for split, samples in splits.items()}
        self.targets_of = {split: samples.targets for split, samples in splits.items()}
        total = sum(self.lengths.values())
        count = -(-total // longest)
        length = -(-total // count)
        self.inputs = _pieces([samples.inputs for samples in splits.values()], count, length)
        self.targets = _pieces([samples.targets for samples in splits.values()], count, length)
        self.count = tf.constant(count)

    def means(self, values: np.ndarray) -> dict[str, float]:
        """The mean over the samples of each split, from the value of each sample in each piece."""
        return {split: float(of_split.mean(dtype=np.float64)) for split, of_split in self.divided(values).items()}

    def divided(self, values: np.ndarray) -> dict[str, np.ndarray]:
        """What each split has of values (pieces, length, ...) of each sample in each piece."""
        ends = np.cumsum(list(self.lengths.values()))
        of_splits = np.split(values.reshape(-1, *values.shape[2:]), ends)  # what is left at the end is padding
        return dict(zip(self.lengths, of_splits, strict=False))


def _pieces(arrays: list[np.ndarray], count: int, length: int) -> tf.Tensor:
    joined = np.concatenate(arrays)
    padding = np.repeat(joined[:1], count * length - len(joined), axis=0)
    return tf.constant(np.concatenate([joined, padding]).reshape(count, length, *joined.shape[1:]))


class Evaluator:
    """Evaluates one objective."""

    def __init__(self, objective: Objective, batch_size: int, draws_images: bool = False) -> None:
        """Choose the size of the chunks; nothing is compiled before the first call."""
        self._objective = objective
        self._needs_outputs = bool(metrics.of_outputs(objective.problem))
        of_convolutions = max(batch_size, FEW_IMAGES_CHUNK) if draws_images else batch_size
        self._longest = of_convolutions if objective.has_convolutions() else DENSE_CHUNK
        self._functions = {augmented: objective.compile(self._evaluating(augmented)) for augmented in (False, True)}
        self._margins: Callable[..., tf.Tensor] | None = None
        self._values: dict[bool, Callable[..., tuple[tf.Tensor, ...]]] = {}

    def chunks(self, splits: dict[str, Samples]) -> Chunks:
        """Lay splits out for `evaluate`."""
        return Chunks(splits, self._longest)

    def compile(self, chunks: Chunks, augmented: bool, seed: tf.Tensor) -> None:
        """Compile for arguments of these shapes."""
        nothing = chunks.inputs, chunks.targets, tf.constant(0), seed
        # Called without the search for the trace that fits, which takes as long as evaluating a small problem.
        with self._objective.regularizer_trace.symbols():
            values = self._functions[augmented].get_concrete_function(*nothing)
        if values is not self._values.get(augmented):
            self._objective.check(values)
            self._values[augmented] = values
        self._values[augmented](*nothing)

    def evaluate(self, chunks: Chunks, augmented: bool, seed: tf.Tensor) -> dict[str, Evaluation]:
        """Evaluate all samples of each split, once compiled; `seed` is that of the augmentation, where `augmented`."""
        values = self._values[augmented](chunks.inputs, chunks.targets, chunks.count, seed)
        losses, hits, penalty = values[:3]
        accuracies = chunks.means(hits.numpy()) if self._objective.has_accuracy else {}
        outputs = chunks.divided(values[3].numpy()) if self._needs_outputs else {}
        return {
            split: Evaluation(
                loss, float(penalty), accuracies.get(split), self._metrics(chunks, split, loss, outputs.get(split))
            )
            for split, loss in chunks.means(losses.numpy()).items()
        }

    def _metrics(self, chunks: Chunks, split: str, loss: float, outputs: np.ndarray | None) -> dict[str, float]:
        """The problem's further metrics on a split."""
        problem = self._objective.problem
        return {
            name: metrics.OF_LOSS[name](loss)
            if outputs is None or name in metrics.OF_LOSS
            else metrics.computed(problem, name, chunks.targets_of[split], outputs)
            for name in problem.further_metrics
        }

    def margins(self, chunks: Chunks, seed: tf.Tensor) -> dict[str, float]:
        """The mean margin over the samples of each split; empty where there are no classes by number."""
        if self._objective.problem.loss != "sparse_categorical_crossentropy":
            return {}
        if self._margins is None:
            self._margins = tf.function(self._margins_of)
        pieces = zip(chunks.inputs, chunks.targets, strict=True)
        return chunks.means(np.stack([self._margins(inputs, targets, seed).numpy() for inputs, targets in pieces]))

    def _margins_of(self, inputs: tf.Tensor, targets: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The output of the right class less the largest of the others, of each sample."""
        inputs = self._objective.prepare(inputs, False, seed, tf.constant(0))
        outputs = self._objective.model(inputs, training=False)
        right = tf.one_hot(targets, outputs.shape[1], on_value=True, off_value=False)
        others = tf.reduce_max(tf.where(right, outputs.dtype.min, outputs), axis=1)
        return tf.reduce_max(tf.where(right, outputs, outputs.dtype.min), axis=1) - others

    def _evaluating(self, augmented: bool) -> Callable[..., tuple[tf.Tensor, ...]]:
        objective, needs_outputs = self._objective, self._needs_outputs

        def values(inputs: tf.Tensor, targets: tf.Tensor, count: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, ...]:
            """Losses and hits of all samples, float32 (chunks, length), the penalty, and the outputs if needed."""
            if inputs.shape[0] == 1:  # a loop would copy all samples before its first turn
                x = objective.prepare(inputs[0], augmented, seed, 0)
                loss, hit, output = objective.values(x, targets[0], training=False)
                further = (output[tf.newaxis],) if needs_outputs else ()
                return loss[tf.newaxis], hit[tf.newaxis], objective.penalty(), *further
            losses = tf.TensorArray(tf.float32, size=inputs.shape[0], element_shape=inputs.shape[1:2])
            hits = tf.TensorArray(tf.float32, size=inputs.shape[0], element_shape=inputs.shape[1:2])
            outputs = tf.TensorArray(tf.float32, size=inputs.shape[0] if needs_outputs else 0)
            chunk = tf.constant(0)
            # Not `for chunk in tf.range(count)`: XLA would take `count` for a constant and compile anew for each.
            while chunk < count:
                x = objective.prepare(inputs[chunk], augmented, seed, chunk)
                loss, hit, output = objective.values(x, targets[chunk], training=False)
                losses = losses.write(chunk, loss)
                hits = hits.write(chunk, hit)
                if needs_outputs:
                    outputs = outputs.write(chunk, output)
                chunk += 1
            further = (outputs.stack(),) if needs_outputs else ()
            return losses.stack(), hits.stack(), objective.penalty(), *further

        return values
