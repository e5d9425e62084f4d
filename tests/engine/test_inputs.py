"""Scaling and augmentation against NumPy in float64, image by image."""

import itertools
from dataclasses import replace

import keras
import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import tensorflow as tf

from regbench import datasets
from regbench.engine import inputs
from regbench.engine.objective import Objective

EPSILON = float(np.finfo(np.float32).eps)
LARGEST = 255 + 63 / 255  # of a pixel after the change of brightness
SHAPE = (9, 7, 3)


def random_images(count, seed=0, shape=SHAPE):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(np.uint8)


def shifted(image, row, column):
    padded = np.zeros((SHAPE[0] + 4, SHAPE[1] + 4, SHAPE[2]))
    padded[2:-2, 2:-2] = image
    return padded[row : row + SHAPE[0], column : column + SHAPE[1]]


def saturated(image, factor):
    """Hue and value of HSV stay; a pixel of value 0 or less, or without colour, becomes grey of that value."""
    changed = np.empty_like(image)
    for place in np.ndindex(image.shape[:2]):
        pixel = image[place]
        value, spread = pixel.max(), pixel.max() - pixel.min()
        is_grey = value <= 0 or spread == 0
        changed[place] = value if is_grey else value - (value - pixel) * min(factor, value / spread)
    return changed


def contrasted(image, factor):
    mean = image.mean(axis=(0, 1))
    return (image - mean) * factor + mean


def standardized(image):
    return (image - image.mean()) / max(image.std(), 1 / np.sqrt(image.size))


def augmented(image, draws, recipe):
    """The recipe in its order, from uniform draws in [0, 1): flip, brightness, saturation, contrast, row, column."""
    image = shifted(image, *(int(5 * draw) for draw in draws[4:]))
    if recipe == "cifar" and draws[0] < 0.5:
        image = image[:, ::-1]
    image = image + (2 * draws[1] - 1) * 63 / 255
    image = saturated(image, 0.5 + draws[2])
    return contrasted(image, 0.2 + 1.6 * draws[3])


def random_draws(count, seed=0):
    return np.random.default_rng(seed).random((count, inputs.DRAWS)).astype(np.float32)


@pytest.mark.parametrize("is_flipped", [False, True])
def test_crop_begins_at_every_offset_from_0_to_4(is_flipped):
    offsets = np.array(list(itertools.product(range(5), repeat=2)), np.int32)
    images = random_images(len(offsets))
    actual = inputs.cropped(tf.constant(images), tf.constant(offsets), tf.fill(len(offsets), is_flipped))
    crops = [shifted(image, *offset) for image, offset in zip(images, offsets, strict=True)]
    np.testing.assert_array_equal(actual, [crop[:, ::-1] if is_flipped else crop for crop in crops])


def coloured(*pixels):
    """An image of these pixels, the last one repeated."""
    image = np.full((np.prod(SHAPE[:2]), 3), pixels[-1], np.float32)
    image[: len(pixels)] = pixels
    return image.reshape(SHAPE)


AWKWARD = coloured(
    (0, 0, 0),
    (-0.2, -0.2, -0.2),
    (-0.1, -0.2, -0.15),
    (0, -0.2, -0.1),
    (0.1, -0.2, 0),
    (1e-3, -0.247, 0),
    (1e-30, -0.247, 0),
    (1e-38, -0.247, 1e-38),
    (1e-42, -0.247, -0.1),
    (1e-42, 0, 0),
    (255, 0, 0),
    (255.247, 255.247, 255.247),
    (255, 254, 255),
    (127, 128, 129),
)


@pytest.mark.parametrize("factor", [0.5, 0.7, 1.0, 1.4, 1.5])
def test_saturation_keeps_hue_and_value_also_where_brightness_left_negative_channels(factor):
    random = random_images(3).astype(np.float32) - np.float32(63 / 255)
    images = np.stack([AWKWARD, *random])
    actual = inputs.saturated(tf.constant(images), tf.fill((len(images), 1, 1, 1), factor))
    expected = [saturated(image.astype(np.float64), np.float32(factor)) for image in images]
    # Three operations lead to the ratio and three from there to the result, each wrong by half a unit in the last place
    # of numbers up to 1.5 times the largest pixel.
    np.testing.assert_allclose(actual, expected, rtol=0, atol=6 * EPSILON / 2 * 1.5 * LARGEST)


