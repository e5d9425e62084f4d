"""Exponential moving averages of the gradient's moments, as Adam and its relatives keep them."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops


def check_decay_rates(beta_1: float, beta_2: float) -> None:
    """Raises `ValueError` unless both rates are in [0, 1)."""
    for name, beta in (("beta_1", beta_1), ("beta_2", beta_2)):
        if not 0 <= beta < 1:
            raise ValueError(f"`{name}` must be in [0, 1). Received: {name}={beta!r}")


def step_number(iterations: Any) -> Any:
    """The step t = 1, 2, ... as a float of at least 32 bits, whatever the variables have."""
    return ops.cast(iterations + 1, keras.backend.result_type(keras.config.floatx(), "float32"))


def log_rate(beta: float) -> float:
    """log(beta), the form in which `bias_correction` takes a decay rate; computed once, in double precision."""
    return math.log(beta) if beta > 0 else -math.inf


def bias_correction(log_beta: float, step: Any) -> Any:
    """1 - beta**t, what an average that started at 0 still lacks after t steps is beta**t.

    Written as -expm1(t log beta): the plain difference loses four of seven digits at beta = 0.999, t = 1.
    """
    return -ops.expm1(step * log_beta)
