"""What holds for all penalties alike."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

from regbench import regularizers
from regbench.regularizers import (
    L1,
    L2,
    EigenvalueDecay,
    ElasticNet,
    GroupLasso,
    NormTarget,
    Orthogonal,
    RowNorm,
    SmoothKernel,
    SpectralNorm,
    ToInitial,
)
from regbench.regularizers.orthogonal import FORMS

CORRELATED = np.eye(9) + 0.5
PENALTIES = {
    "l2": lambda factor: L2(factor),
    "eigenvalue_decay": lambda factor: EigenvalueDecay(factor),
    **{form: lambda factor, form=form: Orthogonal(factor, form) for form in FORMS},
    "smooth_kernel_rank_2": lambda factor: SmoothKernel(factor, CORRELATED, rank=2),
    "smooth_kernel_rank_3": lambda factor: SmoothKernel(factor, np.kron(CORRELATED, np.eye(2)), rank=3),
    "spectral_norm": lambda factor: SpectralNorm(factor),
    "spectral_norm_exact": lambda factor: SpectralNorm(factor, squared=False, exact=True),
    "norm_target": lambda factor: NormTarget(factor, target=2.0),
    "row_norm": lambda factor: RowNorm(factor),
    "l1": lambda factor: L1(factor),
    "elastic_net": lambda factor: ElasticNet(factor, share=0.3),
    "group_lasso": lambda factor: GroupLasso(factor),
}
"""`ToInitial`, which is 0 at its first call, has tests of its own."""
IN_FIT = [name for name in PENALTIES if name not in ("norm_target", "row_norm", "l1", "elastic_net", "group_lasso")]
"""Those that are more than sums of entries; `tests/test_contracts.py` has a fit and a file of all."""
DENSE = [name for name in PENALTIES if not name.startswith(("smooth", "brock"))]


def kernels_for(name, kernel):
    """The kernel, and a dense one where the penalty takes such."""
    return [kernel, kernel.reshape(-1, kernel.shape[-1])] if name in DENSE else [kernel]


@pytest.mark.parametrize("name", PENALTIES)
def test_penalty_is_a_non_negative_scalar(name, convolution_kernel):
    for kernel in kernels_for(name, convolution_kernel):
        for scale in (0.0, 1e-10, 1.0, 1e3):
            penalty = PENALTIES[name](0.1)(keras.ops.convert_to_tensor(scale * kernel, "float32"))
            assert tuple(penalty.shape) == ()
            assert float(penalty) >= 0


@pytest.mark.parametrize("name", PENALTIES)
def test_penalty_is_proportional_to_the_factor(name, value, convolution_kernel, epsilon):
    one, three = (value(PENALTIES[name](factor), convolution_kernel) for factor in (1.0, 3.0))
    assert three == pytest.approx(3 * one, abs=0, rel=2 * epsilon)


@pytest.mark.parametrize("name", PENALTIES)
def test_penalty_and_gradient_are_zero_at_factor_zero(name, value, gradient, convolution_kernel):
    for kernel in kernels_for(name, convolution_kernel):
        assert value(PENALTIES[name](0), kernel) == 0.0
        np.testing.assert_array_equal(gradient(PENALTIES[name](0), kernel), np.zeros(kernel.shape))


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_penalty_and_gradient_are_finite_at_weights_of_zero(name, dtype, value, gradient, convolution_kernel):
    for kernel in kernels_for(name, np.zeros_like(convolution_kernel)):
        assert np.isfinite(value(PENALTIES[name](0.1), kernel, dtype))
        np.testing.assert_array_equal(gradient(PENALTIES[name](0.1), kernel, dtype), kernel)


@pytest.mark.parametrize("name", PENALTIES)
def test_penalty_of_a_diverged_kernel_is_not_finite_and_raises_nothing(name, value, convolution_kernel):
    for broken in (np.nan, np.inf):
        for kernel in kernels_for(name, convolution_kernel.copy()):
            kernel.flat[3] = broken
            assert not np.isfinite(value(PENALTIES[name](0.1), kernel, "float32"))


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_penalty_is_computed_in_float32_for_narrower_kernels(name, dtype, value, convolution_kernel):
    narrow = keras.ops.convert_to_tensor(convolution_kernel, dtype)
    penalty = PENALTIES[name](0.1)(narrow)
    assert keras.backend.standardize_dtype(penalty.dtype) == "float32"
    assert float(penalty) == value(PENALTIES[name](0.1), np.asarray(keras.ops.cast(narrow, "float32")), "float32")


@pytest.mark.parametrize("name", PENALTIES)
def test_config_survives_json(name):
    penalty = PENALTIES[name](0.1)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(penalty)))
    restored = keras.regularizers.get(config)
    assert type(restored) is type(penalty)
    assert restored.get_config() == penalty.get_config()
    assert config["registered_name"] == f"regbench>{type(penalty).__name__}"


def network(penalty, **arguments):
    layers = [keras.Input((4, 4, 2)), keras.layers.Conv2D(5, 3, kernel_regularizer=penalty, **arguments)]
    return keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(3)])


# Keras on TensorFlow saves weights in a way that NumPy 2 warns of.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
@pytest.mark.parametrize("name", IN_FIT)
def test_model_with_a_penalty_is_saved_and_loaded(name, tmp_path):
    model = network(PENALTIES[name](0.1))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert float(loaded.losses[0]) == float(model.losses[0]) > 0
    assert loaded.layers[0].kernel_regularizer.get_config() == PENALTIES[name](0.1).get_config()


@pytest.mark.parametrize("name", IN_FIT)
@pytest.mark.parametrize("jit_compile", [False, True])
def test_fit_takes_a_step_along_the_gradient_of_the_penalty(name, jit_compile, value, gradient):
    # Images of zeros: the data say nothing about the kernel, the step is -learning rate * gradient of the penalty.
    keras.utils.set_random_seed(1)
    model = network(PENALTIES[name](0.1))
    model.compile(keras.optimizers.SGD(0.5), "mse", jit_compile=jit_compile)
    before = np.asarray(model.layers[0].kernel, "float64")
    history = model.fit(np.zeros((8, 4, 4, 2)), np.zeros((8, 3)), batch_size=8, verbose=0).history
    slope = gradient(PENALTIES[name](0.1), before)
    # Sums of 90 products in float32, and one rounding of the weight.
    rounding = 90 * float(np.finfo("float32").eps)
    tolerance = rounding * max(1.0, np.abs(before).max(), np.abs(slope).max())
    np.testing.assert_allclose(np.asarray(model.layers[0].kernel), before - 0.5 * slope, rtol=0, atol=tolerance)
    assert history["loss"][0] == pytest.approx(value(PENALTIES[name](0.1), before), abs=0, rel=rounding)


@pytest.mark.parametrize("name", IN_FIT)
def test_fit_runs_in_mixed_precision(name):
    keras.utils.set_random_seed(1)
    model = network(PENALTIES[name](0.1), dtype="mixed_float16")
    model.compile("sgd", "mse")
    images = np.random.default_rng(1).normal(size=(8, 4, 4, 2))
    losses = model.fit(images, np.zeros((8, 3)), batch_size=8, epochs=3, verbose=0).history["loss"]
    assert losses[2] < losses[0]


FOR_BOTH = [L1, L2, ElasticNet, GroupLasso, NormTarget, Orthogonal, RowNorm, SpectralNorm, ToInitial]


@pytest.mark.parametrize(
    "penalty, kernels",
    [(EigenvalueDecay, "dense"), (SmoothKernel, "convolution"), *((penalty, "both") for penalty in FOR_BOTH)],
)
def test_class_says_which_kernels_it_is_for(penalty, kernels):
    assert penalty.default_kernels == kernels
    assert f'`default_kernels` is `"{kernels}"`' in penalty.__doc__


def test_everything_is_reached_from_the_package():
    expected = {penalty.__name__ for penalty in (*FOR_BOTH, EigenvalueDecay, SmoothKernel)}
    expected |= {"GaussianInitializer", "KernelPrior"}
    assert set(regularizers.__all__) == expected
    assert all(hasattr(regularizers, name) for name in expected)
