"""The registry of models, and what holds for the networks without deepobs (see tests/oracles for the comparison)."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from regbench import models
from regbench.errors import DefinitionError, UnknownNameError

EPSILON = float(np.finfo(np.float32).eps)
# Standard deviation of a normal distribution truncated at two standard deviations, relative to that before truncation.
TRUNCATED = 0.8796

# One small case of every model: arguments, shape of one sample, classes.
SMALL: dict[str, tuple[dict[str, Any], tuple[int, ...], int]] = {
    "logreg": ({}, (4, 4, 1), 3),
    "mlp": ({"units": [6, 5]}, (4, 4, 1), 3),
    "conv_2c2d": ({"filters": [2, 3], "units": 5}, (8, 8, 1), 3),
    "conv_3c2d": (
        {
            "filters": [2, 3, 2],
            "stride": 1,
            "pool_strides": [1, 2, 1],
            "pool_padding": "same",
            "units": 5,
            "dropouts": [0.0, 0.0],
        },
        (8, 8, 1),
        3,
    ),
    "conv_3c3d": ({"filters": [2, 3, 4], "units": [6, 5]}, (16, 16, 3), 3),
    "conv_4c2d": ({"filters": [3, 4], "units": 8, "dropouts": [0.0, 0.0]}, (12, 12, 3), 3),
    "convex_quadratic": ({"dimension": 5}, (1,), 0),
    "dropout_mlp": ({"units": [6, 5], "batch_normalization": True, "dropout": 0.0}, (4, 4, 1), 3),
    "conv_1d": ({"filters": 6}, (12,), 3),
    "char_gru": ({"width": 3, "units": 4}, (5,), 3),
    "char_transformer": ({"width": 4, "heads": 2, "depth": 1}, (5,), 3),
    "deep_linear": ({"units": 4, "depth": 3}, (4,), 3),
    "embedded_mlp": ({"width": 3, "units": 4}, (2, 5), 3),
    "gru": ({"units": 2}, (5,), 3),
    "residual_mlp": ({"units": 5, "hidden": 3}, (4, 4, 1), 3),
    "allcnnc": ({"filters": [3, 4], "dropouts": [0.0, 0.0, 0.0]}, (12, 12, 3), 3),
    "char_rnn": ({"units": 4, "dropout": 0.0}, (5,), 7),
    "inception_v3": ({"narrowing": 64}, (8, 8, 3), 3),
    "vae": ({"latent": 2, "filters": 3, "units": 5, "dropout": 0.0}, (8, 8, 1), 0),
    "vgg16": ({"image_size": 32, "filters": [2, 2, 3, 3, 3], "units": 5, "dropout": 0.0}, (8, 8, 3), 3),
    "vgg19": ({"image_size": 32, "filters": [2, 2, 3, 3, 3], "units": 5, "dropout": 0.0}, (8, 8, 3), 3),
    "wide_resnet": ({"residual_units": 2, "widening": 2, "filters": 2}, (8, 8, 3), 3),
    "quadratic": ({"counts": [4, 1]}, (5,), 0),
    "two_d": ({"function": "branin"}, (2,), 0),
}
# Inception has 94 convolutions however small it is, and takes seconds to build.
MOSTLY_QUICK = [pytest.param(name, marks=[pytest.mark.slow] * (name == "inception_v3")) for name in SMALL]


def build(name: str) -> keras.Model:
    arguments, input_shape, classes = SMALL[name]
    keras.utils.set_random_seed(7)
    return models.build(name, arguments, input_shape, classes)


KERNEL_BIAS = ("kernel", "bias")
OF_TOKENS = ("char_gru", "char_rnn", "char_transformer")


def draw_inputs(name: str, size: int = 6) -> np.ndarray:
    if name in OF_TOKENS:
        _, shape, classes = SMALL[name]
        return np.random.default_rng(3).integers(0, classes, (size, *shape)).astype(np.float32)
    return np.random.default_rng(3).normal(size=(size, *SMALL[name][1])).astype(np.float32)


def test_listing_models_loads_neither_keras_nor_numpy() -> None:
    program = """
