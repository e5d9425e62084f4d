"""The loss of Inception: smoothed labels, and in training an auxiliary head."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax

from regbench import catalog
from regbench.engine import losses

EPSILON = float(np.finfo(np.float32).eps)
PROBLEM = catalog.problem("imagenet_inception_v3")


def expected(targets: np.ndarray, logits: np.ndarray) -> np.ndarray:
    shares = 0.9 * np.eye(logits.shape[1])[targets] + 0.1 / logits.shape[1]
    return -(shares * log_softmax(logits, axis=1)).sum(axis=1)


def test_a_tenth_of_the_label_is_spread_over_all_classes_and_a_second_head_counts_two_fifths() -> None:
    generator = np.random.default_rng(0)
    logits, targets = generator.normal(size=(6, 2, 5)), generator.integers(5, size=6)
    loss, given = losses.loss_of(PROBLEM), tf.constant(targets, tf.int32)
    # Some ten operations in float32 on numbers below 10.
    main = loss(given, tf.constant(logits[:, 0], tf.float32))
    np.testing.assert_allclose(main, expected(targets, logits[:, 0]), atol=100 * EPSILON)
    both = loss(given, tf.constant(logits, tf.float32))
    auxiliary = 0.4 * expected(targets, logits[:, 1])
    np.testing.assert_allclose(both, expected(targets, logits[:, 0]) + auxiliary, atol=100 * EPSILON)


@pytest.mark.parametrize("heads", [1, 2])
def test_the_first_head_answers(heads: int) -> None:
    logits = np.zeros((3, 2, 4), np.float32)
    logits[[0, 1, 2], 0, [1, 2, 3]], logits[:, 1, 0] = 1, 9
    outputs = logits if heads == 2 else logits[:, 0]
    hits = losses.hits(PROBLEM, tf.constant([1, 2, 0], tf.int32), tf.constant(outputs))
    np.testing.assert_array_equal(hits, [1, 1, 0])
