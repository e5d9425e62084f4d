"""Three convolutions along a sequence, and a dense layer."""

import keras
from keras import layers
from pydantic import PositiveInt

from regbench.models.starts import as_in_pytorch


def build(
    input_shape: tuple[int],
    classes: int,
    filters: PositiveInt = 25,
    kernel_sizes: tuple[PositiveInt, PositiveInt, PositiveInt] = (5, 3, 3),
) -> keras.Model:
    """Build three convolutions with ReLU, of stride 2 and one zero at either end, and a dense layer to the logits.

    All start as PyTorch's do: uniform within 1 / sqrt(inputs of one output), biases too.

    Reference: without arguments Greydanus and Kobak 2024, arXiv 2011.14439 (the CNN of its benchmark).

    Args:
        input_shape: of one sequence of numbers: (length,).
        classes: number of classes.
        filters: output channels of the convolutions.
        kernel_sizes: of the convolutions.
    """

    def convolution(number: int, size: int) -> list[layers.Layer]:
        start = as_in_pytorch(size * (1 if number == 1 else filters))
        name = f"convolution_{number}"
        return [
            layers.ZeroPadding1D(1, name=f"padding_{number}"),
            layers.Conv1D(filters, size, strides=2, activation="relu", name=name, **start),
        ]

    body = keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Reshape((*input_shape, 1), name="channel"),
            *(layer for number, size in enumerate(kernel_sizes, start=1) for layer in convolution(number, size)),
            layers.Flatten(name="flatten"),
        ],
        name="conv_1d",
    )
    body.add(layers.Dense(classes, name="logits", **as_in_pytorch(body.output_shape[-1])))
    return body
