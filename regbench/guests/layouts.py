"""How kernels are laid out in Keras and in PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Layout:
    """Between (height, width, inputs, outputs) and PyTorch's (outputs, inputs, height, width).

    Attributes:
        is_turned: whether the axes are in PyTorch's order there; else the weight is handed over as it lies.
        is_flat: whether it is a matrix there, (outputs, inputs * height * width).
    """

    is_turned: bool
    is_flat: bool

    def inward(self, array: Any) -> Any:
        """As PyTorch has it."""
        if not self.is_turned:
            return array
        space = range(array.ndim - 2)
        turned = array.permute(array.ndim - 1, array.ndim - 2, *space).contiguous()
        return turned.flatten(1) if self.is_flat else turned

    def outward(self, array: Any, shape: Any) -> Any:
        """As the network has it; None where it has another shape."""
        if not self.is_turned:
            return array if array.shape == shape else None
        turned = (shape[-1], shape[-2], *shape[:-2])
        flat = (shape[-1], array.numel() // max(1, shape[-1]))
        if tuple(array.shape) != (flat if self.is_flat else turned):
            return None
        return (
            array.reshape(turned).permute(*range(2, array.ndim if not self.is_flat else len(turned)), 1, 0).contiguous()
        )
