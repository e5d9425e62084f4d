"""How wrappers go together with one another and with what Keras does around a step."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras.optimizers import SGD, Adam, LossScaleOptimizer

import regbench.optimizers
from regbench.optimizers import (
    AveragedWeights,
    CautiousStep,
    Clipped,
    DecoupledDecay,
    Lookahead,
    Normalized,
    NormPinned,
    OptimizerWrapper,
    SignedPower,
)

tensorflow_only = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="concerns TensorFlow's own types")

WRAPPERS = [
    lambda inner, **arguments: SignedPower(inner, power=0.7, **arguments),
    lambda inner, **arguments: Normalized(inner, norm="avg_l2", **arguments),
    lambda inner, **arguments: Clipped(inner, threshold=0.5, **arguments),
    lambda inner, **arguments: DecoupledDecay(inner, strength=0.1, **arguments),
    lambda inner, **arguments: Lookahead(inner, sync_period=2, **arguments),
    lambda inner, **arguments: CautiousStep(inner, **arguments),
    lambda inner, **arguments: NormPinned(Normalized(inner), radius=2.0, **arguments),
    lambda inner, **arguments: AveragedWeights(inner, **arguments),
]
every_wrapper = pytest.mark.parametrize(
    "wrap",
    WRAPPERS,
    ids=[
        *("signed_power", "normalized", "clipped", "decoupled_decay", "lookahead"),
        *("cautious_step", "norm_pinned", "averaged_weights"),
    ],
)


def test_wrapper_alone_is_the_inner_optimizer_to_the_bit(weights, gradients, trajectory, assert_identical):
    wrapped = trajectory(OptimizerWrapper(OptimizerWrapper(Adam(0.1))), weights, gradients)
    assert_identical(wrapped, trajectory(Adam(0.1), weights, gradients))


def test_outermost_wrapper_sees_the_gradient_first(trajectory):
    def after(optimizer):
        return trajectory(optimizer, [np.zeros((1, 2))], [[np.array([[4.0, 0.0]])]])[0][0][0, 0]

    assert after(Clipped(SignedPower(SGD(1.0), power=0.5), threshold=0.25)) == pytest.approx(-0.5)
    assert after(SignedPower(Clipped(SGD(1.0), threshold=0.25), power=0.5)) == pytest.approx(-0.25)


def test_three_nested_wrappers_follow_their_formulas(weights, gradients, trajectory, assert_agrees):
    optimizer = DecoupledDecay(Normalized(SignedPower(SGD(0.5, momentum=0.9), power=0.5)), strength=0.1)
    course, velocities = [], [np.zeros_like(array) for array in weights]
    fast = [array.copy() for array in weights]
    for arrays in gradients:
        for weight, velocity, g in zip(fast, velocities, arrays, strict=True):
            normalized = g / (np.sqrt((g**2).sum()) + 1e-7)
            if g.ndim >= 2:
                weight -= 0.5 * 0.1 * weight
                normalized = np.sign(normalized) * np.sqrt(np.abs(normalized))
            velocity[...] = 0.9 * velocity - 0.5 * normalized
            weight += velocity
        course.append([array.copy() for array in fast])
    assert_agrees(trajectory(optimizer, weights, gradients), course, operations=24)


def test_a_function_selects_the_variables_once(trajectory):
    asked = []

    def is_second(variable):
        asked.append(variable.name)
        return variable.name == "weight_1"

    ones = [np.ones(2), np.ones(2)]
    course = trajectory(DecoupledDecay(SGD(1.0), strength=0.5, apply_to=is_second), ones, [[np.zeros(2)] * 2] * 3)
    np.testing.assert_array_equal(course[-1], [[1, 1], [0.125, 0.125]])
    assert asked == ["weight_0", "weight_1"]


@pytest.mark.slow
def test_every_optimizer_trains_a_model_and_traces_the_step_once(build_optimizer, build_model, regression_data):
    calls = []

    def squared_error(targets, outputs):
        calls.append(1)  # by Python: once for each trace
        return keras.ops.mean(keras.ops.square(targets - outputs))

    model = build_model(build_optimizer(), loss=squared_error)
    first = model.fit(*regression_data, batch_size=16, epochs=1, verbose=0).history["loss"]
    traces = len(calls)
    last = model.fit(*regression_data, batch_size=16, epochs=4, verbose=0).history["loss"]
    assert last[-1] < first[0]
    assert len(calls) == traces or keras.backend.backend() == "torch"  # which Keras runs eagerly


@pytest.mark.slow
@tensorflow_only
def test_every_optimizer_compiles_with_xla(build_optimizer, build_model, regression_data):
    model = build_model(build_optimizer(), jit_compile=True)
    history = model.fit(*regression_data, batch_size=16, epochs=2, verbose=0).history["loss"]
    assert history[-1] < history[0]


@every_wrapper
def test_learning_rate_and_its_schedule_are_those_of_the_inner_optimizer(wrap):
    wrapper = wrap(SGD(0.5))
    wrapper.learning_rate = 0.25
    assert float(wrapper.learning_rate) == float(wrapper.inner_optimizer.learning_rate) == 0.25

    scheduled = wrap(Clipped(SGD(keras.optimizers.schedules.PiecewiseConstantDecay([0, 1], [1.0, 0.5, 0.25]))))
    weight = keras.Variable([1.0])
    rates = []
    for _ in range(3):
        rates.append(float(scheduled.learning_rate))
        scheduled.apply([keras.ops.ones(1)], [weight])
    assert rates == [1.0, 0.5, 0.25]
    assert int(scheduled.iterations) == int(scheduled.inner_optimizer.iterations) == 3


@every_wrapper
def test_accumulating_two_gradients_is_stepping_along_their_mean(
    wrap, weights, gradients, trajectory, assert_identical
):
    # 0.5 * (a + b) is what Keras computes, to the bit: (a + b) / 2.
    means = [
        [((a.astype("float32") + b.astype("float32")) / 2).astype("float64") for a, b in zip(*pair, strict=True)]
        for pair in zip(gradients[::2], gradients[1::2], strict=True)
    ]
    accumulating = wrap(SGD(0.25, momentum=0.9), gradient_accumulation_steps=2)
    course = trajectory(accumulating, weights, gradients)
    assert_identical(course[1::2], trajectory(wrap(SGD(0.25, momentum=0.9)), weights, means))
    assert_identical(course[:-1:2], [weights, *course[1:-2:2]])  # in between nothing moves, decay included
    assert int(accumulating.iterations) == len(means)


@pytest.mark.slow
@every_wrapper
def test_accumulation_in_a_compiled_step_is_that_of_single_steps(wrap, build_model, regression_data):
    inputs, targets = regression_data
    halves = build_model(wrap(SGD(0.1), gradient_accumulation_steps=2))
    halves.fit(inputs, targets, batch_size=16, epochs=2, shuffle=False, verbose=0)
    whole = build_model(wrap(SGD(0.1)))
    whole.fit(inputs, targets, batch_size=32, epochs=2, shuffle=False, verbose=0)
    # Sums over a batch in a different order, 4 steps; the square root near 0 amplifies less than 100 times here.
    for one, other in zip(halves.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=4 * 100 * np.finfo("float32").eps)


def test_moving_average_of_a_wrapper_follows_the_whole_step(build_model, regression_data):
    # Decay of the average 0: it equals the weights after the synchronisation, so the final replacement is none.
    model = build_model(Lookahead(SGD(0.1), sync_period=1, slow_step_size=0.1, use_ema=True, ema_momentum=0.0))
    plain = build_model(Lookahead(SGD(0.1), sync_period=1, slow_step_size=0.1))
    for one in (model, plain):
        one.fit(*regression_data, epochs=2, shuffle=False, verbose=0)
    for one, other in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("place", ["inner", "wrapper"])
def test_moving_average_replaces_the_weights_at_the_end(place, build_model, regression_data):
    averaging = {"use_ema": True, "ema_momentum": 0.5}
    inner = SGD(0.1, **(averaging if place == "inner" else {}))
    model = build_model(DecoupledDecay(inner, strength=0.1, **(averaging if place == "wrapper" else {})))
    average = None
    for _ in range(4):
        model.train_on_batch(*regression_data)
        weights = model.get_weights()
        average = weights if average is None else [0.5 * a + 0.5 * w for a, w in zip(average, weights, strict=True)]
    model.optimizer.finalize_variable_values(model.trainable_variables)  # as `fit` does at its end
    for one, other in zip(model.get_weights(), average, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=4 * np.finfo("float32").eps)


def test_clipping_acts_where_it_is_set(trajectory):
    def after(optimizer):
        return trajectory(optimizer, [np.zeros((1, 1))], [[np.full((1, 1), 16.0)]])[0][0].item()

    assert after(SignedPower(SGD(1.0, clipvalue=3.0), power=0.5)) == -3.0  # sqrt(16) = 4, clipped
    assert after(SignedPower(SGD(1.0), power=0.5, clipvalue=9.0)) == -3.0  # 16 clipped to 9, its root


# Keras itself uses the stateless form there, which `test_every_optimizer_trains_in_mixed_precision` covers.
not_on_jax = pytest.mark.skipif(
    keras.backend.backend() == "jax",
    reason="Keras's LossScaleOptimizer cannot step outside of a stateless scope on JAX",
)


@not_on_jax
@every_wrapper
def test_loss_scale_is_taken_out_before_the_transform(wrap, weights, gradients, trajectory, assert_identical):
    scaled = [[1024 * array for array in arrays] for arrays in gradients]  # a power of two: exact
    plain = trajectory(wrap(SGD(0.25)), weights, gradients)
    factor = wrap(SGD(0.25), loss_scale_factor=1024.0)
    assert float(factor.scale_loss(keras.ops.ones(()))) == 1024.0
    assert_identical(trajectory(factor, weights, scaled), plain)
    dynamic = LossScaleOptimizer(wrap(SGD(0.25)), initial_scale=1024.0)
    assert_identical(trajectory(dynamic, weights, scaled), plain)


@not_on_jax
def test_step_with_an_overflow_is_skipped_as_a_whole(trajectory):
    optimizer = LossScaleOptimizer(Lookahead(DecoupledDecay(SGD(1.0), strength=0.5), sync_period=1), initial_scale=1.0)
    course = trajectory(optimizer, [np.ones((1, 1))], [[np.full((1, 1), g)] for g in (np.inf, 0.0)])
    assert [arrays[0].item() for arrays in course] == [1.0, 0.75]  # decay to 0.5, then half-way back
    assert int(optimizer.iterations) == 1


@pytest.mark.slow
def test_every_optimizer_trains_in_mixed_precision(build_optimizer, mixed_precision, build_model, regression_data):
    model = build_model(build_optimizer())
    assert isinstance(model.optimizer, LossScaleOptimizer)
    history = model.fit(*regression_data, batch_size=16, epochs=5, verbose=0).history["loss"]
    assert history[-1] < history[0]


def test_every_optimizer_stands_still_at_a_minimum_at_zero(build_optimizer, trajectory):
    zeros = [np.zeros((3, 2)), np.zeros(1)]
    for arrays in trajectory(build_optimizer(), zeros, [zeros] * 6):
        for array in arrays:
            np.testing.assert_array_equal(array, np.zeros_like(array))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_every_optimizer_keeps_dtype_and_shape(build_optimizer, dtype):
    shapes = [(), (3,), (2, 2), (1, 2, 2, 2)]
    variables = [keras.Variable(np.ones(shape), dtype=dtype) for shape in shapes]
    gradients = [np.linspace(-0.5, 0.4, int(np.prod(shape)), dtype="float32").reshape(shape) for shape in shapes]
    before = [(variable.dtype, variable.shape) for variable in variables]
    optimizer = build_optimizer()
    for _ in range(6):
        optimizer.apply([keras.ops.cast(gradient, dtype) for gradient in gradients], variables)
    assert [(variable.dtype, variable.shape) for variable in variables] == before
    assert all(np.isfinite(np.asarray(variable, "float64")).all() for variable in variables)


@tensorflow_only
def test_every_optimizer_adds_up_repeated_rows_of_a_sparse_gradient(build_optimizer):
    import tensorflow as tf

    rows = tf.IndexedSlices(tf.constant([[1.0, 2.0], [0.5, 0.0], [3.0, -1.0]]), tf.constant([1, 3, 1]), (4, 2))
    dense = tf.constant([[0.0, 0.0], [4.0, 1.0], [0.0, 0.0], [0.5, 0.0]])
    results = []
    for gradient in (rows, dense):
        optimizer, table = build_optimizer(), keras.Variable(np.ones((4, 2), "float32"))
        for _ in range(6):
            optimizer.apply([gradient], [table])
        results.append(np.asarray(table))
    np.testing.assert_allclose(*results, rtol=8 * np.finfo("float32").eps)


@pytest.mark.slow
@tensorflow_only
def test_every_optimizer_trains_an_embedding(build_optimizer):
    keras.utils.set_random_seed(5)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Embedding(10, 2), keras.layers.Flatten()])
    model.add(keras.layers.Dense(1))
    model.compile(build_optimizer(), loss="mse")
    tokens = np.random.default_rng(6).integers(0, 10, size=(32, 3))
    history = model.fit(tokens, tokens.mean(1) / 10, batch_size=8, epochs=4, verbose=0).history["loss"]
    assert history[-1] < history[0]


def test_excluding_from_weight_decay_reaches_the_inner_optimizer():
    optimizer = SignedPower(SGD(1.0, weight_decay=0.5))
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    variables = [keras.Variable([1.0], name="bias"), keras.Variable([1.0], name="kernel")]
    optimizer.apply([keras.ops.zeros(1)] * 2, variables)
    assert [np.asarray(variable).item() for variable in variables] == [1.0, 0.5]


def test_set_weights_reaches_the_inner_optimizer(weights, gradients, trajectory, assert_identical):
    source, target = (Lookahead(SGD(0.1, momentum=0.9), sync_period=3) for _ in range(2))
    halfway = trajectory(source, weights, gradients[:4])[-1]
    variables = [keras.Variable(array, dtype="float32") for array in halfway]
    target.build(variables)
    target.set_weights([np.asarray(variable) for variable in source.variables])
    for arrays in gradients[4:]:
        target.apply([keras.ops.convert_to_tensor(array, "float32") for array in arrays])
    whole = trajectory(Lookahead(SGD(0.1, momentum=0.9), sync_period=3), weights, gradients)
    assert_identical([[np.asarray(variable) for variable in variables]], whole[-1:])


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        (lambda: LossScaleOptimizer(SGD()), "`LossScaleOptimizer` must be outermost"),
        (
            lambda: SGD(gradient_accumulation_steps=2),
            "`gradient_accumulation_steps` must be set on the outermost wrapper",
        ),
        (lambda: SignedPower(SGD(), gradient_accumulation_steps=2), "with gradient_accumulation_steps=2"),
        (lambda: SGD(loss_scale_factor=8.0), "`loss_scale_factor` must be set on the outermost wrapper"),
        (lambda: None, "`inner_optimizer` must be a Keras optimizer. Received: inner_optimizer=None"),
    ],
)
@every_wrapper
def test_inner_optimizer_that_would_mean_something_else_is_refused(wrap, inner, message):
    with pytest.raises(ValueError, match=message):
        wrap(inner())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"learning_rate": 0.1}, "`learning_rate` must be set on the inner optimizer. Received: learning_rate=0.1"),
        ({"weight_decay": 0.1}, "`weight_decay` must be set on the inner optimizer. Received: weight_decay=0.1"),
        ({"apply_to": "biases"}, "`apply_to` must be .* Received: apply_to='biases'"),
        ({"momentum": 0.9}, "not recognized: {'momentum': 0.9}"),
    ],
)
def test_arguments_of_a_wrapper_are_validated(arguments, message):
    with pytest.raises(ValueError, match=message):
        SignedPower(SGD(), **arguments)


@pytest.mark.slow
@tensorflow_only
def test_several_replicas_are_refused():
    # Two logical devices must be set up before TensorFlow starts, hence the process.
    script = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from regbench.optimizers import SignedPower
with tf.distribute.OneDeviceStrategy("CPU:0").scope():
    SignedPower("sgd")
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    try:
        SignedPower("sgd")
    except ValueError as error:
        print(error)
"""
    package_root = Path(regbench.optimizers.__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(package_root)}
    result = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert "`SignedPower` must run on one replica under `tf.distribute`. Received: a strategy of 2" in result.stdout
