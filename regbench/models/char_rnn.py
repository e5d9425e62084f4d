"""A recurrent network that predicts the next character of a text."""

from typing import Annotated, Any

import keras
from keras import KerasTensor, layers, ops
from pydantic import Field, PositiveInt


def build(
    input_shape: tuple[int],
    classes: int,
    units: PositiveInt = 128,
    cells: PositiveInt = 2,
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2,
) -> keras.Model:
    """Build an embedding, LSTM layers with a dropout before and after each, and logits (n, length, classes).

    All kernels, the embedding and the bias of the logits start Glorot-uniform, other biases at 0. The numbers of the
    characters come as floats. Without arguments it is the network of DeepOBS.

    Reference: Schneider et al. 2019, DeepOBS, arXiv 1903.05499 (`tolstoi_char_rnn`).

    Departure: every sequence starts from a state of zeros; DeepOBS carries the state of a batch on to the next one.

    Args:
        input_shape: of one sequence of characters: (length,).
        classes: number of characters that there are.
        units: of the embedding and of each state.
        cells: number of LSTM layers.
        dropout: share that is dropped in training before and after each LSTM layer.
    """
    hidden: list[layers.Layer] = []
    for number in range(1, cells + 1):
        hidden += [
            layers.Dropout(dropout, name=f"dropout_before_{number}"),
            layers.RNN(_Cell(units, name="cell"), return_sequences=True, name=f"lstm_{number}"),
            layers.Dropout(dropout, name=f"dropout_after_{number}"),
        ]
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Embedding(classes, units, embeddings_initializer="glorot_uniform", name="embedding"),
            *hidden,
            layers.Dense(classes, bias_initializer="glorot_uniform", name="logits"),
        ],
        name="char_rnn",
    )


class _Cell(layers.Layer):
    """An LSTM cell as in TensorFlow 1: one kernel for inputs and state, 1 is added to the forget gate.

    With gates i, j, f, o in this order: c <- sigmoid(f + 1) c + sigmoid(i) tanh(j), h <- sigmoid(o) tanh(c).
    """

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(**options)
        self.units = self.output_size = units
        self.state_size = [units, units]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        inputs = (input_shape[-1] or 0) + self.units
        self.kernel = self.add_weight((inputs, 4 * self.units), initializer="glorot_uniform", name="kernel")
        self.bias = self.add_weight((4 * self.units,), initializer="zeros", name="bias")

    def call(self, inputs: KerasTensor, states: list[KerasTensor]) -> tuple[KerasTensor, list[KerasTensor]]:
        h, c = states
        gates = ops.matmul(ops.concatenate([inputs, h], axis=1), self.kernel) + self.bias
        i, j, f, o = ops.split(gates, 4, axis=1)
        c = ops.sigmoid(f + 1) * c + ops.sigmoid(i) * ops.tanh(j)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, [h, c]
