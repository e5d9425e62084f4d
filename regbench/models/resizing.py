"""Resizing of images as TensorFlow 1 did it."""

from typing import Any

import numpy as np
from keras import KerasTensor, layers, ops


class Resizing(layers.Layer):
    """Bilinear resizing with the arithmetic of TensorFlow 1: enlarged k times, pixel i is sampled at i/k.

    So the first corner stays in place. `keras.layers.Resizing` samples at (i + 1/2)/k - 1/2 instead. Images that have
    the size are passed on.

    Args:
        image_size: height and width that images are resized to.
    """

    def __init__(self, image_size: int, **options: Any) -> None:
        """Remember the size."""
        super().__init__(**options)
        self.image_size = image_size

    def call(self, images: KerasTensor) -> KerasTensor:
        """Images (n, height, width, channels), resized."""
        return self._resize(self._resize(images, axis=2), axis=1)

    def _resize(self, images: KerasTensor, axis: int) -> KerasTensor:
        side = images.shape[axis]
        if side == self.image_size:
            return images
        positions = np.arange(self.image_size, dtype="float32") * np.float32(side / self.image_size)
        lower = np.floor(positions).astype("int32")
        upper = np.minimum(lower + 1, side - 1)
        shares = ops.cast((positions - lower).reshape([-1] + [1] * (3 - axis)), images.dtype)
        start = ops.take(images, lower, axis=axis)
        return start + (ops.take(images, upper, axis=axis) - start) * shares
