"""Multi-layer perceptron whose hidden layers add to what they are given."""

import keras
from keras import layers
from pydantic import PositiveInt

from regbench.models.starts import as_in_pytorch


def build(input_shape: tuple[int, ...], classes: int, units: PositiveInt = 256, hidden: PositiveInt = 2) -> keras.Model:
    """Build dense layers of one width with ReLU, each but the first added to its input, and one to the logits.

    All start as PyTorch's do: uniform within 1 / sqrt(inputs), biases too.

    Reference: Greydanus and Kobak 2024, arXiv 2011.14439 (the MLP of its benchmark).

    Args:
        input_shape: of one sample, of any rank.
        classes: number of classes.
        units: width of each hidden layer.
        hidden: how many there are.
    """
    inputs = keras.Input(input_shape)
    flat = layers.Flatten(name="flatten")(inputs)
    value = layers.Dense(units, activation="relu", name="dense_1", **as_in_pytorch(flat.shape[-1]))(flat)
    for number in range(2, hidden + 1):
        more = layers.Dense(units, activation="relu", name=f"dense_{number}", **as_in_pytorch(units))(value)
        value = layers.Add(name=f"sum_{number}")([value, more])
    logits = layers.Dense(classes, name="logits", **as_in_pytorch(units))(value)
    return keras.Model(inputs, logits, name="residual_mlp")
