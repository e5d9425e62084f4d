"""Convolution and max pooling in one layer."""

from typing import Any

from keras import KerasTensor, layers, ops


class PooledConvolution(layers.Conv2D):
    """A convolution with stride 1, bias and ReLU, and the "same" max pooling after it.

    Neither bias nor ReLU changes which number of a window is the largest, so that max(relu(x + b)) = relu(max(x) + b),
    exactly, and with the same gradients. Here they come after the pooling, where there are fewer numbers to pass over.

    Args:
        filters: output channels.
        kernel_size: height and width of the kernels.
        pool_size: height and width of the windows of the pooling.
        pool_stride: between these windows, in both directions.
        **options: further arguments of `keras.layers.Conv2D`.
    """

    def __init__(self, filters: int, kernel_size: int, pool_size: int, pool_stride: int, **options: Any) -> None:
        """Remember the pooling."""
        super().__init__(filters, kernel_size, **options)
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

    def get_config(self) -> dict[str, Any]:
        """What makes the layer again."""
        return super().get_config() | {"pool_size": self.pool_size, "pool_stride": self.pool_stride}
