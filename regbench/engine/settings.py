"""What the base class of Keras's optimizers offers and would do nothing here, or would act where no record tells of it.

Judged is the instance as it was made, so that it is the same where a setting came from: an argument, a keyword that was
passed on, a constant in a class, at the top or in an optimizer inside. docs/add-an-optimizer.md has the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

from regbench.errors import DefinitionError

DECAY = "decay belongs into [decay], where its coupling is stated"
AVERAGE = "weights are evaluated as the steps leave them, never as their moving average"
LOSS_SCALE = "the loss is not scaled, so that gradients must not be divided by a scale"

SETTINGS: dict[str, tuple[Any, str]] = {
    "weight_decay": (0, DECAY),
    "adam_weight_decay": (0, DECAY),
    "use_ema": (False, AVERAGE),
    "ema_momentum": (0.99, AVERAGE),
    "ema_overwrite_frequency": (None, AVERAGE),
    "loss_scale_factor": (None, LOSS_SCALE),
    "gradient_accumulation_steps": (None, "a step is one batch; the size of a batch belongs to the problem or the run"),
    "_exclude_from_weight_decay": (set(), "which weights decay is said by `mask` in [decay]"),
    "_exclude_from_weight_decay_pattern": (None, "which weights decay is said by `mask` in [decay]"),
}
"""Attributes, each with the value at which it is off (None is always off), and why it must be."""

METHODS = {
    "apply_gradients": "it is never called; `apply` is",
    "stateless_apply": "it is never called; `apply` is",
    "scale_loss": f"it is never called; {LOSS_SCALE}",
    "finalize_variable_values": f"it is never called; {AVERAGE}",
    "exclude_from_weight_decay": "it is never called; which weights decay is said by `mask` in [decay]",
    "_apply_weight_decay": DECAY,
    "_update_model_variables_moving_average": AVERAGE,
    "_overwrite_model_variables_with_average_value": AVERAGE,
}
"""Methods that a class of one's own must leave as they are, and why."""

TOLD_OF = ("keras.", "regbench.optimizers.")
"""Where classes are that may have methods of these names, since what they do is known here."""


def check_settings(optimizer: keras.optimizers.Optimizer, key: str) -> None:
    """Refuse an optimizer with a setting or a method that does not do here what it does in Keras, or one inside it.

    Args:
        optimizer: as it was made.
        key: where it stands in the candidate.

    Raises:
        DefinitionError: so it is; the message says which, and why.
    """
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        raise DefinitionError(f"{key}: must be no LossScaleOptimizer: {LOSS_SCALE}")
    for name, (off, reason) in SETTINGS.items():
        value = getattr(optimizer, name, None)
        if value is not None and value != off:
            raise DefinitionError(f"{key}.{name}: {reason}. Received: {name}={value!r}")
    if not isinstance(optimizer._learning_rate, keras.Variable):
        raise DefinitionError(
            f"{key}.learning_rate: must be a number; a schedule belongs to the run (--schedule). "
            f"Received: {type(optimizer._learning_rate).__name__}"
        )
    for name, reason in METHODS.items():
        owner = next(kind for kind in type(optimizer).__mro__ if name in vars(kind))
        if not owner.__module__.startswith(TOLD_OF):
            raise DefinitionError(f"{key}: `{owner.__name__}.{name}` must not be overridden: {reason}")
    for name, inner in _inside(optimizer):
        check_settings(inner, f"{key}.{name}")


def _inside(optimizer: keras.optimizers.Optimizer) -> Iterator[tuple[str, keras.optimizers.Optimizer]]:
    for name, value in vars(optimizer).items():
        if not name.startswith("_self_"):  # where TensorFlow tracks what stands under other names
            yield from ((name, one) for one in _optimizers(value))


def _optimizers(value: Any) -> Iterator[keras.optimizers.Optimizer]:
    if isinstance(value, keras.optimizers.Optimizer):
        yield value
    elif isinstance(value, list | tuple | dict):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _optimizers(one)
