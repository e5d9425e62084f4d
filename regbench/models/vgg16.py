"""VGG with 16 weight layers on resized images."""

from typing import Annotated, Any

import keras
import numpy as np
from keras import KerasTensor, layers, ops
from pydantic import Field, PositiveInt

_CONVOLUTIONS = (2, 2, 3, 3, 3)


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    image_size: PositiveInt = 224,
    filters: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (64, 128, 256, 512, 512),
    units: PositiveInt = 4096,
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5,
) -> keras.Model:
    """Build VGG 16: blocks of 3x3 same convolutions, each before a 2x2 max pooling, and three dense layers.

    Images are resized first; all hidden layers have ReLU. Convolution kernels start Glorot-normal, dense kernels
    Glorot-uniform, biases at 0. Without arguments it is the network of DeepOBS, whose L2 (factor 0.0005) is on the
    convolution kernels only, although its documentation says all weights. L2 is no part of the model: problems state
    it.

    Reference: Simonyan and Zisserman 2015, arXiv 1409.1556, configuration D; as in Schneider et al. 2019, DeepOBS,
    arXiv 1903.05499 (`cifar10_vgg16`).

    Args:
        input_shape: of one image: (height, width, channels).
        classes: number of classes.
        image_size: height and width that images are resized to.
        filters: output channels of the convolutions in each block.
        units: width of the two hidden dense layers.
        dropout: share of their activations that is dropped in training.
    """
    blocks: list[layers.Layer] = []
    for block, (count, width) in enumerate(zip(_CONVOLUTIONS, filters, strict=True), start=1):
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
            _Resizing(image_size, name="resizing"),
            *blocks,
            layers.Flatten(name="flatten"),
            layers.Dense(units, activation="relu", kernel_initializer="glorot_uniform", name="dense_1"),
            layers.Dropout(dropout, name="dropout_1"),
            layers.Dense(units, activation="relu", kernel_initializer="glorot_uniform", name="dense_2"),
            layers.Dropout(dropout, name="dropout_2"),
            layers.Dense(classes, kernel_initializer="glorot_uniform", name="logits"),
        ],
        name="vgg16",
    )


class _Resizing(layers.Layer):
    """Bilinear resizing with the arithmetic of TensorFlow 1: enlarged k times, pixel i is sampled at i/k.

    So the first corner stays in place. `keras.layers.Resizing` samples at (i + 1/2)/k - 1/2 instead.
    """

    def __init__(self, image_size: int, **options: Any) -> None:
        super().__init__(**options)
        self.image_size = image_size

    def call(self, images: KerasTensor) -> KerasTensor:
        return self._resize(self._resize(images, axis=2), axis=1)

    def _resize(self, images: KerasTensor, axis: int) -> KerasTensor:
        side = images.shape[axis]
        positions = np.arange(self.image_size, dtype="float32") * np.float32(side / self.image_size)
        lower = np.floor(positions).astype("int32")
        upper = np.minimum(lower + 1, side - 1)
        shares = ops.cast((positions - lower).reshape([-1] + [1] * (3 - axis)), images.dtype)
        start = ops.take(images, lower, axis=axis)
        return start + (ops.take(images, upper, axis=axis) - start) * shares
