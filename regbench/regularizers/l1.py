"""The L1 penalty (lasso), alone and with L2 (elastic net)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from regbench.regularizers.matrices import absolute
from regbench.regularizers.penalty import Penalty


@keras.saving.register_keras_serializable(package="regbench")
class L1(Penalty):
    """The sum of absolute weights: adds `factor * sign(w)` to the gradient, 0 where w = 0.

        factor * sum |w|

    It is `keras.regularizers.L1(factor)`. A gradient step passes through 0 and stays near it: weights become small,
    hardly ever exactly 0.

    `default_kernels` is `"both"`. Kernels of any shape; nothing is flattened.

    Args:
        factor: At least 0.

    Reference:
        Tibshirani, "Regression shrinkage and selection via the lasso", 1996,
        https://doi.org/10.1111/j.2517-6161.1996.tb02080.x
    """

    default_kernels = "both"

    def unscaled(self, kernel: Any) -> Any:
        """Returns the sum of absolute weights."""
        return ops.sum(absolute(kernel))


@keras.saving.register_keras_serializable(package="regbench")
class ElasticNet(Penalty):
    """A mixture of L1 and L2.

        factor * (share * sum |w| + (1 - share) / 2 * sum w**2)

    `share=1` is `L1(factor)`, `share=0` is our `L2(factor)`. It is the penalty of glmnet and of scikit-learn, which
    call the share alpha and `l1_ratio`.

    `default_kernels` is `"both"`. Kernels of any shape; nothing is flattened.

    Args:
        factor: At least 0.
        share: Of L1, in [0, 1].

    Reference:
        Zou, Hastie, "Regularization and variable selection via the elastic net", 2005,
        https://doi.org/10.1111/j.1467-9868.2005.00503.x (the naive elastic net), in the parameters of Friedman,
        Hastie, Tibshirani, "Regularization paths for generalized linear models via coordinate descent", 2010

    Departure:
        Zou and Hastie scale the coefficients that they find up again; here there is the penalty alone.
    """

    default_kernels = "both"

    def __init__(self, factor: float, share: float = 0.5) -> None:
        super().__init__(factor)
        if isinstance(share, bool) or not 0 <= share <= 1:
            raise ValueError(f"`share` must be in [0, 1]. Received: share={share!r}")
        self.share = float(share)

    def unscaled(self, kernel: Any) -> Any:
        """Returns the mixture of both sums."""
        return self.share * ops.sum(absolute(kernel)) + (1 - self.share) / 2 * ops.sum(ops.square(kernel))

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return super().get_config() | {"share": self.share}