def test_saturation_by_one_changes_nothing_but_pixels_without_positive_channel():
    actual = np.array(inputs.saturated(tf.constant(AWKWARD[None]), tf.ones((1, 1, 1, 1))))[0]
    value = AWKWARD.max(axis=-1, keepdims=True)
    spread = value - AWKWARD.min(axis=-1, keepdims=True)
    is_kept = ((value > 0) & (spread <= value))[..., 0]
    np.testing.assert_allclose(actual[is_kept], AWKWARD[is_kept], rtol=0, atol=3 * EPSILON * LARGEST)
    is_dark = (value <= 0)[..., 0]
    np.testing.assert_array_equal(actual[is_dark], np.broadcast_to(value, SHAPE)[is_dark])


def test_contrast_stretches_each_channel_about_its_mean():
    images = random_images(4).astype(np.float32)
    factors = np.array([0.2, 0.9, 1.0, 1.8], np.float32)
    actual = inputs.contrasted(tf.constant(images), tf.constant(factors[:, None, None, None]))
    expected = [contrasted(image.astype(np.float64), factor) for image, factor in zip(images, factors, strict=True)]
    # The mean is a sum of 63 terms, in the worst case wrong by 63 half units; then three operations.
    np.testing.assert_allclose(actual, expected, rtol=0, atol=(63 + 3) * EPSILON / 2 * 1.8 * 255)


@pytest.mark.parametrize("recipe", ["cifar", "svhn"])
def test_augmentation_is_the_recipe_of_deepobs_with_draws_of_its_own_for_each_image(recipe):
    count = 40
    images = random_images(count)
    images[:3] = 0  # brightness makes all of these negative or all positive
    draws = random_draws(count, seed=1)
    draws[:4, :4] = [[0, 0, 0, 0], [1 - EPSILON] * 4, [0.5, 0.5, 0.5, 0.5], [0.5 - EPSILON, 0, 1 - EPSILON, 0]]
    draws[4:6, 4:] = [[0, 0], [1 - EPSILON] * 2]
    actual = inputs.augment(tf.constant(images), recipe, tf.constant(draws))
    expected = [augmented(image.astype(np.float64), drawn, recipe) for image, drawn in zip(images, draws, strict=True)]
    # Brightness and the factors: 3 operations; saturation: 6; contrast: 66, as above; each wrong by half a unit in the
    # last place of numbers up to 1.8 * 1.5 times the largest pixel.
    np.testing.assert_allclose(actual, expected, rtol=0, atol=75 * EPSILON / 2 * 1.8 * 1.5 * LARGEST)


def test_house_numbers_are_not_flipped():
    images = random_images(1)
    draws = tf.constant([[0.0, 0.5, 0.5, 0.5, 0.5, 0.5]])
    unflipped = inputs.augment(tf.constant(images), "svhn", draws)
    flipped = inputs.augment(tf.constant(images), "cifar", draws)
    np.testing.assert_array_equal(np.array(flipped)[:, :, ::-1], unflipped)
    assert not np.array_equal(flipped, unflipped)


def test_standardized_image_has_mean_0_and_deviation_1_unless_it_is_nearly_constant():
    images = random_images(5)
    images[1] = 7
    images[2] = 0
    images[3] = 100
    images[3, 0, 0, 0] = 101  # a standard deviation of 0.07, just above 1/sqrt(189)
    images[4] = 0
    images[4].flat[:1] = 255
    actual = inputs.preprocess(tf.constant(images), "standardize")
    expected = [standardized(image.astype(np.float64)) for image in images]
    # The mean, a sum of 189 terms, is wrong by at most 189 half units of the largest pixel, which is then divided by a
    # deviation; so is the deviation, relatively, of a value of at most sqrt(189).
    deviations = np.array([max(image.std(), 1 / np.sqrt(image.size)) for image in images])
    tolerance = 189 * EPSILON / 2 * (images.max(axis=(1, 2, 3)) / deviations + np.sqrt(189) + 1)
    error = np.abs(np.array(actual) - expected).max(axis=(1, 2, 3))
    assert (error <= tolerance).all()


def test_constant_image_is_standardized_to_zeros_not_to_nan():
    actual = inputs.standardize(tf.fill((1, *SHAPE), 7.0))
    np.testing.assert_array_equal(actual, np.zeros((1, *SHAPE)))


