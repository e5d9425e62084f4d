"""VGG with 16 weight layers on resized images."""

from typing import Annotated

import keras
from keras import layers
from pydantic import Field, PositiveInt

from regbench.models.resizing import Resizing

Filters = tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt, PositiveInt]


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    image_size: PositiveInt = 224,
    filters: Filters = (64, 128, 256, 512, 512),
    units: PositiveInt = 4096,
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5,
) -> keras.Model:
    """Build VGG 16: blocks of 3x3 same convolutions, each before a 2x2 max pooling, and three dense layers.

    Images are resized first; all hidden layers have ReLU. Convolution kernels start Glorot-normal, dense kernels
    Glorot-uniform, biases at 0. Without arguments it is the network of DeepOBS, whose L2 (factor 0.0005) is on the
    convolution kernels only, although its documentation says all weights. L2 is no part of the model: problems state
    it.

    Reference: Simonyan and Zisserman 2015, arXiv 1409.1556, configuration D; as in Schneider et al. 2019, DeepOBS,
    arXiv 1903.05499 (`cifar10_vgg16`, `cifar100_vgg16`, `imagenet_vgg16`).

    Args:
        input_shape: of one image: (height, width, channels).
        classes: number of classes.
        image_size: height and width that images are resized to.
        filters: output channels of the convolutions in each block.
        units: width of the two hidden dense layers.
        dropout: share of their activations that is dropped in training.
    """
    return network("vgg16", (2, 2, 3, 3, 3), input_shape, classes, image_size, filters, units, dropout)


def network(
    name: str,
    convolutions: tuple[int, ...],
    input_shape: tuple[int, int, int],
    classes: int,
    image_size: int,
    filters: tuple[int, ...],
    units: int,
    dropout: float,
) -> keras.Model:
    """Build a network of the family, with so many convolutions in each block; else as for `build`."""
    blocks: list[layers.Layer] = []
    for block, (count, width) in enumerate(zip(convolutions, filters, strict=True), start=1):
        blocks += [
            layers.Conv2D(
                width,
                3,
                padding="same",
                activation="relu",
                kernel_initializer="glorot_normal",
                name=f"convolution_{block}_{number}",
            )
            for number in range(1, count + 1)
        ]
        blocks.append(layers.MaxPooling2D(2, strides=2, padding="same", name=f"pooling_{block}"))
    return keras.Sequential(
        [
            keras.Input(input_shape),
            Resizing(image_size, name="resizing"),
            *blocks,
            layers.Flatten(name="flatten"),
            layers.Dense(units, activation="relu", kernel_initializer="glorot_uniform", name="dense_1"),
            layers.Dropout(dropout, name="dropout_1"),
            layers.Dense(units, activation="relu", kernel_initializer="glorot_uniform", name="dense_2"),
            layers.Dropout(dropout, name="dropout_2"),
            layers.Dense(classes, kernel_initializer="glorot_uniform", name="logits"),
        ],
        name=name,
    )
