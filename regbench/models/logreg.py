"""Multinomial logistic regression."""

import keras


def build(input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """Build one dense layer from the flattened inputs to the logits; kernel and bias start at 0.

    Reference: Schneider et al. 2019, DeepOBS, arXiv 1903.05499 (`mnist_logreg`, `fmnist_logreg`).
    """
    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Flatten(name="flatten"),
            keras.layers.Dense(classes, kernel_initializer="zeros", name="logits"),
        ],
        name="logreg",
    )
