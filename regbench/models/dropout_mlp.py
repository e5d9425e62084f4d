"""Multi-layer perceptron with dropout and, if wanted, batch normalization."""

from typing import Annotated, Literal

import keras
from keras import layers
from pydantic import Field, PositiveInt


def build(
    input_shape: tuple[int, ...],
    classes: int,
    units: tuple[PositiveInt, ...] = (515, 515),
    initializer: Literal["glorot_uniform", "he_normal"] = "glorot_uniform",
    batch_normalization: bool = False,
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2,
) -> keras.Model:
    """Build dense layers with ReLU, each before a batch normalization (if wanted) and a dropout, and the logits.

    The logits start Glorot-uniform, biases at 0. Batch normalization has Keras's defaults.

    Reference: without arguments Ludwig 2016, arXiv 1604.06985 (MNIST); thirty layers with batch normalization are in
    Majumdar, https://github.com/titu1994/keras-normalized-optimizers.

    Args:
        input_shape: of one sample, of any rank.
        classes: number of classes.
        units: width of each hidden layer.
        initializer: of the hidden kernels.
        batch_normalization: normalize the activations of each hidden layer.
        dropout: share of them that is dropped in training.
    """

    def hidden(number: int, width: int) -> list[layers.Layer]:
        dense = layers.Dense(width, activation="relu", kernel_initializer=initializer, name=f"dense_{number}")
        normalization = [layers.BatchNormalization(name=f"normalization_{number}")] if batch_normalization else []
        return [dense, *normalization, layers.Dropout(dropout, name=f"dropout_{number}")]

    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Flatten(name="flatten"),
            *(layer for number, width in enumerate(units, start=1) for layer in hidden(number, width)),
            layers.Dense(classes, name="logits"),
        ],
        name="dropout_mlp",
    )
