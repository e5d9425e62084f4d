"""A variational autoencoder with convolutions; the model is its own loss."""

from typing import Annotated, Any

import keras
from keras import KerasTensor, layers, ops
from pydantic import Field, PositiveInt


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    latent: PositiveInt = 8,
    filters: PositiveInt = 64,
    units: PositiveInt = 24,
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2,
) -> keras.Model:
    """Build the loss of each image x: |x - x'|^2 - 1/2 sum_i (1 + 2 s_i - m_i^2 - exp(2 s_i)), x' decoded from z.

    z = m + exp(s) * epsilon, epsilon standard normal, drawn anew whenever the model is called, in evaluations too. The
    encoder has three 4x4 same convolutions (strides 2, 2, 1), the decoder two dense layers, three 4x4 transposed
    convolutions (strides 2, 1, 1) and a dense layer to the pixels with a sigmoid. Convolutions of the encoder and dense
    layers of the decoder have a leaky ReLU (0.3), transposed convolutions ReLU; s is half of what its layer gives. All
    start Glorot-uniform, biases at 0. Without arguments it is the network of DeepOBS.

    Reference: Schneider et al. 2019, DeepOBS, arXiv 1903.05499 (`mnist_vae`, `fmnist_vae`); Kingma and Welling 2014,
    arXiv 1312.6114.

    Args:
        input_shape: of one image: (height, width, channels), height and width multiples of 4; pixels are from 0 to 1.
        classes: unused; a loss has none.
        latent: length of z.
        filters: output channels of every convolution.
        units: width of the first dense layer of the decoder; the second has a sixteenth of an image's area.
        dropout: share that is dropped in training after each convolution but the last.
    """
    del classes
    height, width, channels = input_shape
    if height % 4 or width % 4:
        raise ValueError(f"height and width must be multiples of 4. Received: shape of one sample={input_shape!r}")
    small = height // 4, width // 4, 1

    def convolution(number: int, stride: int) -> list[layers.Layer]:
        name = f"convolution_{number}"
        return [
            layers.Conv2D(filters, 4, strides=stride, padding="same", activation=_leaky_relu, name=name),
            layers.Dropout(dropout, name=f"dropout_{number}"),
        ]

    def transposed(number: int, stride: int) -> layers.Layer:
        name = f"transposed_{number}"
        return layers.Conv2DTranspose(filters, 4, strides=stride, padding="same", activation="relu", name=name)

    images = keras.Input(input_shape)
    encoder = [*convolution(1, 2), *convolution(2, 2), *convolution(3, 1), layers.Flatten(name="encoded")]
    decoder = [
        layers.Dense(units, activation=_leaky_relu, name="dense_1"),
        layers.Dense(small[0] * small[1], activation=_leaky_relu, name="dense_2"),
        layers.Reshape(small, name="small"),
        transposed(1, 2),
        layers.Dropout(dropout, name="dropout_4"),
        transposed(2, 1),
        layers.Dropout(dropout, name="dropout_5"),
        transposed(3, 1),
        layers.Flatten(name="decoded"),
        layers.Dense(height * width * channels, activation="sigmoid", name="pixels"),
    ]
    z, divergences = _Latent(latent, name="latent")(_pass(images, encoder))
    losses = _Losses(name="losses")(images, _pass(z, decoder), divergences)
    return keras.Model(images, losses, name="vae")


def _leaky_relu(x: KerasTensor) -> KerasTensor:
    return ops.maximum(x, 0.3 * x)


def _pass(x: KerasTensor, through: list[layers.Layer]) -> KerasTensor:
    for layer in through:
        x = layer(x)
    return x


class _Latent(layers.Layer):
    """Draws z, of shape (n, latent), and gives the divergence of its distribution from the standard normal, (n,)."""

    def __init__(self, latent: int, **options: Any) -> None:
        super().__init__(**options)
        self.mean = layers.Dense(latent, name="mean")
        self.log_deviation = layers.Dense(latent, name="log_deviation")
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, inputs: KerasTensor) -> tuple[KerasTensor, KerasTensor]:
        mean, log_deviation = self.mean(inputs), 0.5 * self.log_deviation(inputs)
        epsilon = keras.random.normal(ops.shape(mean), dtype=mean.dtype, seed=self.seed_generator)
        terms = 1 + 2 * log_deviation - ops.square(mean) - ops.exp(2 * log_deviation)
        return mean + ops.exp(log_deviation) * epsilon, -0.5 * ops.sum(terms, axis=1)


class _Losses(layers.Layer):
    """The losses of images (n, height, width, channels) and what was decoded, (n, pixels); of shape (n,)."""

    def call(self, images: KerasTensor, decoded: KerasTensor, divergences: KerasTensor) -> KerasTensor:
        pixels = ops.reshape(images, (-1, decoded.shape[1]))
        return ops.sum(ops.square(decoded - pixels), axis=1) + divergences
