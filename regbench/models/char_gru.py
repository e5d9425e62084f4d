"""A recurrent network that tells the next sign of a text."""

import keras
from keras import layers
from pydantic import PositiveInt


def build(input_shape: tuple[int], classes: int, width: PositiveInt = 32, units: PositiveInt = 128) -> keras.Model:
    """Build an embedding of each sign, a gated recurrent unit over them, and a dense layer to the logits at each place.

    Starts are Keras's own.

    Args:
        input_shape: (length,), of the numbers of the signs.
        classes: how many signs there are.
        width: of an embedded sign.
        units: of the state.
    """
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Embedding(classes, width, name="embedding"),
            layers.GRU(units, return_sequences=True, name="gru"),
            layers.Dense(classes, name="logits"),
        ],
        name="char_gru",
    )
