"""factor / 2 * sum (w - w_0)**2, w_0 the weights of the first step."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from regbench.regularizers import ToInitial

# Keras on TensorFlow saves weights in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@pytest.fixture(params=[(7, 4), (3, 3, 2, 5)], ids=["dense", "convolution"])
def kernel(request):
    drawn = np.random.default_rng(1).normal(size=request.param)
    drawn.flat[3] = 0.0
    return drawn


def test_value_and_gradient_are_those_of_the_distance_to_the_first_kernel(
    kernel, value, gradient, epsilon, assert_gradient_agrees
):
    penalty = ToInitial(0.3)
    assert value(penalty, kernel) == 0.0
    np.testing.assert_array_equal(gradient(penalty, kernel), np.zeros(kernel.shape))
    other = -2 * kernel + 0.5
    assert value(penalty, other) == pytest.approx(0.15 * ((other - kernel) ** 2).sum(), rel=200 * epsilon)
    np.testing.assert_allclose(gradient(penalty, other), 0.3 * (other - kernel), rtol=8 * epsilon, atol=epsilon)
    assert_gradient_agrees(penalty, other)


def test_start_at_zero_is_l2(value, kernel, epsilon):
    penalty = ToInitial(0.3)
    value(penalty, 0 * kernel)
    assert value(penalty, kernel) == pytest.approx(0.15 * (kernel**2).sum(), rel=200 * epsilon)


def network(factor=0.5):
    layers = [keras.layers.Conv2D(5, 3, kernel_regularizer=ToInitial(factor)), keras.layers.Flatten()]
    return keras.Sequential(
        [keras.Input((4, 4, 2)), *layers, keras.layers.Dense(3, kernel_regularizer=ToInitial(factor))]
    )


def images():
    generator = np.random.default_rng(2)
    return generator.normal(size=(8, 4, 4, 2)).astype("float32"), generator.normal(size=(8, 3)).astype("float32")


def distances(model, starts):
    kernels = [layer.kernel.numpy() for layer in model.layers if hasattr(layer, "kernel")]
    return [0.25 * ((one - start) ** 2).sum() for one, start in zip(kernels, starts, strict=True)]


def test_start_is_the_weights_of_the_first_step_not_those_at_build_and_goes_into_the_file(tmp_path):
    model = network()
    model.compile(keras.optimizers.SGD(0.01), "mse")
    loaded = [weight + 1 for weight in model.get_weights()]
    model.set_weights(loaded)  # as `load_weights` does on a compiled model
    starts = [weight for weight in loaded if weight.ndim > 1]
    model.fit(*images(), epochs=3, verbose=0)
    assert [float(loss) for loss in model.losses] == pytest.approx(distances(model, starts), rel=1e-5)
    assert min(distances(model, starts)) > 0
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert [float(loss) for loss in again.losses] == [float(loss) for loss in model.losses]
    for one in (model, again):
        one.fit(*images(), epochs=2, shuffle=False, verbose=0)
    assert [float(loss) for loss in again.losses] == [float(loss) for loss in model.losses]
    assert [float(loss) for loss in again.losses] == pytest.approx(distances(again, starts), rel=1e-5)


def test_steps_under_a_schedule_follow_the_formula(kernel):
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([2, 4], [0.5, 0.25, 0.125])
    start = kernel.astype("float32").astype("float64")
    noise = np.random.default_rng(3).normal(size=(6, *kernel.shape)).astype("float32")
    penalty, variable, expected = ToInitial(0.3), keras.Variable(start, dtype="float32"), start.copy()
    optimizer, signs = keras.optimizers.SGD(schedule), []
    for step, other in enumerate(noise):
        before = keras.ops.convert_to_numpy(variable).astype("float64")
        penalty(variable)  # as a step does
        slope = 0.3 * (before - keras.ops.convert_to_numpy(penalty._start))
        optimizer.apply([keras.ops.convert_to_tensor(slope.astype("float32") + other)], [variable])
        expected -= [0.5, 0.25, 0.125][np.searchsorted([2, 4], step)] * (0.3 * (expected - start) + other)
        signs.append(np.sign(expected))
        np.testing.assert_allclose(np.asarray(variable), expected, rtol=0, atol=1e-5)
    assert np.any(signs[0] != signs[-1])


def test_instance_for_two_kernels_is_refused():
    penalty = ToInitial(0.1)
    layers = [keras.layers.Dense(3, kernel_regularizer=penalty, name=name) for name in ("one", "two")]
    model = keras.Sequential([keras.Input((3,)), *layers])
    with pytest.raises(ValueError, match=r"`ToInitial` must have an instance of its own for each kernel\. Received: "):
        _ = model.losses


def test_loop_that_keeps_the_start_needs_no_variables(kernel, epsilon):
    penalty = ToInitial(0.3)
    tensor = keras.ops.convert_to_tensor(kernel)
    block = penalty.first_block(tensor)
    value, following = penalty.carried(2 * tensor, block)
    assert float(value) == pytest.approx(0.15 * (kernel**2).sum(), rel=200 * epsilon)
    np.testing.assert_array_equal(following, kernel)
    assert penalty.carries
    assert penalty.is_of_start


def test_penalty_is_computed_in_float32_for_narrower_kernels(kernel):
    narrow = keras.ops.convert_to_tensor(kernel, "float16")
    assert keras.backend.standardize_dtype(ToInitial(0.1)(narrow).dtype) == "float32"
