"""The reference for own networks: a training loop in Keras and TensorFlow alone, one eager step after the other.

It shares with the engine the network's initial weights and the samples of each batch. Which weights decay is not asked
of anything: each test says it, by the ends of their paths.
"""

from dataclasses import dataclass

import keras
import numpy as np
import pytest
import tensorflow as tf

from regbench.engine import environment
from regbench.engine.inputs import preprocess
from regbench.engine.network import build_model
from regbench.engine.splits import Batches, dataset_of, evaluated, load_splits
from regbench.records import MINIBATCH


@dataclass(frozen=True)
class Plain:
    """What a run is without regbench.

    Args:
        optimizer: of plain Keras; not built.
        decayed: ends of the paths of all weights that decay and are regularized.
        penalty: of one such weight.
        decay: what is subtracted of such a weight before each step, as a factor.
    """

    optimizer: keras.optimizers.Optimizer
    decayed: tuple[str, ...] = ()
    penalty: object = lambda weight: 0.0 * tf.reduce_sum(weight)
    decay: float = 0.0

    def curves(self, spec):
        """The curves of a run, by name, and its final norm of all weights."""
        dataset = dataset_of(spec.problem)
        with environment.seeded(spec.seed):
            model = build_model(spec.problem, dataset)
        weights = model.trainable_variables
        decayed = [weight for weight in weights if weight.path.endswith(self.decayed)] if self.decayed else []
        assert len(decayed) == len(self.decayed), [weight.path for weight in weights]
        self.optimizer.build(weights)
        loaded = load_splits(spec.problem.dataset, spec.protocol, None, spec.problem.selection)
        batches = Batches(loaded.train, spec.batch_size, spec.seed, spec.protocol.reshuffle)
        splits = evaluated(loaded, spec.protocol, spec.batch_size, batches.epoch(0))
        cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

        def penalty():
            return sum((self.penalty(weight.value) for weight in decayed), tf.constant(0.0))

        def outputs(samples, training):
            return model(preprocess(tf.constant(samples.inputs), dataset.preprocessing), training=training)

        curves = {MINIBATCH: []}

        def evaluate():
            for split, samples in splits.items():
                logits = outputs(samples, training=False)
                hits = np.argmax(logits, axis=1) == samples.targets
                curves.setdefault(f"{split}_losses", []).append(
                    float(cross_entropy(samples.targets, logits) + penalty())
                )
                curves.setdefault(f"{split}_accuracies", []).append(float(np.mean(hits)))

        evaluate()
        for epoch in range(spec.epochs):
            for positions in batches.epoch(epoch):
                batch = loaded.train.take(positions)
                with tf.GradientTape() as tape:
                    loss = cross_entropy(batch.targets, outputs(batch, training=True)) + penalty()
                gradients = tape.gradient(loss, [weight.value for weight in weights])
                curves[MINIBATCH].append(float(loss))
                for weight in decayed:
                    weight.assign_sub(self.decay * weight)
                self.optimizer.apply(gradients, weights)
            evaluate()
        norm = np.sqrt(sum(float(np.sum(np.square(np.asarray(weight, np.float64)))) for weight in weights))
        return curves, norm


@pytest.fixture
def plain_keras():
    """What a run must be equal to."""
    return Plain
