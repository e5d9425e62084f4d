"""The all convolutional network All-CNN-C."""

from typing import Annotated

import keras
from keras import layers
from pydantic import Field, PositiveInt

Share = Annotated[float, Field(ge=0, lt=1)]


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    filters: tuple[PositiveInt, PositiveInt] = (96, 192),
    dropouts: tuple[Share, Share, Share] = (0.2, 0.5, 0.5),
) -> keras.Model:
    """Build nine convolutions with ReLU, two of which have stride 2 in place of a pooling; logits are means of images.

    Seven are 3x3 (the last of them valid, the others same), two are 1x1. The last has an output for each class, with
    ReLU as the others, so that no logit is negative. Kernels start Glorot-normal, biases at 0.1. Without arguments it
    is the network of DeepOBS, whose L2 (factor 0.0005, on all kernels) is no part of the model: problems state it.

    Reference: Springenberg et al. 2015, arXiv 1412.6806; as in Schneider et al. 2019, DeepOBS, arXiv 1903.05499
    (`cifar100_allcnnc`).

    Args:
        input_shape: of one image: (height, width, channels).
        classes: number of classes.
        filters: output channels of the first three convolutions, and of the five after them.
        dropouts: shares that are dropped in training: of the pixels, and after each convolution of stride 2.
    """

    def convolution(number: int, width: int, size: int = 3, stride: int = 1, padding: str = "same") -> layers.Layer:
        return layers.Conv2D(
            width,
            size,
            strides=stride,
            padding=padding,
            activation="relu",
            kernel_initializer="glorot_normal",
            bias_initializer=keras.initializers.Constant(0.1),
            name=f"convolution_{number}",
        )

    narrow, wide = filters
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Dropout(dropouts[0], name="dropout_1"),
            convolution(1, narrow),
            convolution(2, narrow),
            convolution(3, narrow, stride=2),
            layers.Dropout(dropouts[1], name="dropout_2"),
            convolution(4, wide),
            convolution(5, wide),
            convolution(6, wide, stride=2),
            layers.Dropout(dropouts[2], name="dropout_3"),
            convolution(7, wide, padding="valid"),
            convolution(8, wide, size=1),
            convolution(9, classes, size=1),
            layers.GlobalAveragePooling2D(name="logits"),
        ],
        name="allcnnc",
    )
