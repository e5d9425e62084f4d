"""The group lasso on output units."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from regbench.regularizers.matrices import as_matrix, column_norms
from regbench.regularizers.penalty import Penalty


@keras.saving.register_keras_serializable(package="regbench")
class GroupLasso(Penalty):
    """Pulls the weights of whole output units towards 0 together.

        factor * sqrt(p) * sum over output units of |w_i|

    w_i are the p weights of one output unit, in Keras a column of a dense kernel and a filter (h, w, in) of a
    convolution. The gradient is `factor sqrt(p) w_i / |w_i|`, and 0 where w_i = 0. With one input to each unit (p = 1)
    it is `L1(factor)`.

    `default_kernels` is `"both"`.

    Args:
        factor: At least 0.

    Reference:
        Yuan, Lin, "Model selection and estimation in regression with grouped variables", 2006, equation 2.1 with their
        kernel p I, https://doi.org/10.1111/j.1467-9868.2005.00532.x

    Departure:
        Networks have biases too, which are not in the group of their unit. Others group the weights that leave a unit
        (Scardapane et al. 2017), in Keras a row of the next kernel.
    """

    default_kernels = "both"

    def unscaled(self, kernel: Any) -> Any:
        """Returns the weighted sum of norms."""
        matrix = as_matrix(kernel)
        return math.sqrt(matrix.shape[0]) * ops.sum(column_norms(matrix))
