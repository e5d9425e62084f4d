"""Several linear layers in a row: a linear map, found as a product of matrices."""

import keras
from keras import layers
from pydantic import PositiveInt


def build(input_shape: tuple[int, ...], classes: int, units: PositiveInt = 32, depth: PositiveInt = 4) -> keras.Model:
    """Build linear layers of one width, without biases and without anything in between.

    Kernels start normal with the deviation 1 / sqrt(inputs).

    Args:
        input_shape: of one sample, of any rank.
        classes: number of outputs.
        units: width of all layers but the last.
        depth: how many there are.
    """
    start = keras.initializers.VarianceScaling(1.0, mode="fan_in", distribution="untruncated_normal")
    widths = [units] * (depth - 1) + [classes]
    linear = [
        layers.Dense(width, use_bias=False, kernel_initializer=start.clone(), name=f"linear_{number}")
        for number, width in enumerate(widths, 1)
    ]
    return keras.Sequential([keras.Input(input_shape), layers.Flatten(name="flatten"), *linear], name="deep_linear")
