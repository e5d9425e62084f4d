"""Normalized gradients."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from regbench.optimizers.gradients import densified
from regbench.optimizers.norms import check_norm, gradient_norm
from regbench.optimizers.wrapper import OptimizerWrapper, Selection


@keras.saving.register_keras_serializable(package="regbench")
class Normalized(OptimizerWrapper):
    """Divides the gradient of each variable by its norm.

    The inner optimizer gets, variable by variable,

        g / (N(g) + 1e-7)

    so that the size of the gradient no longer matters, only its direction. A gradient of zeros stays zero.

    | norm | N(g) |
    |--|--|
    | `l1` | sum of abs(g) |
    | `l2` | root of the sum of g**2 |
    | `l1_l2` | (l1 + l2) / 2 |
    | `avg_l1`, `avg_l2` | mean of abs(g), root of the mean of g**2 |
    | `avg_l1_l2` | (avg_l1 + avg_l2) / 2 |
    | `max`, `linf` | maximum of abs(g) |
    | `min_max` | (maximum + minimum of abs(g)) / 2 |
    | `std` | population standard deviation of g |

    `std` is 0 where all entries are equal, so always for a variable with one entry (the bias of `Dense(1)`), whose
    gradient is then multiplied by 1e7: use `apply_to="kernels"`.

    Example:
        >>> optimizer = Normalized(keras.optimizers.SGD(learning_rate=0.1, momentum=0.9, nesterov=True))

    Args:
        inner_optimizer: The optimizer that gets the normalized gradient.
        norm: Name of the norm; further ones are added with `register_norm`.
        apply_to: `"all"` (default), `"kernels"` or a function of a variable; see `OptimizerWrapper`.
        name: Name of the optimizer.
        **kwargs: See `OptimizerWrapper`.

    Reference:
        Yu et al., "Block-normalized gradient method: an empirical study for training deep neural network", 2017,
        https://arxiv.org/abs/1707.04822, for `l2`; the other norms are those of Majumdar,
        https://github.com/titu1994/keras-normalized-optimizers
    """

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer | str | dict[str, Any],
        norm: str = "l2",
        apply_to: Selection = "all",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(inner_optimizer, apply_to=apply_to, name=name, **kwargs)
        check_norm(norm)
        self.norm = norm

    def transform(self, gradient: Any, variable: Any) -> Any:
        """Returns the normalized gradient."""
        gradient = densified(gradient, variable)
        norm = gradient_norm(self.norm, gradient)
        # The inner optimizer gets g / N(g).
        return ops.cast(ops.divide(gradient, norm), gradient.dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return super().get_config() | {"norm": self.norm}
