"""Wide residual networks."""

from typing import Any

import keras
from keras import KerasTensor, layers, ops
from pydantic import PositiveInt


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    residual_units: PositiveInt = 2,
    widening: PositiveInt = 4,
    filters: PositiveInt = 16,
) -> keras.Model:
    """Build a 3x3 convolution, three groups of residual units, a mean over each image, and the logits.

    The groups have `filters` times `widening` times 1, 2 and 4 output channels; the first unit of the second and third
    halves height and width. Batch normalization (momentum 0.9, epsilon 1e-5) and ReLU come before each convolution but
    the first. Kernels start Glorot-uniform, convolutions have no biases. The default of `residual_units` makes WRN
    16-4, 6 make WRN 40-4: networks of DeepOBS, whose L2 (factor 0.0005, on all kernels) is no part of the model.

    Reference: Zagoruyko and Komodakis 2016, arXiv 1605.07146; as in Schneider et al. 2019, DeepOBS, arXiv 1903.05499
    (`svhn_wrn164`, `cifar100_wrn404`).

    Departure: Keras's moving variance is that of the batch, TensorFlow 1's was N/(N - 1) times it, N the number of
    values of a channel: at least 8,192 with batches of 128.

    Args:
        input_shape: of one image: (height, width, channels).
        classes: number of classes.
        residual_units: in each group.
        widening: by what the groups are wider than the first convolution.
        filters: output channels of the first convolution.
    """
    units: list[layers.Layer] = []
    before = filters
    for group, stride in enumerate((1, 2, 2), start=1):
        width = filters * widening * 2 ** (group - 1)
        for number in range(1, residual_units + 1):
            name = f"unit_{group}_{number}"
            units.append(_ResidualUnit(before, width, stride if number == 1 else 1, is_first=number == 1, name=name))
            before = width
    return keras.Sequential(
        [
            keras.Input(input_shape),
            _convolution(filters, 3, 1, "convolution"),
            *units,
            _normalization("normalization"),
            layers.ReLU(name="relu"),
            layers.GlobalAveragePooling2D(name="mean"),
            layers.Dense(classes, name="logits"),
        ],
        name="wide_resnet",
    )


def _convolution(width: int, size: int, stride: int, name: str) -> layers.Layer:
    return layers.Conv2D(width, size, strides=stride, padding="same", use_bias=False, name=name)


def _normalization(name: str) -> layers.Layer:
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)


class _ResidualUnit(layers.Layer):
    """Two times normalization, ReLU and 3x3 convolution, added to a shortcut.

    The shortcut of the first unit of a group starts after the first ReLU, that of the others at the inputs. Where the
    number of channels changes it is a 1x1 convolution, where only height and width do, a max pooling.
    """

    def __init__(self, before: int, width: int, stride: int, is_first: bool, **options: Any) -> None:
        super().__init__(**options)
        self.is_first = is_first
        self.normalization_1 = _normalization("normalization_1")
        self.shortcut: layers.Layer | None = None
        if before != width:
            self.shortcut = _convolution(width, 1, stride, "shortcut")
        elif stride > 1:
            self.shortcut = layers.MaxPooling2D(stride, strides=stride, name="shortcut")
        self.convolution_1 = _convolution(width, 3, stride, "convolution_1")
        self.normalization_2 = _normalization("normalization_2")
        self.convolution_2 = _convolution(width, 3, 1, "convolution_2")

    def call(self, inputs: KerasTensor, training: bool = False) -> KerasTensor:
        active = ops.relu(self.normalization_1(inputs, training=training))
        shortcut = active if self.is_first else inputs
        if self.shortcut is not None:
            shortcut = self.shortcut(shortcut)
        active = self.convolution_1(active)
        active = ops.relu(self.normalization_2(active, training=training))
        return ops.add(self.convolution_2(active), shortcut)
