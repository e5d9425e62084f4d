"""Orthogonal regularization, in five forms."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from regbench.regularizers.matrices import as_matrix, euclidean_norm, spectral_norm
from regbench.regularizers.penalty import Penalty

FORMS = ("norm", "squared", "double_sided", "mutual_coherence", "spectral_restricted_isometry")


@keras.saving.register_keras_serializable(package="regbench")
class Orthogonal(Penalty):
    """Pulls the columns of a kernel, one per output, towards an orthonormal set.

    | form | factor times |
    |--|--|
    | `norm` | Frobenius norm of W'W - I |
    | `squared` | its square |
    | `double_sided` | its square + squared Frobenius norm of WW' - I |
    | `mutual_coherence` | largest absolute entry of W'W - I |
    | `spectral_restricted_isometry` | largest singular value of W'W - I |

    All are 0, with a gradient of 0, where the columns are orthonormal (`double_sided`: where the rows are too, so for
    square kernels only). With more outputs than inputs they cannot be; `norm` and `squared` are then smallest, but not
    0, at orthonormal rows. `|WW' - I|**2 - |W'W - I|**2` depends on the size of W alone, so the gradient of
    `double_sided` is twice that of `squared`: it trains as `squared` with twice the factor does.

    `default_kernels` is `"both"`. Convolution kernels (h, w, in, out) are flattened to (h*w*in, out); then W'W - I
    holds `<w_i, w_j> - delta_ij` for all pairs of output filters.

    Example:
        >>> layer = keras.layers.Conv2D(64, 3, kernel_regularizer=Orthogonal(1e-4))

    Args:
        factor: At least 0.
        form: One of the five.

    Reference:
        Brock et al., "Neural photo editing with introspective adversarial networks", 2017,
        https://arxiv.org/abs/1609.07093 (orthogonal regularization);
        Bansal, Chen, Wang, "Can we gain more from orthogonality regularizations in training deep CNNs?", 2018,
        https://arxiv.org/abs/1810.09102 (section 3: the last four forms).

    Departure:
        Bansal et al. estimate the largest singular value by two steps of the power method from a random vector. Here
        it comes from nine steps from fixed vectors; see `spectral_norm` in `matrices.py`, also for the gradient.
    """

    def __init__(self, factor: float, form: str = "norm") -> None:
        super().__init__(factor)
        if form not in FORMS:
            raise ValueError(f"`form` must be one of {list(FORMS)}. Received: form={form!r}")
        self.form = form

    def scaled(self, kernel: Any) -> Any:
        """Returns the penalty."""
        if self.form == "norm":
            return euclidean_norm(_deviation(as_matrix(kernel)), self.factor)
        return super().scaled(kernel)

    def unscaled(self, kernel: Any) -> Any:
        """Returns the deviation from orthonormal columns."""
        matrix = as_matrix(kernel)
        rows, columns = matrix.shape
        if self.form == "double_sided":
            # |WW' - I|**2 = |W'W - I|**2 + rows - columns: the smaller of the two products is enough.
            smaller = matrix if rows >= columns else ops.transpose(matrix)
            return 2 * ops.sum(ops.square(_deviation(smaller))) + abs(rows - columns)
        deviation = _deviation(matrix)
        if self.form == "norm":
            return euclidean_norm(deviation)
        if self.form == "squared":
            return ops.sum(ops.square(deviation))
        if self.form == "mutual_coherence":
            # Written out, because the derivative of the absolute value at 0 differs between backends.
            return ops.max(deviation * ops.stop_gradient(ops.sign(deviation)))
        return spectral_norm(deviation)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return super().get_config() | {"form": self.form}


def _deviation(matrix: Any) -> Any:
    """W'W - I."""
    return ops.matmul(ops.transpose(matrix), matrix) - ops.eye(matrix.shape[1], dtype=matrix.dtype)