import sys
from regbench import models
models.names()
print(sorted({"keras", "tensorflow", "numpy"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_file_is_a_model_and_every_model_has_a_small_case() -> None:
    parts = {"pooled_convolution", "resizing", "starts"}
    files = {path.stem for path in Path(models.__file__).parent.glob("*.py")} - {"__init__"} - parts
    assert models.names() == tuple(sorted(files)) == tuple(sorted(SMALL))


def test_unknown_model_is_told_with_what_was_meant() -> None:
    with pytest.raises(UnknownNameError, match=r"no model `conv_3d3c`\. Did you mean `conv_3c3d`"):
        models.build("conv_3d3c", {}, (32, 32, 3), 10)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("mlp", {"unit": 3}, "model `mlp`: there is no argument `unit`. Did you mean `units`"),
        ("mlp", {"units": 3}, "model `mlp`: `units`: .*array. Received: units=3"),
        ("mlp", {"units": [64, 0]}, "model `mlp`: `units`: .*greater than 0"),
        ("mlp", {"stddev": "wide"}, "model `mlp`: `stddev`: .*number. Received: stddev='wide'"),
        ("conv_2c2d", {"filters": [1, 2, 3]}, "model `conv_2c2d`: `filters`"),
        ("conv_2c2d", {"units": 1.5}, "model `conv_2c2d`: `units`: .*integer"),
        ("vgg16", {"dropout": 1.0}, "model `vgg16`: `dropout`: .*less than 1"),
        ("dropout_mlp", {"initializer": "ones"}, "model `dropout_mlp`: `initializer`: .*'he_normal'"),
        ("conv_3c2d", {"dropouts": [0.5, 1.0]}, "model `conv_3c2d`: `dropouts`: .*less than 1"),
        ("conv_3c2d", {"units": -1}, "model `conv_3c2d`: `units`: .*greater than or equal to 0"),
        ("convex_quadratic", {"dimension": 1}, "model `convex_quadratic`: `dimension`: .*greater than or equal to 2"),
        ("quadratic", {"counts": [3, 2], "lows": [0.0]}, "model `quadratic`: .*equally long"),
        ("quadratic", {"counts": [3, 3]}, "model `quadratic`: .*must sum to the number of inputs"),
        ("quadratic", {"seed": 2**32}, "model `quadratic`: `seed`"),
        ("two_d", {"function": "bale"}, "model `two_d`: `function`: .*'beale', 'branin' or 'rosenbrock'"),
        ("logreg", {"units": 3}, "model `logreg`: there is no argument `units`. Known: none"),
    ],
)
def test_wrong_argument_is_told_with_model_and_key(name: str, arguments: dict[str, Any], message: str) -> None:
    _, input_shape, classes = SMALL[name]
    with pytest.raises(DefinitionError, match=message):
        models.build(name, arguments, input_shape, classes)


@pytest.mark.parametrize(
    ("name", "input_shape", "classes"), [("conv_2c2d", (100,), 10), ("mlp", (4, 4, 1), 0), ("two_d", (3,), 0)]
)
def test_model_that_does_not_fit_the_data_is_told_on_one_line(
    name: str, input_shape: tuple[int, ...], classes: int
) -> None:
    with pytest.raises(DefinitionError, match=f"model `{name}`: cannot be built for inputs of shape") as caught:
        models.build(name, {}, input_shape, classes)
    assert "\n" not in str(caught.value)


def test_own_model_is_reached_by_module_and_function() -> None:
    model = models.build("regbench.models.mlp:build", {"units": [7]}, (3,), 2)
    assert [tuple(weight.shape) for weight in model.weights] == [(3, 7), (7,), (7, 2), (2,)]


@pytest.mark.parametrize("name", ["regbench.models.mlp:make", "no_such_package:build"])
def test_own_model_that_cannot_be_imported_is_told(name: str) -> None:
    with pytest.raises(DefinitionError, match=f"model `{name}`: cannot be imported"):
        models.build(name, {}, (3,), 2)


@pytest.mark.parametrize("name", MOSTLY_QUICK)
def test_output_is_logits_or_one_loss_an_example(name: str) -> None:
    _, shape, classes = SMALL[name]
    expected = (6, *shape, classes) if name in OF_TOKENS else (6, classes) if classes else (6,)
    assert build(name)(draw_inputs(name)).shape == expected


@pytest.mark.parametrize("name", OF_TOKENS)
def test_a_sign_is_told_from_those_before_it_alone(name: str) -> None:
    model = build(name)
    signs = draw_inputs(name)
    others = signs.copy()
    others[:, 3] = (others[:, 3] + 1) % SMALL[name][2]
    before, after = model(signs).numpy(), model(others).numpy()
    np.testing.assert_array_equal(after[:, :3], before[:, :3])
    assert (np.abs(after[:, 3:] - before[:, 3:]).max(axis=(1, 2)) > 0).all()


def test_places_of_a_transformer_are_told_apart() -> None:
    model = build("char_transformer")
    same = np.zeros((1, 5), np.float32)
    assert np.unique(model(same).numpy().round(6)[0], axis=0).shape[0] == 5


@pytest.mark.slow
def test_inception_gives_the_logits_of_its_auxiliary_head_too_in_training() -> None:
    model, images = build("inception_v3"), draw_inputs("inception_v3", size=2)
    assert model(images, training=True).shape == (2, 2, 3)


@pytest.mark.parametrize("name", SMALL)
def test_variables_are_kernel_then_bias_in_the_order_of_layers(name: str) -> None:
    model = build(name)
    paths = [variable.path for variable in model.trainable_variables]
    names = paths if name in ("residual_mlp", "vae") else [path.split("/", 1)[-1] for path in paths]
    if name == "quadratic":
        assert names == ["theta"]
    elif name == "convex_quadratic":
        assert names == ["w"]
    elif name == "two_d":
        assert names == ["u", "v"]
    elif name == "gru":
        parts = ("kernel", "recurrent_kernel", "bias")
        cells = [f"directions/{way}_gru/gru_cell/{part}" for way in ("forward", "backward") for part in parts]
        assert names == [*cells, "logits/kernel", "logits/bias"]
    elif name == "char_gru":
        assert names[:2] == ["embedding/embeddings", "gru/gru_cell/kernel"]
        assert len(paths) == 6
    elif name == "char_transformer":
        assert paths[:3] == ["embedding/embeddings", "places/embeddings", "norm_1_attention/gamma"]
        assert len(paths) == 22
    elif name == "deep_linear":
        assert names == [f"linear_{number}/kernel" for number in (1, 2, 3)]
    elif name == "embedded_mlp":
        assert names == ["embedding/kernel", *(f"{one}/{part}" for one in ("dense", "logits") for part in KERNEL_BIAS)]
    else:
        parts = [path.rsplit("/", 1) for path in names]
        layers = list(dict.fromkeys(layer for layer, _ in parts))
        kinds = {"normalization": ["gamma", "beta"], "embedding": ["embeddings"]}
        for layer in layers:
            has_bias = name not in ("inception_v3", "wide_resnet") or layer.endswith("logits")
            usual = ["kernel", "bias"] if has_bias else ["kernel"]
            expected = kinds.get(layer.rsplit("/", 1)[-1].split("_")[0], usual)
            assert [part for of, part in parts if of == layer] == expected
        # Layers inside of a layer come where that layer is.
        order = [layer.name for layer in model.layers if layer.trainable_weights]
        assert list(dict.fromkeys(layer.split("/")[0] for layer in layers)) == order


@pytest.mark.parametrize("name", MOSTLY_QUICK)
def test_same_seed_gives_the_same_weights_and_names(name: str) -> None:
    first, second = build(name), build(name)
    assert [variable.path for variable in first.weights] == [variable.path for variable in second.weights]
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


# Not Inception: normalized over six samples, the rounding of its first layers decides on many a ReLU of the last.
@pytest.mark.parametrize("name", [name for name in SMALL if name != "inception_v3"])
def test_compiled_with_xla_it_gives_the_same_output_and_gradients(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(name)
    # XLA draws other numbers than TensorFlow alone, and each call others than the one before.
    monkeypatch.setattr(keras.src.backend.random, "normal", lambda shape, **_: tf.fill(shape, 0.5))
    # Weights of size 1, so that no output vanishes; logistic regression starts at 0.
    generator = np.random.default_rng(5)
    model.set_weights([w + generator.normal(0, 0.3, w.shape).astype(w.dtype) for w in model.get_weights()])
    variables = [variable.value for variable in model.trainable_variables]

    def differentiate(inputs: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            outputs = model(inputs, training=True)
            objective = tf.reduce_mean(tf.square(outputs))
        return outputs, [tf.convert_to_tensor(one) for one in tape.gradient(objective, variables)]

    inputs = tf.constant(draw_inputs(name))
    outputs, gradients = differentiate(inputs)
    compiled_outputs, compiled_gradients = tf.function(differentiate, jit_compile=True)(inputs)
    largest = max(float(tf.reduce_max(tf.abs(one))) for one in gradients)
    paths = ["outputs", *(variable.path for variable in model.trainable_variables)]
    for path, plain, compiled in zip(
        paths, [outputs, *gradients], [compiled_outputs, *compiled_gradients], strict=True
    ):
        # Sums of at most some hundred float32 products in another order, through 16 layers at most.
        magnitude = float(tf.reduce_max(tf.abs(plain)))
        if path.endswith("key/bias"):  # a softmax does not change by it, so that its gradient is what rounding leaves
            assert magnitude < 1e-5 * largest
            magnitude = largest
        assert magnitude > 0
        np.testing.assert_allclose(compiled, plain, rtol=0, atol=200 * EPSILON * magnitude)


@pytest.mark.parametrize(
    ("name", "input_shape", "classes", "count"),
    [
        ("logreg", (28, 28, 1), 10, 785 * 10),
        ("mlp", (28, 28, 1), 10, 785 * 1000 + 1001 * 500 + 501 * 100 + 101 * 10),
        ("conv_2c2d", (28, 28, 1), 10, 26 * 32 + 801 * 64 + (7 * 7 * 64 + 1) * 1024 + 1025 * 10),
        ("conv_3c3d", (32, 32, 3), 10, 76 * 64 + 577 * 96 + 865 * 128 + 1153 * 512 + 513 * 256 + 257 * 10),
        ("conv_3c2d", (200, 200, 3), 20, 76 * 5 + 126 * 10 + 251 * 8 + (14 * 14 * 8 + 1) * 128 + 129 * 20),
        ("allcnnc", (32, 32, 3), 100, 1_387_108),
        ("char_rnn", (50,), 83, 83 * 128 + 2 * (256 + 1) * 512 + 129 * 83),
        ("wide_resnet", (32, 32, 3), 10, 2_752_506),
        ("conv_4c2d", (32, 32, 3), 10, 28 * 32 + 289 * 32 + 289 * 64 + 577 * 64 + (6 * 6 * 64 + 1) * 512 + 513 * 10),
        ("dropout_mlp", (28, 28, 1), 10, 785 * 515 + 516 * 515 + 516 * 10),
        # The notebook of MNIST-1D prints these two numbers of parameters.
        ("conv_1d", (40,), 10, 5_210),
        ("gru", (40,), 10, 5_134),
        ("char_gru", (64,), 32, 32 * 32 + 3 * (32 * 128 + 128 * 128 + 2 * 128) + 129 * 32),
        (
            "char_transformer",
            (64,),
            32,
            96 * 64 + 2 * (4 * 65 * 64 + 2 * 2 * 64 + 65 * 256 + 257 * 64) + 2 * 64 + 65 * 32,
        ),
        ("deep_linear", (32,), 32, 4 * 32 * 32),
        ("embedded_mlp", (2, 31), 31, 31 * 64 + 129 * 128 + 129 * 31),
        ("residual_mlp", (40,), 10, 41 * 256 + 257 * 256 + 257 * 10),
        ("convex_quadratic", (1,), 0, 100),
        ("quadratic", (100,), 0, 100),
        ("two_d", (2,), 0, 2),
    ],
)
def test_without_arguments_it_is_the_published_network(
    name: str, input_shape: tuple[int, ...], classes: int, count: int
) -> None:
    assert models.build(name, {}, input_shape, classes).count_params() == count


def test_logistic_regression_starts_at_zero() -> None:
    assert all(np.all(weight == 0) for weight in build("logreg").get_weights())


@pytest.mark.parametrize(("name", "stddev", "bias"), [("mlp", 0.03, 0.0), ("conv_2c2d", 0.05, 0.05)])
def test_kernels_start_from_a_truncated_normal_distribution(name: str, stddev: float, bias: float) -> None:
    keras.utils.set_random_seed(11)
    weights = models.build(name, {}, (28, 28, 1), 10).get_weights()
    for kernel in weights[::2]:
        assert np.abs(kernel).max() <= 2 * stddev
        # Five standard errors of s for a normal distribution, s/sqrt(2n); without tails they are smaller.
        assert kernel.std() == pytest.approx(TRUNCATED * stddev, rel=5 / np.sqrt(2 * kernel.size))
        assert abs(kernel.mean()) < 5 * stddev / np.sqrt(kernel.size)
    assert all(np.all(offset == np.float32(bias)) for offset in weights[1::2])


@pytest.mark.parametrize("name", ["conv_3c3d", "vgg16"])
def test_kernels_start_glorot_normal_and_glorot_uniform(name: str) -> None:
    keras.utils.set_random_seed(11)
    arguments = {"filters": [16, 16, 16, 16, 16], "units": 64, "image_size": 32} if name == "vgg16" else {}
    weights = models.build(name, arguments, (32, 32, 3), 10).get_weights()
    for kernel in weights[::2]:
        field = np.prod(kernel.shape[:-2])
        stddev = np.sqrt(2 / (field * (kernel.shape[-2] + kernel.shape[-1])))
        # In units of the standard deviation the truncated normal distribution ends at 2/0.8796, the uniform at sqrt(3).
        end = 2 / TRUNCATED if kernel.ndim == 4 else np.sqrt(3)
        assert kernel.std() == pytest.approx(stddev, rel=5 / np.sqrt(2 * kernel.size))
        assert 0.9 * end < np.abs(kernel).max() / stddev < 1.001 * end
    assert all(np.all(bias == 0) for bias in weights[1::2])


def test_layers_of_one_shape_start_with_different_weights() -> None:
    # One initializer object shared by two layers would give both the same numbers.
    weights = models.build("mlp", {"units": [8, 8]}, (8,), 8).get_weights()
    assert not np.array_equal(weights[0], weights[2])
    assert not np.array_equal(weights[2], weights[4])


def test_pooled_convolutions_have_the_published_sizes() -> None:
    model = models.build("conv_3c3d", {}, (32, 32, 3), 10)
    sizes = [layer.output.shape[1:] for layer in model.layers if len(layer.output.shape) == 4]
    assert sizes == [(14, 14, 64), (6, 6, 96), (3, 3, 128)]


@pytest.mark.parametrize(("side", "image_size"), [(8, 32), (6, 15), (9, 4)])
def test_vgg_resizes_by_linear_interpolation_from_the_corner(side: int, image_size: int) -> None:
    arguments = {"image_size": image_size, "filters": [1, 1, 1, 1, 1], "units": 1}
    model = models.build("vgg16", arguments, (side, side, 2), 2)
    images = np.random.default_rng(0).uniform(size=(2, side, side, 2)).astype(np.float32)
    # Output pixel i lies at i*side/image_size; beyond the last pixel np.interp repeats the edge.
    places = np.arange(image_size) * side / image_size
    grid = np.arange(side)
    expected = np.apply_along_axis(lambda row: np.interp(places, grid, row), 2, images.astype(np.float64))
    expected = np.apply_along_axis(lambda column: np.interp(places, grid, column), 1, expected)
    # The position, up to 9, is rounded to float32, so the interpolated value is off by 9 epsilon, and some operations.
    np.testing.assert_allclose(model.get_layer("resizing")(images), expected, rtol=0, atol=20 * EPSILON)


DROPPED: dict[str, tuple[dict[str, Any], dict[str, float]]] = {
    "vgg16": ({}, {"dense_1": 0.5, "dense_2": 0.5}),
    "vgg19": ({}, {"dense_1": 0.5, "dense_2": 0.5}),
    "conv_3c2d": ({"dropouts": [0.2, 0.5]}, {"flatten": 0.2, "dense_1": 0.5}),
    "conv_4c2d": ({"dropouts": [0.25, 0.5]}, {"pooling_1": 0.25, "pooling_2": 0.25, "dense_1": 0.5}),
    "dropout_mlp": ({"dropout": 0.2}, {"normalization_1": 0.2, "normalization_2": 0.2}),
}


@pytest.mark.parametrize("name", DROPPED)
def test_shares_of_activations_are_dropped_after_these_layers_in_training_only(name: str) -> None:
    keras.utils.set_random_seed(7)
    arguments, input_shape, classes = SMALL[name]
    if name.startswith("vgg"):
        arguments = arguments | {"dropout": 0.5}
    model = models.build(name, arguments | DROPPED[name][0], input_shape, classes)
    pairs = zip(model.layers, model.layers[1:], strict=False)
    dropouts = {before.name: layer for before, layer in pairs if isinstance(layer, keras.layers.Dropout)}
    assert {before: layer.rate for before, layer in dropouts.items()} == DROPPED[name][1]
    for layer in dropouts.values():
        ones = np.ones((1, 10_000), np.float32)
        kept = np.asarray(layer(ones, training=True))
        np.testing.assert_allclose(np.unique(kept), [0, 1 / (1 - layer.rate)], rtol=EPSILON)
        # Five standard errors of a share among 10,000, largest for one half.
        assert (kept == 0).mean() == pytest.approx(layer.rate, abs=0.025)
        np.testing.assert_array_equal(layer(ones, training=False), ones)


def test_deep_layers_may_start_he_normal() -> None:
    keras.utils.set_random_seed(11)
    weights = models.build("dropout_mlp", {"units": [256], "initializer": "he_normal"}, (300,), 10).get_weights()
    # He et al. 2015: variance 2 / inputs. Five standard errors of s for a normal distribution, s/sqrt(2n).
    assert weights[0].std() == pytest.approx(np.sqrt(2 / 300), rel=5 / np.sqrt(2 * weights[0].size))


@pytest.mark.parametrize("side", [8, 28, 200])
def test_every_entry_of_the_large_kernels_meets_a_pixel(side: int) -> None:
    # Else it would stay as it started, and a prior learned from it would be that of the start.
    small = {8: {"stride": 1, "pool_strides": [1, 2, 1], "pool_padding": "same"}, 28: {"stride": 1}, 200: {}}[side]
    arguments = small | ({"pool_strides": [2, 2, 1]} if side == 28 else {})
    model = models.build("conv_3c2d", arguments | {"dropouts": [0.0, 0.0]}, (side, side, 1), 3)
    generator = np.random.default_rng(0)
    model.set_weights([np.abs(generator.normal(size=w.shape)).astype(w.dtype) for w in model.get_weights()])
    images = tf.constant(generator.uniform(size=(4, side, side, 1)).astype(np.float32))
    kernels = [variable.value for variable in model.trainable_variables if len(variable.shape) == 4]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.math.log(model(images, training=True)))
    for gradient in tape.gradient(loss, kernels):
        assert np.count_nonzero(np.abs(gradient).sum(axis=(2, 3))) == 25
