"""A small transformer that tells the next sign of a text."""

import keras
from keras import layers
from pydantic import PositiveInt


def build(
    input_shape: tuple[int],
    classes: int,
    width: PositiveInt = 64,
    heads: PositiveInt = 4,
    depth: PositiveInt = 2,
) -> keras.Model:
    """Build embeddings of signs and places, blocks of causal attention and a perceptron, and the logits at each place.

    Each block normalises what it takes (layer normalisation before attention and before the perceptron, which is four
    times as wide, with GELU) and adds to what it was given; the sum is normalised once more before the logits. Starts
    are Keras's own.

    Args:
        input_shape: (length,), of the numbers of the signs.
        classes: how many signs there are.
        width: of each place.
        heads: of attention; `width` must be a multiple of it.
        depth: how many blocks there are.
    """
    length = input_shape[0]
    signs = keras.Input(input_shape)
    # From the inputs, so that the embedding of places is a part of the network and trained.
    places = keras.ops.cumsum(keras.ops.ones_like(signs), axis=1) - 1
    value = layers.Embedding(classes, width, name="embedding")(signs)
    value = value + layers.Embedding(length, width, name="places")(places)
    for number in range(1, depth + 1):
        normal = layers.LayerNormalization(name=f"norm_{number}_attention")(value)
        attention = layers.MultiHeadAttention(heads, width // heads, name=f"attention_{number}")
        value = value + attention(normal, normal, use_causal_mask=True)
        normal = layers.LayerNormalization(name=f"norm_{number}_dense")(value)
        hidden = layers.Dense(4 * width, activation="gelu", name=f"dense_{number}")(normal)
        value = value + layers.Dense(width, name=f"back_{number}")(hidden)
    logits = layers.Dense(classes, name="logits")(layers.LayerNormalization(name="norm")(value))
    return keras.Model(signs, logits, name="char_transformer")
