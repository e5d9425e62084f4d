"""What a weight is in its layer, by the name that it has there.

Keras calls its weights in every layer by the same few words, and so should layers of one's own: the last known word in
a name decides, `recurrent_kernel`, `position_embeddings` and `lora_kernel_a` are kernels or tables, `kernel_scale` is a
scale. Where no name says anything, a weight of rank 2 or more is a kernel.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    """What a weight is in its layer."""

    KERNEL = "kernel"
    EMBEDDING = "embedding"
    BIAS = "bias"
    NORM = "norm"
    OTHER = "other"

    @property
    def is_kernel(self) -> bool:
        """Whether it is one of those that decay and regularizers are for: kernels, and tables of embeddings."""
        return self in (Role.KERNEL, Role.EMBEDDING)


_WORDS = {
    "kernel": Role.KERNEL,
    "kernels": Role.KERNEL,
    "embedding": Role.EMBEDDING,
    "embeddings": Role.EMBEDDING,
    "bias": Role.BIAS,
    "biases": Role.BIAS,
    "gamma": Role.NORM,
    "beta": Role.NORM,
    "scale": Role.NORM,
    "scales": Role.NORM,
}


def role_of(names: Iterable[str], rank: int) -> Role:
    """The role of a weight of this rank that has these names; the first that holds a known word decides."""
    for name in names:
        known = [_WORDS[word] for word in re.findall("[a-z]+", name.lower()) if word in _WORDS]
        if known:
            return known[-1]
    return Role.KERNEL if rank >= 2 else Role.OTHER


def is_kernel(variable: Any) -> bool:
    """Whether a variable is a kernel or a table of embeddings, by its name; by its rank where that says nothing."""
    return role_of([variable.name], len(variable.shape)).is_kernel


def hidden_kernels(roles: Sequence[Role], ranks: Sequence[int]) -> list[bool]:
    """Which of a network's weights, in its order, are kernels of hidden layers.

    These are kernels of rank 2 or more, no tables of embeddings, but for the last one, which is that of the outputs.
    """
    kernels = [place for place, role in enumerate(roles) if role == Role.KERNEL and ranks[place] >= 2]
    return [place in kernels[:-1] for place in range(len(roles))]


def are_hidden_kernels(variables: Sequence[Any]) -> list[bool]:
    """The same of all trainable variables of a network, by their names."""
    ranks = [len(variable.shape) for variable in variables]
    return hidden_kernels([role_of([v.name], rank) for v, rank in zip(variables, ranks, strict=True)], ranks)