def test_other_preprocessings_divide_by_255_or_leave_values_alone():
    images = random_images(2)
    unit, plain = inputs.preprocess(images, "unit"), inputs.preprocess(images, "none")
    assert unit.dtype == plain.dtype == tf.float32
    np.testing.assert_array_equal(unit, images.astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(plain, images)


def test_factors_reach_from_end_to_end_of_their_intervals():
    ends = tf.constant([0.0, 1.0 - EPSILON])
    for bounds in ((-inputs.BRIGHTNESS, inputs.BRIGHTNESS), inputs.SATURATION, inputs.CONTRAST):
        between = np.array(inputs._between(ends, *bounds)).ravel()
        np.testing.assert_allclose(between, bounds, rtol=0, atol=4 * EPSILON)
    assert (inputs.BRIGHTNESS, inputs.SATURATION, inputs.CONTRAST) == (63 / 255, (0.5, 1.5), (0.2, 1.8))


@pytest.fixture
def objective(make_task):
    """Augments as a training step on CIFAR-10 does, and does not standardize."""
    spec = make_task("cifar10_3c3d").spec({"optimizer.learning_rate": 0.1}, seed=42)
    dataset = replace(datasets.get("cifar10"), input_shape=SHAPE, preprocessing="none")
    network = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten()])
    return Objective(spec, dataset, network, None)


@pytest.fixture
def prepare(objective):
    """Prepares images as in a training step; a seed for the epoch, and the step."""
    images = tf.constant(random_images(6))
    return lambda seed, step, augmented=True: np.array(
        objective.prepare(images, augmented, tf.constant(seed), tf.constant(step))
    )


def test_draws_are_uniform_and_independent(objective, monkeypatch):
    recorded = []
    uniform = tf.random.stateless_uniform

    def recording(*arguments):
        recorded.append(uniform(*arguments))
        return recorded[-1]

    monkeypatch.setattr(tf.random, "stateless_uniform", recording)
    objective.prepare(tf.zeros((20_000, 1, 1, 3)), True, tf.constant((3, 4)), tf.constant(0))
    draws = np.array(recorded[0])
    assert draws.shape == (20_000, inputs.DRAWS)
    assert ((draws >= 0) & (draws < 1)).all()
    # Each of the checks alarms falsely once in a million seeds; the seed is fixed, so it does not do so here.
    false_alarm = 1e-6
    for column in draws.T:
        assert scipy.stats.kstest(column, "uniform").pvalue > false_alarm
    for one, other in itertools.combinations(draws.T, 2):
        assert scipy.stats.pearsonr(one, other).pvalue > false_alarm


def test_augmentation_is_a_function_of_seed_and_step(prepare):
    first = prepare((1, 2), 3)
    np.testing.assert_array_equal(prepare((1, 2), 3), first)
    for other in (prepare((1, 2), 4), prepare((1, 3), 3), prepare((2, 2), 3)):
        assert all(not np.array_equal(image, same) for image, same in zip(first, other, strict=True))


def test_every_image_of_a_batch_is_augmented_in_its_own_way():
    image = random_images(1)
    repeated = tf.constant(np.repeat(image, 8, axis=0))
    augmented_images = np.array(inputs.augment(repeated, "cifar", tf.constant(random_draws(8))))
    assert all(not np.array_equal(one, other) for one, other in itertools.combinations(augmented_images, 2))


def test_compiled_step_augments_as_the_same_operations_one_by_one(prepare):
    draws = tf.random.stateless_uniform((6, inputs.DRAWS), tf.random.fold_in(tf.constant((1, 2)), 3))
    expected = inputs.augment(tf.constant(random_images(6)), "cifar", draws)
    # The roundings of the recipe, as above.
    np.testing.assert_allclose(prepare((1, 2), 3), expected, rtol=0, atol=75 * EPSILON / 2 * 1.8 * 1.5 * LARGEST)


def test_plain_evaluation_is_not_augmented(prepare):
    np.testing.assert_array_equal(prepare((1, 2), 3, augmented=False), random_images(6))


SILHOUETTES = (9, 12, 3)


def moved_by_scipy(image, angle, shift):
    """Each pixel p of the result comes from R (p - centre + shift) + centre."""
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = (np.array(image.shape[:2]) - 1) / 2
    offset = centre + rotation @ (np.asarray(shift) - centre)
    channels = [
        scipy.ndimage.affine_transform(channel, rotation, offset, order=1, mode="nearest")
        for channel in np.moveaxis(image, -1, 0)
    ]
    return np.stack(channels, axis=-1)


