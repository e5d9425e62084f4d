"""The compiled evaluation: mean loss, penalty and accuracy of a network on many samples."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from regbench.engine.objective import Objective, has_convolutions
from regbench.engine.splits import Samples

DENSE_CHUNK = 1024
"""Samples evaluated at once by a network without convolutions; with convolutions it is the batch size, for memory."""


@dataclass(frozen=True)
class Evaluation:
    """Mean loss over the samples without the penalty term, the penalty, and the accuracy (None where there is none)."""

    loss: float
    penalty: float
    accuracy: float | None


class Chunks:
    """The samples of several splits, cut into pieces of one length; the last of a split is padded with weight 0."""

    def __init__(self, splits: dict[str, Samples], longest: int) -> None:
        """Cut into as few pieces of at most `longest` samples as possible."""
        self.samples = {split: len(samples) for split, samples in splits.items()}
        self.counts = {split: -(-count // longest) for split, count in self.samples.items()}
        length = max(-(-count // self.counts[split]) for split, count in self.samples.items())
        pieces = [_padded(samples, self.counts[split], length) for split, samples in splits.items()]
        inputs, targets, real = (np.concatenate(arrays) for arrays in zip(*pieces, strict=True))
        self.inputs, self.targets, self.real = tf.constant(inputs), tf.constant(targets), tf.constant(real)

    def means(self, sums: np.ndarray) -> dict[str, float]:
        """The mean over the samples of each split, from the sums of each piece."""
        ends = np.cumsum(list(self.counts.values()))[:-1]
        pieces = zip(self.samples.items(), np.split(sums.astype(np.float64), ends), strict=True)
        return {split: float(of_split.sum()) / count for (split, count), of_split in pieces}


def _padded(samples: Samples, count: int, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    positions = np.arange(count * length)
    real = positions < len(samples)
    padded = samples.take(np.where(real, positions, 0))
    return tuple(array.reshape(count, length, *array.shape[1:]) for array in (padded.inputs, padded.targets, real))


class Evaluator:
    """Evaluates one objective."""

    def __init__(self, objective: Objective, batch_size: int) -> None:
        """Choose the size of the chunks; nothing is compiled before the first call."""
        self._objective = objective
        self._longest = batch_size if has_convolutions(objective.model) else DENSE_CHUNK
        self._sums = {augmented: objective.compile(self._summing(augmented)) for augmented in (False, True)}

    def chunks(self, splits: dict[str, Samples]) -> Chunks:
        """Lay splits out for `evaluate`."""
        return Chunks(splits, self._longest)

    def compile(self, chunks: Chunks, augmented: bool) -> None:
        """Compile for chunks of this shape."""
        self._call(chunks, augmented, count=0, seed=(0, 0))

    def evaluate(self, chunks: Chunks, augmented: bool, seed: tuple[int, int]) -> dict[str, Evaluation]:
        """Evaluate all samples of each split; `seed` is that of the augmentation, where `augmented`."""
        losses, hits, penalty = self._call(chunks, augmented, len(chunks.inputs), seed)
        mean_losses, mean_hits = chunks.means(losses.numpy()), chunks.means(hits.numpy())
        has_accuracy = self._objective.has_accuracy
        return {
            split: Evaluation(loss, float(penalty), mean_hits[split] if has_accuracy else None)
            for split, loss in mean_losses.items()
        }

    def _call(
        self, chunks: Chunks, augmented: bool, count: int, seed: tuple[int, int]
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        arguments = chunks.inputs, chunks.targets, chunks.real, tf.constant(count), tf.constant(seed)
        return self._sums[augmented](*arguments)

    def _summing(self, augmented: bool) -> Callable[..., tuple[tf.Tensor, tf.Tensor, tf.Tensor]]:
        objective = self._objective

        def sums(
            inputs: tf.Tensor, targets: tf.Tensor, real: tf.Tensor, count: tf.Tensor, seed: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            """Sums of losses and hits of each chunk, float32 (chunks,), and the penalty."""
            losses = tf.TensorArray(tf.float32, size=inputs.shape[0], element_shape=())
            hits = tf.TensorArray(tf.float32, size=inputs.shape[0], element_shape=())
            chunk = tf.constant(0)
            # Not `for chunk in tf.range(count)`: XLA would take `count` for a constant and compile anew for each.
            while chunk < count:
                x = objective.prepare(inputs[chunk], augmented, seed, chunk)
                loss, hit = objective.losses(x, targets[chunk], training=False)
                # Choosing, not multiplying by a weight: 0 times an infinite loss is not 0.
                losses = losses.write(chunk, tf.reduce_sum(tf.where(real[chunk], loss, 0.0)))
                hits = hits.write(chunk, tf.reduce_sum(tf.where(real[chunk], hit, 0.0)))
                chunk += 1
            return losses.stack(), hits.stack(), objective.penalty()

        return sums
