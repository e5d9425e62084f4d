"""Multi-layer perceptron on symbols: each is embedded by the same kernel."""

import keras
from keras import layers
from pydantic import PositiveInt


def build(input_shape: tuple[int, int], classes: int, width: PositiveInt = 64, units: PositiveInt = 128) -> keras.Model:
    """Build an embedding of each symbol, a dense layer with ReLU on all of them together, and one to the logits.

    Kernels start normal with the deviation 1 / sqrt(inputs), that of the embedding 1 / sqrt(width); biases at 0. The
    embedding is a dense layer without bias on symbols that are given as one 1 among zeros, so it decays as kernels do.

    Args:
        input_shape: (symbols, alphabet).
        classes: number of classes.
        width: of an embedded symbol.
        units: of the hidden layer.
    """

    def normal(inputs: int) -> keras.initializers.Initializer:
        return keras.initializers.RandomNormal(stddev=inputs**-0.5)

    symbols = input_shape[0]
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Dense(width, use_bias=False, kernel_initializer=normal(width), name="embedding"),
            layers.Flatten(name="flatten"),
            layers.Dense(units, activation="relu", kernel_initializer=normal(symbols * width), name="dense"),
            layers.Dense(classes, kernel_initializer=normal(units), name="logits"),
        ],
        name="embedded_mlp",
    )
