"""Convolution, pooling, bias and ReLU against Keras's own layers in the usual order."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from regbench.models.pooled_convolution import PooledConvolution

EPSILON = float(np.finfo(np.float32).eps)


def usual_layers(pool_size: int, padding: str) -> list[keras.layers.Layer]:
    return [
        keras.layers.Conv2D(4, 3, padding=padding, activation="relu"),
        keras.layers.MaxPooling2D(pool_size, strides=2, padding="same"),
    ]


def results(network: keras.Model, weights: list[np.ndarray], images: np.ndarray) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Outputs, and the gradients of kernel, bias and images from random ones of the outputs."""
    network.set_weights(weights)
    inputs = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = network(inputs)
    of_outputs = np.random.default_rng(9).normal(size=outputs.shape).astype(np.float32)
    variables = [variable.value for variable in network.trainable_variables]
    return outputs, tape.gradient(outputs, [*variables, inputs], of_outputs)


@pytest.mark.parametrize("has_ties", [True, False])
@pytest.mark.parametrize("side", [7, 8])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("pool_size", [2, 3])
def test_it_is_a_convolution_with_relu_before_a_pooling(
    pool_size: int, padding: str, side: int, has_ties: bool
) -> None:
    generator = np.random.default_rng(3)
    images = generator.normal(0, 1, (6, side, side, 2)).astype(np.float32)
    if has_ties:
        images[:, :, : side // 2 + 1] = 0  # there all numbers of a window are equal, as on handwritten digits
    weights = [generator.normal(size=shape).astype(np.float32) for shape in [(3, 3, 2, 4), (4,)]]
    layer = PooledConvolution(4, 3, pool_size=pool_size, pool_stride=2, padding=padding)
    pooled = keras.Sequential([keras.Input(images.shape[1:]), layer])
    usual = keras.Sequential([keras.Input(images.shape[1:]), *usual_layers(pool_size, padding)])
    assert pooled.output_shape == usual.output_shape
    outputs, gradients = results(pooled, weights, images)
    usual_outputs, usual_gradients = results(usual, weights, images)
    # Sums of 18 products, in any order.
    np.testing.assert_allclose(outputs, usual_outputs, rtol=0, atol=18 * EPSILON * np.max(usual_outputs))
    for mine, theirs in zip(gradients, usual_gradients, strict=True):
        # Sums over at most 6 * 16 places of a window.
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=96 * EPSILON * np.abs(theirs).max())
