"""How weights start where a published network was built in PyTorch."""

import keras


def as_in_pytorch(inputs: int) -> dict[str, keras.initializers.Initializer]:
    """Initializers of a dense or convolutional layer: kernels and biases uniform within 1 / sqrt(inputs).

    Args:
        inputs: of one output: those of a dense layer; of a convolution, kernel size times input channels.
    """
    limit = inputs**-0.5
    return {
        name: keras.initializers.RandomUniform(-limit, limit) for name in ("kernel_initializer", "bias_initializer")
    }
