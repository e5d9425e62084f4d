"""Inception, version 3, with its auxiliary head."""

import itertools
from typing import Any

import keras
from keras import KerasTensor, layers, ops
from pydantic import PositiveInt

from regbench.models.resizing import Resizing

Size = int | tuple[int, int]


def build(input_shape: tuple[int, int, int], classes: int, narrowing: PositiveInt = 1) -> keras.Model:
    """Build Inception v3 on images resized to 299 x 299; it gives logits (n, classes).

    In training it gives those of its auxiliary head too, (n, 2, classes), which the loss `smoothed_crossentropy` takes.

    Batch normalization (momentum 0.9997) and ReLU come after every convolution, which has no bias. Kernels start
    Glorot-uniform. The default makes the network of DeepOBS, whose L2 (factor 0.0005, on convolution kernels) is no
    part of the model: problems state it. DeepOBS's dropout before the logits never acts (its call gives `training` as
    the shape of the noise), so there is none here.

    Reference: Szegedy et al. 2016, arXiv 1512.00567; as in Schneider et al. 2019, DeepOBS, arXiv 1903.05499
    (`imagenet_inception_v3`).

    Departure: Keras's moving variance is that of the batch, TensorFlow 1's was N/(N - 1) times it, N the number of
    values of a channel: the batch size in the auxiliary head.

    Args:
        input_shape: of one image: (height, width, channels).
        classes: number of classes.
        narrowing: by what all numbers of output channels are divided.
    """
    numbers = itertools.count(1)

    def convolution(width: int, size: Size, stride: int = 1, padding: str = "same") -> layers.Layer:
        name = f"convolution_{next(numbers)}"
        return _Convolution(-(-width // narrowing), size, stride, padding, name=name)

    def pooled(width: int) -> list[layers.Layer]:
        return [layers.AveragePooling2D(3, strides=1, padding="same", name="pooling"), convolution(width, 1)]

    def halved(name: str = "pooling") -> list[layers.Layer]:
        return [layers.MaxPooling2D(3, strides=2, name=name)]

    def block_5(name: str, width: int) -> layers.Layer:
        third = [convolution(48, 1), convolution(64, 5)]
        fourth = [convolution(64, 1), convolution(96, 3), convolution(96, 3)]
        return _Branches([[convolution(64, 1)], pooled(width), third, fourth], name=name)

    def block_10() -> layers.Layer:
        third = [convolution(64, 1), convolution(96, 3), convolution(96, 3, 2, "valid")]
        return _Branches([halved(), [convolution(384, 3, 2, "valid")], third], name="block_10")

    def block_6(name: str, width: int) -> layers.Layer:
        third = [convolution(width, 1), convolution(width, (1, 7)), convolution(192, (7, 1))]
        fourth = [convolution(width, size) for size in (1, (7, 1), (1, 7), (7, 1))]
        fourth.append(convolution(192, (1, 7)))
        return _Branches([[convolution(192, 1)], pooled(192), third, fourth], name=name)

    def block_d() -> layers.Layer:
        second = [convolution(192, size) for size in (1, (1, 7), (7, 1))]
        second.append(convolution(192, 3, 2, "valid"))
        return _Branches([halved(), second, [convolution(192, 1), convolution(320, 3, 2, "valid")]], name="block_d")

    def block_7(name: str) -> layers.Layer:
        def fork() -> layers.Layer:
            return _Branches([[convolution(384, (1, 3))], [convolution(384, (3, 1))]], name="fork")

        third = [convolution(448, 1), convolution(384, 3), fork()]
        return _Branches([[convolution(320, 1)], [convolution(384, 1), fork()], third, pooled(192)], name=name)

    auxiliary = [
        layers.AveragePooling2D(5, strides=3, name="pooling"),
        convolution(128, 1),
        convolution(768, 5, padding="valid"),
        layers.Flatten(name="flatten"),
        layers.Dense(classes, name="logits"),
    ]
    main = [
        block_d(),
        block_7("block_7_1"),
        block_7("block_7_2"),
        layers.AveragePooling2D(8, strides=1, name="pooling"),
        layers.Flatten(name="flatten"),
        layers.Dense(classes, name="logits"),
    ]
    stem = [
        convolution(32, 3, 2, "valid"),
        convolution(32, 3, padding="valid"),
        convolution(64, 3),
        *halved("pooling_1"),
        convolution(80, 1, padding="valid"),
        convolution(192, 3, padding="valid"),
        *halved("pooling_2"),
    ]
    return keras.Sequential(
        [
            keras.Input(input_shape),
            Resizing(299, name="resizing"),
            keras.Sequential(stem, name="stem"),
            block_5("block_5_1", 32),
            block_5("block_5_2", 64),
            block_5("block_5_3", 64),
            block_10(),
            block_6("block_6_1", 128),
            block_6("block_6_2", 160),
            block_6("block_6_3", 160),
            block_6("block_6_4", 192),
            _Heads(auxiliary, main, name="heads"),
        ],
        name="inception_v3",
    )


class _Convolution(layers.Layer):
    """A convolution without bias, batch normalization and ReLU."""

    def __init__(self, width: int, size: Size, stride: int, padding: str, **options: Any) -> None:
        super().__init__(**options)
        self.convolution = layers.Conv2D(
            width, size, strides=stride, padding=padding, use_bias=False, name="convolution"
        )
        self.normalization = layers.BatchNormalization(momentum=0.9997, name="normalization")

    def call(self, inputs: KerasTensor, training: bool = False) -> KerasTensor:
        return ops.relu(self.normalization(self.convolution(inputs), training=training))


class _Branches(layers.Layer):
    """Several sequences of layers on the same inputs; the channels of their outputs, one after the other."""

    def __init__(self, branches: list[list[layers.Layer]], **options: Any) -> None:
        super().__init__(**options)
        self.branches = [keras.Sequential(branch, name=f"branch_{number}") for number, branch in enumerate(branches)]

    def call(self, inputs: KerasTensor, training: bool = False) -> KerasTensor:
        return ops.concatenate([branch(inputs, training=training) for branch in self.branches], axis=-1)


class _Heads(layers.Layer):
    """The logits (n, classes); in training beside those of the auxiliary head, (n, 2, classes)."""

    def __init__(self, auxiliary: list[layers.Layer], main: list[layers.Layer], **options: Any) -> None:
        super().__init__(**options)
        self.auxiliary = keras.Sequential(auxiliary, name="auxiliary")
        self.main = keras.Sequential(main, name="main")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.auxiliary.build(input_shape)
        self.main.build(input_shape)

    def call(self, inputs: KerasTensor, training: bool = False) -> KerasTensor:
        main = self.main(inputs, training=training)
        return ops.stack([main, self.auxiliary(inputs, training=training)], axis=1) if training else main
