"""Settings as text that can be compared: canonical JSON of the hyperparameters and the strength of the decay."""

import json
import math
from collections.abc import Mapping
from typing import Any

from regbench.errors import printable
from regbench.records import Coupling
from regbench.trees.irregularities import NoRunError

UNKNOWN = "unknown"
"""The coupling of a decay that a file does not tell."""

_LONGEST = 10_000  # characters
_DEEPEST = 20  # levels of objects and lists
_DIGITS = 10  # after the first, as DeepOBS prints numbers in the names of folders


def setting_text(hyperparameters: Mapping[str, Any], coupling: str, strength: float) -> tuple[str, str]:
    """The setting as canonical JSON, and a key that is the same for settings that DeepOBS does not tell apart.

    Keys are sorted, 1.0 is 1, and the strength of the decay stands under `decay`, where there is one that is known. In
    the key numbers are rounded as in the names of DeepOBS's folders.

    Raises:
        NoRunError: it is too long, or nested too deeply.
    """
    values = dict(hyperparameters)
    if coupling not in (Coupling.NONE, UNKNOWN):
        values["decay.strength" if "decay" in values else "decay"] = strength
    values = _plain(values)
    text = _ENCODER.encode(values)
    if len(text) > _LONGEST:
        raise NoRunError("not_a_result", f"its hyperparameters must take at most {_LONGEST} characters")
    return text, repr(_rounded(values))


def _plain(value: Any, levels: int = _DEEPEST) -> Any:
    """A value as JSON, with sorted keys, in which 1.0 is 1, and what is no number is a string."""
    if isinstance(value, dict | list) and not levels:
        raise NoRunError("not_a_result", f"its hyperparameters must be nested at most {_DEEPEST} deep")
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, dict):
        return {printable(key): _plain(value[key], levels - 1) for key in sorted(value)}
    if isinstance(value, list):
        return [_plain(item, levels - 1) for item in value]
    return printable(value) if isinstance(value, str) else value


def _rounded(value: Any) -> Any:
    """The value with rounded numbers."""
    if isinstance(value, float):
        return _plain(float(f"{value:.{_DIGITS}e}"))
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return value


_ENCODER = json.JSONEncoder(separators=(",", ":"))
