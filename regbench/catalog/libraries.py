"""Libraries of other frameworks, whose optimizers are named `library:optimizer`. None of them is loaded here.

What is of the user's own is told by what its modules import, wherever in them; that decides only how the process
of a run begins. What an optimizer is, is told by the object.
"""

from regbench.catalog import own_sources
from regbench.records import Part

TORCH, OPTAX = "torch", "optax"

FRAMEWORKS = {
    "torch": TORCH,
    "torch.optim": TORCH,
    "pytorch_optimizer": TORCH,
    "optax": OPTAX,
    "optax.contrib": OPTAX,
}
"""The framework of each library."""

_IMPORTS = {"torch": TORCH, "pytorch_optimizer": TORCH, "optax": OPTAX, "jax": OPTAX}


def library_of(name: str) -> str:
    """The library of a name `library:optimizer`; empty where it is no library's."""
    library, colon, _ = name.partition(":")
    return library if colon and library in FRAMEWORKS else ""


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
    imported = {_IMPORTS.get(module, "") for module in own_sources.imported_by(name.partition(":")[0])}
    return TORCH if TORCH in imported else OPTAX if OPTAX in imported else ""
