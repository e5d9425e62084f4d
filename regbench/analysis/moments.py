"""Mean and standard deviation of final values, the same to the last bit wherever they are shown.

Equal values have exactly their value as mean and 0 as deviation, which sums of floats need not give.
"""

from collections.abc import Sequence

import numpy as np


def mean(values: Sequence[float] | np.ndarray) -> float:
    """NaN for no values, and where an infinite loss stands against one that is not a number."""
    values = np.asarray(values, float)
    if len(values) and (values == values[0]).all():
        return float(values[0])
    with np.errstate(over="ignore", invalid="ignore"):
        return float(values.mean()) if len(values) else np.nan


def standard_deviation(values: Sequence[float] | np.ndarray) -> float:
    """With ddof 1; NaN for fewer than two values, and where one is not finite."""
    values = np.asarray(values, float)
    if len(values) > 1 and (values == values[0]).all():
        return 0.0 if np.isfinite(values[0]) else np.nan
    with np.errstate(over="ignore", invalid="ignore"):
        return float(values.std(ddof=1)) if len(values) > 1 and np.isfinite(values).all() else np.nan
