"""regbench: is this optimizer or weight regularizer better, once everyone gets the same tuning budget?

`regbench.search`, `regbench.run` and `regbench.compare` are what the commands of the same names do; `regbench.load`
reads results into data frames. Importing this package loads neither TensorFlow nor Optuna nor pandas.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

# The package of this name must be loaded before it is hidden, or loading it later would hide the function `search`.
import regbench.search  # noqa: F401

if TYPE_CHECKING:
    from regbench.benchmark import run, search
    from regbench.comparison import compare, load

__all__ = ["compare", "load", "run", "search"]
__version__ = version("regbench")

del globals()["search"]


def __getattr__(name: str) -> Any:
    if name in ("run", "search"):
        from regbench import benchmark

        return getattr(benchmark, name)
    if name in ("compare", "load"):
        from regbench import comparison

        return getattr(comparison, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
