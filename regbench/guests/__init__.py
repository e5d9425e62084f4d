"""Optimizers of PyTorch and optax, as guests: the network, the data, the loss and the gradients are the engine's.

Each framework has a file, which alone imports it: `torch`, `optax`. Nothing is loaded before a candidate names an
optimizer of it; PyTorch must be loaded before TensorFlow (`prepare`), so runs of guests have processes of their own.
"""

import importlib
import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from regbench.catalog import own_code
from regbench.catalog.frameworks import imports_of
from regbench.catalog.libraries import FRAMEWORKS, OPTAX, TORCH, library_of
from regbench.guests.versions import check_package
from regbench.records import Guest, Part

__all__ = ["check_installed", "double_precision", "guest_of", "prepare"]


def prepare(framework: str) -> None:
    """Load a framework, if any, in a process that has not loaded TensorFlow.

    Raises:
        DefinitionError: it is not installed.
    """
    if framework == TORCH:
        check_package(TORCH, "torch")
        # Its threads would spin while they wait, and keep the cores from TensorFlow's: ten times the time of a step.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        importlib.import_module("regbench.guests.torch")
    elif framework == OPTAX:
        check_package(OPTAX, "optax")


def check_installed(optimizer: Part) -> None:
    """Make sure that the library that a candidate's optimizer names is installed; nothing is loaded.

    Raises:
        DefinitionError: it is not; the message has the command that installs it.
    """
    for part in optimizer.with_inner():
        if library := library_of(part.name):
            check_package(FRAMEWORKS[library], library.partition(".")[0])


def double_precision(name: str) -> AbstractContextManager[None]:
    """Inside, an optimizer of this name computes in float64 where its weights are; JAX must be told.

    Raises:
        DefinitionError: its library is not installed.
    """
    check_installed(Part(name=name))
    if FRAMEWORKS.get(library_of(name)) != OPTAX:
        return nullcontext()
    context: AbstractContextManager[None] = importlib.import_module("regbench.guests.optax").double_precision()
    return context


def guest_of(optimizer: Part, keeps_decay: bool = False) -> Guest | None:
    """The guest of a candidate's optimizer, alone or in wrappers; None where that is one of Keras.

    Args:
        optimizer: with every value chosen.
        keeps_decay: its own decay is left as it is, for a comparison of optimizers; a candidate's is in `[decay]`.

    Raises:
        DefinitionError: its library or the optimizer does not exist, or does not take its arguments.
    """
    key, part = "optimizer", optimizer
    while ":" not in part.name:
        inner = part.arguments.get("inner_optimizer")
        if not isinstance(inner, Part):
            return None
        key, part = f"{key}.inner_optimizer", inner
    if library := library_of(part.name):
        framework = FRAMEWORKS[library]
        check_package(framework, library.partition(".")[0])
        return _make(framework, key, part, None, keeps_decay)
    import keras  # PyTorch must be loaded before

    target = own_code.resolve(f"{key}.name", part.name)
    if isinstance(target, type) and issubclass(target, keras.optimizers.Optimizer):
        return None
    framework = _framework_of(part.name, target)
    return None if not framework else _make(framework, key, part, target, keeps_decay)


def _framework_of(name: str, target: Any) -> str:
    """What a class or function of the user's own is of; by what it is, not by its name."""
    if isinstance(target, type):
        bases = {f"{base.__module__}.{base.__qualname__}" for base in target.__mro__}
        return TORCH if "torch.optim.optimizer.Optimizer" in bases else ""
    # What a function returns is known when it is called; one that returns an optimizer of Keras needs no optax.
    return OPTAX if callable(target) and imports_of(name) == OPTAX else ""


def _make(framework: str, key: str, part: Part, target: Any, keeps_decay: bool) -> Guest:
    module = importlib.import_module(f"regbench.guests.{framework}")
    made: Guest = module.make(key, part, target, keeps_decay)
    return made
