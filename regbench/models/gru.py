"""A recurrent network that reads a sequence in both directions."""

import keras
from keras import layers
from pydantic import PositiveInt

from regbench.models.starts import as_in_pytorch


def build(input_shape: tuple[int], classes: int, units: PositiveInt = 6) -> keras.Model:
    """Build a gated recurrent unit in each direction, and a dense layer from all their outputs to the logits.

    All start as PyTorch's do: uniform within 1 / sqrt(units), and of the dense layer within 1 / sqrt(inputs).

    Reference: without arguments Greydanus and Kobak 2024, arXiv 2011.14439 (the GRU of its benchmark). Gates as in
    PyTorch: the reset gate acts after the recurrent kernel, with a bias of its own.

    Args:
        input_shape: of one sequence of numbers: (length,).
        classes: number of classes.
        units: state of each direction.
    """
    start = as_in_pytorch(units)
    recurrent = layers.GRU(
        units,
        return_sequences=True,
        reset_after=True,
        recurrent_initializer=start["kernel_initializer"],
        name="gru",
        **start,
    )
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Reshape((*input_shape, 1), name="channel"),
            layers.Bidirectional(recurrent, name="directions"),
            layers.Flatten(name="flatten"),
            layers.Dense(classes, name="logits", **as_in_pytorch(2 * units * input_shape[0])),
        ],
        name="gru",
    )
