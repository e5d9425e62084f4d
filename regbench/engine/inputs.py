"""What happens to images inside the compiled step: scaling, and augmentation with draws for each sample.

Recipe of DeepOBS for CIFAR, on pixels 0..255 as floats: pad by 2 with zeros, crop back at random, flip at random,
brightness + uniform(-63/255, 63/255), saturation * uniform(0.5, 1.5), contrast * uniform(0.2, 1.8) about the mean of
each channel, then standardize each image. For SVHN the same without the flip.

Recipe of Feinman and Lake 2019 (arXiv 1903.01882) for silhouettes: rotation by uniform(-30, 30) degrees about the
centre, shifts by uniform(-20, 20) pixels down and right, a flip at random; in between pixels bilinear, outside of the
image its nearest pixel.

Recipe of DeepOBS for ImageNet, on images of 256 x 256: a window of 224 x 224 at random, a flip at random; else the
window in the middle.
"""

import math

import tensorflow as tf

from regbench.records import Augmentation, Preprocessing

PADDING = 2
BRIGHTNESS = 63.0 / 255.0
SATURATION = (0.5, 1.5)
CONTRAST = (0.2, 1.8)
ROTATION = math.radians(30)
SHIFT = 20.0
WINDOW = 224
DRAWS = 6
"""Numbers drawn for each image; not every recipe looks at all of them."""


