"""Convolution and max pooling in one layer."""

import keras
from keras import KerasTensor, layers, ops


class PooledConvolution(layers.Conv2D):
    """A convolution with bias and ReLU, and the "same" max pooling after it.

    Neither bias nor ReLU changes which number of a window is the largest, so that max(relu(x + b)) = relu(max(x) + b),
    exactly, and with the same gradients. Here they come after the pooling, where there are fewer numbers to pass over.

    Args:
        filters: output channels.
        kernel_size: height and width of the kernels.
        pool_size: height and width of the windows of the pooling.
        pool_stride: between these windows, in both directions.
        padding: of the convolution, "valid" or "same"; its stride is 1.
        kernel_initializer: as for `keras.layers.Conv2D`; likewise `bias_initializer` and `name`.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        pool_size: int,
        pool_stride: int,
        padding: str = "valid",
        kernel_initializer: str | keras.initializers.Initializer = "glorot_uniform",
        bias_initializer: str | keras.initializers.Initializer = "zeros",
        name: str | None = None,
    ) -> None:
        """Remember the pooling."""
        super().__init__(
            filters,
            kernel_size,
            padding=padding,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            name=name,
        )
        self.pool_size, self.pool_stride = pool_size, pool_stride

    def call(self, inputs: KerasTensor) -> KerasTensor:
        """Images (n, height, width, channels), convolved and pooled."""
        convolved = self.convolution_op(inputs, self.kernel)
        pooled = ops.max_pool(convolved, self.pool_size, strides=self.pool_stride, padding="same")
        return ops.relu(ops.add(pooled, self.bias))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape after the pooling."""
        count, height, width, channels = super().compute_output_shape(input_shape)
        return count, -(-height // self.pool_stride), -(-width // self.pool_stride), channels
