"""Multi-layer perceptron."""

import keras
from keras import layers
from pydantic import PositiveFloat, PositiveInt


def build(
    input_shape: tuple[int, ...],
    classes: int,
    units: tuple[PositiveInt, ...] = (1000, 500, 100),
    stddev: PositiveFloat = 0.03,
) -> keras.Model:
    """Build dense layers with ReLU on the flattened inputs and a dense layer to the logits.

    Kernels start from a normal distribution truncated at two standard deviations, biases at 0. Without arguments it is
    the network of DeepOBS; `units=()` is logistic regression with random start.

    Reference: Schneider et al. 2019, DeepOBS, arXiv 1903.05499 (`mnist_mlp`, `fmnist_mlp`).

    Args:
        input_shape: of one sample, of any rank.
        classes: number of classes.
        units: width of each hidden layer.
        stddev: standard deviation of the normal distribution before truncation.
    """

    def dense(width: int, activation: str | None, name: str) -> layers.Layer:
        start = keras.initializers.TruncatedNormal(stddev=stddev)
        return layers.Dense(width, activation=activation, kernel_initializer=start, name=name)

    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Flatten(name="flatten"),
            *(dense(width, "relu", f"dense_{number}") for number, width in enumerate(units, start=1)),
            dense(classes, None, "logits"),
        ],
        name="mlp",
    )