def test_images_are_moved_as_scipy_moves_them():
    generator = np.random.default_rng(0)
    images = generator.uniform(0, 255, (5, *SILHOUETTES)).astype(np.float32)
    angles, shifts = generator.uniform(-2, 2, 5), generator.uniform(-4, 4, (5, 2))
    actual = inputs.moved(tf.constant(images), tf.constant(angles, tf.float32), tf.constant(shifts, tf.float32))
    expected = [
        moved_by_scipy(image.astype(np.float64), angle, shift)
        for image, angle, shift in zip(images, angles, shifts, strict=True)
    ]
    # A place of up to 20 is off by some roundings of float32, so by 1e-5 at most; neighbours differ by up to 255.
    np.testing.assert_allclose(actual, expected, rtol=0, atol=255 * 2e-5)


def test_image_that_is_not_moved_stays_and_one_moved_by_whole_pixels_repeats_its_edge():
    images = random_images(2, shape=SILHOUETTES).astype(np.float32)
    still = inputs.moved(tf.constant(images), tf.zeros(2), tf.zeros((2, 2)))
    np.testing.assert_array_equal(still, images)
    down = inputs.moved(tf.constant(images), tf.zeros(2), tf.constant([[2.0, 0.0], [0.0, -3.0]]))
    np.testing.assert_array_equal(down[0], np.concatenate([images[0, 2:], images[0, -1:], images[0, -1:]]))
    np.testing.assert_array_equal(down[1, :, 3:], images[1, :, :-3])


def test_silhouettes_are_rotated_shifted_and_flipped_within_the_published_bounds():
    draws = tf.constant([[0.0, 0.0, 0.0, 0.4, 0, 0], [1.0, 1.0, 1.0, 0.6, 0, 0], [0.5, 0.5, 0.5, 0.6, 0, 0]])
    images = random_images(3, shape=(60, 60, 1))
    actual = inputs.augment(tf.constant(images), "silhouettes", draws)
    images = images.astype(np.float64)
    thirty = np.pi / 6
    expected = [
        moved_by_scipy(images[0, :, ::-1], -thirty, (-20, -20)),
        moved_by_scipy(images[1], thirty, (20, 20)),
        images[2],
    ]
    # As above, with places up to 80.
    np.testing.assert_allclose(actual, expected, rtol=0, atol=255 * 8e-5)


def test_windows_of_imagenet_lie_anywhere_and_are_flipped_half_of_the_time():
    # Each pixel tells its row and column, so that a window tells where it was cut.
    rows, columns = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    image = np.stack([rows, columns, rows], axis=-1).astype(np.uint8)
    draws = np.random.default_rng(0).random((400, inputs.DRAWS)).astype(np.float32)
    draws[0], draws[1] = 0, np.nextafter(np.float32(1), np.float32(0))
    found = np.concatenate(
        [inputs.augment(tf.constant(np.repeat(image[None], 50, 0)), "imagenet", part) for part in np.split(draws, 8)]
    )
    assert found.shape == (400, 224, 224, 3)
    top, left, right = found[:, 0, 0, 0], found[:, 0, 0, 1], found[:, 0, -1, 1]
    np.testing.assert_array_equal(found[:, -1, 0, 0], top + 223)
    flipped = left > right
    np.testing.assert_array_equal(np.abs(left - right), 223)
    np.testing.assert_array_equal(flipped, draws[:, 0] < 0.5)
    # All 33 places, the ends among them.
    assert set(top) == set(np.minimum(left, right)) == set(range(33))
    assert (top[0], top[1], left[1]) == (0, 32, 32)


def test_images_of_imagenet_that_are_not_cut_yet_give_their_middle():
    image = random_images(2, shape=(256, 256, 3))
    found = inputs.preprocess(tf.constant(image), "imagenet").numpy()
    expected = np.stack([standardized(one[16:240, 16:240].astype(np.float64) / 255) for one in image])
    # Mean and deviation are sums of 150,528 pixels; values are below 2.
    np.testing.assert_allclose(found, expected, atol=1000 * EPSILON)
    np.testing.assert_array_equal(inputs.preprocess(tf.constant(image[:, 16:240, 16:240]), "imagenet"), found)
