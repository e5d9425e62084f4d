"""regbench: is this optimizer or weight regularizer better, once everyone gets the same tuning budget?

`regbench.search`, `regbench.run`, `regbench.compare` and `regbench.export` are what the commands of the same names do;
`regbench.load` reads results into data frames; `regbench.Workers` says where a search computes. Importing this package
loads neither TensorFlow nor Optuna nor pandas. `regbench.problem_on` makes a problem of arrays and a network.
"""

TYPE_CHECKING = False  # as in `typing`, whose import would delay the moment from which signals are answered
if TYPE_CHECKING:
    from regbench.benchmark import problem_on, run, search
    from regbench.comparison import compare, load, power
    from regbench.execution import Workers
    from regbench.exporting import export

    __version__: str

__all__ = ["Workers", "compare", "export", "load", "power", "problem_on", "run", "search"]

_HOMES = {
    "Workers": "execution",
    "compare": "comparison",
    "export": "exporting",
    "load": "comparison",
    "power": "comparison",
    "problem_on": "benchmark",
    "run": "benchmark",
    "search": "benchmark",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version  # slow to import, too

        return version("regbench")
    import importlib  # after the moment from which signals are answered

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"regbench.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
