"""The framework that the process of a run needs, before anything is loaded.

What is of the user's own is told by what its modules import, wherever in them; that decides only how a process begins.
What an optimizer is, is told by the object.
"""

from collections.abc import Mapping

from regbench.catalog import own_code, own_sources
from regbench.catalog.libraries import FRAMEWORKS, OPTAX, TORCH, library_of
from regbench.records import Part

_TITLES = {"": "Keras", TORCH: "PyTorch", OPTAX: "optax"}
_IMPORTS = {"torch": TORCH, "pytorch_optimizer": TORCH, "optax": OPTAX, "jax": OPTAX}


def framework_of(part: Part) -> str:
    """The framework that the process of a run needs for an optimizer, before it loads TensorFlow; empty for none."""
    found = {_framework(one.name) for one in part.with_inner()}
    return TORCH if TORCH in found else OPTAX if OPTAX in found else ""


def _framework(name: str) -> str:
    if ":" not in name:
        return ""
    library = library_of(name)
    return FRAMEWORKS[library] if library else imports_of(name)


def imports_of(name: str) -> str:
    """The framework that a module of the user's own imports, `module:attribute`; PyTorch where it imports both."""
    with own_code.findable():
        imported = {_IMPORTS.get(module, "") for module in own_sources.imported_by(name.partition(":")[0])}
    return TORCH if TORCH in imported else OPTAX if OPTAX in imported else ""


def on_seconds(optimizers: Mapping[str, Part]) -> str:
    """A sentence on seconds that stand side by side, where the optimizers are of several frameworks; else empty.

    Args:
        optimizers: by the names of their candidates.
    """
    by_framework: dict[str, list[str]] = {}
    for candidate, optimizer in optimizers.items():
        by_framework.setdefault(_TITLES[framework_of(optimizer)], []).append(candidate)
    if len(by_framework) < 2:
        return ""
    named = "; ".join(f"{framework}: {', '.join(by_framework[framework])}" for framework in sorted(by_framework))
    return f"Seconds across frameworks compare implementations, not methods ({named})."
