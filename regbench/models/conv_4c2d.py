"""Four convolutional and two dense layers, with dropout."""

from typing import Annotated

import keras
from keras import layers
from pydantic import Field, PositiveInt

Share = Annotated[float, Field(ge=0, lt=1)]


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    filters: tuple[PositiveInt, PositiveInt] = (32, 64),
    units: PositiveInt = 512,
    dropouts: tuple[Share, Share] = (0.25, 0.5),
) -> keras.Model:
    """Build two blocks of two 3x3 convolutions, a 2x2 max pooling and a dropout; a dense layer, a dropout, the logits.

    The first convolution of a block is "same", the second "valid"; all hidden layers have ReLU. Kernels start
    Glorot-uniform, biases at 0.

    Reference: the network for CIFAR-10 among the examples of Keras 2; used by Majumdar,
    https://github.com/titu1994/keras-normalized-optimizers, and by Ludwig 2016, arXiv 1604.06985.

    Args:
        input_shape: of one image: (height, width, channels).
        classes: number of classes.
        filters: output channels of the convolutions of each block.
        units: width of the dense layer.
        dropouts: share of activations that is dropped in training: after each block, and after the dense layer.
    """

    def block(number: int) -> list[layers.Layer]:
        first, second = 2 * number - 1, 2 * number
        return [
            layers.Conv2D(filters[number - 1], 3, padding="same", activation="relu", name=f"convolution_{first}"),
            layers.Conv2D(filters[number - 1], 3, activation="relu", name=f"convolution_{second}"),
            layers.MaxPooling2D(2, name=f"pooling_{number}"),
            layers.Dropout(dropouts[0], name=f"dropout_{number}"),
        ]

    return keras.Sequential(
        [
            keras.Input(input_shape),
            *block(1),
            *block(2),
            layers.Flatten(name="flatten"),
            layers.Dense(units, activation="relu", name="dense_1"),
            layers.Dropout(dropouts[1], name="dropout_3"),
            layers.Dense(classes, name="logits"),
        ],
        name="conv_4c2d",
    )
