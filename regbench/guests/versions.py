"""What is installed of the frameworks of guests, and whether it will do."""

import re
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from regbench.catalog.libraries import OPTAX, PACKAGES, TORCH
from regbench.errors import DefinitionError

_NEEDED = {TORCH: ("torch",), OPTAX: ("optax", "jax")}
"""What all optimizers of a framework need."""

_LEAST = {"torch": "2.14", "pytorch_optimizer": "4.1", "optax": "0.2.8", "jax": "0.10"}
"""The versions that the extras ask for."""


def check_package(framework: str, package: str) -> None:
    """Make sure that a package, and what all optimizers of its framework need, are there; nothing is loaded.

    Raises:
        DefinitionError: one is missing or too old; the message has the command that installs it.
    """
    for needed in (package, *(one for one in _NEEDED[framework] if one != package)):
        if find_spec(needed) is None:
            raise DefinitionError(
                f"optimizers of {package} need the packages {' and '.join(PACKAGES[framework])}: "
                f"pip install 'regbench[{framework}]'"
            )
        there = version_of(needed)
        if there and _numbers(there) < _numbers(_LEAST[needed]):
            raise DefinitionError(
                f"optimizers of {package} need {needed} {_LEAST[needed]} or later: "
                f"pip install --upgrade 'regbench[{framework}]'. Received: {there!r}"
            )


def version_of(package: str) -> str:
    """Of what is installed; empty where it lies in the search path without having been."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _numbers(release: str) -> tuple[int, ...]:
    """Of a version, for comparing: `2.14.1+cpu` is 2, 14, 1."""
    return tuple(map(int, re.findall(r"[0-9]+", re.split(r"[+a-z]", release)[0])))
