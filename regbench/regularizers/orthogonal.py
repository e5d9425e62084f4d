"""Orthogonal regularization, in seven forms."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from regbench.regularizers.matrices import absolute, as_matrix, euclidean_norm, spectral_norm
from regbench.regularizers.penalty import Penalty

FORMS = (
    "norm",
    "squared",
    "double_sided",
    "mutual_coherence",
    "spectral_restricted_isometry",
    "spectral_restricted_isometry_squared",
    "brock",
)
GRAMS = ("smaller", "columns")
ISOMETRIES = ("spectral_restricted_isometry", "spectral_restricted_isometry_squared")


@keras.saving.register_keras_serializable(package="regbench")
class Orthogonal(Penalty):
    """Pulls the columns of a kernel, one per output, towards an orthonormal set.

    | form | factor times | origin |
    |--|--|--|
    | `norm` | Frobenius norm of W'W - I | an answer on a Keras forum, without a factor |
    | `squared` | its square | Bansal et al., soft orthogonality |
    | `double_sided` | its square + squared Frobenius norm of WW' - I | Bansal et al. |
    | `mutual_coherence` | largest absolute entry of W'W - I | Bansal et al. |
    | `spectral_restricted_isometry` | largest singular value of W'W - I | Bansal et al., SRIP, their Keras code |
    | `spectral_restricted_isometry_squared` | its square | Bansal et al., SRIP, their PyTorch code |
    | `brock` | sum over filters of the absolute entries of VV' - I | Brock et al., their code |

    All but `brock` are 0, with a gradient of 0, where the columns are orthonormal (`double_sided`: where the rows are
    too, so for square kernels only). With more outputs than inputs they cannot be: then W'W - I has the eigenvalue -1,
    and its largest singular value is 1, without a gradient, for every W with none above the root of 2. So the two
    isometries take the smaller of W'W and WW' unless `gram` says otherwise. `norm` and `squared` are smallest, but not
    0, at orthonormal rows. `|WW' - I|**2 - |W'W - I|**2` depends on the size of W alone, so the gradient of
    `double_sided` is twice that of `squared`: it trains as `squared` with twice the factor does.

    `brock` looks at each filter (height, width, in) by itself: V is its matrix of height x (width * in), so that its
    rows are pulled towards orthonormal ones. It is for convolutions, and their code has the factor 1e-3.

    `default_kernels` is `"both"`, of `brock` `"convolution"`. Convolution kernels (h, w, in, out) are flattened to
    (h*w*in, out); then W'W - I holds `<w_i, w_j> - delta_ij` for all pairs of output filters.

    Bansal et al. schedule the factor: 1e-2, and of that 1e-3 after epoch 20, 1e-4 after 50, 1e-6 after 70, 0 after 120,
    with a weight decay of 5e-4 beside it (a candidate file says it as `factor = { name = "scheduled", ... }`).

    Example:
        >>> layer = keras.layers.Conv2D(64, 3, kernel_regularizer=Orthogonal(1e-4))

    Args:
        factor: At least 0.
        form: One of the seven.
        gram: Of the two isometries: `"smaller"`, or `"columns"` for W'W whatever its size. Of all others `"columns"`.
        last_layer: Whether a network's last kernel, that of its logits, is penalized too. Looked at by what gives one
            penalty to all kernels of a network, as regbench's engine does; a layer that is given it has it.

    Reference:
        An answer to a question on a Keras forum, which sums over all pairs of output filters (`norm`);
        Brock et al., "Neural photo editing with introspective adversarial networks", 2017,
        https://arxiv.org/abs/1609.07093 (orthogonal regularization);
        Bansal, Chen, Wang, "Can we gain more from orthogonality regularizations in training deep CNNs?", 2018,
        https://arxiv.org/abs/1810.09102 (section 3).

    Departure:
        Bansal et al. estimate the largest singular value by two steps of the power method from a random vector. Here
        it comes from nine steps from fixed vectors; see `spectral_norm` in `matrices.py`, also for the gradient.
    """

    def __init__(self, factor: float, form: str = "norm", gram: str | None = None, last_layer: bool = True) -> None:
        super().__init__(factor)
        if form not in FORMS:
            raise ValueError(f"`form` must be one of {list(FORMS)}. Received: form={form!r}")
        default = "smaller" if form in ISOMETRIES else "columns"
        if gram not in (None, *GRAMS) or (gram == "smaller" and form not in ISOMETRIES):
            raise ValueError(
                f'`gram` must be "columns", or "smaller" for the forms {list(ISOMETRIES)}. Received: gram={gram!r}'
            )
        if not isinstance(last_layer, bool):
            raise ValueError(f"`last_layer` must be true or false. Received: last_layer={last_layer!r}")
        self.form = form
        self.gram = gram or default
        self.last_layer = last_layer
        if form == "brock":
            self.default_kernels = "convolution"  # type: ignore[misc]

    def scaled(self, kernel: Any) -> Any:
        """Returns the penalty."""
        if self.form == "norm":
            return euclidean_norm(_deviation(as_matrix(kernel)), self.factor)
        return super().scaled(kernel)

    def unscaled(self, kernel: Any) -> Any:
        """Returns the deviation from orthonormal columns."""
        if self.form == "brock":
            return _deviations_of_filters(kernel)
        matrix = as_matrix(kernel)
        rows, columns = matrix.shape
        smaller = matrix if rows >= columns else ops.transpose(matrix)
        if self.form == "double_sided":
            # |WW' - I|**2 = |W'W - I|**2 + rows - columns: the smaller of the two products is enough.
            return 2 * ops.sum(ops.square(_deviation(smaller))) + abs(rows - columns)
        deviation = _deviation(smaller if self.gram == "smaller" else matrix)
        if self.form == "norm":
            return euclidean_norm(deviation)
        if self.form == "squared":
            return ops.sum(ops.square(deviation))
        if self.form == "mutual_coherence":
            return ops.max(absolute(deviation))
        isometry = spectral_norm(deviation)
        return ops.square(isometry) if self.form == "spectral_restricted_isometry_squared" else isometry

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return super().get_config() | {"form": self.form, "gram": self.gram, "last_layer": self.last_layer}


def _deviation(matrix: Any) -> Any:
    """W'W - I."""
    return ops.matmul(ops.transpose(matrix), matrix) - ops.eye(matrix.shape[1], dtype=matrix.dtype)


def _deviations_of_filters(kernel: Any) -> Any:
    """The sum of the absolute entries of VV' - I over all filters, V of height x (width * in)."""
    if len(kernel.shape) != 4:
        raise ValueError(f"The form `brock` needs kernels (h, w, in, out). Received: shape={tuple(kernel.shape)!r}")
    height, outputs = kernel.shape[0], kernel.shape[-1]
    filters = ops.reshape(ops.transpose(kernel, (3, 0, 1, 2)), (outputs, height, -1))
    products = ops.matmul(filters, ops.transpose(filters, (0, 2, 1)))
    return ops.sum(absolute(products - ops.eye(height, dtype=kernel.dtype)))
