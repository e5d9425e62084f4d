"""What all penalties share: a factor times a number that depends on one kernel."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any, ClassVar, Literal

import keras
from keras import ops


class Penalty(keras.regularizers.Regularizer):
    """A non-negative penalty on one kernel, `factor` times `unscaled`.

    It is computed in float32 or wider whatever the dtype of the kernel: in float16 a sum of squares overflows at once.

    Args:
        factor: At least 0. At 0 penalty and gradient are 0.
    """

    default_kernels: ClassVar[Literal["dense", "convolution", "both"]] = "both"

    def __init__(self, factor: float) -> None:
        if not _is_factor(factor):
            raise ValueError(f"`factor` must be a finite number, at least 0. Received: factor={factor!r}")
        self.factor = float(factor)

    def unscaled(self, kernel: Any) -> Any:
        """Returns the penalty at factor 1, a scalar."""
        raise NotImplementedError

    def __call__(self, x: Any) -> Any:
        """Returns the penalty of a kernel, a scalar."""
        kernel = ops.convert_to_tensor(x)
        kernel = ops.cast(kernel, keras.backend.result_type(kernel.dtype, "float32"))
        return self.scaled(kernel)

    def scaled(self, kernel: Any) -> Any:
        """Returns the penalty, a scalar."""
        return self.factor * self.unscaled(kernel)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain numbers, strings and lists."""
        return {"factor": self.factor}


def _is_factor(number: Any) -> bool:
    return not isinstance(number, bool) and isinstance(number, Real) and 0 <= float(number) < math.inf
