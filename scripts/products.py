"""How fast this machine does the matrix products and convolutions of a network, apart from everything else."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from regbench import catalog, datasets, models

MATRIX_SIZE = 4096


def matrix_gflops(repeats: int = 5) -> float:
    """Speed of a product of two float32 matrices of 4096 rows and columns, the median of several."""
    matrix = tf.random.stateless_normal((MATRIX_SIZE, MATRIX_SIZE), seed=(0, 0))
    multiply = tf.function(lambda a, b: tf.reduce_sum(tf.matmul(a, b)))
    return 2 * MATRIX_SIZE**3 / _median_seconds(lambda: float(multiply(matrix, matrix)), repeats) / 1e9


def layers_of(problem: str) -> list[Any]:
    """The layers of a problem's network that multiply by a kernel."""
    definition = catalog.problem(problem)
    dataset = datasets.get(definition.dataset)
    model = models.build(definition.model.name, definition.model.arguments, dataset.input_shape, dataset.classes)
    return [layer for layer in model.layers if hasattr(layer, "kernel")]


def operations_per_sample(layers: Sequence[Any], first_inputs: bool = False) -> float:
    """Floating-point operations of training: 2 a weight and position forwards, 4 backwards.

    Activations, biases, pooling, augmentation and the optimizer are not counted.

    Args:
        layers: of the network, first to last.
        first_inputs: count the gradient of the first layer's inputs too, which nobody needs or computes.
    """
    counts = [math.prod(layer.kernel.shape) * math.prod(_product_shape(layer)[1:-1]) for layer in layers]
    return 6 * sum(counts) - (0 if first_inputs else 2 * counts[0]) if counts else 0.0


def seconds(layers: Sequence[Any], batch_size: int) -> float:
    """What `operations_per_sample` counts, for one batch: the sum over the products, each timed alone.

    Each as fast as TensorFlow can: matrix products by its own kernels or by XLA, whichever is faster.
    """
    total = 0.0
    for layer in layers:
        inputs, gradient = (
            tf.random.normal((batch_size, *shape[1:])) for shape in (layer.input.shape, _product_shape(layer))
        )
        kernel = tf.convert_to_tensor(layer.kernel)
        forward, of_kernel, of_inputs = _products(layer)
        total += _seconds_of(forward, inputs, kernel, layer) + _seconds_of(of_kernel, inputs, gradient, layer)
        if layer is not layers[0]:
            total += _seconds_of(of_inputs, gradient, kernel, layer)
    return total


Product = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def _products(layer: Any) -> tuple[Product, Product, Product]:
    """The product with the kernel; the gradients of kernel and inputs, from that of the product."""
    if not _convolves(layer):
        return (
            tf.matmul,
            lambda inputs, gradient: tf.matmul(inputs, gradient, transpose_a=True),
            lambda gradient, kernel: tf.matmul(gradient, kernel, transpose_b=True),
        )
    options: dict[str, Any] = {"strides": [1, 1, 1, 1], "padding": layer.padding.upper()}
    kernel_shape = layer.kernel.shape
    return (
        lambda inputs, kernel: tf.nn.conv2d(inputs, kernel, **options),
        lambda inputs, gradient: tf.raw_ops.Conv2DBackpropFilter(
            input=inputs, filter_sizes=kernel_shape, out_backprop=gradient, **options
        ),
        lambda gradient, kernel: tf.raw_ops.Conv2DBackpropInput(
            input_sizes=(gradient.shape[0], *layer.input.shape[1:]), filter=kernel, out_backprop=gradient, **options
        ),
    )


def _seconds_of(product: Product, first: tf.Tensor, second: tf.Tensor, layer: Any, turns: int = 20) -> float:
    """One product, from a compiled loop over several."""

    def work(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
        turn, chained = tf.constant(0), tf.constant(0.0)
        while turn < turns:
            chained += 1e-9 * tf.reshape(product(first, second), [-1])[0]
            # What the next product multiplies depends on this one, so that none of them is left out.
            first = tf.tensor_scatter_nd_update(first, [[0] * len(first.shape)], [chained])
            turn += 1
        return chained

    compilers = (False,) if _convolves(layer) else (False, True)
    compiled = [tf.function(work, jit_compile=with_xla) for with_xla in compilers]
    return min(_median_seconds(lambda one=one: float(one(first, second)), 5) for one in compiled) / turns


def _median_seconds(work: Callable[[], float], repeats: int) -> float:
    work()
    durations = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        durations.append(time.perf_counter() - started)
    return statistics.median(durations)


def _product_shape(layer: Any) -> tuple[int | None, ...]:
    """Of the product with the kernel, before any pooling that the layer does too."""
    kind = keras.layers.Conv2D if _convolves(layer) else keras.layers.Dense
    return kind.compute_output_shape(layer, layer.input.shape)


def _convolves(layer: Any) -> bool:
    return len(layer.kernel.shape) > 2
