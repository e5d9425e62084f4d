"""What every weight of a network is in its layer; and so which of them decay, and which a regularizer is for.

The one place that decides it (docs/weights.md is the rule in words), for L2, every decay coupling, every regularizer,
wrappers that act on kernels, and the kernels that a run keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras

from regbench.errors import DefinitionError, UnknownNameError
from regbench.optimizers.kernels import Role, role_of
from regbench.records import Decay, Problem

NO_KERNELS = {keras.layers.PReLU: "alpha"}
"""Weights of Keras's layers whose names and ranks say less than what they are."""


@dataclass(frozen=True)
class Weight:
    """A trainable variable of a network.

    Attributes:
        variable: itself.
        layers: the paths of its layer in the network, such as `encoder/dense`; a layer that is shared has several.
        role: what it is there.
        convolves: whether it is the kernel of a convolution.
    """

    variable: keras.Variable
    layers: tuple[str, ...]
    role: Role
    convolves: bool

    @property
    def path(self) -> str:
        """Where it is in the network, as its user sees it."""
        return "/".join(filter(None, (self.layers[0], self.variable.name)))

    @property
    def is_kernel(self) -> bool:
        """Whether it is a kernel or a table of embeddings."""
        return self.role.is_kernel


class Weights:
    """The trainable variables of a network, in its order."""

    def __init__(self, model: keras.Model) -> None:
        """Find the layer of each."""
        owners: dict[int, list[tuple[str, keras.layers.Layer]]] = {}
        for path, layer in layers_of(model):
            for variable in layer._trainable_variables:  # Keras has no public list of those without the inner layers'
                owners.setdefault(id(variable), []).append((path, layer))
        self._weights = [_weight(variable, owners.get(id(variable), [])) for variable in model.trainable_variables]

    def __iter__(self) -> Iterator[Weight]:
        """In the network's order."""
        return iter(self._weights)

    @property
    def kernels(self) -> list[Weight]:
        """Those that are kernels or tables of embeddings."""
        return [weight for weight in self._weights if weight.is_kernel]

    def decayed(self, problem: Problem, decay: Decay) -> list[keras.Variable]:
        """Those that a decay or an L2 term acts on, whatever its strength."""
        return [weight.variable for weight in self._weights if decays(weight, problem, decay)]

    def of_layer(self, name: str, where: str) -> list[Weight]:
        """The kernels of a layer and of the layers in it.

        Args:
            name: the path of the layer, or its end where no other layer has the same.
            where: what names it, for errors.

        Raises:
            DefinitionError: no layer that has kernels has the name, or several have it.
        """
        layers = self._kernels_of_layers()
        if name in layers:
            return layers[name]
        found = {path: kernels for path, kernels in layers.items() if path.endswith(f"/{name}")}
        if not found:
            raise UnknownNameError("layer with a kernel", name, layers, where)
        if len({tuple(id(kernel.variable) for kernel in kernels) for kernels in found.values()}) > 1:
            paths = ", ".join(f"`{path}`" for path in found)
            raise DefinitionError(f"{where}: `{name}` must name one layer: {paths}. Received: {name!r}")
        return next(iter(found.values()))

    def _kernels_of_layers(self) -> dict[str, list[Weight]]:
        layers: dict[str, list[Weight]] = {}
        for kernel in self.kernels:
            for around in dict.fromkeys(around for path in kernel.layers for around in _around(path)):
                layers.setdefault(around, []).append(kernel)
        return layers


def decays(weight: Weight, problem: Problem, decay: Decay) -> bool:
    """Whether a decay or an L2 term acts on a weight: by its mask, then by `l2_on` of the problem."""
    if decay.mask == "all":
        return True
    if decay.mask == "kernels_without_embeddings" and weight.role == Role.EMBEDDING:
        return False
    return weight.convolves if problem.l2_on == "convolution_kernels" else weight.is_kernel


def among(variables: list[keras.Variable]) -> Callable[[Any], bool]:
    """Whether a variable is one of these."""
    return lambda variable: any(variable is one for one in variables)


def layers_of(model: keras.Model) -> Iterator[tuple[str, keras.layers.Layer]]:
    """The layers of a network by their path, those inside of a layer before it, itself with an empty path at the end.

    A layer that is shared comes once for each place.
    """
    yield from _inside(model, "")
    yield "", model


def _inside(layer: keras.layers.Layer, prefix: str) -> Iterator[tuple[str, keras.layers.Layer]]:
    for inner in layer._flatten_layers(include_self=False, recursive=False):
        path = f"{prefix}{inner.name}"
        yield from _inside(inner, f"{path}/")
        yield path, inner


def _weight(variable: keras.Variable, owners: list[tuple[str, keras.layers.Layer]]) -> Weight:
    path, layer = owners[0] if owners else ("", None)
    names = [variable.name, *_attributes(layer, variable)]
    role = role_of(names, len(variable.shape))
    if any(isinstance(layer, kind) and variable.name == name for kind, name in NO_KERNELS.items()):
        role = Role.OTHER
    is_of_dense = isinstance(layer, keras.layers.EinsumDense)
    convolves = role == Role.KERNEL and len(variable.shape) > 2 and not is_of_dense
    return Weight(variable, tuple(path for path, _ in owners) or (path,), role, convolves)


def _attributes(layer: keras.layers.Layer | None, variable: keras.Variable) -> list[str]:
    """The names under which a layer holds a variable, alone or in a list."""
    held = vars(layer).items() if layer is not None else ()
    return [
        name
        for name, value in held
        if not name.startswith(("_trainable", "_non_trainable"))
        and (value is variable or (isinstance(value, list | tuple) and any(one is variable for one in value)))
    ]


def _around(path: str) -> list[str]:
    """The paths of a layer and of all that it is in."""
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1) if path]
