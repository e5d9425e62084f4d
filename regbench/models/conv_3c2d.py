"""Three convolutional layers with few and large filters, and one or two dense layers."""

from typing import Annotated, Literal

import keras
import numpy as np
from keras import layers
from pydantic import Field, NonNegativeInt, PositiveInt

from regbench.regularizers import GaussianInitializer

Share = Annotated[float, Field(ge=0, lt=1)]


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    filters: tuple[PositiveInt, PositiveInt, PositiveInt] = (5, 10, 8),
    kernel_size: PositiveInt = 5,
    stride: PositiveInt = 2,
    pool_strides: tuple[PositiveInt, PositiveInt, PositiveInt] = (3, 2, 1),
    pool_padding: Literal["same", "valid"] = "valid",
    units: NonNegativeInt = 128,
    dropouts: tuple[Share, Share] = (0.2, 0.5),
    covariance_1: list[list[float]] | None = None,
    covariance_2: list[list[float]] | None = None,
    covariance_3: list[list[float]] | None = None,
) -> keras.Model:
    """Build three "same" convolutions, each before a 3x3 max pooling, a dense layer, and the logits, with dropout.

    All hidden layers have ReLU. Kernels start Glorot-uniform unless a covariance is given, biases at 0. Without
    arguments it is the network of the source's first phase, which sees images of 200 x 200; that of the second phase
    has `units=0`. Smaller images need smaller strides: every entry of a kernel should meet some pixel.

    Reference: Feinman and Lake 2019, arXiv 1903.01882.

    Args:
        input_shape: of one image: (height, width, channels).
        classes: number of classes.
        filters: output channels of the convolutions.
        kernel_size: height and width of their kernels.
        stride: of the first convolution; the others have 1.
        pool_strides: of the poolings.
        pool_padding: of the poolings.
        units: width of the dense layer; 0 leaves it and the dropout before it out.
        dropouts: share of activations that is dropped in training: before the dense layer, and before the logits.
        covariance_1: the kernels of the first convolution start as draws from a Gaussian around 0 with this covariance
            of the entries of a filter (height * width * channels) or, if it is of that size, a slice (height * width).
        covariance_2: likewise, of the second convolution; `covariance_3`: of the third.
    """
    covariances = (covariance_1, covariance_2, covariance_3)

    def convolution(number: int) -> list[layers.Layer]:
        return [
            layers.Conv2D(
                filters[number - 1],
                kernel_size,
                strides=stride if number == 1 else 1,
                padding="same",
                activation="relu",
                kernel_initializer=_start(covariances[number - 1], kernel_size),
                name=f"convolution_{number}",
            ),
            layers.MaxPooling2D(3, strides=pool_strides[number - 1], padding=pool_padding, name=f"pooling_{number}"),
        ]

    def dense() -> list[layers.Layer]:
        if units == 0:
            return []
        return [layers.Dropout(dropouts[0], name="dropout_1"), layers.Dense(units, activation="relu", name="dense_1")]

    return keras.Sequential(
        [
            keras.Input(input_shape),
            *convolution(1),
            *convolution(2),
            *convolution(3),
            layers.Flatten(name="flatten"),
            *dense(),
            layers.Dropout(dropouts[1], name="dropout_2"),
            layers.Dense(classes, name="logits"),
        ],
        name="conv_3c2d",
    )


def _start(covariance: list[list[float]] | None, kernel_size: int) -> str | keras.initializers.Initializer:
    if covariance is None:
        return "glorot_uniform"
    rank = 2 if len(covariance) == kernel_size**2 else 3
    return GaussianInitializer(np.zeros(len(covariance)), covariance, rank)
