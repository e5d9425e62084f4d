"""A pull of the weights of each output unit towards norm 1."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from regbench.regularizers.matrices import as_matrix, column_norms
from regbench.regularizers.penalty import Penalty


@keras.saving.register_keras_serializable(package="regbench")
class RowNorm(Penalty):
    """Pulls a kernel towards the oblique manifold: the weights of every output unit at norm 1.

        factor * sum over output units of (1 - |w_i|)**2

    w_i are the weights of one output unit, in Keras a column of a dense kernel and a filter (h, w, in) of a
    convolution. The gradient is `-2 factor (1 / |w_i| - 1) w_i`, and 0 where w_i = 0, which is no minimum. With one
    output it is `NormTarget(2 * factor, target=1)`.

    `default_kernels` is `"both"`.

    Args:
        factor: At least 0.

    Reference:
        Georgiou, Schmitt, Bäck, Chen, Lew, "Norm loss: an efficient yet effective regularization method for deep
        neural networks", 2021, https://arxiv.org/abs/2103.06583
    """

    default_kernels = "both"

    def unscaled(self, kernel: Any) -> Any:
        """Returns the sum of squared distances of the norms from 1."""
        return ops.sum(ops.square(1 - column_norms(as_matrix(kernel))))
