"""regbench: is this optimizer or weight regularizer better, once everyone gets the same tuning budget?

`regbench.search` and `regbench.run` are what the commands of the same names do. Importing this package loads neither
TensorFlow nor Optuna nor pandas.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

# The package of this name must be loaded before it is hidden, or loading it later would hide the function `search`.
import regbench.search  # noqa: F401

if TYPE_CHECKING:
    from regbench.benchmark import run, search

__all__ = ["run", "search"]
__version__ = version("regbench")

del globals()["search"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from regbench import benchmark

        return getattr(benchmark, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