def preprocess(inputs: tf.Tensor, rule: Preprocessing) -> tf.Tensor:
    """Turn stored inputs (n, ...) into what the network takes, as float32."""
    if rule == "imagenet":
        rows, columns = ((side - WINDOW) // 2 for side in inputs.shape[1:3])
        inputs = inputs[:, rows : rows + WINDOW, columns : columns + WINDOW]
    inputs = tf.cast(inputs, tf.float32)
    if rule == "unit":
        return inputs / 255.0
    if rule == "imagenet":
        return standardize(inputs / 255.0)
    return standardize(inputs) if rule == "standardize" else inputs


def standardize(images: tf.Tensor) -> tf.Tensor:
    """Subtract the mean of each image and divide by its standard deviation, at least by 1/sqrt(pixels * channels)."""
    axes = [1, 2, 3]
    size = tf.cast(tf.reduce_prod(tf.shape(images)[1:]), tf.float32)
    mean, variance = tf.nn.moments(images, axes, keepdims=True)
    return (images - mean) / tf.maximum(tf.sqrt(variance), tf.math.rsqrt(size))


def augment(images: tf.Tensor, recipe: Augmentation, draws: tf.Tensor) -> tf.Tensor:
    """Make one augmented version of each image.

    Args:
        images: (n, height, width, channels), pixels 0..255.
        recipe: "cifar", "svhn", "silhouettes" or "imagenet".
        draws: float32 (n, DRAWS), independent and uniform in [0, 1).

    Returns:
        float32 images of the same shape ("imagenet": of the network's), not standardized yet.
    """
    if recipe == "silhouettes":
        angles, shifts = (2 * draws[:, 0] - 1) * ROTATION, (2 * draws[:, 1:3] - 1) * SHIFT
        images = tf.cast(images, tf.float32)
        return moved(tf.where(draws[:, 3, None, None, None] < 0.5, images[:, :, ::-1], images), angles, shifts)
    if recipe == "imagenet":
        places = tf.cast(draws[:, 4:6] * tf.constant([side - WINDOW + 1.0 for side in images.shape[1:3]]), tf.int32)
        return tf.cast(windows(images, places, draws[:, 0] < 0.5, (WINDOW, WINDOW)), tf.float32)
    is_flipped = (draws[:, 0] < 0.5) & (recipe == "cifar")
    shifts = tf.cast(draws[:, 4:6] * (2 * PADDING + 1), tf.int32)
    images = tf.cast(cropped(images, shifts, is_flipped), tf.float32)
    images = images + _between(draws[:, 1], -BRIGHTNESS, BRIGHTNESS)
    images = saturated(images, _between(draws[:, 2], *SATURATION))
    return contrasted(images, _between(draws[:, 3], *CONTRAST))


def cropped(images: tf.Tensor, shifts: tf.Tensor, is_flipped: tf.Tensor) -> tf.Tensor:
    """Pad each image with zeros, cut a window of the old size at its own place and flip it left to right or not.

    Args:
        images: (n, height, width, channels).
        shifts: int32 (n, 2), the place (row, column) of the window.
        is_flipped: bool (n,).
    """
    padded = tf.pad(images, [[0, 0], [PADDING, PADDING], [PADDING, PADDING], [0, 0]])
    return windows(padded, shifts, is_flipped, images.shape[1:3])


def windows(images: tf.Tensor, places: tf.Tensor, is_flipped: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Cut a window (height, width) at the place (row, column) of each image, and flip it left to right or not."""
    height, width = size
    rows = places[:, 0, None] + tf.range(height)
    columns = places[:, 1, None] + tf.where(is_flipped[:, None], tf.range(width)[::-1], tf.range(width))
    return tf.gather(tf.gather(images, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)


def moved(images: tf.Tensor, angles: tf.Tensor, shifts: tf.Tensor) -> tf.Tensor:
    """Rotate and shift each image by its own angle (n,) and shift (row, column), (n, 2).

    The pixel at a place p of the result comes from R (p - centre + shift) + centre, R the rotation by the angle.
    """
    height, width, channels = images.shape[1:]
    centre = tf.constant([(height - 1) / 2, (width - 1) / 2])
    places = tf.stack(tf.meshgrid(tf.range(height), tf.range(width), indexing="ij"), axis=-1)
    places = tf.reshape(tf.cast(places, tf.float32), (1, -1, 2)) - centre + shifts[:, None]
    cosine, sine = tf.cos(angles)[:, None], tf.sin(angles)[:, None]
    rows = cosine * places[..., 0] - sine * places[..., 1] + centre[0]
    columns = sine * places[..., 0] + cosine * places[..., 1] + centre[1]
    rows, columns = tf.clip_by_value(rows, 0.0, height - 1.0), tf.clip_by_value(columns, 0.0, width - 1.0)
    top, left = tf.minimum(tf.floor(rows), height - 2.0), tf.minimum(tf.floor(columns), width - 2.0)
    down, right = (rows - top)[..., None], (columns - left)[..., None]
    first = tf.cast(top, tf.int32) * width + tf.cast(left, tf.int32)
    pixels = tf.reshape(images, (-1, height * width, channels))

    def pixel(offset: int) -> tf.Tensor:
        return tf.gather(pixels, first + offset, batch_dims=1)

    above = pixel(0) * (1 - right) + pixel(1) * right
    below = pixel(width) * (1 - right) + pixel(width + 1) * right
    return tf.reshape(above * (1 - down) + below * down, tf.shape(images))


def saturated(images: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Multiply the HSV saturation of each image by its factor (n, 1, 1, 1), clipped to 1.

    With v the largest channel of a pixel and s = 1 - smallest/v its saturation, keeping hue and v means moving every
    channel c to v - (v - c) * s'/s.
    """
    value = tf.reduce_max(images, axis=-1, keepdims=True)
    saturation = tf.math.divide_no_nan(value - tf.reduce_min(images, axis=-1, keepdims=True), value)
    ratio = tf.math.divide_no_nan(tf.clip_by_value(saturation * factors, 0.0, 1.0), saturation)
    return value - (value - images) * ratio


def contrasted(images: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Stretch each image by its factor (n, 1, 1, 1) about the mean of each channel."""
    mean = tf.reduce_mean(images, axis=[1, 2], keepdims=True)
    return (images - mean) * factors + mean


def _between(draws: tf.Tensor, low: float, high: float) -> tf.Tensor:
    return (low + draws * (high - low))[:, None, None, None]
