"""Two convolutional and two dense layers."""

from typing import Any

import keras
from keras import layers
from pydantic import PositiveFloat, PositiveInt

from regbench.models.pooled_convolution import PooledConvolution


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    filters: tuple[PositiveInt, PositiveInt] = (32, 64),
    units: PositiveInt = 1024,
    stddev: PositiveFloat = 0.05,
) -> keras.Model:
    """Build two convolutions (5x5, same, ReLU), each before a 2x2 max pooling, a dense layer (ReLU), and the logits.

    Kernels start from a normal distribution truncated at two standard deviations, biases at 0.05. Without arguments it
    is the network of DeepOBS.

    Reference: Schneider et al. 2019, DeepOBS, arXiv 1903.05499 (`mnist_2c2d`, `fmnist_2c2d`).

    Args:
        input_shape: of one image: (height, width, channels).
        classes: number of classes.
        filters: output channels of the convolutions.
        units: width of the dense layer.
        stddev: standard deviation of the normal distribution before truncation.
    """

    def start() -> dict[str, Any]:
        return {
            "kernel_initializer": keras.initializers.TruncatedNormal(stddev=stddev),
            "bias_initializer": keras.initializers.Constant(0.05),
        }

    first, second = filters
    return keras.Sequential(
        [
            keras.Input(input_shape),
            PooledConvolution(first, 5, pool_size=2, pool_stride=2, padding="same", name="convolution_1", **start()),
            PooledConvolution(second, 5, pool_size=2, pool_stride=2, padding="same", name="convolution_2", **start()),
            layers.Flatten(name="flatten"),
            layers.Dense(units, activation="relu", name="dense_1", **start()),
            layers.Dense(classes, name="logits", **start()),
        ],
        name="conv_2c2d",
    )
