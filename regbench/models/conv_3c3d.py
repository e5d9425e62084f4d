"""Three convolutional and three dense layers."""

import keras
from keras import layers
from pydantic import PositiveInt

from regbench.models.pooled_convolution import PooledConvolution


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    filters: tuple[PositiveInt, PositiveInt, PositiveInt] = (64, 96, 128),
    units: tuple[PositiveInt, PositiveInt] = (512, 256),
) -> keras.Model:
    """Build three convolutions, each before a 3x3 max pooling of stride 2, two dense layers, and the logits.

    The convolutions are 5x5 valid, 3x3 valid and 3x3 same; all hidden layers have ReLU. Convolution kernels start
    Glorot-normal, dense kernels Glorot-uniform, biases at 0. Without arguments it is the network of DeepOBS, whose L2
    (factor 0.002, on all kernels) is no part of the model: problems state it.

    Reference: Schneider et al. 2019, DeepOBS, arXiv 1903.05499 (`cifar10_3c3d`, `cifar100_3c3d`, `svhn_3c3d`).

    Args:
        input_shape: of one image: (height, width, channels).
        classes: number of classes.
        filters: output channels of the convolutions.
        units: widths of the dense layers.
    """

    def convolution(number: int, size: int, padding: str) -> layers.Layer:
        return PooledConvolution(
            filters[number - 1],
            size,
            pool_size=3,
            pool_stride=2,
            padding=padding,
            kernel_initializer="glorot_normal",
            name=f"convolution_{number}",
        )

    return keras.Sequential(
        [
            keras.Input(input_shape),
            convolution(1, 5, "valid"),
            convolution(2, 3, "valid"),
            convolution(3, 3, "same"),
            layers.Flatten(name="flatten"),
            layers.Dense(units[0], activation="relu", kernel_initializer="glorot_uniform", name="dense_1"),
            layers.Dense(units[1], activation="relu", kernel_initializer="glorot_uniform", name="dense_2"),
            layers.Dense(classes, kernel_initializer="glorot_uniform", name="logits"),
        ],
        name="conv_3c3d",
    )
