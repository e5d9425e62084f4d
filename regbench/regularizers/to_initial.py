"""The distance of a kernel to where its training started (L2-SP)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from regbench.regularizers.penalty import Penalty


@keras.saving.register_keras_serializable(package="regbench")
class ToInitial(Penalty, keras.Layer):
    """Pulls a kernel back to where its training started, in place of 0.

        factor / 2 * sum (w - w_0)**2

    The gradient is `factor * (w - w_0)`, 0 at the first step. w_0 are the weights at the first call, in a training
    that of the first step: weights that were loaded into a model, before or after `compile`, are a start like any
    other. For weights of zero at the start it is `L2(factor)`.

    w_0 is a variable, which is why this penalty is a layer too: the model counts it among its non-trainable weights,
    saves it, and goes on from the same start when it is loaded. So each kernel needs an instance of its own; one that
    meets a kernel of another name or shape raises `ValueError`. Where a training loop keeps w_0 itself (`first_block`
    at the start, then `carried` in each step, as regbench's engine does) one instance serves all kernels.

    `default_kernels` is `"both"`. Kernels of any shape; nothing is flattened.

    Example:
        >>> layer = keras.layers.Dense(10, kernel_regularizer=ToInitial(0.01))

    Args:
        factor: At least 0.

    Reference:
        Li, Grandvalet, Davoine, "Explicit inductive bias for transfer learning with convolutional networks", 2018,
        equation 2, https://arxiv.org/abs/1802.01483

    Departure:
        The source has a plain L2 for layers that are not pre-trained (equation 4, beta); `per_layer` in a candidate
        says so.
    """

    default_kernels = "both"
    carries = True
    is_of_start = True

    def __init__(self, factor: float) -> None:
        keras.Layer.__init__(self, trainable=False)
        Penalty.__init__(self, factor)
        self._start: Any = None
        self._of = ""

    def __call__(self, x: Any) -> Any:
        """Returns the penalty of a kernel, a scalar."""
        kernel = ops.convert_to_tensor(x)
        kernel = ops.cast(kernel, keras.backend.result_type(kernel.dtype, "float32"))
        self._meet(getattr(x, "path", ""), kernel)
        # w_0 is the kernel of the first call
        is_taken = ops.greater(self._is_taken, 0)
        start = ops.where(is_taken, ops.convert_to_tensor(self._start), ops.stop_gradient(kernel))
        self._start.assign(start)
        self._is_taken.assign(1.0)
        return self._distance(kernel, start)

    def _meet(self, name: str, kernel: Any) -> None:
        if self._start is None:
            self._remember(tuple(kernel.shape), keras.backend.standardize_dtype(kernel.dtype))
        self._of = self._of or name  # a tensor has no name
        shape, known = tuple(kernel.shape), tuple(self._start.shape)
        if shape != known or name not in ("", self._of):
            raise ValueError(
                "`ToInitial` must have an instance of its own for each kernel. "
                f"Received: {name!r} of shape {shape!r} after {self._of!r} of shape {known!r}"
            )

    def _remember(self, shape: tuple[int, ...], dtype: str) -> None:
        self._start = self.add_weight(shape=shape, dtype=dtype, initializer="zeros", trainable=False, name="start")
        self._is_taken = self.add_weight(shape=(), dtype=dtype, initializer="zeros", trainable=False, name="is_taken")

    def _distance(self, kernel: Any, start: Any) -> Any:
        return self.factor * ops.sum(ops.square(kernel - start)) / 2

    def first_block(self, kernel: Any) -> Any:
        """Returns what a training loop keeps for a kernel: the kernel itself."""
        return ops.copy(ops.convert_to_tensor(kernel))

    def carried(self, kernel: Any, block: Any) -> tuple[Any, Any]:
        """Returns the penalty of a kernel by what was kept, and what is kept on."""
        return self._distance(ops.convert_to_tensor(kernel), block), block

    def save_own_variables(self, store: Any) -> None:
        """Puts w_0 into a file, where it is known."""
        if self._start is not None:
            store["start"] = self._start.numpy()
            store["is_taken"] = self._is_taken.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Takes w_0 from a file."""
        if "start" in store:
            start = store["start"]
            self._remember(tuple(start.shape), str(start.dtype))
            self._start.assign(start)
            self._is_taken.assign(store["is_taken"])

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return Penalty.get_config(self)
