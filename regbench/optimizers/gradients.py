"""What a gradient may look like when Keras hands it to an optimizer."""

from __future__ import annotations

from typing import Any

from keras import ops


def densified(gradient: Any, variable: Any) -> Any:
    """Returns the gradient as a dense tensor.

    TensorFlow gives an embedding's gradient as rows and their indices, and names a row as often as the batch does.
    Only the sum of such rows is the gradient: a non-linear function of each row alone would be a different algorithm.

    Args:
        gradient: A tensor or, on TensorFlow, a `tf.IndexedSlices`.
        variable: The variable that the gradient belongs to.
    """
    is_sparse = hasattr(gradient, "dense_shape")
    return ops.add(gradient, ops.zeros_like(variable)) if is_sparse else gradient
