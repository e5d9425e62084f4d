"""The L2 penalty as DeepOBS has it."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from regbench.regularizers.penalty import Penalty


@keras.saving.register_keras_serializable(package="regbench")
class L2(Penalty):
    """Half the sum of squares: adds `factor * w` to the gradient.

        factor / 2 * sum w**2

    `keras.regularizers.L2(factor)` is twice that, so `L2(factor)` is `keras.regularizers.L2(factor / 2)`.

    `default_kernels` is `"both"`. Kernels of any shape; nothing is flattened.

    Args:
        factor: At least 0.

    Reference:
        Schneider et al., "DeepOBS: A deep learning optimizer benchmark suite", 2019, https://arxiv.org/abs/1903.05499
    """

    def unscaled(self, kernel: Any) -> Any:
        """Returns half the sum of squares."""
        return ops.sum(ops.square(kernel)) / 2
